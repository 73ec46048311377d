"""What a systematic makes of a piece of events, by a program compiled once for pieces of one length."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from verax.arrays import Float, Scalar
from verax.events import Events
from verax.systematics import Systematic, shift


def moved(
    events: Events, systematic: Systematic, theta: float, rows: int
) -> tuple[Float[np.ndarray, "event column"], Float[np.ndarray, " event"]]:
    """Columns and weights of the events at ``theta``; compiled for ``rows`` events where JAX can trace the effect."""
    if not systematic.traceable:
        there = shift(events, [systematic], {systematic.name: theta})
        return np.asarray(there.x), np.asarray(there.weight)
    x, weight = (np.asarray(a)[: len(events)] for a in _compiled(_pad(events, rows), systematic, jnp.float32(theta)))
    return x, weight


def _pad(events: Events, rows: int) -> Events:
    """Repeat the last event, with weight zero, up to a fixed length: one shape means one compilation."""
    n = len(events)
    index = np.minimum(np.arange(rows), max(n - 1, 0)) if n else np.zeros(0, np.int64)
    filled = jax.tree.map(lambda leaf: np.asarray(leaf)[index], events)
    weight = np.where(np.arange(len(index)) < n, filled.weight, 0).astype(filled.weight.dtype)
    return Events(filled.x, weight, filled.process, filled.number, events.columns, events.processes)


@eqx.filter_jit
def _compiled(events: Events, systematic: Systematic, theta: Scalar) -> tuple[jax.Array, jax.Array]:
    there = shift(events, [systematic], {systematic.name: theta})
    return jnp.asarray(there.x), jnp.asarray(there.weight)
