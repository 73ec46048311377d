"""Proper scores of predicted distributions: the smaller, the better, and smallest on average for the truth.

Each function gives one score per event; :func:`average` is their weighted mean. Source: Gneiting and Raftery, JASA 102
(2007) 359. CRPS(F, y) = ∫ (F(t) − 1[t ≥ y])² dt, in units of the target; the negative log-likelihood is in nats.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp
from scipy.stats import norm

from verax.errors import InputError
from verax.given import PerEvent, plain

PerComponent: TypeAlias = Float[np.ndarray, "event component"]


@dataclass(frozen=True)
class Average:
    """Weighted mean of a score.

    Parameters
    ----------
    value : Σ w s / Σ w
    error : its standard error, √(Σ w² (s − value)²) / Σ w
    n_effective : (Σ w)² / Σ w²
    """

    value: float
    error: float
    n_effective: float


@plain("average", finite="scores weight")
def average(scores: PerEvent, weight: Float[np.ndarray, " row"] | None = None) -> Average:
    """Average scores with event weights; signed ones as they are: unbiased, and the error grows accordingly.

    Parameters
    ----------
    scores : one number an event
    weight : of any sign, in any units; by default 1

    Raises
    ------
    InputError : for no scores, weights of another length, or weights that do not sum to a positive number

    >>> average(np.array([1.0, 3.0]), np.array([3.0, 1.0])).value
    1.5
    """
    s = np.asarray(scores, np.float64)
    w = np.ones(len(s)) if weight is None else np.asarray(weight, np.float64)
    if s.ndim != 1 or w.shape != s.shape:
        got = f"{len(w)} weights" if s.ndim == 1 == w.ndim else f"scores of shape {s.shape}, weights of {w.shape}"
        raise InputError("average", got, f"{len(s)}, one for each score")
    total = w.sum()
    if not total > 0:
        raise InputError("average", f"{len(s)} scores with weights that sum to {total:g}", "a positive sum")
    value = float((w * s).sum() / total)
    error = float(np.sqrt((w**2 * (s - value) ** 2).sum()) / total)
    return Average(value, error, float(total**2 / (w**2).sum()))


@plain("nll_gaussian", finite="mean variance target")
def nll_gaussian(mean: PerEvent, variance: PerEvent, target: PerEvent) -> PerEvent:
    """Compute −ln of a Gaussian's density at the target.

    Parameters
    ----------
    mean : of each event's prediction, in units of the target
    variance : of each event's prediction
    target : true values

    Raises
    ------
    InputError : for a variance that is not positive, or arrays of different shapes

    >>> nll_gaussian(np.zeros(1), np.ones(1), np.zeros(1)).round(6)  # ln √(2π)
    array([0.918939])
    """
    m, y, sigma = _gaussian(mean, variance, target)
    return -norm.logpdf(y, m, sigma)


@plain("crps_gaussian", finite="mean variance target")
def crps_gaussian(mean: PerEvent, variance: PerEvent, target: PerEvent) -> PerEvent:
    """Compute the CRPS of a Gaussian: σ [z (2Φ(z) − 1) + 2φ(z) − 1/√π], z = (y − μ)/σ.

    Parameters
    ----------
    mean : of each event's prediction, in units of the target
    variance : of each event's prediction
    target : true values

    Raises
    ------
    InputError : as :func:`nll_gaussian`

    Source: Gneiting and Raftery 2007, equation 21.

    >>> crps_gaussian(np.zeros(1), np.ones(1), np.zeros(1)).round(6)
    array([0.233695])
    """
    m, y, sigma = _gaussian(mean, variance, target)
    z = (y - m) / sigma
    return sigma * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


@plain("nll_mixture", finite="share mean variance target")
def nll_mixture(share: PerComponent, mean: PerComponent, variance: PerComponent, target: PerEvent) -> PerEvent:
    """Compute −ln of the density of a mixture of Gaussians at the target.

    Parameters
    ----------
    share : of each component in each event's prediction; shares sum to one
    mean : of each component, in units of the target
    variance : of each component
    target : true values

    Raises
    ------
    InputError : for shares that are negative or do not sum to one, or a variance that is not positive

    >>> half = np.full((1, 2), 0.5)
    >>> nll_mixture(half, np.zeros((1, 2)), np.ones((1, 2)), np.zeros(1)).round(6)  # ln √(2π)
    array([0.918939])
    """
    p, m, sigma = _mixture(share, mean, variance)
    with np.errstate(divide="ignore"):
        each = np.log(p) + norm.logpdf(np.asarray(target, np.float64)[:, None], m, sigma)
    return -np.asarray(logsumexp(each, axis=1))


@plain("crps_mixture", finite="share mean variance target")
def crps_mixture(share: PerComponent, mean: PerComponent, variance: PerComponent, target: PerEvent) -> PerEvent:
    """Compute the CRPS of a mixture of Gaussians: Σ p A(y − μ, σ²) − ½ ΣΣ p p′ A(μ − μ′, σ² + σ′²).

    A(m, v) = m (2Φ(m/√v) − 1) + 2 √v φ(m/√v) is the mean of |X| for X ~ N(m, v) (Grimit et al., 2006).

    Parameters
    ----------
    share : of each component in each event's prediction; shares sum to one
    mean : of each component, in units of the target
    variance : of each component
    target : true values

    Raises
    ------
    InputError : as :func:`nll_mixture`

    >>> half = np.full((1, 2), 0.5)
    >>> crps_mixture(half, np.zeros((1, 2)), np.ones((1, 2)), np.zeros(1)).round(6)
    array([0.233695])
    """
    p, m, sigma = _mixture(share, mean, variance)
    to_target = np.sum(p * _absolute(np.asarray(target, np.float64)[:, None] - m, sigma), axis=1)
    between = np.zeros_like(to_target)
    for k in range(p.shape[1]):  # one component against all: memory stays that of the input
        width = np.sqrt(sigma**2 + sigma[:, k : k + 1] ** 2)
        between += p[:, k] * np.sum(p * _absolute(m - m[:, k : k + 1], width), axis=1)
    return to_target - between / 2


@plain("crps_sample", finite="draws target weight")
def crps_sample(
    draws: Float[np.ndarray, "event draw"], target: PerEvent, weight: Float[np.ndarray, "event draw"] | None = None
) -> PerEvent:
    """Compute the CRPS from draws of the predicted distribution: E|X − y| − ½ E|X − X′|.

    The second mean is over pairs of different draws, which makes it unbiased for any number of them ("fair", Ferro 2014).

    Parameters
    ----------
    draws : of each event's prediction, one row an event
    target : true values
    weight : of the draws; may be negative, as long as Σw and (Σw)² − Σw² of each event are positive

    Raises
    ------
    InputError : for fewer than two draws, or such weights

    >>> crps_sample(np.array([[0.0, 2.0]]), np.array([0.0]))
    array([0.])
    """
    x, y = np.asarray(draws, np.float64), np.asarray(target, np.float64)
    if x.shape[1] < 2:
        raise InputError("crps_sample", f"{x.shape[1]} draws", "at least two of each event")
    w = np.ones_like(x) if weight is None else np.asarray(weight, np.float64)
    total = w.sum(axis=1)
    pairs = total**2 - (w**2).sum(axis=1)
    if not ((total > 0) & (pairs > 0)).all():
        raise InputError("crps_sample", "draws whose weights sum to zero or less", "a positive sum of several")
    order = np.argsort(x, axis=1)
    x, w = (np.take_along_axis(a, order, axis=1) for a in (x, w))
    # Σ_{i<j} w_i w_j (x_j − x_i), from the sums over the draws below each one.
    below = np.cumsum(w, axis=1) - w
    spread = np.sum(w * x * (below - (total[:, None] - below - w)), axis=1)
    return np.sum(w * np.abs(x - y[:, None]), axis=1) / total - spread / pairs


@plain("crps_quantiles", finite="levels quantiles target")
def crps_quantiles(
    levels: Float[np.ndarray, " level"], quantiles: Float[np.ndarray, "event column"], target: PerEvent
) -> PerEvent:
    """Compute the CRPS from quantiles: 2 ∫ pinball(τ) dτ, each level standing for the part of (0, 1) nearest to it.

    It converges to the CRPS as the levels become dense; (k − ½)/K are the best K of them.

    Parameters
    ----------
    levels : increasing strictly within (0, 1)
    quantiles : predicted at those levels, one row an event
    target : true values

    Raises
    ------
    InputError : for levels that do not increase strictly within (0, 1), or another number of quantiles

    >>> crps_quantiles(np.array([0.5]), np.array([[1.0]]), np.array([3.0]))  # of a median alone: |y − median|
    array([2.])
    """
    tau, q = np.asarray(levels, np.float64), np.asarray(quantiles, np.float64)
    if not len(tau) or not (tau[0] > 0 and tau[-1] < 1 and (np.diff(tau) > 0).all()):
        raise InputError("quantile levels", f"{tau}", "strictly increasing numbers inside (0, 1)")
    if q.shape[1] != len(tau):
        raise InputError("crps_quantiles", f"{q.shape[1]} quantiles", f"{len(tau)}, one for each level")
    share = np.diff(np.concatenate([[0.0], (tau[1:] + tau[:-1]) / 2, [1.0]]))
    above = np.asarray(target, np.float64)[:, None] - q
    return 2 * np.sum(share * np.maximum(tau * above, (tau - 1) * above), axis=1)


def _gaussian(mean: np.ndarray, variance: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    m, v, y = (np.asarray(a, np.float64) for a in (mean, variance, target))
    _check_variance(v)
    return m, y, np.sqrt(v)


def _mixture(share: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, m, v = (np.asarray(a, np.float64) for a in (share, mean, variance))
    _check_variance(v)
    if (p < 0).any() or not np.allclose(p.sum(axis=1), 1, atol=1e-5):
        raise InputError("shares of a mixture", "some that are negative, or do not sum to one", "probabilities")
    return p, m, np.sqrt(v)


def _check_variance(variance: np.ndarray) -> None:
    bad = int((~(variance > 0)).sum())
    if bad:
        raise InputError("variance", f"{bad} that are not positive", "positive ones", "give variances, not widths")


def _absolute(m: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    z = m / sigma
    return m * (2 * norm.cdf(z) - 1) + 2 * sigma * norm.pdf(z)
