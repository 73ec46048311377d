"""Array types shared by every floor, and the namespace that computes with them: NumPy's or JAX's from one source."""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import jax.scipy.special
import numpy as np
import scipy.special

Array: TypeAlias = jax.Array | np.ndarray
Scalar: TypeAlias = jax.Array | np.ndarray | float | int


def namespace(*arrays: Any) -> Any:
    """``numpy`` where all are plain, else ``jax.numpy``: nothing is compiled for plain arrays.

    >>> namespace(np.ones(2), 1.0).__name__, namespace(np.ones(2), jnp.ones(2)).__name__
    ('numpy', 'jax.numpy')
    """
    return jnp if any(isinstance(x, jax.Array) for x in arrays) else np


def gammaln(x: Array) -> Array:
    """Logarithm of Γ."""
    return jax.scipy.special.gammaln(x) if isinstance(x, jax.Array) else np.asarray(scipy.special.gammaln(x))


def xlogy(x: Array, y: Array) -> Array:
    """X log y, 0 where x is 0."""
    plain = namespace(x, y) is np
    return np.asarray(scipy.special.xlogy(x, y)) if plain else jax.scipy.special.xlogy(x, y)


def add_at(values: Array, where: Any, more: Array) -> Array:
    """The array with ``more`` added ``where``; indices may repeat. A plain one is changed in place."""
    if namespace(values, more) is jnp:
        return jnp.asarray(values).at[where].add(more)
    plain = np.asarray(values)
    np.add.at(plain, where, np.asarray(more))
    return plain
