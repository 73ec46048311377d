"""Monotone maps of a line onto itself, which autoregressive flows are made of."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

EDGE = 5.0
"""A spline changes (−EDGE, EDGE) and is the identity outside, in units of a standard Gaussian."""

_SMALLEST = 1e-3
"""Smallest share of a bin in the spline's range, and smallest derivative."""

_START = float(np.log(np.expm1(1 - _SMALLEST)))
"""softplus of this is the derivative 1 of the identity."""

Pair = tuple[jax.Array, jax.Array]


def spline(x: Float[jax.Array, ""], raw: Float[jax.Array, " parameter"]) -> Pair:
    """Rational-quadratic spline and the log of its derivative (Durkan et al., arXiv:1906.04032, equations 4 and 5).

    ``raw`` has 3k − 1 numbers for k bins: widths, heights, and derivatives at the inner knots; all zero is the identity.
    """
    knots_x, knots_y, slope = _knots(raw)
    left, right, low, high, d0, d1 = _bin(x, knots_x, (knots_x, knots_y, slope))
    inside = jnp.abs(x) < EDGE
    s = (high - low) / (right - left)  # s_k = (y_{k+1} − y_k)/(x_{k+1} − x_k), d0 = δ_k and d1 = δ_{k+1}
    xi = jnp.clip(jnp.where(inside, (x - left) / (right - left), 0.5), 0, 1)  # ξ = (x − x_k)/(x_{k+1} − x_k)
    cross = xi * (1 - xi)
    # Equation 4: y = y_k + (y_{k+1} − y_k) [s ξ² + δ_k ξ(1 − ξ)]/β,  β = s + (δ_{k+1} + δ_k − 2s) ξ(1 − ξ)
    beta = s + (d0 + d1 - 2 * s) * cross
    y = low + (high - low) * (s * xi**2 + d0 * cross) / beta
    # Equation 5: dy/dx = s² [δ_{k+1} ξ² + 2s ξ(1 − ξ) + δ_k (1 − ξ)²]/β²
    derivative = s**2 * (d1 * xi**2 + 2 * s * cross + d0 * (1 - xi) ** 2) / beta**2
    return jnp.where(inside, y, x), jnp.where(inside, jnp.log(derivative), 0.0)


def spline_inverse(y: Float[jax.Array, ""], raw: Float[jax.Array, " parameter"]) -> Float[jax.Array, ""]:
    """The x that :func:`spline` takes to ``y``: the root ξ of aξ² + bξ + c = 0 (equations 6 to 8)."""
    knots_x, knots_y, slope = _knots(raw)
    left, right, low, high, d0, d1 = _bin(y, knots_y, (knots_x, knots_y, slope))
    inside = jnp.abs(y) < EDGE
    s = (high - low) / (right - left)
    rise = jnp.where(inside, y - low, 0.5 * (high - low))  # y − y_k
    curved = rise * (d0 + d1 - 2 * s)
    a = (high - low) * (s - d0) + curved
    b = (high - low) * d0 - curved
    c = -s * rise
    xi = 2 * c / (-b - jnp.sqrt(jnp.maximum(b**2 - 4 * a * c, 0.0)))  # the form without cancellation
    return jnp.where(inside, left + jnp.clip(xi, 0, 1) * (right - left), y)


def affine(x: Float[jax.Array, ""], raw: Float[jax.Array, "2"]) -> Pair:
    """Affine map y = x e^s + t and the log of its derivative, s; |s| < 4, so that no training step diverges."""
    s = _log_scale(raw)
    return x * jnp.exp(s) + raw[1], s


def affine_inverse(y: Float[jax.Array, ""], raw: Float[jax.Array, "2"]) -> Float[jax.Array, ""]:
    """The x that :func:`affine` takes to ``y``."""
    return (y - raw[1]) * jnp.exp(-_log_scale(raw))


def _log_scale(raw: jax.Array) -> jax.Array:
    return 4 * jnp.tanh(raw[0] / 4)


def _knots(raw: Float[jax.Array, " parameter"]) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Positions, values and derivatives at the k + 1 knots; both ends are fixed, with derivative 1."""
    bins = (raw.shape[0] + 1) // 3
    widths, heights, slopes = raw[:bins], raw[bins : 2 * bins], raw[2 * bins :]
    x, y = (_cumulative(part) for part in (widths, heights))
    one = jnp.ones(1, raw.dtype)
    return x, y, jnp.concatenate([one, _SMALLEST + jax.nn.softplus(slopes + _START), one])


def _cumulative(raw: Float[jax.Array, " bin"]) -> Float[jax.Array, " knot"]:
    share = _SMALLEST + (1 - _SMALLEST * raw.shape[0]) * jax.nn.softmax(raw)
    inner = EDGE * (2 * jnp.cumsum(share[:-1]) - 1)
    return jnp.concatenate([jnp.full(1, -EDGE), inner, jnp.full(1, EDGE)]).astype(raw.dtype)


def _bin(
    value: Float[jax.Array, ""], knots: Float[jax.Array, " knot"], tables: tuple[jax.Array, jax.Array, jax.Array]
) -> tuple[jax.Array, ...]:
    """Both ends of each table in the bin that holds ``value``; a one-hot sum, whose gradient is faster than a gather's."""
    inner: Int[jax.Array, ""] = jnp.sum(value >= knots[1:-1])
    here: Bool[jax.Array, " bin"] = jnp.arange(knots.shape[0] - 1) == inner
    ends = [jnp.sum(jnp.where(here, part, 0.0)) for table in tables for part in (table[:-1], table[1:])]
    return tuple(ends)
