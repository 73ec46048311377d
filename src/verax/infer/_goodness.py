"""Goodness of fit against the saturated model (Baker and Cousins, NIM 221 (1984) 437), asymptotic and from toys."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from verax.arrays import Float, Int, PRNGKeyArray, chdtrc, gammaln, jitted, namespace, ndtr, xlogy
from verax.errors import InputError, check_count
from verax.model import AbstractLikelihood, Data, DataSets
from verax.parameters import check_values
from verax.results import Brief, Shown, ended

from ._campaign import tail
from ._evaluate import Values, bounds
from ._fit import as_batch, best_fit, known_minima, one_or_many
from ._results import Fit
from ._statistic import expectation
from ._toys import Progress

P_ERROR = 0.05
"""Error of an asymptotic p-value above which few events deserve a word: 20 bins of 5 events have 0.06, 4 bins 0.03."""

MANY = 100.0
"""Events of a bin above which the moments of its deviance are those of χ²₁ to 0.4 %."""


@dataclass(frozen=True)
class ByChannel:
    """What each channel of one data set adds to the statistic.

    Parameters
    ----------
    names : of the channels
    statistic : of the channel's observations, and of constraints that act on it alone
    shared : what the other constraints add; with the ``statistic`` of all channels this is that of the fit
    ndf, p_value : as for the whole; NaN where a parameter acts on other channels too, since no χ² is known then
    p_toys, p_toys_error : fraction of toys at the best fit with a larger statistic, binomial error; NaN without toys
    """

    names: tuple[str, ...]
    statistic: Float[np.ndarray, " channel"]
    shared: float
    ndf: Float[np.ndarray, " channel"]
    p_value: Float[np.ndarray, " channel"]
    p_toys: Float[np.ndarray, " channel"]
    p_toys_error: Float[np.ndarray, " channel"]


@dataclass(frozen=True, repr=False)
class GoodnessOfFit(Brief):
    """How well the model describes the data.

    Parameters
    ----------
    statistic : 2 [nll(best) − nll(saturated)]
    ndf : observations less free parameters; a constrained parameter brings its own measurement, so it does not count
    p_value : of χ² with ``ndf`` degrees of freedom; NaN where there are none
    p_error : by how much ``p_value`` may be wrong because few events are expected: the largest difference of probabilities
        between normal distributions with the mean and variance of the statistic of Poisson counts at the best fit, and of χ²
    p_toys, p_toys_error : fraction of toys at the best fit with a larger statistic, binomial error; NaN without toys
    toys, failed : toys drawn, and those left out because their fit failed
    status : of the fit
    toy_statistics : the statistic of each toy, without those that failed
    channels : the same of each channel; None for a batch, and for a likelihood without channels
    """

    statistic: Float[np.ndarray, "*toy"]
    ndf: int
    p_value: Float[np.ndarray, "*toy"]
    p_error: Float[np.ndarray, "*toy"]
    p_toys: float
    p_toys_error: float
    toys: int
    failed: int
    status: Int[np.ndarray, "*toy"]
    toy_statistics: Float[np.ndarray, " good"]
    channels: ByChannel | None = None

    def _shown(self) -> Shown:
        if np.ndim(self.statistic):
            return f"Goodness of fit of {len(self.statistic)} data sets: {ended(self.status)}", (), ()
        toys = f", p = {self.p_toys:.3g} ± {self.p_toys_error:.1g} by {self.toys} toys" if self.toys else ""
        chi2 = f"χ² = {float(self.statistic):.4g} for {self.ndf}, p = {float(self.p_value):.3g} ± {float(self.p_error):.1g}"
        return f"Goodness of fit: {chi2}{toys} ({ended(self.status)})", (), ()


def goodness_of_fit(
    model: AbstractLikelihood,
    data: Data,
    *,
    key: PRNGKeyArray | None = None,
    n_toys: int = 0,
    fixed: Values = None,
    best: Fit | None = None,
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
    best : what ``fit`` returned for the same data and ``fixed``, which is then not done again
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
    found = (
        best_fit(model, batch, limits) if best is None else known_minima(best, model, batch, limits, "goodness_of_fit")
    )
    statistic = _statistic(model, batch, found.nll)
    moves = limits[0] < limits[1]
    free = sum(p.constraint is None and m for p, m in zip(model.parameters, moves, strict=True))
    ndf = data.counts.shape[-1] - int(free)
    p_value = np.asarray(chdtrc(ndf, statistic)) if ndf > 0 else np.full(statistic.shape, np.nan)
    p_error = _error(np.asarray(expectation(model, batch, found.theta).gather().counts))
    here = (
        statistic[0] if data.is_batch else np.append(statistic[0], _by_part(model, _acts(model), found.theta[0], data))
    )
    fraction, error = np.full((2, *np.shape(here)), np.nan)
    failed, toy_statistics = 0, np.zeros((0, 1))
    if n_toys and key is not None:
        of_toys = functools.partial(_of_toys, fixed)
        fraction, error, done = tail(key, model, found.theta[0], data, n_toys, of_toys, here, progress)
        failed, toy_statistics = done.failed, done.good
    channels = None if data.is_batch or model.regions is None else _channels(model, moves, here[1:], fraction, error)
    p_toys, p_toys_error = (float(np.ravel(x)[0]) for x in (fraction, error))
    statistic, p_value, p_error, status = one_or_many(data, statistic, p_value, p_error, found.status)
    return GoodnessOfFit(
        statistic=statistic,
        ndf=ndf,
        p_value=p_value,
        p_error=p_error,
        p_toys=p_toys,
        p_toys_error=p_toys_error,
        toys=n_toys,
        failed=failed,
        status=status,
        toy_statistics=toy_statistics[:, 0],
        channels=channels,
    )


def _of_toys(
    fixed: Values, model: AbstractLikelihood, data: Data
) -> tuple[Float[np.ndarray, "toy part"], Int[np.ndarray, " toy"]]:
    batch = as_batch(model, data)
    fits = best_fit(model, batch, bounds(model, fixed), covariance=False)
    whole = _statistic(model, batch, fits.nll)[:, None]
    if model.regions is None:
        return whole, fits.status
    import jax

    with jax.enable_x64(True):
        parts = _parts_of_toys(model, _acts(model), batch.gather(), fits.theta)
    return np.concatenate([whole, np.asarray(parts)], axis=1), fits.status


@jitted
def _parts_of_toys(model: AbstractLikelihood, acts: Any, data: Data, theta: Any) -> Any:
    import jax

    return jax.vmap(lambda own, values: _by_part(model, acts, values, own), (data.axes, 0))(data, theta)


def _acts(model: AbstractLikelihood) -> np.ndarray:
    return np.zeros((0, len(model.parameters)), bool) if model.regions is None else model.regions.acts


def _by_part(model: AbstractLikelihood, acts: Any, theta: Any, data: Data) -> Any:
    """What each part of the likelihood adds to the statistic, and last what constraints add that no part has alone."""
    if not len(acts):
        return np.zeros(0)
    observed, constraint = model.excess(theta, data)
    alone, n = acts & (acts.sum(0) == 1), acts.shape[1]
    shared = ~alone.any(0) @ constraint[:n] + constraint[n:].sum()
    return 2 * namespace(observed, constraint).append(observed + alone @ constraint[:n], shared)


def _channels(
    model: AbstractLikelihood, moves: np.ndarray, statistic: np.ndarray, p_toys: np.ndarray, error: np.ndarray
) -> ByChannel:
    assert model.regions is not None
    names, size, acts = model.regions.names, model.regions.size, model.regions.acts & moves
    free = np.array([p.constraint is None for p in model.parameters], bool)
    ndf = np.where((acts & (acts.sum(0) > 1)).any(1), np.nan, size - (acts & free).sum(1))
    each = zip(ndf, statistic[:-1], strict=True)
    p_value = np.array([float(chdtrc(int(n), max(x, 0.0))) if n > 0 else np.nan for n, x in each])
    return ByChannel(names, statistic[:-1], float(statistic[-1]), ndf, p_value, p_toys[1:-1], error[1:-1])


def _statistic(model: AbstractLikelihood, batch: DataSets, nll: np.ndarray) -> np.ndarray:
    return np.maximum(2 * (nll - np.asarray(model.saturated(batch.gather()))), 0.0)


def _error(expected: np.ndarray) -> np.ndarray:
    """Largest difference of p-values [toy], see :class:`GoodnessOfFit`, where ``expected`` [toy, bin] counts are Poisson."""
    bins, place = expected.shape[-1], np.log(np.clip(expected, 1e-9, MANY))
    mean, variance = (np.interp(place, *x) for x in _moments_by_log())
    shift, scale = (mean - 1).sum(-1) / np.sqrt(2 * bins), np.sqrt(variance.sum(-1) / (2 * bins))
    z = np.linspace(-3, 3, 61)
    return np.asarray(abs(ndtr(shift[:, None] + scale[:, None] * z) - ndtr(z)).max(-1))


@functools.lru_cache(1)
def _moments_by_log() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Both moments at logarithms of ν, to interpolate."""
    log = np.log(np.geomspace(1e-9, MANY, 500))
    mean, variance = deviance_moments(np.exp(log))
    return (log, mean), (log, variance)


def deviance_moments(expected: Float[np.ndarray, " bin"]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of D = 2 [ν − n + n ln(n/ν)] for a Poisson count n of mean ν ≤ 100; nearly 1 and 2 for large ν.

    >>> [x.round(3).tolist() for x in deviance_moments(np.array([0.01, 0.5, 5.0, 100.0]))]
    [[0.092, 1.007, 1.047, 1.002], [0.524, 0.73, 2.267, 2.007]]
    """
    nu, n = expected[..., None], np.arange(MANY + 12 * np.sqrt(MANY))
    probability = np.exp(n * np.log(nu) - nu - gammaln(n + 1))
    deviance = 2 * (nu - n + xlogy(n, n) - n * np.log(nu))
    mean = (probability * deviance).sum(-1)
    return mean, (probability * (deviance - mean[..., None]) ** 2).sum(-1)
