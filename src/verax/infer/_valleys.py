"""Second minima: a parameter whose two sides move observations the same way may have a valley on each side.

(The test is verax's own; saddle points and minima are told apart in `verax.infer._newton`.)

Along one parameter α, all others refitted to first order, the expected observations change by α S + g(α) A (S odd, A even, g
the even part of an interpolation, about |α|), and from a minimum at α̂ on −log L is

    p(α) − p(α̂) = ½ (α − α̂)² (c + S·S) + [g(α) − g(α̂) − g′(α̂)(α − α̂)] C
                   + (α − α̂)[g(α) − g(α̂)] S·A + ½ [g(α) − g(α̂)]² A·A,

with c the curvature of the constraint, C the slope of −log L in the amplitude of A at the minimum, and products of two
vectors in the expected curvature of observations. Where p falls below p(α̂) again there is a lower minimum. Necessary is
that somewhere the even part outweighs the constraint, c + g″(α) [C + (α − α̂) S·A + (g(α) − g(α̂)) A·A] < 0: with other
parameters free to absorb what S does, nothing else is sure to constrain the parameter.
"""

import itertools
from typing import NamedTuple

import numpy as np

from verax.arrays import Bool, Float
from verax.model import EvenParts, code4p

Points = Float[np.ndarray, "fit parameter"]
REACH = 4.0
"""How far from its nominal value, in units of its constraint's width, a second minimum of a parameter is looked for."""

SIDES = (0.6, 1.2)
"""Where, in these units, the search on the other side starts at least: where g is steepest, and where it is straight."""

CURVATURE_SHARE = 0.6
"""Share of c + S·S that counts in p: a margin for all that is not to first order."""

ALL_SIDES = 4
"""Parameters with an even part up to which each combination of their sides is tried, whatever it costs."""

EACH_SIDE = 12
"""Those up to which each other side, and all at once, are tried in conditional fits and large batches; else p decides."""


class StartingPoints(NamedTuple):
    """Where other minima may be: the row of a fit, and a point to start it from, each."""

    row: np.ndarray
    theta: np.ndarray


def other_valleys(
    parts: EvenParts, theta: Points, even_slope: Points, free: Bool[np.ndarray, "fit parameter"], *, by_profile: bool
) -> StartingPoints:
    """Starting points in other valleys that the minima ``theta`` may have.

    By the necessary condition; with ``by_profile``, where there are many parameters, by p(α) as well.
    """
    width = 1 / np.sqrt(np.maximum(parts.prior[parts.which], 1e-12))  # from here on in units of the constraint
    alpha, slope = theta[:, parts.which] / width, even_slope[:, parts.which]
    inactive = ~free[:, parts.which] | (parts.prior[parts.which] == 0)
    odd, weight = parts.jacobian[parts.which], parts.weight
    odd_even, even_even = (odd * parts.even * weight).sum(1) * width, (parts.even**2 * weight).sum(1)
    # With c = 1 and level = C − α̂ S·A − g(α̂) A·A the condition is 1 + g″(α) [level + α S·A + g(α) A·A] < 0; at each α
    #   level < edge where g″ > 0, level > edge where g″ < 0, with edge = −1/g″(α) − α S·A − g(α) A·A.
    inside = np.array([0.0, -0.25, 0.25, -0.8, 0.8])  # g″ = 0 beyond 1, and changes sign at 0.58
    g, _, curvature = (x[:, None] for x in code4p(inside))
    edge = -1 / curvature - inside[:, None] * odd_even - g * even_even
    low, high = edge[:3].max(0), edge[3:].min(0)
    level = slope - alpha * odd_even
    row, k = np.nonzero(
        ((level - abs(alpha) * even_even < low) | (level > high)) & ~inactive
    )  # a first selection, since 0 ≤ g(α̂) ≤ |α̂|
    level = level[row, k] - code4p(alpha[row, k])[0] * even_even[k]
    row, k = (x[(level < low[k]) | (level > high[k])] for x in (row, k))
    if not row.size:
        return StartingPoints(row, theta[:0])
    if by_profile and len(parts.which) > EACH_SIDE:
        return _by_profile(parts, theta, slope[row, k], row, k, width)
    return _by_side(parts, theta, row, k, width)


