"""Batched minimisation of −log L: damped Newton with the exact Hessian, in bounds, one compiled root for every question.

A *lane* is one fit: a data set, a starting point and a mask of free parameters. Fitting toys, profiling, finding
interval ends and ranking differ only in their lanes, so all share the compiled derivatives of their model.

JAX compiles and batches the derivatives; the small linear algebra is NumPy's. (jaxlib's batched LAPACK calls, as of
0.10, can wait for each other forever when the thread pool is small.) A lane that is done makes room for the next one,
so that a slow one never holds up a batch.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg.lapack import dposv, dpotrf
from threadpoolctl import ThreadpoolController

from verax.model import AbstractLikelihood, Data, DataSets
from verax.results import Status

from ._batch import Lanes, unknown, where_lane, write_lowest
from ._quasi_newton import Descent, descend
from ._valleys import elsewhere

WORKING_SET = 250_000
"""Lanes × parameters × observations to stay below: a batch that falls out of the processor's cache is slower."""

LARGEST = 100 * WORKING_SET
"""Likewise for likelihoods of which one alone falls out of it: for the sake of memory."""

EDM = 1e-8
"""Converged when the estimated distance to the minimum, in units of −log L, is below this: 1e-4 σ of a parameter."""

FIRST, HARDER, SOFTER, LEAST = 0.5, 4.0, 0.2, 0.2
"""Damping: after the first refusal, factor at each further one, factor after a success, below this none."""

ROUNDS = 4
"""Times that other minima are looked for from where a lane ended."""

FLAT = 1e-6
"""Below this the expected data leave a direction so flat that only exact Hessians tell where its minimum is."""

MANY = 64
"""Lanes from which on the fast way is worth its compilation."""

SOFT = 1e4
"""How much softer the ends of rates are made, at first, for lanes that have to find their way along them."""

SADDLE = 1e-6
"""A Hessian with an eigenvalue below minus this, in units of the parameters' own scales, is that of no minimum."""

DEGENERATE = 1e-9
"""A Hessian whose smallest eigenvalue, in units of the parameters' own scales, is below this has no useful inverse."""


Limits = tuple[np.ndarray, np.ndarray]
"""Lower and upper bound of each parameter; one whose bounds are equal is fixed there."""


class Point(NamedTuple):
    """−log L and its derivatives, each parameter in the unit in which its typical curvature is 1.

    ``slope`` is the gradient in the parameters' own units. A parameter that is fixed, or pressed against a
    bound, has unit 0, gradient 0 and a row of the identity.
    """

    theta: Any
    nll: Any
    slope: Any
    gradient: Any
    hessian: Any
    bending: Any
    unit: Any
    even_slope: Any
    end: Any


class Pool(NamedTuple):
    """The lanes at work: best point so far, the next one to try and the gain foreseen there, damping of the steps."""

    lane: Any
    best: Point
    trial: Any
    foreseen: Any
    damping: Any
    edm: Any
    count: Any


def minimise(
    model: AbstractLikelihood,
    data: DataSets,
    start: np.ndarray,
    free: np.ndarray,
    *,
    covariance: bool = True,
    limits: Limits | None = None,
    steps: int = 300,
    many: bool | None = None,
) -> Lanes:
    """Minimise −log L in every lane over its free parameters, within the bounds; the others stay where they start.

    From a saddle a lane goes on down both ways. Where the data may have opened another valley on the other side of a
    parameter, that one is tried too, and the lower minimum kept.

    Parameters
    ----------
    data : of each lane
    start : [lane, parameter]
    free : [lane, parameter], boolean
    covariance : invert the Hessians, and say which are not positive definite; else they are left out (NaN)
    limits : other bounds than the parameters' own, lower and upper [parameter]
    steps : evaluations of the likelihood after which a lane gives up
    many : go the fast way first, which has to be compiled; by default where there are at least ``MANY`` lanes
    """
    limits = bounds(model) if limits is None else limits
    start = np.where(free, np.clip(start, *limits), start)
    free = free & (limits[0] < limits[1])  # bounds without width fix a parameter
    many = len(start) >= MANY if many is None else many

    done = _attempt(model, data, start, free, covariance, limits, steps, many)
    parts, todo = model.even_parts(), np.arange(len(start))
    for _ in range(ROUNDS):
        saddle = todo[(done.way_down[todo] != 0).any(axis=1)]
        lane = np.concatenate([saddle, saddle])
        where = done.theta[lane] + np.repeat([[0.5], [-0.5]], len(saddle), axis=0) * done.way_down[lane]
        sound = todo[done.status[todo] <= Status.NOT_POSITIVE_DEFINITE]
        if parts is not None and sound.size:
            with blas_threads(1):
                other = elsewhere(parts, done.theta[sound], done.even_slope[sound], free[sound], sharp=many)
            lane, where = np.concatenate([lane, sound[other.lane]]), np.concatenate([where, other.theta])
        if not lane.size:
            break
        second = _attempt(model, data[lane], where, free[lane], covariance, limits, steps, many)
        todo = write_lowest(done, lane, second)
    return done


