"""The test statistic of upper limits, and Asimov data at fits: shared by the functions that test values.

q̃_μ (Cowan, Cranmer, Gross, Vitells, EPJC 71 (2011) 1554, eq. 16) is t_μ with the estimate kept at or above zero, and 0
where the estimate lies above μ: an excess says nothing against a smaller signal.
"""

import numpy as np

from verax.arrays import Array, jitted
from verax.model import AbstractLikelihood, Data, DataSets, concatenate, mapped
from verax.results import Status

from ._evaluate import Limits, Objective, Values, bounds, few
from ._linear_algebra import definite, solve
from ._profile import Fits


def physical_bounds(model: AbstractLikelihood, index: int, fixed: Values = None) -> Limits:
    """The bounds of the parameters, with the one at ``index`` not below zero."""
    lower, upper = bounds(model, fixed)
    lower[index] = max(lower[index], 0.0)
    return lower, upper


def q_tilde(fits: Fits, toy: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q̃ of data set ``toy`` [fit] at ``values`` [fit], and a status, from fits in :func:`physical_bounds`."""
    q, status = np.zeros(len(toy)), np.zeros(len(toy), int)
    below = np.flatnonzero(fits.best.theta[toy, fits.index] < values)
    if below.size:
        q[below], there = fits.ratio(toy[below], values[below])
        status[below] = np.where(there.status > Status.AT_BOUND, there.status, Status.OK)
    return q, np.maximum(status, reported_status(fits)[toy])


def reported_status(fits: Fits) -> np.ndarray:
    """Status of best fits, in which a parameter of interest at its bound (q̃ keeps it there) does not count."""
    best = fits.best
    others = np.delete(np.diagonal(best.covariance, axis1=1, axis2=2), fits.index, axis=1)
    alone = (best.status == Status.AT_BOUND) & ~(others == 0).any(axis=1)
    return np.where(alone, int(Status.OK), best.status)


def expectation(
    model: AbstractLikelihood, batch: DataSets, theta: np.ndarray, fitted: np.ndarray | None = None
) -> DataSets:
    """The Asimov data of each data set at ``theta`` [toy, parameter].

    What the likelihood profiles is at its fit too: with the parameters at ``fitted``, by default ``theta``.
    """
    fitted = theta if fitted is None else fitted
    if few(model, batch):
        each = [_at(model, batch.one(i), *values) for i, values in enumerate(zip(theta, fitted, strict=True))]
        return DataSets.of(concatenate([DataSets.of(data).batch for data in each]))
    import jax

    n = len(theta)
    row = np.minimum(np.arange(1 << max(n - 1, 0).bit_length()), n - 1)
    with jax.enable_x64(True):
        return DataSets.of(_expectation(model, batch[row].gather(), theta[row], fitted[row]))[:n]


@jitted
def _expectation(model: AbstractLikelihood, batch: Data, theta: Array, fitted: Array) -> Data:
    return mapped(lambda *each: _at(model, *each), (batch.axes, 0, 0))(batch, theta, fitted)


def _at(model: AbstractLikelihood, data: Data, theta: Array, fitted: Array) -> Data:
    params, own = (dict(zip(model.names, values, strict=True)) for values in (theta, fitted))
    return model.asimov(params, model.profiled(own, data))


def polished(
    model: AbstractLikelihood, batch: DataSets, theta: np.ndarray, free: np.ndarray, limits: Limits
) -> np.ndarray:
    """Minima [toy, parameter] after one more Newton step, which doubles their digits; kept where −log L does not rise.

    Asimov data depend on the fit that they are made from to first order, −log L at its minimum only to second.
    """
    answer, objective = theta.copy(), Objective(model, batch, free, limits)
    sizes = objective.sizes
    for first in range(0, len(theta), sizes[-1]):
        part = np.arange(first, min(first + sizes[-1], len(theta)))
        here = objective.take(part)
        at = here.evaluate(theta[part], sizes)
        sound = np.isfinite(at.nll) & np.isfinite(at.hessian).all((1, 2))
        hessian = np.where(sound[:, None, None], at.hessian, np.eye(theta.shape[1]))
        step = at.unit * solve(hessian, at.gradient)
        trial = np.where(free[part], np.clip(theta[part] - step, *limits), theta[part])
        there = here.evaluate(trial, sizes)
        with np.errstate(invalid="ignore"):
            better = sound & (there.nll <= at.nll + 1e-13 * abs(at.nll)) & definite(hessian)
        answer[part] = np.where(better[:, None], trial, theta[part])
    return answer
