"""Data augmentation: a network that sees its events at nuisance parameters drawn from their priors."""

from collections.abc import Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array as JaxArray
from jaxtyping import Float, PRNGKeyArray

from verax.events import Events
from verax.learn import Loss
from verax.parameters import Gaussian, Parameter
from verax.systematics import Systematic, shift

Per = Literal["event", "batch"]


def draw(
    key: PRNGKeyArray, parameters: Sequence[Parameter], shape: tuple[int, ...] = ()
) -> dict[str, Float[JaxArray, "..."]]:
    """Values of the parameters from their priors, cut at their bounds.

    θ ~ N(init, width); a free parameter (and one that a count constrains) has no prior of its own and is drawn with
    width 1, the unit of its systematic.
    """
    keys = jax.random.split(key, max(len(parameters), 1))
    values = {}
    for k, p in zip(keys, parameters, strict=False):
        width = p.constraint.width if isinstance(p.constraint, Gaussian) else 1.0
        values[p.name] = jnp.clip(p.init + width * jax.random.normal(k, shape), *p.bounds)
    return values


class Augmented(eqx.Module):
    """``loss`` on events whose nuisance parameters are drawn anew in each step: one value per event, or per batch.

    One per event shows a step the whole prior; one per batch shows it one experiment at a time, as a loss that is no
    sum over events needs. With ``give``, the values join the events as columns (:func:`given`), for networks that read
    them.

    Raises
    ------
    InputError : for a systematic that JAX cannot trace (see :func:`verax.systematics.interpolable`)
    """

    loss: Loss
    systematics: tuple[Systematic, ...]
    per: Per = eqx.field(static=True, default="event")
    give: bool = eqx.field(static=True, default=False)

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[JaxArray, ""]:
        first, second = jax.random.split(key)
        size = (events.weight.shape[0],) if self.per == "event" else ()
        theta = draw(first, [s.parameter for s in self.systematics], size)
        moved = shift(events, self.systematics, theta)
        return self.loss(network, given(moved, theta) if self.give else moved, second)


def augment(loss: Loss, systematics: Sequence[Systematic], *, per: Per = "event") -> Augmented:
    """A loss transformer: the same loss, averaged over the priors of the systematics."""
    return Augmented(loss, tuple(systematics), per)


def given(events: Events, theta: dict[str, Float[JaxArray, "..."]]) -> Events:
    """The events with the values of parameters as further columns, each named :func:`column_of` its parameter."""
    n = events.weight.shape[0]
    more = [jnp.broadcast_to(jnp.asarray(value, jnp.float32), (n,)) for value in theta.values()]
    x = jnp.concatenate([jnp.asarray(events.x), jnp.stack(more, axis=1)], axis=1) if more else events.x
    columns = (*events.columns, *(column_of(name) for name in theta))
    return Events(x, events.weight, events.process, events.number, columns, events.processes)


def column_of(parameter: str) -> str:
    """The column that holds a parameter's value."""
    return f"θ|{parameter}"