def _by_side(parts: EvenParts, theta: np.ndarray, row: np.ndarray, k: np.ndarray, width: np.ndarray) -> StartingPoints:
    """Every combination of the sides of the parameters in question; where they are many, each other side and all at once."""
    in_question = np.zeros((len(theta), len(parts.which)), bool)
    in_question[row, k] = True
    rows, starts = [row[:0]], [theta[:0]]
    for pattern in np.unique(in_question[np.unique(row)], axis=0):
        here, k = np.flatnonzero((in_question == pattern).all(1)), np.flatnonzero(pattern)
        alpha = theta[np.ix_(here, parts.which[k])] / width[k]
        sides = [np.arange(len(k)) == i for i in range(len(k))] + [np.ones(len(k), bool)]
        if len(k) <= ALL_SIDES:
            sides = [np.array(x) for x in itertools.product([False, True], repeat=len(k))]
        for flipped, least in itertools.product(sides, SIDES):
            far = np.where(alpha < 0, 1, -1) * np.maximum(abs(alpha), least)
            near = np.where(abs(alpha) < 0.5, -far, alpha)
            start = theta[here]
            start[:, parts.which[k]] = np.where(flipped, far, near) * width[k]
            moved = (start != theta[here]).any(1)
            rows.append(here[moved])
            starts.append(start[moved])
    return StartingPoints(np.concatenate(rows), np.concatenate(starts))


def _by_profile(
    parts: EvenParts, theta: np.ndarray, slope: np.ndarray, row: np.ndarray, k: np.ndarray, width: np.ndarray
) -> StartingPoints:
    """One parameter at a time, on each side where p, with a margin, falls below its value at the minimum."""
    products = _profiled_products(parts)
    x0 = theta[row, parts.which[k]] / width[k]
    g0, g1, _ = code4p(x0)
    curvature = products.curvature[k] * width[k] ** 2
    odd_even, even_even = products.odd_even[k] * width[k], products.even_even[k]
    x = np.array([-REACH, -2.5, -1.6, -1.2, -0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9, 1.2, 1.6, 2.5, REACH])
    g, counted = code4p(x)[0], CURVATURE_SHARE * curvature
    # p(x) − p(x₀) as coefficients of x², x, g, g x, g², 1 (the formula above, multiplied out).
    terms = np.stack([x**2, x, g, g * x, g**2, np.ones_like(x)], axis=1)
    rise = terms @ np.stack([
        counted / 2,
        -counted * x0 - g1 * slope - g0 * odd_even,
        slope - x0 * odd_even - g0 * even_even,
        odd_even,
        even_even / 2,
        (counted * x0 / 2 + g1 * slope + g0 * odd_even) * x0 - g0 * slope + g0**2 * even_even / 2,
    ])  # fmt: skip
    away = x[:, None] - x0
    beyond = ((away < -0.3) & (rise < 0)).any(0), ((away > 0.3) & (rise < 0)).any(0)
    rows, starts = [], []
    for (side, here), least in itertools.product(zip((-1, 1), beyond, strict=True), SIDES):
        found = np.flatnonzero(here)
        there = side * np.maximum(abs(x0), least)
        start = theta[row[found]]
        start[np.arange(len(found)), parts.which[k[found]]] = (there * width[k])[found]
        rows.append(row[found])
        starts.append(start)
    return StartingPoints(np.concatenate(rows), np.concatenate(starts))


class _ProfiledProducts(NamedTuple):
    """c + S·S, S·A and A·A of each parameter with an even part, all other parameters profiled to first order."""

    curvature: np.ndarray
    odd_even: np.ndarray
    even_even: np.ndarray


def _profiled_products(parts: EvenParts) -> _ProfiledProducts:
    # Information I = J W Jᵀ + P of all parameters, and its inverse V in units of its diagonal.
    weighted = parts.jacobian * parts.weight
    information = weighted @ parts.jacobian.T + np.diag(parts.prior)
    diagonal = np.diagonal(information)
    unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    correlation = information * unit[:, None] * unit
    covariance = np.linalg.inv(correlation + np.diag(np.where(diagonal > 0, 1e-9, 1.0))) * unit[:, None] * unit
    # V_oo of the others at fixed α_k is V − V_k V_kᵀ / V_kk. With the products a = J W A of A and all slopes the others take
    #   c + S·S → 1 / V_kk,   S·A → a_k + Σ_o V_ko a_o / V_kk,   A·A → A W A − a_oᵀ (V_oo − V_ok V_ko / V_kk) a_o.
    k, row = parts.which, np.arange(len(parts.which))
    variance, along = covariance[k, k], covariance[k]
    mixed = parts.even @ weighted.T
    own = mixed[row, k]
    mixed[row, k] = 0.0
    across = (along * mixed).sum(1) / variance
    even = mixed @ covariance - along * across[:, None]
    return _ProfiledProducts(
        1 / variance,
        own + across,
        (parts.even**2 * parts.weight).sum(1) - (mixed * even).sum(1),
    )