def _attempt(
    model: AbstractLikelihood,
    data: DataSets,
    start: np.ndarray,
    free: np.ndarray,
    covariance: bool,
    limits: Limits,
    steps: int,
    many: bool,
) -> Lanes:
    """The nearest minimum of each lane, or a saddle; along the ends of rates, by way of softer ones."""
    done = _minimise(model, data, start, free, covariance, limits, steps, many)
    slow = np.flatnonzero(done.pressed | (done.status == Status.MAX_STEPS))
    if slow.size and (soft := model.softened(SOFT)) is not model:
        part, where = data[slow], done.theta[slow]
        for ends in (soft, model.softened(SOFT**0.5), model):
            second = _minimise(ends, part, where, free[slow], covariance and ends is model, limits, steps, False)
            where = second.theta
        write_lowest(done, slow, second)
    return done


def _minimise(
    model: AbstractLikelihood,
    data: DataSets,
    start: np.ndarray,
    free: np.ndarray,
    covariance: bool,
    limits: Limits,
    steps: int,
    many: bool,
) -> Lanes:
    """The nearest minimum of each lane, or a saddle."""
    (lanes, size), (lower, upper) = start.shape, limits
    start = np.where(free, np.clip(start, lower, upper), start)
    done = Lanes(
        theta=start.copy(),
        slope=np.full((lanes, size), np.nan),
        even_slope=np.zeros((lanes, size)),
        way_down=np.zeros((lanes, size)),
        pressed=np.zeros(lanes, bool),
        covariance=np.full((lanes, size, size), np.nan) if covariance else unknown(lanes, size),
        nll=np.full(lanes, np.inf),
        edm=np.full(lanes, np.inf),
        status=np.full(lanes, int(Status.NOT_FINITE)),
        steps=np.zeros(lanes, int),
    )
    sizes = batch_sizes(model.work(data.batch))
    ahead = _descend(model, data, start, free, limits, sizes) if many else None
    if ahead is not None:
        found = np.flatnonzero(ahead.arrived)
        start[found] = ahead.theta[found]
        if not covariance:
            for name in ("theta", "slope", "even_slope", "nll", "edm", "steps"):
                getattr(done, name)[found] = getattr(ahead, name)[found]
            done.status[found] = np.where(ahead.pinned[found].any(axis=1), Status.AT_BOUND, Status.OK)
    with blas_threads(1):
        queue = np.flatnonzero(done.status > Status.AT_BOUND)
        pool, waiting = _enter(start, queue[:0]), 0
        while waiting < queue.size or pool.lane.size:
            fresh = queue[waiting : waiting + sizes[-1] - pool.lane.size]
            waiting += fresh.size
            pool = jax.tree.map(lambda a, b: np.concatenate([a, b]), pool, _enter(start, fresh))
            at = evaluate(model, data[pool.lane], pool.trial, free[pool.lane], limits, sizes)
            pool = _step(pool, at, free[pool.lane], lower, upper)
            finished = (
                ((pool.edm < EDM) & ~_worth_polishing(pool))
                | (pool.count >= steps)
                | (pool.damping > 1e9)
                | ~np.isfinite(pool.best.nll)
            )
            _record(done, _rows(pool, finished), free, covariance)
            pool = _rows(pool, ~finished)
    return done


