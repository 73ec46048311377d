"""Batched minimisation of −log L: damped Newton with the exact Hessian, in bounds, one compiled root for every question.

A *lane* is one fit: a data set, a starting point and a mask of free parameters. Fitting toys, profiling, finding
interval ends and ranking differ only in their lanes, so all share one compiled program per batch size.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax.linalg import cholesky, triangular_solve

from verax.model.likelihood import AbstractLikelihood, Data, Derivatives
from verax.results import Status

BATCHES = (1, 16, 256)
"""Lanes per call; a batch is padded to the next of these, so that few shapes are ever compiled."""

EDM = 1e-8
"""Converged when the estimated distance to the minimum, in units of −log L, is below this: 1e-4 σ of a parameter."""

FIRST_STEPS, ALL_STEPS = 12, 300
DEGENERATE = 1e-9  # smallest 1 − R² of a parameter given the others that counts as positive definite


class Lanes(NamedTuple):
    """Where each lane ended; arrays with a leading ``lane`` axis."""

    theta: Any
    covariance: Any
    nll: Any
    edm: Any
    status: Any
    steps: Any


class State(NamedTuple):
    """One lane on its way: the point, the derivatives there, and the step that they suggest."""

    theta: jax.Array
    at: Derivatives
    step: jax.Array
    edm: jax.Array
    damping: jax.Array
    count: jax.Array


def minimise(
    model: AbstractLikelihood, data: Data, start: np.ndarray, free: np.ndarray, *, steps: int = ALL_STEPS
) -> Lanes:
    """Minimise −log L in every lane, over its free parameters and within the bounds; the others stay where they start.

    Parameters
    ----------
    data : counts[bin] shared by all lanes, or counts[lane, bin]
    start : [lane, parameter]
    free : [lane, parameter], boolean

    Returns
    -------
    NumPy arrays. Most lanes are done in a few steps; those that are not are gathered and continued, so that one slow
    lane does not hold up its batch.
    """
    lanes = start.shape[0]
    counts = np.broadcast_to(data.counts, (lanes, data.counts.shape[-1]))
    auxiliary = np.broadcast_to(data.auxiliary, (lanes, data.auxiliary.shape[-1]))
    lower, upper = bounds(model)
    start = np.where(free, np.clip(start, lower, upper), start)
    done = _batches(model, counts, auxiliary, start, free, min(FIRST_STEPS, steps))
    late = np.flatnonzero(done.status == Status.MAX_STEPS)
    if late.size and steps > FIRST_STEPS:
        more = _batches(model, counts[late], auxiliary[late], done.theta[late], free[late], steps - FIRST_STEPS)
        for old, new in zip(done, more, strict=True):
            old[late] = new
        done.steps[late] += FIRST_STEPS
    return done


def bounds(model: AbstractLikelihood) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds of the parameters."""
    both = np.array([p.bounds for p in model.parameters], np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def better(one: Lanes, other: Lanes) -> Lanes:
    """Per lane the lower minimum of two attempts; a converged one is preferred to one that failed."""

    def rank(lanes: Lanes) -> tuple[np.ndarray, np.ndarray]:
        return lanes.status > Status.AT_BOUND, np.where(np.isfinite(lanes.nll), lanes.nll, np.inf)

    (failed, nll), (other_failed, other_nll) = rank(one), rank(other)
    take = np.where(failed == other_failed, other_nll < nll - 1e-9, failed)
    return Lanes(*(np.where(take.reshape(-1, *[1] * (a.ndim - 1)), b, a) for a, b in zip(one, other, strict=True)))


def _batches(model: Any, counts: Any, auxiliary: Any, start: Any, free: Any, steps: int) -> Lanes:
    """The lanes through the compiled root, a batch at a time."""
    parts, done, lanes = [], 0, start.shape[0]
    with jax.enable_x64(True):
        while done < lanes:
            size = next((b for b in BATCHES if b >= lanes - done), BATCHES[-1])
            row = np.minimum(np.arange(done, done + size), lanes - 1)
            args = (np.asarray(x[row], np.float64) for x in (counts, auxiliary, start))
            parts.append((min(size, lanes - done), _root(model, *args, free[row], steps)))
            done += size
        kept = [Lanes(*(np.asarray(x)[:n] for x in part)) for n, part in parts]
    return Lanes(*(np.concatenate(x) for x in zip(*kept, strict=True)))


@jax.jit
def _root(model: Any, counts: Any, auxiliary: Any, start: Any, free: Any, steps: Any) -> Lanes:
    return jax.vmap(lambda n, a, s, f: _newton(model, Data(n, a), s, f, steps))(counts, auxiliary, start, free)


def _newton(model: AbstractLikelihood, data: Data, start: Any, free: Any, steps: Any) -> Lanes:
    lower, upper = bounds(model)

    def scaled(theta: Any, at: Derivatives) -> tuple[Any, Any, Any, Any]:
        """The Hessian and its stand-in, in units where the diagonal is about 1, of the parameters free to move."""
        held = ((theta <= lower) & (at.gradient > 0)) | ((theta >= upper) & (at.gradient < 0))
        moves = free & ~held
        unit = jnp.where(moves, jax.lax.rsqrt(jnp.diagonal(at.positive)), 0.0)
        rest = jnp.diag(jnp.where(moves, 0.0, 1.0))
        return unit[:, None] * at.hessian * unit + rest, unit[:, None] * at.positive * unit + rest, unit, moves

    def proceed(theta: Any, at: Derivatives, damping: Any, count: Any) -> State:
        """The next step from here: Newton's, or Fisher scoring's where the Hessian is not positive definite."""
        hessian, positive, unit, _ = scaled(theta, at)
        damp = damping * jnp.eye(theta.size)
        newton = cholesky(hessian + damp, symmetrize_input=False)
        lower_factor = jnp.where(jnp.isfinite(newton).all(), newton, cholesky(positive + damp, symmetrize_input=False))
        half = triangular_solve(lower_factor, (unit * at.gradient)[:, None], left_side=True, lower=True)
        step = triangular_solve(lower_factor, half, left_side=True, lower=True, transpose_a=True)[:, 0]
        return State(theta, at, -unit * step, 0.5 * (1 + damping) * jnp.sum(half**2), damping, count)

    def body(s: State) -> State:
        usable = jnp.isfinite(s.edm)
        trial = jnp.where(free, jnp.clip(s.theta + jnp.where(usable, s.step, 0.0), lower, upper), s.theta)
        at = model.derivatives(trial, data)
        slack = 1e-13 * jnp.abs(s.at.nll)  # rounding of the sum
        finite = jnp.isfinite(at.nll) & jnp.all(jnp.isfinite(at.gradient)) & jnp.all(jnp.isfinite(at.hessian))
        accept = usable & finite & (at.nll <= s.at.nll + slack)
        softer = jnp.where(s.damping > 0.5, 0.1 * s.damping, 0.0)
        damping = jnp.where(accept, softer, jnp.maximum(5 * s.damping, 0.2))
        theta, at = jax.tree.map(lambda new, old: jnp.where(accept, new, old), (trial, at), (s.theta, s.at))
        return proceed(theta, at, damping, s.count + 1)

    def unfinished(s: State) -> Any:
        return (s.count < steps) & ~(s.edm < EDM) & jnp.isfinite(s.at.nll) & (s.damping < 1e9)

    start_state = proceed(start, model.derivatives(start, data), jnp.asarray(0.0), jnp.asarray(1))
    s = jax.lax.while_loop(unfinished, body, start_state)

    hessian, _, unit, moves = scaled(s.theta, s.at)
    lower_factor = cholesky(hessian, symmetrize_input=False)
    inverse = triangular_solve(lower_factor, jnp.diag(unit), left_side=True, lower=True)
    pivots = jnp.where(moves, jnp.diagonal(lower_factor) ** 2, 1.0)
    definite = jnp.all(pivots > DEGENERATE)
    status = jnp.select(
        [~jnp.isfinite(s.at.nll), ~(s.edm < EDM), ~definite, jnp.any(free & ~moves)],
        [Status.NOT_FINITE, Status.MAX_STEPS, Status.NOT_POSITIVE_DEFINITE, Status.AT_BOUND],
        Status.OK,
    )
    covariance = jnp.where(definite, inverse.T @ inverse, jnp.where(jnp.outer(moves, moves), jnp.nan, 0.0))
    return Lanes(s.theta, covariance, s.at.nll, s.edm, status, s.count)
