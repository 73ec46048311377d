"""Poisson terms of bins with simulation statistics: one γ per bin, profiled in closed form (arXiv:1103.0354, §5)."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from verax.arrays import Array, gammaln, namespace, xlogy

from ._constraint import HALF_LOG_2PI

Bin = Float[Array, " bin"]
Bins = Float[Array, "*#bin"]


def profiled_gamma(with_gamma: Bins, without_gamma: Bins | float, count: Bins, auxiliary: Bins, width: Bins) -> Bins:
    """γ̂ ≥ 0 that maximises Poisson(n; γS + T)·G(a; γ; δ) in each bin (arXiv:1103.0354, §5).

    S is the rate ``with_gamma``, T that ``without_gamma``, n the count, a the auxiliary value, δ the width. The derivative
    S − nS/(γS + T) + (γ − a)/δ² vanishes at the non-negative root of S γ² + b γ + c = 0, b = T + S(Sδ² − a) and
    c = T(Sδ² − a) − nSδ²: γ̂ = (−b + √(b² − 4Sc)) / 2S, or −2c / (b + √(b² − 4Sc)) where b > 0, without cancellation.
    Where the width is 0, γ is its auxiliary value. Derivatives pass through the root: those of the likelihood at γ̂ are
    those of the profile likelihood.
    """
    xp = namespace(with_gamma, without_gamma, count, auxiliary, width)
    variance = width**2
    shift = with_gamma * variance - auxiliary
    b = without_gamma + with_gamma * shift
    c = without_gamma * shift - count * with_gamma * variance
    square = b**2 - 4 * with_gamma * c
    root = xp.where(square > 0, xp.sqrt(xp.where(square > 0, square, 1.0)), 0.0)
    large = root + abs(b)
    conjugate = -2 * c / xp.where(large > 0, large, 1.0)
    return xp.maximum(xp.where(b <= 0, large / (2 * with_gamma), conjugate), 0.0)


def positive_rate(total: Bins, floor: Bins) -> tuple[Bins, Bins, Bins]:
    """The rate, continued below the floor by floor² / (2·floor − rate) > 0, with first and second derivative.

    The continuation has the same value and slope at the floor, so fits return from negative rates.
    """
    xp = namespace(total, floor)
    above = total >= floor
    gap = xp.where(above, floor, 2 * floor - total)
    ratio = floor / gap
    return (
        xp.where(above, total, floor * ratio),
        xp.where(above, 1.0, ratio**2),
        xp.where(above, 0.0, 2 * ratio**2 / gap),
    )


ENDED = 1e4
"""A rate that is this many times the wall's width² below zero has no likelihood; fits end at less."""


def rate_wall(total: Bins, count: Bins, floor: Bins) -> tuple[Bins, Bins, Bins]:
    """½ rate² / width² below zero in a bin without events, with first and second derivative; else 0.

    The likelihood ends where a rate is zero. Without the wall −log L of an empty bin, its rate, would fall without end;
    with it the minimum is at −width². In a bin with events −n log(rate) rises by itself.
    """
    xp = namespace(total, count, floor)
    stiffness = xp.where(count > 0, 0.0, 1 / _wall_variance(floor))
    below = xp.minimum(total, 0.0)
    return 0.5 * stiffness * below**2, stiffness * below, xp.where(total < 0, stiffness, 0.0)


def rate_end(total: Float[Array, "*bin"], count: Bins, floor: Bins) -> Int[Array, "*bin"]:
    """0 where the rate of a bin is positive; 1 where it is pressed against zero; 2 where such data are impossible."""
    xp = namespace(total, count, floor)
    variance = _wall_variance(floor)
    pressed = xp.where(total < -1e-3 * variance, 1, 0)
    return xp.where((total < -ENDED * variance) | ((total < floor) & (count > floor)), 2, pressed)


def _wall_variance(floor: Array) -> Array:
    return 1e-2 * floor + 1e-9


