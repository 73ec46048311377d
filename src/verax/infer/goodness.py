"""Goodness of fit against the saturated model (Baker and Cousins, NIM 221 (1984) 437), asymptotic and from toys."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray
from scipy.special import chdtrc

from verax.errors import InputError
from verax.infer.campaign import campaign
from verax.infer.fit import as_batch, best_fit
from verax.infer.toys import Told
from verax.model.likelihood import AbstractLikelihood, Data

BATCH = 2048
"""Toys in memory at a time."""


@dataclass(frozen=True)
class GoodnessOfFit:
    """Does the model describe the data?

    Parameters
    ----------
    statistic : 2 [nll(best) − nll(saturated)]
    ndf : observations less free parameters; a constrained parameter brings its own measurement, so it does not count
    p_value : of χ² with ``ndf`` degrees of freedom; NaN where there are none
    p_toys, p_toys_error : fraction of toys at the best fit with a larger statistic, binomial error; NaN without toys
    toys, failed : toys drawn, and those left out because their fit failed
    status : of the fit
    thrown : the toys' statistic, without those that failed
    """

    statistic: Float[np.ndarray, "*toy"]
    ndf: int
    p_value: Float[np.ndarray, "*toy"]
    p_toys: float
    p_toys_error: float
    toys: int
    failed: int
    status: Int[np.ndarray, "*toy"]
    thrown: Float[np.ndarray, " thrown"]


def goodness_of_fit(
    model: AbstractLikelihood,
    data: Data,
    *,
    key: PRNGKeyArray | None = None,
    toys: int = 0,
    progress: Told | None = None,
) -> GoodnessOfFit:
    """Saturated goodness of fit, batched over data sets; with toys for one data set.

    The constraint terms are in both likelihoods: in the saturated one each is at its largest. ``progress`` is told how
    many toys are done, of how many, and how many failed.

    Raises
    ------
    InputError : toys without a key or for a batch, a likelihood that is not binned, or data that do not fit the model
    """
    if toys and (key is None or data.counts.ndim != 1):
        raise InputError("goodness_of_fit", "toys without a key, or for a batch", "key=..., and one data set")
    batch = as_batch(model, data)
    best = best_fit(model, batch, {}, {})
    statistic = _statistic(model, batch, best.nll)
    ndf = batch.counts.shape[1] - sum(p.constraint is None and not p.fixed for p in model.parameters)
    p_value = np.asarray(chdtrc(ndf, statistic)) if ndf > 0 else np.full(statistic.shape, np.nan)
    fraction, error, failed, thrown = np.nan, np.nan, 0, np.zeros(0)
    if toys and key is not None:
        params = dict(zip(model.names, best.theta[0], strict=True))
        told = None if progress is None else lambda c: progress(c.n, toys, c.failed)
        gamma = np.asarray(model.profiled(params, data))
        done = campaign(key, model, params, toys, _of_toys, batch=BATCH, gamma=gamma, progress=told)
        failed, thrown = done.failed, done.good
        if len(thrown):
            larger = thrown >= statistic[0] * (1 - 1e-9)
            fraction, error = float(larger.mean()), binomial_error(int(larger.sum()), len(thrown))
    single = data.counts.ndim == 1
    statistic, p_value, status = (np.asarray(x[0]) if single else x for x in (statistic, p_value, best.status))
    return GoodnessOfFit(statistic, ndf, p_value, fraction, error, toys, failed, status, thrown)


def _of_toys(model: AbstractLikelihood, data: Data) -> tuple[Float[np.ndarray, " toy"], Int[np.ndarray, " toy"]]:
    batch = as_batch(model, data)
    fits = best_fit(model, batch, {}, {}, covariance=False)
    return _statistic(model, batch, fits.nll), fits.status


def _statistic(model: AbstractLikelihood, batch: Data, nll: np.ndarray) -> np.ndarray:
    return np.maximum(2 * (nll - np.asarray(model.saturated(batch))), 0.0)


def binomial_error(passed: int, n: int) -> float:
    """Standard error of passed/n, with one success and one failure added so that it is never zero."""
    p = (passed + 1) / (n + 2)
    return float(np.sqrt(p * (1 - p) / n))
