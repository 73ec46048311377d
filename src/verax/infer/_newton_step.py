"""One damped Newton step of every fit in a batch, within the bounds of the parameters.

With g and H the gradient and exact Hessian of −log L (each parameter in the unit of its typical curvature) and damping λ
the step is p = −M⁻¹ g, with (Nocedal and Wright, Numerical Optimization, 2nd ed. (2006), section 3.4)

    M = (1 + λ) H                      where H is positive definite: Newton's step, shorter each time it is refused,
    M = H − C + λ 1                    else (C the curvature of the rates): Gauss and Newton's, damped (Levenberg 1944,
                                       Marquardt 1963), with H − C = Σ ℓ″ ∂ν ∂νᵀ of the bins' terms ℓ(ν),
    M = V max(|Λ|, 0.05) Vᵀ + λ 1      where neither is (H = V Λ Vᵀ): saddle-free Newton (arXiv:1406.2572).

The quadratic model predicts a gain (fall of −log L) of −pᵀg − ½ pᵀHp; for M = (1 + λ) H that is gᵀM⁻¹g [1 − ½/(1 + λ)],
and ½ gᵀM⁻¹g is taken for the others. A step is accepted if −log L does not rise. As in a trust region (same, algorithm
4.1), λ falls where the gain was more than ¼ of that predicted; it grows where a step is refused, or where an undamped step
gained less than 1/10 of it, as steps do that oscillate across a valley. The estimated distance to the minimum of Minuit
(Comput. Phys. Commun. 10 (1975) 343), edm = ½ gᵀ H⁻¹ g, says when a fit has converged.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ._batch import where_fit
from ._evaluate import Point
from ._linear_algebra import definite, rectified, solve, solve_definite

EDM_TOLERANCE = 1e-8
"""Converged when the estimated distance to the minimum, in units of −log L, is below this: 1e-4 σ of a parameter."""

FIRST_DAMPING, DAMPING_INCREASE, DAMPING_DECREASE, LEAST_DAMPING = 0.5, 4.0, 0.2, 0.2
"""λ after the first refusal, its factor at each further one and after a success; below the least it is 0."""

SINGULAR_BELOW = 1e-9
"""A Hessian whose smallest eigenvalue, in units of the parameters' own scales, is below this has no useful inverse."""

HOME = 0.3
"""A fit whose next point is as near to a known minimum, in σ of all parameters together, would converge to it."""


class ActiveFits(NamedTuple):
    """Fits in progress: their rows, best point so far, next point to try and gain predicted there, damping λ, edm."""

    row: Any
    best: Point
    trial: Any
    predicted_gain: Any
    damping: Any
    edm: Any
    count: Any


def enter(start: np.ndarray, row: np.ndarray) -> ActiveFits:
    """Fits that begin: no point yet, so the first finite one is the best."""
    n, p = len(row), start.shape[1]
    vector, matrix = np.zeros((n, p)), np.zeros((n, p, p))
    point = Point(start[row], np.full(n, np.inf), vector, vector, matrix, matrix, vector, vector, np.zeros(n, int))
    return ActiveFits(row, point, start[row], np.zeros(n), np.zeros(n), np.full(n, np.inf), np.zeros(n, int))


def select(active: ActiveFits, choose: np.ndarray) -> ActiveFits:
    """Some of the fits in progress."""
    return _map(lambda x: x[choose], active)


def join(active: ActiveFits, more: ActiveFits) -> ActiveFits:
    """Fits in progress, and more of them."""
    return _map(lambda a, b: np.concatenate([a, b]), active, more)


def _map(function: Callable[..., np.ndarray], *each: ActiveFits) -> ActiveFits:
    """Apply a function to each array of fits in progress."""
    row, best, *rest = zip(*each, strict=True)
    points = Point(*(function(*x) for x in zip(*best, strict=True)))
    return ActiveFits(function(*row), points, *(function(*x) for x in rest))


