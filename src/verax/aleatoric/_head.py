"""What all heads share: a target column with a scale of its own, and outputs whose shape is checked."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events
from verax.learn import Standardise, checked_total, inputs, standardise

PerEvent: TypeAlias = Float[jax.Array, "*event"]
Condition: TypeAlias = Float[Array, "..."] | None
"""What draws are given: one row for each, or one for all; None where there is nothing."""

MakeBody: TypeAlias = Callable[..., Any]
"""``(key, events, features=…, outputs=…) → network`` of that many outputs, for example ``partial(classifier, width=64)``."""


class Head(eqx.Module):
    """A network whose outputs are read as a distribution of a target, in the target's own units.

    Parameters
    ----------
    body : any network ``x[feature] → outputs``; an epistemic method may replace its layers
    scale : the target's centre and scale, fixed: the body works in units of them
    target : column that it predicts

    >>> class Mean(Head):
    ...     def __call__(self, x, *, key=None):
    ...         centre, scale = self.units()
    ...         return centre + scale * self.body(x)
    >>> scale = standardise(np.array([[1.0], [3.0]]), np.ones(2))  # of the target
    >>> float(Mean(lambda x: x[0], scale, "y")(jnp.array([0.5])))  # 2 + 1 · 0.5
    2.5
    """

    body: Any
    scale: Standardise
    target: str = eqx.field(static=True)

    @property
    def features(self) -> tuple[str, ...]:
        """Columns that the body reads, in the order of its input."""
        return self.body.features

    def raw(self, x: Float[jax.Array, " feature"], key: PRNGKeyArray | None) -> Float[jax.Array, " output"]:
        """Evaluate the body at one point.

        Parameters
        ----------
        x : the features ``[feature]``
        key : for bodies that draw random numbers, or None
        """
        return self.body(x) if key is None else self.body(x, key=key)

    def units(self) -> tuple[Float[jax.Array, ""], Float[jax.Array, ""]]:
        """Give centre and scale of the target."""
        return jnp.asarray(self.scale.centre)[..., 0], jnp.asarray(self.scale.scale)[..., 0]


def target_scale(events: Events, target: str, features: Sequence[str]) -> Standardise:
    """Centre and scale of the target over ``events``; a constant target has scale 1.

    Raises
    ------
    InputError : for an unknown column, a target that is also a feature, values of it that are not finite, or weights
        that do not sum to a positive number: no loss of them has a minimum
    """
    check_total(events)
    values = np.asarray(events.features([target]), np.float64)
    if target in features:
        raise InputError(f"target '{target}'", "a feature of that name", "a target that the network does not read")
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise InputError(f"target '{target}'", f"{bad} NaN or infinite values", "finite values", "drop those rows")
    return standardise(values, np.asarray(events.weight))


def check_total(events: Events) -> None:
    """Raise InputError where the training weights do not sum to a positive number."""
    checked_total(np.asarray(events.weight, np.float64), "training part")


def outputs(network: Any, events: Events, key: PRNGKeyArray, shape: tuple[int, ...], where: str) -> jax.Array:
    """A network's outputs for a batch, ``[event, *shape]``.

    Raises
    ------
    InputError : when a point's output has another shape, with the one that ``where`` expects
    """
    found = jax.vmap(network)(inputs(network, events))
    if found.shape[1:] != shape:
        raise InputError(where, f"a network with outputs of shape {found.shape[1:]}", f"outputs of shape {shape}")
    return found


def check_columns(columns: Sequence[str], condition: Sequence[str], where: str) -> None:
    """Raise InputError where there are no columns to make a distribution of, or some are also its condition."""
    both = sorted(set(columns) & set(condition))
    if not columns or both:
        seen = f"{both} in both" if both else "no columns"
        raise InputError(where, seen, "columns of the distribution, and others that it is given")


def condition_scale(events: Events, condition: Sequence[str]) -> Standardise:
    """Centre and scale of the condition's columns, of which there may be none."""
    shown = np.asarray(events.features(condition)) if condition else np.zeros((len(events), 0), np.float32)
    return standardise(shown, np.asarray(events.weight))


def condition_of(condition: Any, names: Sequence[str], n: int, where: str) -> Float[jax.Array, "n condition"]:
    """One condition for each of ``n`` rows, from one for all or one for each.

    Raises
    ------
    InputError : for one that is missing, is not expected or has another shape
    """
    shape = np.shape(condition)
    if condition is None and not names:
        return jnp.zeros((n, 0), jnp.float32)
    if shape not in ((len(names),), (n, len(names))) or not names:
        expected = f"({n}, {len(names)}) or ({len(names)},): {', '.join(names)}" if names else "none"
        raise InputError(where, "no condition" if condition is None else f"a condition of shape {shape}", expected)
    return jnp.broadcast_to(jnp.asarray(condition, jnp.float32), (n, len(names)))
