"""Batched minimisation of −log L: damped Newton with the exact Hessian, within bounds.

A fit has a data set, a starting point and a mask of free parameters. JAX compiles the derivatives of a batch
(:mod:`verax.infer`), NumPy solves for the steps (:mod:`verax.infer`). A fit that has converged makes
room for the next one, so that a slow one never holds up a batch. Many fits are brought near their minima by batched L-BFGS
first (:mod:`verax.infer`).
"""

from typing import TYPE_CHECKING

import numpy as np

from verax.model import AbstractLikelihood, DataSets
from verax.results import Status, good

from ._batch import Minima, keep_lowest, take
from ._evaluate import Limits, Objective, bounds, few
from ._linear_algebra import blas_threads, definite
from ._newton_step import EDM_TOLERANCE, SINGULAR_BELOW, ActiveFits, enter, join, newton_step, returns, select
from ._valleys import other_valleys

if TYPE_CHECKING:
    from ._quasi_newton import BatchedMinima

VALLEY_ROUNDS = 4
"""Times that other minima are looked for from where a fit ended."""

LEAST_CURVATURE = 1e-6
"""Below this the expected data leave a direction so flat that only exact Hessians tell where its minimum is."""

BATCHED_FROM = 64
"""Fits from which on batched L-BFGS is worth its compilation."""

SOFTENING = 1e4
"""Factor by which the wall at a rate of zero is softened, at first, for fits that have to find their way along it."""

SADDLE_TOLERANCE = 1e-6
"""A Hessian with an eigenvalue below minus this, in units of the parameters' own scales, is that of no minimum."""

MAX_EVALUATIONS = 300
"""Evaluations of the likelihood after which a fit gives up."""

LARGEST_DAMPING = 1e9
"""A fit whose damping is above this makes no progress."""


def minimise(
    model: AbstractLikelihood,
    data: DataSets,
    start: np.ndarray,
    free: np.ndarray,
    *,
    covariance: bool = True,
    limits: Limits | None = None,
    batched: bool | None = None,
    valleys: bool = True,
) -> Minima:
    """Minimise −log L in every fit over its free parameters, within the bounds; the others stay where they start.

    From a saddle a fit continues in both directions of negative curvature. Where the data may have opened another valley
    on the other side of a parameter, that one is tried too, and the lower minimum kept.

    Parameters
    ----------
    model : the likelihood
    data : the data set of each fit
    start : [fit, parameter]
    free : [fit, parameter], boolean
    covariance : invert the Hessians, and report which are not positive definite; else they are left out (NaN)
    limits : other bounds than the parameters' own, lower and upper [parameter]
    batched : start with batched L-BFGS, which has to be compiled; by default where there are at least ``BATCHED_FROM`` fits,
        and not of a few data sets only
    valleys : look for lower minima in other valleys; else the fit stays in that where it starts
    """
    limits = bounds(model) if limits is None else limits
    start = np.where(free, np.clip(start, *limits), start)
    free = free & (limits[0] < limits[1])  # bounds without width fix a parameter
    batched = len(start) >= BATCHED_FROM and not few(model, data) if batched is None else batched

    objective = Objective(model, data, free, limits)
    found = _nearest_minima(objective, start, covariance, batched)
    parts, todo = model.even_parts(), np.arange(len(start))
    for _ in range(VALLEY_ROUNDS if valleys else 0):
        saddle = todo[(found.negative_direction[todo] != 0).any(axis=1)]
        row = np.concatenate([saddle, saddle])
        half = np.repeat([[0.5], [-0.5]], len(saddle), axis=0)
        where = found.theta[row] + half * found.negative_direction[row]
        sound = todo[found.status[todo] <= Status.NOT_POSITIVE_DEFINITE]
        if parts is not None and sound.size:
            with blas_threads(1):
                thorough = covariance and len(start) < BATCHED_FROM  # best fits; there are many conditional ones
                other = other_valleys(
                    parts, found.theta[sound], found.even_slope[sound], free[sound], by_profile=not thorough
                )
            row, where = np.concatenate([row, sound[other.row]]), np.concatenate([where, other.theta])
        if not row.size:
            break
        second = _nearest_minima(objective.take(row), where, covariance, batched, take(found, row))
        todo = keep_lowest(found, row, second)
    return found


def _nearest_minima(
    objective: Objective, start: np.ndarray, covariance: bool, batched: bool, known: Minima | None = None
) -> Minima:
    """The nearest minimum of each fit, or a saddle; where rates are pressed against zero, by way of softer walls.

    A fit that returns to its ``known`` minimum is given up: its −log L is infinite.
    """
    found, model = _newton(objective, start, covariance, batched, known), objective.model
    slow = np.flatnonzero(found.at_rate_end | (found.status == Status.MAX_STEPS))
    if slow.size and (soft := model.softened(SOFTENING)) is not model:
        part, where = objective.take(slow), found.theta[slow]
        for walls in (soft, model.softened(SOFTENING**0.5), model):
            second = _newton(part._replace(model=walls), where, covariance and walls is model, False)
            where = second.theta
        keep_lowest(found, slow, second)
    return found


