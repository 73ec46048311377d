"""Batched L-BFGS: the minima of many data sets of one model by matrix products, without an exact Hessian.

Quasi-Newton with limited memory (Nocedal, Math. Comp. 35 (1980) 773; Nocedal and Wright, Numerical Optimization, 2nd ed.
(2006), algorithms 7.4 and 7.5). From a point x_k with gradient g_k the step is x_{k+1} = x_k − a_k H_k g_k, where H_k is
H_0 updated by the last pairs

    s_k = x_{k+1} − x_k,    y_k = g_{k+1} − g_k,    ρ_k = 1 / (y_kᵀ s_k).

H_0 is not the usual multiple of 1 but the inverse of Gauss and Newton's matrix where the fit starts, in single precision.
The fit is the last axis of every array. One that meets a bound goes on along it, and leaves it where −log L falls inside;
one that does not converge is left to :func:`verax.infer`. Blocks of fits run in threads, one on each core: inside
one program XLA leaves all cores but one waiting.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from verax.arrays import Array
from verax.model import AbstractBatched, Batched, DataSets
from verax.run import side_by_side

from ._evaluate import Limits

MEMORY = 4
"""Pairs (s_k, y_k) that are kept of each fit."""

BLOCK = 64
"""Fits in one compiled call."""

EVALUATIONS_PER_CALL = 8
"""Evaluations after which a fit goes to the end of the queue, to continue from where it is with its memory emptied."""

MAX_EVALUATIONS = 48
"""Evaluations after which a fit is left to Newton's method."""

LEAST_PRECISION = 1e-4
"""Least prior precision of a parameter that only the data constrain, in units of what they do."""

SHORTEST_STEP = 0.02
"""Step length below which a fit has stalled."""

RUNNING, CONVERGED, STALLED = 0, 1, 2


@dataclass(frozen=True)
class BatchedMinima:
    """Where each fit ended; ``slope`` is the gradient of −log L in all parameters. Only where ``converged`` is it a minimum.

    ``at_bound`` [fit, parameter] are at a bound, and −log L falls beyond it.
    """

    theta: np.ndarray
    slope: np.ndarray
    even_slope: np.ndarray
    nll: np.ndarray
    edm: np.ndarray
    steps: np.ndarray
    converged: np.ndarray
    at_bound: np.ndarray


class State(NamedTuple):
    """Fits in progress [..., fit]: data, best point and derivatives there, next step, the last s_k, y_k and ρ_k [k, ...]."""

    packed: Any
    theta: Any
    value: Any
    slope: Any
    even_slope: Any
    direction: Any
    step_length: Any
    edm: Any
    s: Any
    y: Any
    rho: Any
    evaluations: Any
    phase: Any


def _iterate(terms: AbstractBatched, h0: "InitialInverse", lower: Array, upper: Array, edm: Array, fit: State) -> State:
    """One evaluation of every fit, and the next step of each."""
    step = fit.step_length * fit.direction
    trial = fit.theta + step
    value, slope, even_slope, invalid = terms.value_and_slope(trial, fit.packed)
    running = fit.phase == RUNNING
    accept = running & (value <= fit.value + 1e-13 * jnp.abs(value))  # −log L falls, up to rounding

    # s_k, y_k and ρ_k of the step just made; a pair without curvature, yᵀs ≤ 0, would spoil H_k and counts as 0.
    change = slope - fit.slope
    product = (step * change).sum(0)
    useful = accept & (product > 1e-12 * (change**2).sum(0) ** 0.5 * (step**2).sum(0) ** 0.5)
    inverse_product = jnp.where(useful, 1 / jnp.where(useful, product, 1.0), 0.0)
    s, y, rho = (
        jnp.concatenate([jnp.where(useful, new, 0.0)[None], old[:-1]])
        for new, old in ((step, fit.s), (change, fit.y), (inverse_product, fit.rho))
    )
    slope = jnp.where(accept, slope, fit.slope)

    # Two-loop recursion (algorithm 7.4), newest pair first: α_k = ρ_k s_kᵀ q, q ← q − α_k y_k; r = H_0 q; then back,
    # r ← r + s_k (α_k − ρ_k y_kᵀ r). In the end r = H_k g_k.
    q: Any = slope
    alpha: list[Any] = []
    for k in range(MEMORY):
        alpha.append(rho[k] * (s[k] * q).sum(0))
        q = q - alpha[k] * y[k]
    r = h0.times(q)
    for k in reversed(range(MEMORY)):
        r = r + s[k] * (alpha[k] - rho[k] * (y[k] * r).sum(0))

    # The full step a_k = 1, or less to stay within the bounds; after a refusal 0.3 of the step refused.
    theta = jnp.where(accept, trial, fit.theta)
    direction = jnp.where(accept, -r, fit.direction)
    longest = _longest_step(theta, direction, lower, upper).min(0)
    step_length = jnp.where(accept, jnp.minimum(1.0, longest), 0.3 * fit.step_length)

    # Estimated distance to the minimum ½ gᵀ H_k g: what a quadratic −log L has still to fall.
    distance = jnp.where(accept, 0.5 * (slope * r).sum(0), fit.edm)
    close = accept & (distance < edm) & (distance >= 0)
    converged = close & ~invalid
    stalled = running & ~converged & (close | (step_length < SHORTEST_STEP) | (distance < 0) | ~jnp.isfinite(distance))
    return State(
        fit.packed,
        theta,
        jnp.where(accept, value, fit.value),
        slope,
        even_slope,  # of a fit that has converged, a step below the tolerance away
        direction,
        step_length,
        distance,
        s,
        y,
        rho,
        fit.evaluations + running,
        jnp.where(converged, CONVERGED, jnp.where(stalled, STALLED, fit.phase)),
    )


