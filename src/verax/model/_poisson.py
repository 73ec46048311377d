"""Poisson terms of bins with simulation statistics: one γ per bin, profiled in closed form (arXiv:1103.0354, §5)."""

from verax.arrays import Array, Float, Int, gammaln, namespace, xlogy

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


def gamma_slopes(
    with_gamma: Bin, without_gamma: Bin, count: Bin, auxiliary: Bin, gamma: Bin, width: Bin, tau: Bin
) -> tuple[Bin, Bin, Bin, Bin]:
    """Derivatives of γ̂ in the rates S and T, in the count n and in its global observable a.

    γ̂ solves G = S (1 − n/m) + C′(γ) = 0 with m = γS + T and C = −log of its constraint, so they are those of −G over
    ∂G/∂γ = n S²/m² + C″. A γ that is fixed is its global observable; one at zero stays there, and so does m where γ̂ = −T/S
    holds it at zero (no events).
    """
    xp = namespace(with_gamma, without_gamma, count, auxiliary, gamma, width, tau)
    fluctuates, is_poisson = (width > 0) | (tau > 0), tau > 0
    total = gamma * with_gamma + without_gamma
    per_event = xp.where(total > 0, 1 / xp.where(total > 0, total, 1.0), 0.0)
    safe, precision = xp.where(gamma > 0, gamma, 1.0), 1 / xp.where(width > 0, width, 1.0) ** 2
    stiffness = count * (with_gamma * per_event) ** 2 + xp.where(is_poisson, auxiliary / safe**2, precision)
    holds = (count <= 0) & (with_gamma != 0) & (xp.abs(total) <= 1e-12 * xp.abs(without_gamma))
    moves = fluctuates & (gamma > 0) & ~holds & (stiffness > 0)
    share = xp.where(moves, 1 / xp.where(moves, stiffness, 1.0), 0.0)
    by_rate = 1 - count * per_event + count * with_gamma * gamma * per_event**2
    edge = xp.where(fluctuates & holds, 1 / xp.where(holds, with_gamma, 1.0), 0.0)
    return (
        -by_rate * share - gamma * edge,
        -count * with_gamma * per_event**2 * share - edge,
        with_gamma * per_event * share,
        xp.where(fluctuates, xp.where(is_poisson, 1 / safe, precision) * share, 1.0),
    )


def bin_responses(
    with_gamma: Bin, without_gamma: Bin, count: Bin, auxiliary: Bin, gamma: Bin, width: Bin, tau: Bin
) -> tuple[Float[Array, "2 bin"], Float[Array, "2 bin"]]:
    """Derivatives of the slopes of −log in the rates (S, T), γ (1 − n/m) and 1 − n/m, in the count n and in a."""
    xp = namespace(with_gamma, without_gamma, count, auxiliary, gamma, width, tau)
    by_count, by_observed = gamma_slopes(with_gamma, without_gamma, count, auxiliary, gamma, width, tau)[2:]
    total = gamma * with_gamma + without_gamma
    per_event = xp.where(total > 0, 1 / xp.where(total > 0, total, 1.0), 0.0)
    slope, bend = 1 - count * per_event, count * per_event**2 * with_gamma
    change = bend * by_count - per_event
    return (
        xp.stack([gamma * change + slope * by_count, change]),
        xp.stack([(gamma * bend + slope) * by_observed, bend * by_observed]),
    )


def profiled_partial_gamma(
    with_gamma: Bin, without_gamma: Bin, count: Bin, auxiliary: Bin, width: Bin, tau: Bin
) -> Bin:
    """γ̂ ≥ 0 where it multiplies only some processes and its constraint is Gaussian (width > 0) or Poisson (τ > 0).

    With P(a; τγ) the derivative S − nS/(γS + T) + τ − a/γ vanishes where (S + τ)S γ² + [(S + τ)T − (n + a)S] γ − aT = 0.
    Where width and τ are 0, γ is its auxiliary value. The root is the one that keeps γS + T ≥ 0, also for T < 0 or S < 0 (a
    signal below zero).
    """
    xp = namespace(with_gamma, without_gamma, count, auxiliary, width, tau)
    positive = with_gamma > 0
    gaussian = xp.where(
        positive,
        profiled_gamma(xp.where(positive, with_gamma, 1.0), without_gamma, count, auxiliary, width),
        _gamma_of_negative(xp.where(positive, 0.0, with_gamma), without_gamma, count, auxiliary, width),
    )
    a, both = xp.where(tau > 0, auxiliary, 1.0), with_gamma + tau
    square = both * with_gamma
    b = both * without_gamma - (count + a) * with_gamma
    inside = b**2 + 4 * square * a * without_gamma
    large = xp.where(inside > 0, xp.sqrt(xp.where(inside > 0, inside, 1.0)), 0.0) + abs(b)
    conjugate = 2 * a * without_gamma / xp.where(large > 0, large, 1.0)
    outer = large / xp.where(square == 0, 1.0, 2 * square)
    poisson = xp.maximum(xp.where((b <= 0) & (square != 0), outer, conjugate), 0.0)
    poisson = xp.where(with_gamma == 0, a / xp.where(tau > 0, tau, 1.0), poisson)
    return xp.where(tau > 0, poisson, xp.where(width > 0, gaussian, auxiliary))


