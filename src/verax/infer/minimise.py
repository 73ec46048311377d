"""Batched minimisation of −log L: damped Newton with the exact Hessian, in bounds, one compiled root for every question.

A *lane* is one fit: a data set, a starting point and a mask of free parameters. Fitting toys, profiling, finding
interval ends and ranking differ only in their lanes, so all share the compiled derivatives of their model.

Derivatives are compiled and batched by JAX; the small linear algebra is NumPy's. (jaxlib's batched LAPACK calls, as of
0.10, can wait for each other forever when its thread pool is small.) A lane that is done makes room for the next one,
so that a slow one never holds up a batch.
"""

from dataclasses import dataclass

import numpy as np

from verax.model.likelihood import AbstractLikelihood, Data
from verax.results import Status

BATCHES = (1, 16, 64, 256)
"""Lanes per evaluation; a batch is padded to the next of these, so that few shapes are ever compiled."""

EDM = 1e-8
"""Converged when the estimated distance to the minimum, in units of −log L, is below this: 1e-4 σ of a parameter."""

DEGENERATE = 1e-9
"""A Hessian whose smallest eigenvalue, in units of the parameters' own scales, is below this has no useful inverse."""


@dataclass(frozen=True)
class Lanes:
    """Where each lane ended; the leading axis of every array is ``lane``. ``covariance`` as in :class:`Fit`."""

    theta: np.ndarray
    covariance: np.ndarray
    nll: np.ndarray
    edm: np.ndarray
    status: np.ndarray
    steps: np.ndarray


def minimise(
    model: AbstractLikelihood, data: Data, start: np.ndarray, free: np.ndarray, *, steps: int = 300
) -> Lanes:
    """Minimise −log L in every lane over its free parameters, within the bounds; the others stay where they start.

    Parameters
    ----------
    data : counts [bin] shared by all lanes, or [lane, bin]; likewise the global observables
    start : [lane, parameter]
    free : [lane, parameter], boolean
    steps : evaluations of the likelihood after which a lane gives up
    """
    lanes, size = start.shape
    counts = np.broadcast_to(data.counts, (lanes, data.counts.shape[-1]))
    auxiliary = np.broadcast_to(data.auxiliary, (lanes, data.auxiliary.shape[-1]))
    lower, upper = bounds(model)
    start = np.where(free, np.clip(start, lower, upper), start)
    done = Lanes(
        np.array(start), np.full((lanes, size, size), np.nan), *np.full((2, lanes), np.nan),
        np.full(lanes, int(Status.NOT_FINITE)), np.zeros(lanes, int),
    )  # fmt: skip
    work = _Work(np.arange(0), *(np.zeros((0, size)) for _ in range(3)), *np.zeros((2, 0)), np.zeros(0, int), None)
    waiting = 0
    while waiting < lanes or len(work.lane):
        enter = np.arange(waiting, min(lanes, waiting + BATCHES[-1] - len(work.lane)))
        waiting += len(enter)
        work = work.joined(enter, start[enter])
        at = evaluate(model, counts[work.lane], auxiliary[work.lane], work.trial, free[work.lane])
        work = work.moved(at)
        work, finished = work.stepped(lower, upper, free, steps)
        _record(done, work, finished)
        work = work.rows(~finished)
    return done
