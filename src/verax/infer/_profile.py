"""The profile likelihood ratio t(μ) = −2 ln [L(μ, θ̂(μ)) / L(μ̂, θ̂)] (Cowan et al., arXiv:1007.1727, eq. 7–8)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from verax.arrays import Array
from verax.model import AbstractLikelihood, Data, DataSets
from verax.parameters import movable
from verax.results import Status

from ._batch import Minima, better, replace, take, twice_excess
from ._evaluate import Limits, bounds
from ._fit import as_batch, best_fit, one_or_many
from ._newton import minimise
from ._results import Scan


def profile(
    model: AbstractLikelihood,
    data: Data,
    poi: str,
    values: Float[Array, " point"],
    *,
    fixed: Mapping[str, float] | None = None,
) -> Scan:
    """Compute the profile likelihood ratio t of one parameter at given values, all others refitted at each.

    Should a point lie below the best fit found, the best fit is repeated from there, so that t is never negative.

    Parameters
    ----------
    model : the likelihood
    data : one data set, or a batch with a leading ``toy`` axis
    poi : name of the parameter
    values : its values [point]
    fixed : parameters held at these values

    Raises
    ------
    InputError : a parameter that is unknown (nearest name given) or fixed, or data that do not fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> profile(model, data, "mu", np.array([0.0, 1.0])).t.round(2).tolist()
    [2.66, 0.04]
    """
    movable(model.parameters, [poi], "profile", fixed)
    batch, index, limits = as_batch(model, data), model.names.index(poi), bounds(model, fixed)
    values = np.asarray(values, np.float64)
    toys, points = len(batch), len(values)
    best = best_fit(model, batch, limits)
    toy = np.repeat(np.arange(toys), points)
    t, there = ratio(model, batch, best, toy, index, np.tile(values, toys), limits)
    return Scan(poi, values, *one_or_many(data, t.reshape(toys, points), there.status.reshape(toys, points)))


def ratio(
    model: AbstractLikelihood,
    batch: DataSets,
    best: Minima,
    toy: np.ndarray,
    index: int,
    values: np.ndarray,
    limits: Limits,
) -> tuple[np.ndarray, Minima]:
    """The ratio t of data set ``toy`` [fit] with one parameter at ``values`` [fit], and the conditional fits.

    Where one lies below the best fit of its data set, that best fit (updated in place) is repeated from there.
    """
    there = conditional(model, batch[toy], take(best, toy), index, values, limits)
    lowest = np.full(len(best.nll), np.inf)
    np.fmin.at(lowest, toy, there.nll)
    lower = np.flatnonzero(lowest < best.nll - 1e-6)
    if lower.size:
        row = [np.flatnonzero((toy == i) & (there.nll == lowest[i]))[0] for i in lower]
        improve(model, batch, best, lower, there.theta[row], np.ones((lower.size, len(model.names)), bool), limits)
    return np.maximum(twice_excess(there.nll, best.nll[toy]), 0.0), there


def conditional(
    model: AbstractLikelihood, batch: DataSets, best: Minima, index: int, values: np.ndarray, limits: Limits
) -> Minima:
    """Fits with one parameter held at ``values`` [fit], started from :func:`conditional_start`.

    One that fails is started again from the global observables.
    """
    start = conditional_start(best, index, values)
    free = np.ones(start.shape, bool)
    free[:, index] = False
    there = minimise(model, batch, start, free, covariance=False, limits=limits)
    again = np.flatnonzero(there.status > Status.AT_BOUND)
    if again.size:
        other = model.start(batch[again].gather())
        other[:, index] = values[again]
        second = minimise(model, batch[again], other, free[again], covariance=False, limits=limits)
        replace(there, again, better(take(there, again), second))
    return there


def conditional_start(best: Minima, index: int | np.ndarray, values: np.ndarray) -> np.ndarray:
    """Conditional fits to first order, θ̂ + V_i / V_ii (value − θ̂_i), with the parameter at ``index`` at ``values`` [fit]."""
    row = np.arange(len(values))
    variance = best.covariance[row, index, index]
    known = np.isfinite(variance) & (variance > 0)
    slope = np.where(known[:, None], best.covariance[row, index] / np.where(known, variance, 1.0)[:, None], 0.0)
    start = best.theta + slope * (values - best.theta[row, index])[:, None]
    start[row, index] = values
    return start


def improve(
    model: AbstractLikelihood,
    batch: DataSets,
    best: Minima,
    rows: np.ndarray,
    start: np.ndarray,
    free: np.ndarray,
    limits: Limits,
) -> None:
    """Repeat the best fit of some ``rows`` from points found to be lower; ``best`` is updated in place."""
    second = minimise(model, batch[rows], start, free, limits=limits)
    replace(best, rows, better(take(best, rows), second))