def _descend(
    model: AbstractLikelihood,
    data: DataSets,
    start: np.ndarray,
    free: np.ndarray,
    limits: Limits,
    sizes: tuple[int, ...],
) -> Descent | None:
    """The fast way for many lanes with the same free parameters; None where it is not known, or has no curvature."""
    if not free[0].any() or (free != free[0]).any() or (batched := model.batched()) is None:
        return None
    expected = DataSets.of(model.asimov({}))
    centre = np.array([[p.init for p in model.parameters]])
    centre = np.where(free[0], np.clip(centre, *limits), start[:1])
    at = evaluate(model, expected, centre, free[:1], limits, sizes)
    # Parameters that are pressed against a bound here may be free in a lane, so there must be none.
    if (
        not np.isfinite(at.hessian).all()
        or ((at.unit[0] > 0) != free[0]).any()
        or not definite(at.hessian - FLAT * np.eye(start.shape[1])).all()
    ):
        return None
    return descend(batched, data, start, free[0], limits, 0.3 * EDM)  # its matrices are less exact


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def blas_threads(limit: int) -> Any:
    """A context in which BLAS uses ``limit`` threads: in small matrices its threads wait for each other on busy cores."""
    return _blas().limit(limits=limit, user_api="blas")


def bounds(model: AbstractLikelihood, fixed: Mapping[str, float] | None = None) -> Limits:
    """Lower and upper bounds of the parameters; those that are ``fixed`` have none but their value."""
    fixed = fixed or {}
    both = [(fixed[p.name],) * 2 if p.name in fixed else p.bounds for p in model.parameters]
    lower, upper = np.array(both, np.float64).reshape(-1, 2).T
    return lower, upper


def batch_sizes(work: int) -> tuple[int, ...]:
    """Lanes per evaluation, for the work that one of them is; a batch is padded to the next of these sizes.

    There are three, so that few shapes are ever compiled; the largest keeps a batch within the processor's cache. Where one
    lane does not fit into it there are more, since padding costs more than compiling.

    >>> batch_sizes(10 * 15), batch_sizes(33 * 100), batch_sizes(103 * 1000), batch_sizes(3 * 10**6)
    ((1, 16, 256), (1, 16, 64), (1, 16), (1, 2, 4, 8))
    """
    if work > WORKING_SET:
        return (1, *[b for b in (2, 4, 8, 16) if b * work <= LARGEST])
    return (1, 16, *[b for b in (256, 64) if b * work <= WORKING_SET][:1])


def evaluate(
    model: AbstractLikelihood,
    data: DataSets,
    theta: np.ndarray,
    free: np.ndarray,
    limits: Limits,
    sizes: tuple[int, ...],
) -> Point:
    """−log L and its derivatives in a batch of lanes, padded to one of the ``sizes``."""
    lanes = len(theta)
    size = next(b for b in sizes if b >= lanes)
    row = np.minimum(np.arange(size), lanes - 1)
    # A large data set is not copied for each lane; small ones are, so that one program serves one and many.
    shared = data.alone and model.work(data.batch) > WORKING_SET
    here = data.one() if shared else data[row].gather()
    with jax.enable_x64(True):
        point = _root(model, here, theta[row], free[row], *limits)
        return Point(*(np.asarray(x)[:lanes] for x in point))


@jax.jit
def _root(model: AbstractLikelihood, data: Data, theta: Any, free: Any, lower: Any, upper: Any) -> Point:
    at = jax.vmap(model.derivatives, (0, data.axes if data.is_batch else None))(theta, data)
    held = ((theta <= lower) & (at.gradient > 0)) | ((theta >= upper) & (at.gradient < 0))
    unit = jnp.where(free & ~held, jax.lax.rsqrt(at.scale), 0.0)
    outer = unit[:, :, None] * unit[:, None, :]
    rest = jnp.where(unit == 0, 1.0, 0.0)[:, :, None] * jnp.eye(theta.shape[1])
    hessian, bending = outer * at.hessian + rest, outer * at.bending
    return Point(theta, at.nll, at.gradient, unit * at.gradient, hessian, bending, unit, at.even_slope, at.end)


def _enter(start: np.ndarray, lane: np.ndarray) -> Pool:
    """Lanes that come to work: no point yet, so the first finite one is the best."""
    n, p = len(lane), start.shape[1]
    vector, matrix = np.zeros((n, p)), np.zeros((n, p, p))
    point = Point(start[lane], np.full(n, np.inf), vector, vector, matrix, matrix, vector, vector, np.zeros(n, int))
    return Pool(lane, point, start[lane], np.zeros(n), np.zeros(n), np.full(n, np.inf), np.zeros(n, int))