def newton_step(active: ActiveFits, at: Point, free: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> ActiveFits:
    """Accept the trial points where −log L falls, and propose the next ones."""
    # Acceptance, and λ by the ratio of actual to predicted gain.
    finite = np.isfinite(at.nll + at.gradient.sum(1) + at.hessian.sum((1, 2)))
    with np.errstate(invalid="ignore"):
        gain = active.best.nll - at.nll
        accept = finite & (gain >= -1e-13 * abs(at.nll))  # but for the rounding of the sum
        as_predicted = gain > 0.25 * active.predicted_gain
        oscillates = (
            accept
            & (active.damping == 0)
            & (active.predicted_gain > EDM_TOLERANCE)
            & (gain < 0.1 * active.predicted_gain)
        )
    reduced = np.where(as_predicted, DAMPING_DECREASE * active.damping, active.damping)
    reduced = np.where(reduced < LEAST_DAMPING, 0.0, reduced)
    increased = np.maximum(DAMPING_INCREASE * active.damping, FIRST_DAMPING)
    damping = np.where(accept & ~oscillates, reduced, increased)
    best = at if accept.all() else Point(*(where_fit(accept, a, b) for a, b in zip(at, active.best, strict=True)))

    # The first M of the three above that is positive definite; p = −``step``.
    stretch = 1 + damping[:, None, None]
    matrix, changed = best.hessian * stretch, np.zeros(len(damping), bool)
    step, downhill = solve_definite(matrix, best.gradient)
    for repair in (
        lambda row: best.hessian[row] - best.rate_curvature[row],
        lambda row: rectified(best.hessian[row]),
    ):
        uphill = np.flatnonzero(~downhill)
        if not uphill.size:
            break
        extra = damping[uphill, None, None] * np.eye(at.theta.shape[1])
        matrix[uphill], changed[uphill] = repair(uphill) + extra, True
        step[uphill], downhill[uphill] = solve_definite(matrix[uphill], best.gradient[uphill])
    if not downhill.all():
        step[~downhill] = solve(matrix[~downhill], best.gradient[~downhill])

    # edm = ½ gᵀ H⁻¹ g = ½ (1 + λ) gᵀ M⁻¹ g. A matrix that was changed may hide a long way to go along a flat valley:
    # where it gives a small edm, the Hessian itself, rectified, says whether the fit has converged.
    slope = np.sum(step * best.gradient, axis=1)
    edm = 0.5 * slope * np.where(changed, 1.0, 1 + damping)
    doubtful = np.flatnonzero((edm < EDM_TOLERANCE) & changed)
    if doubtful.size:
        matrix[doubtful] = rectified(best.hessian[doubtful], SINGULAR_BELOW) * stretch[doubtful]
        step[doubtful] = solve(matrix[doubtful], best.gradient[doubtful])
        slope[doubtful] = np.sum(step[doubtful] * best.gradient[doubtful], axis=1)
        edm[doubtful] = 0.5 * slope[doubtful] * (1 + damping[doubtful])

    predicted_gain = slope * np.where(changed, 0.5, 1 - 0.5 / (1 + damping))
    trial = best.theta - best.unit * step
    beyond = np.flatnonzero((free & ((trial < lower) | (trial > upper))).any(1))
    if beyond.size:
        start = Point(*(x[beyond] for x in best))
        trial[beyond], predicted_gain[beyond] = _within_bounds(matrix[beyond], start, trial[beyond], lower, upper)
    trial = np.where(free, np.clip(trial, lower, upper), best.theta)
    return ActiveFits(active.row, best, trial, predicted_gain, damping, edm, active.count + 1)


def returns(active: ActiveFits, theta: np.ndarray, nll: np.ndarray) -> np.ndarray:
    """Which fits are on their way to a known minimum ``theta``, ``nll`` of each: its place and depth are those expected.

    Distances are in the metric of Gauss and Newton, H − C, as H need not be positive definite on the way.
    """
    best, away = active.best, active.trial - theta
    with np.errstate(invalid="ignore"):
        excess = best.nll - active.predicted_gain - nll
        near = (active.damping == 0) & (abs(excess) < 0.5 * HOME**2 + 0.1 * active.predicted_gain)
    near &= ((best.unit > 0) | (away == 0)).all(1)  # at the same bounds
    away = np.divide(away, best.unit, out=np.zeros_like(away), where=best.unit > 0)[near]
    metric = best.hessian[near] - best.rate_curvature[near]
    near[near] = (np.sum(away * (metric @ away[:, :, None])[:, :, 0], axis=1) < HOME**2) & definite(metric)
    return near


def _within_bounds(
    matrix: np.ndarray, best: Point, trial: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Steps that would leave the bounds, by an active set (Nocedal and Wright, section 16.5): points, predicted gain.

    The parameter that meets its bound first stays on it, p_A = bound − θ, and the others solve M_FF p_F = −g_F − M_FA p_A;
    until no other meets one. (A step that is merely cut off leaves the valley that it runs along.)
    """
    inverse = np.divide(1.0, best.unit, out=np.zeros_like(best.unit), where=best.unit > 0)
    on_bound, size = np.zeros(trial.shape, bool), trial.shape[1]
    for _ in range(size):
        crossing = (best.unit > 0) & ~on_bound & ((trial < lower) | (trial > upper))
        if not crossing.any():
            break
        with np.errstate(all="ignore"):
            share = (np.clip(trial, lower, upper) - best.theta) / (trial - best.theta)
        share = np.where(crossing, share, np.inf)
        on_bound |= crossing & (share <= share.min(axis=1, keepdims=True))
        step = np.where(on_bound, (best.theta - np.clip(trial, lower, upper)) * inverse, 0.0)
        residual = best.gradient - (matrix @ step[:, :, None])[:, :, 0]
        rest = np.where(on_bound[:, :, None] | on_bound[:, None, :], np.eye(size), matrix)
        step += solve(rest, np.where(on_bound, 0.0, residual))
        trial = best.theta - best.unit * step
    step = (best.theta - np.clip(trial, lower, upper)) * inverse
    gain = np.sum(step * (best.gradient - 0.5 * (best.hessian @ step[:, :, None])[:, :, 0]), axis=1)
    return trial, np.maximum(gain, 0.0)