def bin_terms(total: Bin, count: Bin, auxiliary: Bin, width: Bin, floor: Bin) -> tuple[Bin, Bin, Bin, Bin]:
    """−log [Poisson(count; γ̂ rate) G(auxiliary; γ̂; width)] per bin, first and second derivative in the total rate,
    and the expected (Fisher) curvature, which is positive. No Gaussian term where the width is 0.

    With ν the rate, n the count, a the auxiliary value and δ the width, −log = γ̂ν − n log(γ̂ν) + log n! + ½ (γ̂ − a)²/δ² + …
    By the envelope theorem its slope is the partial derivative at fixed γ̂, γ̂ − n/ν, and the curvature that plus dγ̂/dν:
    n/ν² − γ̂δ²/√((a − νδ²)² + 4nδ²). Expected, with n = ν and a = γ = 1, it is 1 / [ν (1 + νδ²)].
    """
    xp = namespace(total, count, auxiliary, width, floor)
    rate, rate1, rate2 = positive_rate(total, floor)
    wall, wall1, wall2 = rate_wall(total, count, floor)
    variance, fluctuates = width**2, width > 0
    safe_width = xp.where(fluctuates, width, 1.0)
    gamma = profiled_gamma(rate, 0.0, count, auxiliary, width)
    mean = gamma * rate
    value = mean - xlogy(count, xp.where(mean > 0, mean, 1.0)) + gammaln(count + 1)
    gaussian = 0.5 * ((gamma - auxiliary) / safe_width) ** 2 + HALF_LOG_2PI + xp.log(safe_width)
    slope = gamma - count / rate
    root = xp.sqrt((auxiliary - rate * variance) ** 2 + 4 * count * variance)
    curvature = count / rate**2 - xp.where(fluctuates, gamma * variance / xp.where(root > 0, root, 1.0), 0.0)
    return (
        value + xp.where(fluctuates, gaussian, 0.0) + wall,
        slope * rate1 + wall1,
        curvature * rate1**2 + slope * rate2 + wall2,
        rate1**2 / (rate * (1 + rate * variance)),
    )


def profiled_partial_gamma(
    with_gamma: Bin, without_gamma: Bin, count: Bin, auxiliary: Bin, width: Bin, tau: Bin
) -> Bin:
    """γ̂ ≥ 0 where it multiplies only some processes and its constraint is Gaussian (width > 0) or Poisson (τ > 0).

    With P(a; τγ) the derivative S − nS/(γS + T) + τ − a/γ vanishes where (S + τ)S γ² + [(S + τ)T − (n + a)S] γ − aT = 0.
    Where width and τ are 0, γ is its auxiliary value. The root is the one that keeps γS + T ≥ 0, also for T < 0 or S < 0 (a
    signal below zero).
    """
    positive = with_gamma > 0
    gaussian = jnp.where(
        positive,
        profiled_gamma(jnp.where(positive, with_gamma, 1.0), without_gamma, count, auxiliary, width),
        _gamma_of_negative(jnp.where(positive, 0.0, with_gamma), without_gamma, count, auxiliary, width),
    )
    a, both = jnp.where(tau > 0, auxiliary, 1.0), with_gamma + tau
    square = both * with_gamma
    b = both * without_gamma - (count + a) * with_gamma
    inside = b**2 + 4 * square * a * without_gamma
    large = jnp.where(inside > 0, jnp.sqrt(jnp.where(inside > 0, inside, 1.0)), 0.0) + abs(b)
    conjugate = 2 * a * without_gamma / jnp.where(large > 0, large, 1.0)
    poisson = jnp.maximum(jnp.where(b <= 0, large / (2 * square), conjugate), 0.0)
    return jnp.where(tau > 0, poisson, jnp.where(width > 0, gaussian, auxiliary))


