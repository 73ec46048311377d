"""Poisson bootstrap: a replica of the sample multiplies each event's weight by a Poisson(1) number.

The number comes from the identity of the event, not from its place: the same event has the same factors in each region,
variation, chunk size and order, so replicas of one sample can be compared, and a replica is never stored.
Source: Chamandy et al., "Estimating uncertainty for massive data streams" (Google, 2012); ATL-PHYS-PUB-2021-011.
"""

from decimal import Decimal, localcontext

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, Integer, Key, PRNGKeyArray, UInt8, UInt32

from verax.arrays import Array
from verax.events import fold_number


def _thresholds() -> np.ndarray:
    """P(N ≤ k) of Poisson(1) in units of 2⁻³², rounded, for all k where it is below 1."""
    with localcontext() as context:
        context.prec = 50
        term, total, steps = 1 / Decimal(1).exp(), Decimal(0), []
        for k in range(1, 20):
            total += term
            term /= k
            steps.append(int((total * 2**32).to_integral_value()))
    return np.asarray([s for s in steps if s < 2**32], np.uint32)


_STEPS = _thresholds()


def bootstrap_factors(
    key: PRNGKeyArray, number: Integer[Array, " event"], process: Int[Array, " event"], *, members: int
) -> UInt8[np.ndarray, "member event"]:
    """Draw Poisson(1) factors of each event in each of ``members`` replicas; member m's do not depend on ``members``.

    Integers are compared with integers, so the factors are the same on every machine.

    Parameters
    ----------
    key : the seed of all replicas
    number : event numbers ``[event]``, of any width (see :func:`verax.events.fold_number`)
    process : process of each event ``[event]``; the same number in another process is another event
    members : number of replicas

    >>> factors = bootstrap_factors(jax.random.key(1), np.arange(4000, dtype=np.uint32), np.zeros(4000, int), members=2)
    >>> factors.shape, bool(abs(factors.mean() - 1) < 0.05)
    ((2, 4000), True)
    """
    keys = jax.vmap(lambda m: jax.random.fold_in(key, m))(jnp.arange(members))
    rows = 1 << 16
    number, process = fold_number(np.asarray(number)), np.asarray(process, np.int32)
    out = np.empty((members, len(number)), np.uint8)
    for start in range(0, len(number), rows):
        stop = min(start + rows, len(number))
        filled = rows if len(number) > rows else len(number)
        part = [np.resize(a[start:stop], filled) for a in (number, process)]
        out[:, start:stop] = np.asarray(_factors(keys, *part))[:, : stop - start]
    return out


@eqx.filter_jit
def _factors(
    keys: Key[jax.Array, " member"] | UInt32[jax.Array, "member word"],
    number: UInt32[Array, " event"],
    process: Int[Array, " event"],
) -> UInt8[jax.Array, "member event"]:
    def one(key: PRNGKeyArray, number: Array, process: Array) -> jax.Array:
        bits = jax.random.bits(jax.random.fold_in(jax.random.fold_in(key, process), number))
        return jnp.sum(bits >= _STEPS, dtype=jnp.uint8)

    return jax.lax.map(lambda key: jax.vmap(one, in_axes=(None, 0, 0))(key, number, process), keys)