def _longest_step(theta: Array, direction: Array, lower: Array, upper: Array) -> Array:
    """[parameter, fit]: the step length at which each parameter has gone 0.9 of the way to its bound."""
    room: Any = jnp.where(direction > 0, upper - theta, theta - lower)
    return jnp.where(direction == 0, jnp.inf, 0.9 * room / jnp.maximum(jnp.abs(direction), 1e-300))


class InitialInverse(NamedTuple):
    """H_0, the inverse of Gauss and Newton's matrix A = P + J Jᵀ of each fit (P prior precisions, J whitened Jacobian).

    With u = ``unit``, H_0 = u · ``core`` · u; or, of more parameters than observations, H_0 = u (1 − R · ``core`` · Rᵀ) u
    with R = ``rows`` (Woodbury's identity: (1 + R Rᵀ)⁻¹ = 1 − R (1 + Rᵀ R)⁻¹ Rᵀ).
    """

    unit: Any
    rows: Any
    core: Any

    def times(self, vector: Array) -> Array:
        """H_0 · vector of each fit, [parameter, fit]."""
        vector = self.unit * vector
        if self.rows is None:
            return self.unit * (self.core * vector).sum(1)
        inner = (self.core * (self.rows * vector[:, None]).sum(0)).sum(1)
        return self.unit * (vector - (self.rows * inner).sum(1))


def _initial_inverse(terms: AbstractBatched, moves: Array, jacobian: Array) -> InitialInverse:
    """H_0 from the ``whitened_jacobian`` [parameter, observation, fit], by a matrix of the smaller of the two sizes."""
    size, cells, _ = jacobian.shape
    narrow = size <= cells
    jacobian = jacobian if narrow else jacobian.astype(float)  # 1 − R · core · Rᵀ is a small difference
    precision = terms.prior_precision.astype(jacobian.dtype)
    if narrow:
        each = jnp.moveaxis(jacobian, 2, 0)
        square = jnp.moveaxis(jnp.einsum("lkb,ljb->lkj", each, each), 0, 2)
        information = jnp.diagonal(square).T
    else:
        information = (jacobian**2).sum(1)
    unit = jax.lax.rsqrt(jnp.maximum(precision + information, 1e-30))
    prior = jnp.maximum(precision * unit**2, LEAST_PRECISION)
    unit = jnp.where(moves, jnp.sqrt(1 / prior) * unit, 0.0)  # u = P^(−½), so that A = u⁻¹ (1 + R Rᵀ) u⁻¹ with R = u J
    if narrow:
        rows, square = None, unit[:, None] * square * unit
    else:
        rows = jacobian * unit[:, None]
        each = jnp.moveaxis(rows, 2, 0)
        square = jnp.moveaxis(jnp.einsum("lkb,lkc->lbc", each, each), 0, 2)
    core = _inverted(square + jnp.eye(len(square), dtype=jacobian.dtype)[:, :, None])
    return InitialInverse(unit.astype(float), rows, core.astype(float))


def _inverted(matrix: Array) -> Array:
    """Inverses of positive definite matrices [i, i, fit], by Gauss-Jordan elimination."""
    own = jnp.eye(len(matrix), dtype=bool)

    def eliminate(i: Array, a: Array) -> Array:
        pivot = 1 / a[i, i]
        row = jnp.where(own[i][:, None], 1.0, a[i]) * pivot
        column = jnp.where(own[i][:, None], 0.0, a[:, i])
        kept = jnp.where(own[i][:, None], 0.0, a)
        return jnp.where(own[i][:, None, None], row, kept - column[:, None] * row)

    return jnp.asarray(jax.lax.fori_loop(0, len(matrix), eliminate, matrix))