def _gamma_of_negative(with_gamma: Bin, without_gamma: Bin, count: Bin, auxiliary: Bin, width: Bin) -> Bin:
    """γ̂ for a part S ≤ 0 with a Gaussian constraint, from the expectation m = γS + T: m² − m(T + aS − δ²S²) − nδ²S² = 0."""
    xp = namespace(with_gamma, without_gamma, count, auxiliary, width)
    variance = width**2
    b = without_gamma + with_gamma * (auxiliary - with_gamma * variance)
    root = xp.sqrt(xp.where(count > 0, b**2 + 4 * count * variance * with_gamma**2, 1.0)) + abs(b)
    mean = xp.where(b > 0, root / 2, 2 * count * variance * with_gamma**2 / xp.where(root > 0, root, 1.0))
    safe = xp.where((count > 0) & (mean > 0), mean, 1.0)
    gamma = auxiliary + variance * with_gamma * (xp.where(mean > 0, count / safe, 0.0) - 1)
    where_rate_ends = xp.maximum(without_gamma, 0.0) / xp.where(with_gamma < 0, -with_gamma, 1.0)
    empty = xp.where(with_gamma < 0, xp.minimum(auxiliary - variance * with_gamma, where_rate_ends), auxiliary)
    return xp.maximum(xp.where(count > 0, gamma, empty), 0.0)


def partial_bin_terms(
    with_gamma: Bin, without_gamma: Bin, count: Bin, auxiliary: Bin, width: Bin, tau: Bin, floor: Bin
) -> tuple[Bin, Float[Array, "2 bin"], Float[Array, "3 bin"], Float[Array, "3 bin"]]:
    """As :func:`bin_terms` where γ multiplies a part S of the rate and leaves T: −log of count's and γ's terms per bin,
    slopes in (S, T), curvatures and expected curvatures in (SS, ST, TT).

    −log is P(m) + C(γ) with m = γS + T, P of the count and C of the constraint, where γ = γ̂(S, T) solves
    G = S (1 − n/m) + C′(γ) = 0, so that ∂γ̂ = −∂G / (n S²/m² + C″). With the rest r = P′S + C′, which is 0 but where m is
    continued below the floor, or held at 0 by γ = −T/S (no events),

        slopes:      P′γ + r γ_S,    P′ + r γ_T;
        curvatures:  P″ m_S² + 2 P′ γ_S + C″ γ_S² + r γ_SS,    P″ m_S m_T + P′ γ_T + C″ γ_S γ_T + r γ_ST,
                     P″ m_T² + C″ γ_T².
    """
    xp = namespace(with_gamma, without_gamma, count, auxiliary, width, tau, floor)
    is_poisson, is_gaussian = tau > 0, width > 0
    fluctuates = is_gaussian | is_poisson
    s, t = with_gamma, without_gamma
    gamma = profiled_partial_gamma(xp.where(fluctuates, s, 1.0), t, count, auxiliary, width, tau)
    total = gamma * s + t

    # P(m), P′, P″ with the positive continuation of m, and the wall of an empty bin.
    mean, mean1, mean2 = positive_rate(total, floor)
    wall, wall1, wall2 = rate_wall(total, count, floor)
    value = mean - xlogy(count, mean) + gammaln(count + 1) + wall
    slope, curvature = 1 - count / mean, count / mean**2
    p1, p2 = slope * mean1 + wall1, curvature * mean1**2 + slope * mean2 + wall2

    # C(γ), C′, C″: Gaussian, Poisson, or none where γ is fixed.
    safe_width, safe_gamma = xp.where(is_gaussian, width, 1.0), xp.maximum(gamma, 1e-300)
    observed = xp.where(is_poisson, auxiliary, 1.0)
    pull = (gamma - auxiliary) / safe_width
    truth = xp.where(is_poisson, tau * safe_gamma, 1.0)
    counted = truth - xlogy(observed, truth) + gammaln(observed + 1)
    normal = 0.5 * pull**2 + HALF_LOG_2PI + xp.log(safe_width)
    value = value + xp.where(is_poisson, counted, xp.where(is_gaussian, normal, 0.0))
    c1 = xp.where(is_poisson, tau - observed / safe_gamma, xp.where(is_gaussian, pull / safe_width, 0.0))
    stiff = observed / xp.where(gamma > 0, gamma, 1.0) ** 2  # a γ at zero stays there
    c2 = xp.where(is_poisson, stiff, xp.where(is_gaussian, 1 / safe_width**2, 0.0))

    by_s, by_t = gamma_slopes(s, t, count, auxiliary, gamma, width, tau)[:2]
    rest = xp.where(fluctuates & (gamma > 0) & (total < floor), p1 * s + c1, 0.0)
    holds = (count <= 0) & (s != 0) & (xp.abs(total) <= 1e-12 * xp.abs(t))  # m, at zero
    bent = xp.where(holds, rest / xp.where(holds, s, 1.0) ** 2, 0.0)  # r γ_ST, of which r γ_SS is 2 γ times
    m_s, m_t = gamma + s * by_s, 1 + s * by_t

    prior = xp.where(is_poisson, tau / xp.maximum(gamma, 1e-3), 1 / safe_width**2)
    expected = xp.maximum(total, floor)
    # E[ℓ″] of the mean m with γ profiled: 1/m less its overlap with γ, prior precision κ: κ / (S²/m + κ) / m.
    information = xp.where(fluctuates, prior / (s**2 / expected + prior), 1.0) / expected
    return (
        value,
        xp.stack([p1 * gamma + rest * by_s, p1 + rest * by_t]),
        xp.stack(
            [
                p2 * m_s**2 + 2 * p1 * by_s + c2 * by_s**2 + 2 * gamma * bent,
                p2 * m_s * m_t + p1 * by_t + c2 * by_s * by_t + bent,
                p2 * m_t**2 + c2 * by_t**2,
            ]
        ),
        information * xp.stack([gamma**2, gamma, xp.ones_like(gamma)]),
    )
