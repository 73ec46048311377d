"""Uniform random numbers that a counter fixes, so that an accepted proposal can be made again from its index alone."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float, PRNGKeyArray, UInt32

from verax.arrays import Array

from ._collider_decays import EventArray

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
ROUNDS = 20


def uniform(words: UInt32[Array, "2"], index: UInt32[Array, " event"], numbers: int) -> tuple[EventArray, ...]:
    """``numbers`` uniform numbers in (0, 1) for each ``index``, fixed by it and the two ``words`` of the key.

    Threefry-2x32 of 20 rounds with the counter (index, j) for the numbers 2j and 2j + 1 (Salmon et al., SC '11,
    doi:10.1145/2063384.2063405). It is JAX's own generator, written out in one piece: on CPUs several times faster.
    """

    def pair(j: jax.Array) -> tuple[EventArray, EventArray]:
        first, second = threefry(words, index, jnp.broadcast_to(j, index.shape))
        return _unit(first), _unit(second)

    both = lax.map(pair, jnp.arange((numbers + 1) // 2, dtype=jnp.uint32))
    return tuple(both[i % 2][i // 2] for i in range(numbers))


def _unit(bits: UInt32[Array, "*shape"]) -> Float[Array, "*shape"]:
    return (bits >> 9).astype(jnp.float32) * 2.0**-23 + 2.0**-24


def staged(function: Callable[..., Any], *events: Any) -> Any:
    """``function`` of arrays of events, computed once, in two halves.

    A compiler for CPUs merges what is computed from momenta into whatever uses them, and so computes them over and
    over; it does not look into a loop. The number of events must be even.
    """
    halves = jax.tree.map(lambda leaf: leaf.reshape(2, -1), events)
    return jax.tree.map(lambda leaf: leaf.reshape(-1), lax.map(lambda half: function(*half), halves))


def threefry(
    words: UInt32[Array, "2"], x: UInt32[Array, "*shape"], y: UInt32[Array, "*shape"]
) -> tuple[UInt32[Array, "*shape"], UInt32[Array, "*shape"]]:
    """The block cipher: two random words for each counter (x, y)."""
    keys = (words[0], words[1], words[0] ^ words[1] ^ jnp.uint32(0x1BD11BDA))
    x, y = x + keys[0], y + keys[1]
    for group in range(ROUNDS // 4):
        for r in ROTATIONS[group % 2]:
            x = x + y
            y = ((y << r) | (y >> (32 - r))) ^ x
        x = x + keys[(group + 1) % 3]
        y = y + keys[(group + 2) % 3] + jnp.uint32(group + 1)
    return x, y


def words_of(key: PRNGKeyArray) -> UInt32[Array, "2"]:
    """Two words from a key of any kind."""
    return jax.random.bits(key, (2,), jnp.uint32)


def normal(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The standard normal number at probability ``u``."""
    return 2**0.5 * lax.erf_inv(2 * u - 1)
