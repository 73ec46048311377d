"""Array types shared by every floor: a JAX array, a tracer, or a NumPy array."""

from typing import TypeAlias

import jax
import numpy as np

Array: TypeAlias = jax.Array | np.ndarray
Scalar: TypeAlias = jax.Array | np.ndarray | float | int
