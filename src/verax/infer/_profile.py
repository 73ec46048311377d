"""The profile likelihood ratio t(μ) = −2 ln [L(μ, θ̂(μ)) / L(μ̂, θ̂)] (Cowan et al., arXiv:1007.1727, eq. 7–8)."""

from dataclasses import dataclass
from dataclasses import replace as replace_field
from typing import Any

import numpy as np

from verax.arrays import Array, Float
from verax.errors import InputError
from verax.model import AbstractLikelihood, Data, DataSets
from verax.parameters import movable
from verax.results import Status

from ._batch import Minima, better, replace, take, twice_excess
from ._evaluate import Limits, Values, bounds
from ._fit import as_batch, best_fit, known_minima, one_or_many
from ._newton import minimise
from ._results import Fit, Scan

FURTHER = 1000.0
"""A search beyond a bound ends at as many times its distance from zero: it may be without end."""


def profile(
    model: AbstractLikelihood,
    data: Data,
    poi: str,
    values: Float[Array, " point"],
    *,
    fixed: Values = None,
    best: Fit | None = None,
    beyond: bool = False,
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
    best : what ``fit`` returned for the same data and ``fixed``, which is then not done again
    beyond : whether the parameter's bounds are a range of search, see :func:`verax.infer.interval`

    Raises
    ------
    InputError : a parameter that is unknown (nearest name given) or fixed, values that are not finite or no list, or data
        that do not fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> profile(model, data, "mu", np.array([0.0, 1.0])).t.round(2).tolist()
    [2.66, 0.04]
    """
    values = points_of(values, "profile")
    fits = best_fits(model, data, poi, "profile", fixed, best, beyond=beyond)
    toys, points = len(fits.batch), len(values)
    t, there = fits.ratio(np.repeat(np.arange(toys), points), np.tile(values, toys))
    return Scan(poi, values, *one_or_many(data, t.reshape(toys, points), there.status.reshape(toys, points)))


def points_of(values: Any, where: str, least: float = -np.inf) -> Float[np.ndarray, " point"]:
    """Values of a parameter at which it is tested, as an array.

    Raises
    ------
    InputError : for none, for NaN or infinity, for a single number or a table, for values below ``least``
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not array.size:
        raise InputError(f"{where}, values", f"an array of shape {array.shape}", "one or more numbers in a list")
    wrong = array[~(np.isfinite(array) & (array >= least))]
    if wrong.size:
        expected = "finite numbers" + (f" that are at least {least:g}" if np.isfinite(least) else "")
        raise InputError(f"{where}, values", f"{wrong[0]:g}", expected)
    return array


@dataclass(frozen=True)
class Fits:
    """Best fits of data sets, and what it takes to refit them: where every question about one parameter begins.

    ``index`` is the position of the parameter; ``best`` is updated in place where a lower minimum is found.
    """

    model: AbstractLikelihood
    batch: DataSets
    limits: Limits
    index: int
    best: Minima

    def of(self, data: Data) -> "Fits":
        """The fits of other data sets."""
        batch = as_batch(self.model, data)
        return Fits(self.model, batch, self.limits, self.index, best_fit(self.model, batch, self.limits))

    def searched(self) -> "Fits":
        """The same with the parameter's bounds, other than zero, taken for the range of a search that may go on.

        They are moved away by :data:`FURTHER`, and best fits that end at one of them go on beyond it.
        """
        i, (lower, upper) = self.index, (edge.copy() for edge in self.limits)
        ended = np.flatnonzero(np.isin(self.best.theta[:, i], [x for x in (lower[i], upper[i]) if x]))
        lower[i], upper[i] = min(lower[i], -FURTHER * abs(lower[i])), max(upper[i], FURTHER * abs(upper[i]))
        fits = replace_field(self, limits=(lower, upper))
        if ended.size:
            fits.improve(ended, self.best.theta[ended])
        return fits

    def take(self, rows: np.ndarray) -> "Fits":
        """A copy of some of the fits, each as often as it is named."""
        return Fits(self.model, self.batch[rows], self.limits, self.index, take(self.best, rows))

    def ratio(self, toy: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, Minima]:
        """The ratio t of data set ``toy`` [fit] with the parameter at ``values`` [fit], and the conditional fits.

        Where one lies below the best fit of its data set, that best fit is repeated from there.
        """
        there, best = self.conditional(toy, values), self.best
        lowest = np.full(len(best.nll), np.inf)
        np.fmin.at(lowest, toy, there.nll)
        lower = np.flatnonzero(lowest < best.nll - 1e-6)
        if lower.size:
            row = [np.flatnonzero((toy == i) & (there.nll == lowest[i]))[0] for i in lower]
            self.improve(lower, there.theta[row])
        return np.maximum(twice_excess(there.nll, best.nll[toy]), 0.0), there

    def conditional(self, toy: np.ndarray, values: np.ndarray) -> Minima:
        """Fits of data set ``toy`` [fit] with the parameter held at ``values``, from :func:`conditional_start`.

        One that fails is started again from the global observables.
        """
        model, batch, limits = self.model, self.batch[toy], self.limits
        start = conditional_start(self.best, toy, self.index, values)
        free = np.ones(start.shape, bool)
        free[:, self.index] = False
        there = minimise(model, batch, start, free, covariance=False, limits=limits)
        again = np.flatnonzero(there.status > Status.AT_BOUND)
        if again.size:
            other = model.start(batch[again].gather())
            other[:, self.index] = values[again]
            second = minimise(model, batch[again], other, free[again], covariance=False, limits=limits)
            replace(there, again, better(take(there, again), second))
        return there

    def improve(self, rows: np.ndarray, start: np.ndarray, free: np.ndarray | None = None) -> None:
        """Repeat some best fits, by default of all parameters, from points that were found to be lower."""
        free = np.ones(start.shape, bool) if free is None else free
        second = minimise(self.model, self.batch[rows], start, free, limits=self.limits)
        replace(self.best, rows, better(take(self.best, rows), second))


def best_fits(
    model: AbstractLikelihood,
    data: Data,
    poi: str,
    where: str,
    fixed: Values,
    best: Fit | None = None,
    *,
    single: bool = False,
    beyond: bool = False,
) -> Fits:
    """Fit the data sets, or the ``single`` one, after a check of what a question about one parameter is given.

    The fits are not made again where they are known as ``best``; with ``beyond`` they are :meth:`Fits.searched`.
    """
    movable(model.parameters, [poi], where, fixed)
    batch, limits = as_batch(model, data), bounds(model, fixed)
    if single and data.is_batch:
        raise InputError(where, "a batch of data sets", "one data set", "choose one of them")
    minima = best_fit(model, batch, limits) if best is None else known_minima(best, model, batch, limits, where)
    fits = Fits(model, batch, limits, model.names.index(poi), minima)
    return fits.searched() if beyond else fits


def standard_error(best: Minima, index: int) -> Float[np.ndarray, " fit"]:
    """σ of one parameter in each fit; 1 where there is none, as at a bound."""
    variance = best.covariance[:, index, index]
    return np.asarray(np.sqrt(np.where(variance > 0, variance, 1.0)))


def conditional_start(best: Minima, toy: np.ndarray, index: int | np.ndarray, values: np.ndarray) -> np.ndarray:
    """Conditional fits to first order, θ̂ + V_i / V_ii (value − θ̂_i), of data set ``toy`` with parameter i at a value.

    The best fits are of all data sets; ``toy``, ``index`` and ``values`` are [fit].
    """
    variance = best.covariance[toy, index, index]
    known = np.isfinite(variance) & (variance > 0)
    slope = np.where(known[:, None], best.covariance[toy, index] / np.where(known, variance, 1.0)[:, None], 0.0)
    start = best.theta[toy] + slope * (values - best.theta[toy, index])[:, None]
    start[np.arange(len(values)), index] = values
    return start
