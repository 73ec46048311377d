"""Fast sine, cosine and azimuth: NumPy's in double precision, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np

from verax.systematics import arctan2, cos, sin

UNIT = np.finfo(np.float32).eps


def test_sine_and_cosine():
    """Within one unit in the last place at 1; a turn more is in the argument's own rounding, which NumPy sees too."""
    x = np.linspace(-30, 30, 200_001).astype(np.float32)
    for ours, numpy in ((sin, np.sin), (cos, np.cos)):
        np.testing.assert_allclose(ours(x), numpy(x.astype(np.float64)), atol=UNIT, rtol=0)
    np.testing.assert_allclose(jax.vmap(jax.grad(sin))(x[::1000]), np.cos(x[::1000]), atol=8 * UNIT)
    np.testing.assert_allclose(jax.vmap(jax.grad(cos))(x[::1000]), -np.sin(x[::1000]), atol=8 * UNIT)


def test_azimuth():
    """Within one unit in the last place at π, on all sides and along the axes."""
    y, x = np.random.default_rng(1).normal(size=(2, 50_000)).astype(np.float32)
    y[:5], x[:5] = [0, 0, 1, -1, 0], [2, -1, 0, 0, 0]
    expected = np.arctan2(y.astype(np.float64), x.astype(np.float64))
    np.testing.assert_allclose(arctan2(y, x), expected, atol=2 * UNIT, rtol=2 * UNIT)
    dy, dx = (jax.vmap(jax.grad(arctan2, i))(y[5:500], x[5:500]) for i in (0, 1))
    square = x[5:500] ** 2 + y[5:500] ** 2
    np.testing.assert_allclose(dy, x[5:500] / square, rtol=1e-5)
    np.testing.assert_allclose(dx, -y[5:500] / square, rtol=1e-5)


def test_other_precisions_take_jax_own():
    with jax.enable_x64(True):
        x = jnp.linspace(-3, 3, 7)
        np.testing.assert_array_equal(sin(x), jnp.sin(x))
        np.testing.assert_array_equal(arctan2(x, cos(x)), jnp.arctan2(x, jnp.cos(x)))
