"""Keys of JAX for tests that draw their events with NumPy."""

import jax
import numpy as np


def key_from(rng: np.random.Generator) -> jax.Array:
    """A key that the generator draws: another one in each call."""
    return jax.random.key(int(rng.integers(2**31)))