def _gamma_of_negative(with_gamma: Bin, without_gamma: Bin, count: Bin, auxiliary: Bin, width: Bin) -> Bin:
    """γ̂ for a part S ≤ 0 with a Gaussian constraint, from the expectation m = γS + T: m² − m(T + aS − δ²S²) − nδ²S² = 0."""
    variance = width**2
    b = without_gamma + with_gamma * (auxiliary - with_gamma * variance)
    root = jnp.sqrt(jnp.where(count > 0, b**2 + 4 * count * variance * with_gamma**2, 1.0)) + abs(b)
    mean = jnp.where(b > 0, root / 2, 2 * count * variance * with_gamma**2 / root)
    safe = jnp.where((count > 0) & (mean > 0), mean, 1.0)
    gamma = auxiliary + variance * with_gamma * (jnp.where(mean > 0, count / safe, 0.0) - 1)
    where_rate_ends = jnp.maximum(without_gamma, 0.0) / jnp.where(with_gamma < 0, -with_gamma, 1.0)
    empty = jnp.where(with_gamma < 0, jnp.minimum(auxiliary - variance * with_gamma, where_rate_ends), auxiliary)
    return jnp.maximum(jnp.where(count > 0, gamma, empty), 0.0)


def partial_bin_terms(
    with_gamma: Bin, without_gamma: Bin, count: Bin, auxiliary: Bin, width: Bin, tau: Bin, floor: Bin
) -> tuple[Bin, Float[Array, "2 bin"], Float[Array, "3 bin"], Float[Array, "3 bin"]]:
    """As :func:`bin_terms` where γ multiplies a part S of the rate and leaves T: −log of count's and γ's terms per bin,
    slopes in (S, T), curvatures and expected curvatures in (SS, ST, TT).
    """
    fluctuates = (width > 0) | (tau > 0)

    def parts(s: Array, t: Array) -> tuple[Array, Array]:
        gamma = profiled_partial_gamma(jnp.where(fluctuates, s, 1.0), t, count, auxiliary, width, tau)
        return gamma, gamma * s + t

    def term(s: Array, t: Array) -> Array:
        gamma, total = parts(s, t)
        mean = positive_rate(total, floor)[0]
        safe_width, is_poisson = jnp.where(width > 0, width, 1.0), tau > 0
        pull = 0.5 * ((gamma - auxiliary) / safe_width) ** 2 + HALF_LOG_2PI + jnp.log(safe_width)
        truth = jnp.where(is_poisson, tau * jnp.maximum(gamma, 1e-300), 1.0)
        observed = jnp.where(is_poisson, auxiliary, 1.0)
        counted = truth - xlogy(observed, truth) + gammaln(observed + 1)
        constraint = jnp.where(is_poisson, counted, jnp.where(width > 0, pull, 0.0))
        return mean - xlogy(count, mean) + gammaln(count + 1) + constraint + rate_wall(total, count, floor)[0]

    one, zero = jnp.ones_like(with_gamma), jnp.zeros_like(with_gamma)

    def both(s: Array, t: Array) -> tuple[Array, tuple[Array, Array]]:
        value, by_s = jax.jvp(term, (s, t), (one, zero))
        return value, (by_s, jax.jvp(term, (s, t), (zero, one))[1])

    # Two forward passes over the value and both slopes: the 2 × 2 matrix of second derivatives.
    (value, slope), (_, by_s) = jax.jvp(both, (with_gamma, without_gamma), (one, zero))
    _, (_, by_t) = jax.jvp(both, (with_gamma, without_gamma), (zero, one))
    gamma, total = parts(with_gamma, without_gamma)
    prior = jnp.where(tau > 0, tau / jnp.maximum(gamma, 1e-3), 1 / jnp.where(width > 0, width, 1.0) ** 2)
    mean = jnp.maximum(total, floor)
    # E[ℓ″] of the mean m with γ profiled: 1/m less its overlap with γ, prior precision κ: κ / (S²/m + κ) / m.
    information = jnp.where(fluctuates, prior / (with_gamma**2 / mean + prior), 1.0) / mean
    fisher = information * jnp.stack([gamma**2, gamma, one])
    return value, jnp.stack(slope), jnp.stack([by_s[0], by_s[1], by_t[1]]), fisher
