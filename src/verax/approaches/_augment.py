"""Data augmentation: a network that sees its events at nuisance parameters drawn from their priors.

Compared with other approaches by Ghosh, Nachman, Whiteson, arXiv:2105.08742.
"""

from collections.abc import Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from verax.events import Events
from verax.learn import Loss
from verax.parameters import Gaussian, Parameter
from verax.systematics import Systematic, shift

Per = Literal["event", "batch"]


def draw(
    key: PRNGKeyArray, parameters: Sequence[Parameter], shape: tuple[int, ...] = ()
) -> dict[str, Float[jax.Array, "..."]]:
    """Draw values of the parameters from their priors, cut at their bounds.

    θ ~ N(init, width); a free parameter (and one that a count constrains) has no prior of its own and is drawn with
    width 1, the unit of its systematic.

    Parameters
    ----------
    key : random key of the draws
    parameters : whose values are drawn
    shape : of the values of each: ``()`` for one, ``(n,)`` for one for each event

    >>> from verax.parameters import nuisance
    >>> draw(jax.random.key(1), [nuisance("jes", "detector")], (3,))["jes"].shape
    (3,)
    """
    keys = jax.random.split(key, max(len(parameters), 1))
    values = {}
    for k, p in zip(keys, parameters, strict=False):
        width = p.constraint.width if isinstance(p.constraint, Gaussian) else 1.0
        values[p.name] = jnp.clip(p.init + width * jax.random.normal(k, shape), *p.bounds)
    return values


class Augmented(eqx.Module):
    """``loss`` on events whose nuisance parameters are drawn anew in each step; made by :func:`augment`.

    One value per event shows a step the whole prior; one per batch shows it one experiment at a time, as a loss that is no
    sum over events needs.

    Parameters
    ----------
    loss : ``(network, batch of events, key) → scalar``
    systematics : those whose parameters are drawn
    per : one value of θ for each "event", or for each "batch"
    give : add the values to the events as columns (:func:`given`), for networks that read them

    Raises
    ------
    InputError : for a systematic that JAX cannot trace (see :func:`verax.systematics.interpolable`)
    """

    loss: Loss
    systematics: tuple[Systematic, ...]
    per: Per = eqx.field(static=True, default="event")
    give: bool = eqx.field(static=True, default=False)

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        first, second = jax.random.split(key)
        size = (events.weight.shape[0],) if self.per == "event" else ()
        theta = draw(first, [s.parameter for s in self.systematics], size)
        moved = shift(events, self.systematics, theta)
        return self.loss(network, given(moved, theta) if self.give else moved, second)


def augment(loss: Loss, systematics: Sequence[Systematic], *, per: Per = "event") -> Augmented:
    """Average ``loss`` over the priors of the systematics.

    Parameters
    ----------
    loss : ``(network, batch of events, key) → scalar``
    systematics : those whose parameters are drawn
    per : one value of θ for each "event", or for each "batch"

    >>> from verax.learn import CrossEntropy
    >>> from verax.systematics import normalisation
    >>> augment(CrossEntropy(("signal",)), [normalisation("lumi", 0.02)], per="batch").per
    'batch'
    """
    return Augmented(loss, tuple(systematics), per)


def given(events: Events, theta: dict[str, Float[jax.Array, "..."]]) -> Events:
    """Add values of parameters to the events as further columns, each named ``θ|`` and its parameter.

    Parameters
    ----------
    events : to which the columns are added
    theta : values of each parameter: one, or one for each event

    >>> import numpy as np
    >>> from verax.events import make_events
    >>> given(make_events({"x": np.zeros(2)}), {"jes": jnp.array(0.5)}).columns
    ('x', 'θ|jes')
    """
    n = events.weight.shape[0]
    more = [jnp.broadcast_to(jnp.asarray(value, jnp.float32), (n,)) for value in theta.values()]
    x = jnp.concatenate([jnp.asarray(events.x), jnp.stack(more, axis=1)], axis=1) if more else events.x
    columns = (*events.columns, *(column_of(name) for name in theta))
    return Events(x, events.weight, events.process, events.number, columns, events.processes)


def column_of(parameter: str) -> str:
    """The column that holds a parameter's value."""
    return f"θ|{parameter}"