def _step(pool: Pool, at: Point, free: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> Pool:
    """Accept the trial points that go down, and propose the next ones.

    Newton's step where the Hessian is positive definite, shortened when refused; else Gauss and Newton's, damped.
    """
    finite = np.isfinite(at.nll + at.gradient.sum(1) + at.hessian.sum((1, 2)))
    with np.errstate(invalid="ignore"):
        gain = pool.best.nll - at.nll
        accept = finite & (gain >= -1e-13 * abs(at.nll))  # but for the rounding of the sum
        as_foreseen = gain > 0.25 * pool.foreseen
        to_and_fro = accept & (pool.damping == 0) & (pool.foreseen > EDM) & (gain < 0.1 * pool.foreseen)
    softer = np.where(as_foreseen, SOFTER * pool.damping, pool.damping)
    softer = np.where(softer < LEAST, 0.0, softer)
    damping = np.where(accept & ~to_and_fro, softer, np.maximum(HARDER * pool.damping, FIRST))
    best = at if accept.all() else Point(*(where_lane(accept, a, b) for a, b in zip(at, pool.best, strict=True)))

    identity = np.eye(at.theta.shape[1])
    stretch = 1 + damping[:, None, None]  # Newton's step, shorter each time it is refused
    matrix, changed = best.hessian * stretch, np.zeros(len(damping), bool)
    extra = damping[:, None, None] * identity
    step, downhill = solve_definite(matrix, best.gradient)
    for repair in (
        lambda row: best.hessian[row] - best.bending[row] + extra[row],
        lambda row: rectified(best.hessian[row]) + extra[row],
    ):
        uphill = np.flatnonzero(~downhill)
        if not uphill.size:
            break
        matrix[uphill], changed[uphill] = repair(uphill), True
        step[uphill], downhill[uphill] = solve_definite(matrix[uphill], best.gradient[uphill])
    if not downhill.all():
        step[~downhill] = solve(matrix[~downhill], best.gradient[~downhill])
    slope = np.sum(step * best.gradient, axis=1)
    edm = 0.5 * slope * np.where(changed, 1.0, 1 + damping)
    # A matrix that was changed may hide a long way to go along a flat valley: the Hessian itself says whether all is done.
    doubtful = np.flatnonzero((edm < EDM) & changed)
    if doubtful.size:
        matrix[doubtful] = rectified(best.hessian[doubtful], DEGENERATE) * stretch[doubtful]
        step[doubtful] = solve(matrix[doubtful], best.gradient[doubtful])
        slope[doubtful] = np.sum(step[doubtful] * best.gradient[doubtful], axis=1)
        edm[doubtful] = 0.5 * slope[doubtful] * (1 + damping[doubtful])
    foreseen = slope * np.where(changed, 0.5, 1 - 0.5 / (1 + damping))
    trial = best.theta - best.unit * step
    cut = np.flatnonzero((free & ((trial < lower) | (trial > upper))).any(1))
    if cut.size:
        at_cut = Point(*(x[cut] for x in best))
        trial[cut], foreseen[cut] = _within(matrix[cut], at_cut, trial[cut], lower, upper)
    trial = np.where(free, np.clip(trial, lower, upper), best.theta)
    return Pool(pool.lane, best, trial, foreseen, damping, edm, pool.count + 1)


def _within(
    matrix: np.ndarray, best: Point, trial: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The step of lanes that would leave the bounds: who meets one first stays on it, the others are solved for again.

    A step that is merely cut off leaves the valley that it runs along. Returns the points and the gain foreseen there.
    """
    inverse = np.divide(1.0, best.unit, out=np.zeros_like(best.unit), where=best.unit > 0)
    on_edge, size = np.zeros(trial.shape, bool), trial.shape[1]
    for _ in range(size):
        crossing = (best.unit > 0) & ~on_edge & ((trial < lower) | (trial > upper))
        if not crossing.any():
            break
        with np.errstate(all="ignore"):
            share = (np.clip(trial, lower, upper) - best.theta) / (trial - best.theta)
        share = np.where(crossing, share, np.inf)
        on_edge |= crossing & (share <= share.min(axis=1, keepdims=True))
        step = np.where(on_edge, (best.theta - np.clip(trial, lower, upper)) * inverse, 0.0)
        pushed = best.gradient - (matrix @ step[:, :, None])[:, :, 0]
        rest = np.where(on_edge[:, :, None] | on_edge[:, None, :], np.eye(size), matrix)
        step += solve(rest, np.where(on_edge, 0.0, pushed))
        trial = best.theta - best.unit * step
    step = (best.theta - np.clip(trial, lower, upper)) * inverse
    gain = np.sum(step * (best.gradient - 0.5 * (best.hessian @ step[:, :, None])[:, :, 0]), axis=1)
    return trial, np.maximum(gain, 0.0)


def _worth_polishing(pool: Pool) -> np.ndarray:
    """Converged lanes with a nearly flat direction: what is left of the gradient feigns a curvature there."""
    answer = (pool.edm < EDM) & (pool.edm > EDM**2) & (pool.damping == 0)
    answer[answer] = ~definite(pool.best.hessian[answer] - 1e-3 * np.eye(pool.trial.shape[1]))
    return answer


def _record(done: Lanes, pool: Pool, free: np.ndarray, covariance: bool) -> None:
    """Write the lanes that finished into their rows of the answer."""
    if not pool.lane.size:
        return
    at, moves, sound = pool.best, pool.best.unit > 0, np.ones(len(pool.lane), bool)
    done.theta[pool.lane], done.slope[pool.lane] = at.theta, at.slope
    done.even_slope[pool.lane] = at.even_slope
    impossible = ~np.isfinite(at.nll) | (at.end == 2)  # no parameters that were found can give these data
    done.nll[pool.lane], done.edm[pool.lane] = np.where(impossible, np.inf, at.nll), pool.edm
    saddle = ~definite(at.hessian + SADDLE * np.eye(pool.trial.shape[1]))
    if saddle.any():
        done.way_down[pool.lane[saddle]] = at.unit[saddle] * np.linalg.eigh(at.hessian[saddle])[1][:, :, 0]
    if covariance:
        sound = definite(at.hessian - DEGENERATE * np.eye(pool.trial.shape[1]))
        inverse = np.full_like(at.hessian, np.nan)
        inverse[sound] = np.linalg.inv(at.hessian[sound])
        inverse *= at.unit[:, :, None] * at.unit[:, None, :]
        done.covariance[pool.lane] = np.where(moves[:, :, None] & moves[:, None, :], inverse, 0.0)
    done.steps[pool.lane], done.pressed[pool.lane] = pool.count, at.end > 0
    done.status[pool.lane] = np.select(
        [impossible, ~(pool.edm < EDM) | saddle, ~sound, (free[pool.lane] & ~moves).any(1) | (at.end == 1)],
        [Status.NOT_FINITE, Status.MAX_STEPS, Status.NOT_POSITIVE_DEFINITE, Status.AT_BOUND],
        Status.OK,
    )


def solve(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Solutions of matrix · x = vector in every lane; where a matrix is singular to rounding, of its rectified one."""
    try:
        return np.asarray(np.linalg.solve(matrix, vector[:, :, None])[:, :, 0])
    except np.linalg.LinAlgError:
        size = np.maximum(abs(matrix).max((1, 2)), 1e-300)[:, None, None]
        return np.asarray(np.linalg.solve(rectified(matrix / size, 1e-12), (vector[:, :, None] / size))[:, :, 0])


def solve_definite(matrix: np.ndarray, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solutions of matrix · x = vector in every lane, and which matrices are positive definite; only theirs are right.

    One call of LAPACK a lane: NumPy's batched Cholesky decomposition raises for all where it fails for one.
    """
    solution, found = np.empty_like(vector), np.empty(len(vector), bool)
    for i, (a, b) in enumerate(zip(matrix, vector, strict=True)):
        _, solution[i], info = dposv(a.T, b)  # the transpose of a symmetric matrix: no copy to LAPACK's order
        found[i] = info == 0
    return solution, found


def definite(matrix: np.ndarray) -> np.ndarray:
    """Which of the symmetric matrices [lane, p, p] are positive definite: Cholesky's pivots are all above zero."""
    return np.array([dpotrf(a.T)[1] == 0 for a in matrix], bool)


def rectified(matrix: np.ndarray, least: float = 0.05) -> np.ndarray:
    """Symmetric matrices with each eigenvalue replaced by its size, at least ``least`` (saddle-free, arXiv:1406.2572)."""
    value, vector = np.linalg.eigh(matrix)
    return (vector * np.maximum(abs(value), least)[:, None, :]) @ vector.swapaxes(1, 2)


def _rows(pool: Pool, choose: np.ndarray) -> Pool:
    rows: Pool = jax.tree.map(lambda x: x[choose], pool)
    return rows
