"""Poisson terms of bins with simulation statistics: one γ per bin, profiled in closed form (arXiv:1103.0354, §5)."""

import jax.numpy as jnp
from jax.scipy.special import gammaln, xlogy
from jaxtyping import Float

from verax.arrays import Array
from verax.model.constraint import HALF_LOG_2PI


def profiled_gamma(
    scaled: Float[Array, " bin"],
    other: Float[Array, " bin"] | float,
    count: Float[Array, " bin"],
    auxiliary: Float[Array, " bin"],
    width: Float[Array, " bin"],
) -> Float[Array, " bin"]:
    """γ̂ ≥ 0 that maximises Poisson(count; γ·scaled + other)·G(auxiliary; γ; width), per bin (arXiv:1103.0354, §5).

    The non-negative root of γ²S + γ[T + S(Sδ² − a)] + T(Sδ² − a) − nSδ² = 0, written without cancellation. Where the
    width is 0, γ is its auxiliary value. Being closed, it can be differentiated: derivatives of the likelihood at γ̂
    are those of the profile likelihood.
    """
    variance = width**2
    shift = scaled * variance - auxiliary
    b = other + scaled * shift  # the quadratic is S γ² + b γ + c
    c = other * shift - count * scaled * variance
    square = b**2 - 4 * scaled * c
    root = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)
    large = root + abs(b)
    conjugate = -2 * c / jnp.where(large > 0, large, 1.0)
    return jnp.maximum(jnp.where(b <= 0, large / (2 * scaled), conjugate), 0.0)


def positive_rate(
    total: Float[Array, " bin"], floor: Float[Array, " bin"]
) -> tuple[Float[Array, " bin"], Float[Array, " bin"], Float[Array, " bin"]]:
    """The rate, continued below the floor by floor² / (2·floor − rate) > 0, with first and second derivative.

    The continuation is smooth in value and slope, so a fit that strays into negative rates finds its way back.
    """
    above = total >= floor
    gap = jnp.where(above, floor, 2 * floor - total)
    ratio = floor / gap
    return (
        jnp.where(above, total, floor * ratio),
        jnp.where(above, 1.0, ratio**2),
        jnp.where(above, 0.0, 2 * ratio**2 / gap),
    )


def bin_terms(
    total: Float[Array, " bin"],
    count: Float[Array, " bin"],
    auxiliary: Float[Array, " bin"],
    width: Float[Array, " bin"],
    floor: Float[Array, " bin"],
) -> tuple[Float[Array, " bin"], Float[Array, " bin"], Float[Array, " bin"], Float[Array, " bin"]]:
    """−log [Poisson(count; γ̂ rate) G(auxiliary; γ̂; width)] per bin, first and second derivative in the total rate,
    and the expected (Fisher) curvature, which is positive. No Gaussian term where the width is 0.

    By the envelope theorem the slope is the partial derivative at fixed γ̂; the curvature takes dγ̂/d rate along.
    """
    rate, rate1, rate2 = positive_rate(total, floor)
    variance, fluctuates = width**2, width > 0
    safe_width = jnp.where(fluctuates, width, 1.0)
    gamma = profiled_gamma(rate, 0.0, count, auxiliary, width)
    mean = gamma * rate
    value = mean - xlogy(count, jnp.where(mean > 0, mean, 1.0)) + gammaln(count + 1)
    gaussian = 0.5 * ((gamma - auxiliary) / safe_width) ** 2 + HALF_LOG_2PI + jnp.log(safe_width)
    slope = gamma - count / rate
    root = jnp.sqrt((auxiliary - rate * variance) ** 2 + 4 * count * variance)
    bend = count / rate**2 - jnp.where(fluctuates, gamma * variance / jnp.where(root > 0, root, 1.0), 0.0)
    return (
        value + jnp.where(fluctuates, gaussian, 0.0),
        slope * rate1,
        bend * rate1**2 + slope * rate2,
        rate1**2 / (rate * (1 + rate * variance)),
    )