def _newton(
    objective: Objective, start: np.ndarray, covariance: bool, batched: bool, known: Minima | None = None
) -> Minima:
    """The nearest minimum of each fit, or a saddle; of one that returns to its ``known`` minimum, nothing."""
    (fits, size), free, (lower, upper) = start.shape, objective.free, objective.limits
    unknown = np.broadcast_to(np.nan, (fits, size, size))  # without memory, and not to be written to
    start = np.where(free, np.clip(start, lower, upper), start)
    found = Minima(
        theta=start.copy(),
        slope=np.full((fits, size), np.nan),
        even_slope=np.zeros((fits, size)),
        negative_direction=np.zeros((fits, size)),
        at_rate_end=np.zeros(fits, bool),
        covariance=unknown.copy() if covariance else unknown,
        nll=np.full(fits, np.inf),
        edm=np.full(fits, np.inf),
        status=np.full(fits, int(Status.NOT_FINITE)),
        steps=np.zeros(fits, int),
    )
    sizes = objective.sizes
    near = _quasi_newton(objective, start) if batched else None
    if near is not None:
        done = np.flatnonzero(near.converged)
        start[done] = near.theta[done]
        found.steps[:] = near.steps
        if not covariance:
            for name in ("theta", "slope", "even_slope", "nll", "edm"):
                getattr(found, name)[done] = getattr(near, name)[done]
            found.status[done] = np.where(near.at_bound[done].any(axis=1), Status.AT_BOUND, Status.OK)
    if known is not None:
        depth = np.where(good(known.status), known.nll, np.nan)  # not of a saddle
    with blas_threads(1):
        queue = np.flatnonzero(found.status > Status.AT_BOUND)
        active, waiting, spent = enter(start, queue[:0]), 0, 0
        while waiting < queue.size or active.row.size:
            fresh = queue[waiting : waiting + sizes[-1] - active.row.size]
            waiting += fresh.size
            active = join(active, enter(start, fresh))
            at = objective.take(active.row).evaluate(active.trial, sizes, spent)
            spent += len(active.row)
            active = newton_step(active, at, free[active.row], lower, upper)
            finished = (
                ((active.edm < EDM_TOLERANCE) & ~_nearly_flat(active))
                | (active.count >= MAX_EVALUATIONS)
                | (active.damping > LARGEST_DAMPING)
                | ~np.isfinite(active.best.nll)
            )
            if known is not None:
                home = returns(active, known.theta[active.row], depth[active.row])
                active, finished = select(active, ~home), finished[~home]
            _record(found, select(active, finished), free, covariance)
            active = select(active, ~finished)
    return found


def _quasi_newton(objective: Objective, start: np.ndarray) -> "BatchedMinima | None":
    """Batched L-BFGS; None where the model has no batched form, or no curvature in a parameter that a fit may move."""
    model, data, free, limits = objective
    moves = np.asarray(free.any(0))  # in any fit; each may have others fixed
    if not moves.any() or (batched := model.batched()) is None:
        return None
    centre = np.array([[p.init for p in model.parameters]])
    centre = np.where(moves, np.clip(centre, *limits), start[:1])
    expected = DataSets.of(model.asimov(dict(zip(model.names, centre[0], strict=True))))
    at = Objective(model, expected, moves[None], limits).evaluate(centre, objective.sizes)
    # Parameters that are pressed against a bound here may be free in a fit, so there must be none.
    if (
        not np.isfinite(at.hessian).all()
        or ((at.unit[0] > 0) != moves).any()
        or not definite(at.hessian - LEAST_CURVATURE * np.eye(start.shape[1])).all()
    ):
        return None
    from ._quasi_newton import batched_lbfgs

    return batched_lbfgs(batched, data, start, free, limits, 0.3 * EDM_TOLERANCE)  # its matrices are less exact


def _nearly_flat(active: ActiveFits) -> np.ndarray:
    """Converged fits with a nearly flat direction: what is left of the gradient feigns a curvature there."""
    answer = (active.edm < EDM_TOLERANCE) & (active.edm > EDM_TOLERANCE**2) & (active.damping == 0)
    answer[answer] = ~definite(active.best.hessian[answer] - 1e-3 * np.eye(active.trial.shape[1]))
    return answer


def _record(found: Minima, active: ActiveFits, free: np.ndarray, covariance: bool) -> None:
    """Write the fits that finished into their rows of the answer."""
    if not active.row.size:
        return
    at, moves, sound = active.best, active.best.unit > 0, np.ones(len(active.row), bool)
    found.theta[active.row], found.slope[active.row] = at.theta, at.slope
    found.even_slope[active.row] = at.even_slope
    impossible = ~np.isfinite(at.nll) | (at.end == 2)  # no parameters that were found can give these data
    found.nll[active.row], found.edm[active.row] = np.where(impossible, np.inf, at.nll), active.edm
    saddle = ~definite(at.hessian + SADDLE_TOLERANCE * np.eye(active.trial.shape[1]))
    if saddle.any():  # the eigenvector of the lowest eigenvalue
        lowest = np.linalg.eigh(at.hessian[saddle])[1][:, :, 0]
        found.negative_direction[active.row[saddle]] = at.unit[saddle] * lowest
    if covariance:  # H⁻¹ of the parameters that move, back in their own units: u (u H u)⁻¹ u
        sound = definite(at.hessian - SINGULAR_BELOW * np.eye(active.trial.shape[1]))
        inverse = np.full_like(at.hessian, np.nan)
        inverse[sound] = np.linalg.inv(at.hessian[sound])
        inverse *= at.unit[:, :, None] * at.unit[:, None, :]
        found.covariance[active.row] = np.where(moves[:, :, None] & moves[:, None, :], inverse, 0.0)
    found.steps[active.row] += active.count
    found.at_rate_end[active.row] = at.end > 0
    found.status[active.row] = np.select(
        [
            impossible,
            ~(active.edm < EDM_TOLERANCE) | saddle,
            ~sound,
            (free[active.row] & ~moves).any(1) | (at.end == 1),
        ],
        [Status.NOT_FINITE, Status.MAX_STEPS, Status.NOT_POSITIVE_DEFINITE, Status.AT_BOUND],
        Status.OK,
    )