@jax.jit
def _lbfgs(terms: AbstractBatched, lower: Array, upper: Array, edm: Array, entering: Array, waiting: Array) -> Array:
    """A few iterations of the fits in the rows of ``entering`` (data, start, and 1 where a parameter moves).

    Returns for each fit the columns of :class:`BatchedMinima`, parameters in order, its phase, and which parameter is
    nearest to a bound in the direction of the step, in units of the step.
    """
    fits, size = len(entering), len(lower)
    packed, theta, moves = entering.T[: -2 * size], entering.T[-2 * size : -size], entering.T[-size:]
    moves = moves > 0
    value, slope, even_slope, _ = terms.value_and_slope(theta, packed)
    h0 = _initial_inverse(terms, moves, terms.whitened_jacobian(theta, packed))
    r = h0.times(slope)
    memory = jnp.zeros((MEMORY, size, fits))
    state = State(
        packed,
        theta,
        value,
        slope,
        even_slope,
        -r,
        jnp.minimum(1.0, _longest_step(theta, -r, lower, upper).min(0)),
        0.5 * (slope * r).sum(0),
        memory,
        memory,
        jnp.zeros((MEMORY, fits)),
        jnp.ones(fits, int),
        jnp.where(waiting & jnp.isfinite(value), RUNNING, STALLED),
    )

    def unfinished(at: tuple[Any, State]) -> Any:
        return (at[1].phase == RUNNING).any() & (at[0] < EVALUATIONS_PER_CALL - 1)

    def body(at: tuple[Any, State]) -> tuple[Any, State]:
        return at[0] + 1, _iterate(terms, h0, lower, upper, edm, at[1])

    _, fit = jax.lax.while_loop(unfinished, body, (jnp.zeros((), int), state))
    room: Any = _longest_step(fit.theta, fit.direction, lower, upper)
    report = jnp.stack([fit.value, fit.edm, fit.evaluations * 1.0, fit.phase * 1.0, room.min(0), room.argmin(0) * 1.0])
    return jnp.concatenate([fit.theta, fit.slope, fit.even_slope, report]).T


def batched_lbfgs(
    batched: Batched, data: DataSets, start: np.ndarray, moves: np.ndarray, limits: Limits, edm: float
) -> BatchedMinima:
    """Minimise −log L of each data set from its ``start``, in the parameters where ``moves``, both [fit, parameter].

    A fit whose step would cross a bound is put on it and continues in the other parameters (an active set, Nocedal and
    Wright, section 16.5); one that has converged with the gradient pointing inward is freed again.
    """
    terms, order, pack, constant = batched
    (fits, size), sets, moves = start.shape, data.gather(), moves[:, order]
    entering = np.concatenate([pack(sets), start[:, order], moves], axis=1)
    theta, moving = entering[:, -2 * size : -size], entering[:, -size:]
    lower, upper = (x[order] for x in limits)
    found, steps = np.zeros((fits, 3 * size + 6)), np.zeros(fits, int)
    with jax.enable_x64(True):
        fixed = jax.device_put((terms, lower[:, None], upper[:, None], edm))

    def iterate(block: np.ndarray) -> np.ndarray:
        row = block[np.minimum(np.arange(BLOCK), len(block) - 1)]
        with jax.enable_x64(True):
            return np.asarray(_lbfgs(*fixed, entering[row], np.arange(BLOCK) < len(block)))[: len(block)]

    queue, converged = np.arange(fits), np.zeros(fits, bool)
    with side_by_side() as threads:
        while queue.size:
            blocks = np.split(queue, range(BLOCK, len(queue), BLOCK))
            compiled = iterate(blocks[0])  # once, not on every core
            found[queue] = np.concatenate([compiled, *threads.map(iterate, blocks[1:])])
            *_, evaluations, phase, room, nearest = found[queue].T
            steps[queue] += evaluations.astype(int)
            theta[queue] = found[queue, :size]
            inward = np.where(theta[queue] == lower, -1, 1) * found[queue, size : 2 * size] > 0
            freed = (phase == CONVERGED)[:, None] & moves[queue] & (moving[queue] == 0) & inward
            moving[queue] += freed
            converged[queue] = (phase == CONVERGED) & ~freed.any(axis=1)
            stopped = (phase == STALLED) & (room < SHORTEST_STEP)
            at, i = queue[stopped], nearest[stopped].astype(int)
            theta[at, i] = np.where(theta[at, i] - lower[i] < upper[i] - theta[at, i], lower[i], upper[i])
            moving[at, i] = 0.0
            unfinished = (phase == RUNNING) | stopped | freed.any(axis=1)
            queue = queue[unfinished & (steps[queue] < MAX_EVALUATIONS)]
    back = np.argsort(order)
    at_bound = moves & (moving == 0)
    nll, distance = found[:, 3 * size : 3 * size + 2].T
    return BatchedMinima(
        theta[:, back],
        found[:, size + back],
        found[:, 2 * size + back],
        nll + constant(sets),
        distance,
        steps,
        converged,
        at_bound[:, back],
    )
