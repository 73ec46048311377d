"""Goodness of fit against the saturated model (Baker and Cousins, NIM 221 (1984) 437), asymptotic and from toys."""

import functools
from dataclasses import dataclass

import numpy as np

from verax.arrays import Float, Int, PRNGKeyArray, chdtrc
from verax.errors import InputError, check_count
from verax.model import AbstractLikelihood, Data, DataSets
from verax.parameters import check_values

from ._campaign import campaign
from ._evaluate import Values, bounds
from ._fit import as_batch, best_fit, one_or_many
from ._toys import Progress

BATCH = 2048
"""Toys in memory at a time."""


@dataclass(frozen=True)
class GoodnessOfFit:
    """How well the model describes the data.

    Parameters
    ----------
    statistic : 2 [nll(best) − nll(saturated)]
    ndf : observations less free parameters; a constrained parameter brings its own measurement, so it does not count
    p_value : of χ² with ``ndf`` degrees of freedom; NaN where there are none
    p_toys, p_toys_error : fraction of toys at the best fit with a larger statistic, binomial error; NaN without toys
    toys, failed : toys drawn, and those left out because their fit failed
    status : of the fit
    toy_statistics : the statistic of each toy, without those that failed
    """

    statistic: Float[np.ndarray, "*toy"]
    ndf: int
    p_value: Float[np.ndarray, "*toy"]
    p_toys: float
    p_toys_error: float
    toys: int
    failed: int
    status: Int[np.ndarray, "*toy"]
    toy_statistics: Float[np.ndarray, " good"]


def goodness_of_fit(
    model: AbstractLikelihood,
    data: Data,
    *,
    key: PRNGKeyArray | None = None,
    n_toys: int = 0,
    fixed: Values = None,
    progress: Progress | None = None,
) -> GoodnessOfFit:
    """Compare the fit with the saturated model, batched over data sets; with toys for one data set.

    The constraint terms are in both likelihoods: in the saturated one each is at its largest.

    Parameters
    ----------
    model : the likelihood, of binned data
    data : one data set, or a batch with a leading ``toy`` axis
    key : random key of the toys
    n_toys : toys at the best fit; 0 for the asymptotic p-value only
    fixed : parameters held at these values
    progress : called with the numbers of toys done, in total and failed

    Raises
    ------
    InputError : toys without a key or for a batch, a likelihood that is not binned, or data that do not fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> found = goodness_of_fit(model, data)
    >>> found.ndf, round(float(found.statistic), 2), round(float(found.p_value), 2)
    (1, 0.28, 0.6)
    """
    check_values(model.parameters, {} if fixed is None else fixed, "goodness_of_fit")
    check_count(n_toys, 0, "goodness_of_fit, n_toys")
    batch = as_batch(model, data)
    if n_toys and (key is None or data.is_batch):
        raise InputError("goodness_of_fit", "toys without a key, or for a batch", "key=..., and one data set")
    limits = bounds(model, fixed)
    best = best_fit(model, batch, limits)
    statistic = _statistic(model, batch, best.nll)
    moves = limits[0] < limits[1]
    free = sum(p.constraint is None and m for p, m in zip(model.parameters, moves, strict=True))
    ndf = data.counts.shape[-1] - int(free)
    p_value = np.asarray(chdtrc(ndf, statistic)) if ndf > 0 else np.full(statistic.shape, np.nan)
    fraction, error, failed, toy_statistics = np.nan, np.nan, 0, np.zeros(0)
    if n_toys and key is not None:
        params = dict(zip(model.names, best.theta[0], strict=True))
        report = None if progress is None else lambda c: progress(c.n, n_toys, c.failed)
        of_toys, profiled = functools.partial(_of_toys, fixed), model.profiled(params, data)
        done = campaign(key, model, params, n_toys, of_toys, batch=BATCH, profiled=profiled, progress=report)
        failed, toy_statistics = done.failed, done.good
        if len(toy_statistics):
            larger = toy_statistics >= statistic[0] * (1 - 1e-9)
            fraction, error = float(larger.mean()), binomial_error(int(larger.sum()), len(toy_statistics))
    statistic, p_value, status = one_or_many(data, statistic, p_value, best.status)
    return GoodnessOfFit(statistic, ndf, p_value, fraction, error, n_toys, failed, status, toy_statistics)


def _of_toys(
    fixed: Values, model: AbstractLikelihood, data: Data
) -> tuple[Float[np.ndarray, " toy"], Int[np.ndarray, " toy"]]:
    batch = as_batch(model, data)
    fits = best_fit(model, batch, bounds(model, fixed), covariance=False)
    return _statistic(model, batch, fits.nll), fits.status


def _statistic(model: AbstractLikelihood, batch: DataSets, nll: np.ndarray) -> np.ndarray:
    return np.maximum(2 * (nll - np.asarray(model.saturated(batch.gather()))), 0.0)


def binomial_error(passed: int, n: int) -> float:
    """Standard error of passed/n, with one success and one failure added so that it is never zero."""
    p = (passed + 1) / (n + 2)
    return float(np.sqrt(p * (1 - p) / n))
