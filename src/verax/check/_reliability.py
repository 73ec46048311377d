"""Reliability of a classifier's probabilities, with event weights of any sign.

The diagram goes back to Murphy & Winkler (Applied Statistics 26 (1977) 41). Neither scikit-learn's ``calibration_curve``
nor the calibration packages take event weights; here each bin is a ratio of weighted sums.

Whether a classifier is calibrated is judged by the variance that its own probabilities imply, not by the spread of
residuals: a bin whose labels agree has none, and would be infinitely far from any probability but 0 or 1. For labels of
probability p an event's weighted residual w(y − p) has the variance p(1 − p)·w₁w₀, with its weight as signal and as
background: w² where weights are independent of the label, and by the ratio of the classes' Σw²/Σw where they are not. It
holds for negative weights too.
"""

import math
from dataclasses import dataclass, fields
from numbers import Integral
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.special import chdtrc, erf

from verax.errors import InputError
from verax.given import Labels, PerEvent, plain, refuse
from verax.results import FloatArray

PerBin: TypeAlias = Float[np.ndarray, " bin"]
Bins: TypeAlias = int | Float[np.ndarray, " edge"]
"""How many equal bins between 0 and 1, or their edges."""


@dataclass(frozen=True)
class ReliabilitySums:
    """Sums per bin of predicted probability; additive over chunks of events with the same edges.

    With weight w, probability p, label y ∈ {0, 1} and residual r = y − p: Σw, Σw², Σwp, Σwy, Σw²r and Σw²r²; of events
    with label 1 Σw²; and Σw²p(1 − p), of all events and of those with label 1.
    """

    edges: Float[np.ndarray, " edge"]
    weight: PerBin
    weight_squared: PerBin
    predicted: PerBin
    observed: PerBin
    residual: PerBin
    residual_squared: PerBin
    signal_squared: PerBin
    spread: PerBin
    signal_spread: PerBin

    def __add__(self, other: "ReliabilitySums") -> "ReliabilitySums":
        if not np.array_equal(self.edges, other.edges):
            raise InputError("reliability", f"edges {other.edges}", f"edges {self.edges}, as in the first chunk")
        names = [field.name for field in fields(self)][1:]
        return ReliabilitySums(self.edges, *(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(frozen=True)
class Reliability:
    """Reliability diagram and calibration error; NaN in bins whose weights do not add up to more than zero.

    Parameters
    ----------
    edges : of the bins in predicted probability
    predicted, observed : Σwp/Σw and Σwy/Σw per bin
    error : standard error of ``observed`` − ``predicted`` for an exactly calibrated classifier, √Σw²p(1 − p) / Σw
    low, high : 68.27 % interval of the true fraction around ``observed``, by Wilson's score (JASA 22 (1927) 209) with the
        effective number of events; never of no length. Where negative weights take ``observed`` out of [0, 1], ± ``error``
    weight, n_effective : Σw, and (Σw)²/Σw², the number of unit-weight events of the same statistical power
    ece : expected calibration error Σ (Σw)_bin/Σw |observed − predicted|, as measured: biased upwards by fluctuations
    ece_corrected : the same less its bias as estimated from the residuals (Kumar, Liang, Ma, arXiv:1909.10155, L1 form).
        No estimate of |x| is free of bias where x may be 0: of exactly calibrated events it leaves 0.585 of the bias
    squared, squared_error : squared calibration error Σ (Σw)_bin/Σw (observed − predicted)² without bias (as there,
        section 4), and its standard error. Below zero in about half of all samples of exactly calibrated events
    ece_calibrated : what ``ece`` would be on average for an exactly calibrated classifier of these probabilities
    """

    edges: Float[np.ndarray, " edge"]
    predicted: PerBin
    observed: PerBin
    error: PerBin
    low: PerBin
    high: PerBin
    weight: PerBin
    n_effective: PerBin
    ece: float
    ece_corrected: float
    ece_calibrated: float
    squared: float
    squared_error: float

    @property
    def pull(self) -> PerBin:
        """(observed − predicted) / error: standard normal for an exactly calibrated classifier, in bins of many events.

        Infinite where an event had a label of probability 0, and nothing else is in the bin.
        """
        return pulls(self.observed - self.predicted, self.error)

    @property
    def chi2(self) -> float:
        """Sum of squared pulls, those of bins with few events together with their neighbours'.

        Neighbouring bins count as one until the number of labels 1 in them has an expected variance of 1 or more (four
        events at p = ½): of fewer no pull is near a normal one.
        """
        return float(np.sum(self._joined() ** 2))

    @property
    def ndf(self) -> int:
        """Terms of ``chi2``: its expectation for an exactly calibrated classifier."""
        return int(self._joined().size)

    @property
    def p_value(self) -> float:
        """Chance of a ``chi2`` as large for an exactly calibrated classifier; NaN without any pull."""
        return float(chdtrc(self.ndf, self.chi2)) if self.ndf else math.nan

    def _joined(self) -> Float[np.ndarray, " pull"]:
        """Pulls of bins, small ones joined with their neighbours."""
        used = np.isfinite(self.observed)
        weight, p = self.weight[used], self.predicted[used]
        variance, residual = (weight * self.error[used]) ** 2, weight * (self.observed[used] - p)
        scale = np.where(variance > 0, weight * p * (1 - p), 0.0)  # Σw²p(1 − p) over it: the mean weight
        groups: list[FloatArray] = []
        now = np.zeros(4)
        for part in np.stack([residual, variance, scale, weight], 1):
            now = now + part
            if now[2] ** 2 >= now[1] > 0:
                groups.append(now)
                now = np.zeros(4)
        if now[3] > 0:
            groups = [*groups[:-1], groups[-1] + now] if groups else [now]
        total = np.array(groups).reshape(-1, 4)
        found = pulls(total[:, 0] / total[:, 3], np.sqrt(total[:, 1]) / total[:, 3])
        return found[~np.isnan(found)]


@plain("reliability", other="probability label weight")
def reliability_sums(probability: PerEvent, label: Labels, weight: PerEvent, *, bins: Bins = 10) -> ReliabilitySums:
    """Sum one chunk of events, for :func:`diagram`.

    Parameters
    ----------
    probability : predicted probability of label 1, in [0, 1]
    label : true or false, 0 or 1
    weight : of any sign
    bins : number of equal bins of [0, 1], or their edges (a value on the last edge counts in the last bin)

    Raises
    ------
    InputError : for a probability outside the edges, a label that is neither 0 nor 1, weights or edges of no use

    Source: Murphy & Winkler, Applied Statistics 26 (1977) 41.

    >>> chunk = reliability_sums(np.array([0.2, 0.7]), np.array([0, 1]), np.ones(2), bins=2)
    >>> (chunk + chunk).observed
    array([0., 2.])
    """
    edges = np.linspace(0.0, 1.0, int(bins) + 1) if isinstance(bins, Integral) else np.asarray(bins, np.float64)
    if edges.size < 2 or not (np.diff(edges) > 0).all():
        raise InputError("reliability", f"edges {edges}", "two or more increasing edges")
    p, w = np.asarray(probability, np.float64), np.asarray(weight, np.float64)
    y = np.asarray(label, np.float64)
    low, high = max(edges[0], 0.0), min(edges[-1], 1.0)
    refuse(~((p >= low) & (p <= high)), p, "probability {}", "reliability", f"values in [{low:g}, {high:g}]")
    refuse(~np.isin(y, (0.0, 1.0)), y, "label {}", "reliability", "0 or 1")
    refuse(~np.isfinite(w), w, "weight {}", "reliability", "finite weights")
    n_bins = edges.size - 1
    index = np.minimum(np.searchsorted(edges, p, side="right") - 1, n_bins - 1)

    def total(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(index, weights=values, minlength=n_bins), np.float64)

    r, square = y - p, w * w
    spread = square * p * (1 - p)
    terms = (w, square, w * p, w * y, square * r, square * r * r, square * y, spread, spread * y)
    return ReliabilitySums(edges, *(total(term) for term in terms))


def diagram(sums: ReliabilitySums) -> Reliability:
    """Make the reliability diagram of the sums of all chunks.

    Parameters
    ----------
    sums : of :func:`reliability_sums`, added up

    Source: Kumar, Liang, Ma, arXiv:1909.10155, for the corrections of the calibration error.

    >>> float(diagram(reliability_sums(np.full(5, 0.2), np.array([0, 0, 1, 0, 0]), np.ones(5), bins=2)).observed[0])
    0.2
    """
    used = sums.weight > 0
    norm = np.where(used, sums.weight, np.nan)
    predicted, observed = sums.predicted / norm, sums.observed / norm
    distance = observed - predicted
    variance = sums.residual_squared - 2 * distance * sums.residual + distance**2 * sums.weight_squared
    # from the residuals themselves: right also for a classifier that is not calibrated
    sigma = np.sqrt(np.maximum(variance, 0.0)) / norm
    ratio = class_ratio(sums)
    error = np.sqrt(by_class(sums.spread, sums.signal_spread, ratio)) / norm
    squares = by_class(sums.weight_squared, sums.signal_squared, ratio)
    low, high = wilson(observed, norm**2 / np.where(used, squares, np.nan), error)
    n_effective = np.where(sums.weight_squared > 0, norm**2 / np.where(used, sums.weight_squared, 1.0), np.nan)

    share = np.where(used, sums.weight, 0.0) / max(float(sums.weight[used].sum()), np.finfo(float).tiny)
    size = np.abs(np.where(used, distance, 0.0))
    sigma, predicted_error = np.where(used, sigma, 0.0), np.where(used, error, 0.0)
    bias = np.sum(share * (mean_size(size, sigma) - size))
    ece = float(np.sum(share * size)) if used.any() else math.nan
    calibrated = float(np.sum(share * predicted_error) * math.sqrt(2 / math.pi)) if used.any() else math.nan
    square = debiased_square(share, size, sigma, np.where(used, n_effective, 1.0))
    square = square if used.any() else (math.nan, math.nan)
    of_bins = (sums.edges, predicted, observed, error, low, high, sums.weight, n_effective)
    return Reliability(*of_bins, ece, ece - float(bias), calibrated, *square)


def class_ratio(sums: ReliabilitySums) -> float:
    """Σw²/Σw of events with label 1 over that of label 0: how their weights compare. 1 where a class is not there."""
    signal, all_signal = float(sums.signal_squared.sum()), float(sums.observed.sum())
    background = float(sums.weight_squared.sum()) - signal
    all_background = float(sums.weight.sum()) - all_signal
    if not (signal > 0 and background > 0 and all_signal > 0 and all_background > 0):
        return 1.0
    return (signal / all_signal) / (background / all_background)


def by_class(both: PerBin, signal: PerBin, ratio: float) -> PerBin:
    """Σw₁w₀ from Σw² of all events and of those with label 1, w₁/w₀ = ``ratio``."""
    return np.asarray(np.maximum(both - signal, 0.0) * ratio + signal / ratio)


def pulls(distance: PerBin, error: PerBin) -> PerBin:
    """Distances over their errors; without an error NaN for no distance, and infinite for one."""
    some = np.where(np.abs(distance) > 1e-9, np.copysign(np.inf, distance), np.nan)
    return np.where(error > 0, distance / np.where(error > 0, error, 1.0), some)


def wilson(observed: PerBin, n: PerBin, error: PerBin) -> tuple[PerBin, PerBin]:
    """Fractions π that are within one standard error √(π(1 − π)/n) of what was observed."""
    inside = (observed >= 0) & (observed <= 1)
    x = np.where(inside, observed, 0.5)
    middle, half = (x + 0.5 / n) / (1 + 1 / n), np.sqrt(x * (1 - x) / n + 0.25 / n**2) / (1 + 1 / n)
    low, high = np.minimum(middle - half, x), np.maximum(middle + half, x)
    return np.where(inside, low, observed - error), np.where(inside, high, observed + error)


def debiased_square(share: PerBin, size: PerBin, sigma: PerBin, n_effective: PerBin) -> tuple[float, float]:
    """Σ share·x² from |x̂| with errors, less what the errors add to it, and its standard error.

    The errors are measured with one degree of freedom less than events: n/(n − 1) takes that out. A bin of a single
    effective event gives no estimate of its error and is left out.
    """
    known = n_effective > 1.5
    variance = np.where(known, sigma**2 * n_effective / np.where(known, n_effective - 1, 1.0), 0.0)
    square = np.where(known, size**2 - variance, 0.0)
    by_chance = 2 * float(np.sum((share * variance) ** 2))
    by_distance = 4 * float(np.sum(share**2 * variance * square))  # of either sign by chance: each clip is an excess
    total = max(float(share[known].sum()), np.finfo(float).tiny)
    return float(np.sum(share * square)) / total, math.sqrt(max(by_chance + by_distance, by_chance / 2)) / total


@plain("reliability", other="probability label weight")
def reliability(probability: PerEvent, label: Labels, weight: PerEvent, *, bins: Bins = 10) -> Reliability:
    """Make the reliability diagram of events that fit in memory; see :func:`reliability_sums` for chunks.

    Parameters
    ----------
    probability : predicted probability of label 1, in [0, 1]
    label : true or false, 0 or 1
    weight : of any sign
    bins : number of equal bins of [0, 1], or their edges

    Raises
    ------
    InputError : as :func:`reliability_sums`

    Source: Murphy & Winkler, Applied Statistics 26 (1977) 41.

    >>> p, y = np.array([0.2, 0.2, 0.2, 0.2, 0.2]), np.array([0, 0, 1, 0, 0])
    >>> result = reliability(p, y, np.ones(5), bins=2)
    >>> [round(float(v), 3) for v in (result.predicted[0], result.observed[0], result.error[0], result.ece)]
    [0.2, 0.2, 0.179, 0.0]
    """
    return diagram(reliability_sums(probability, label, weight, bins=bins))


def mean_size(mean: PerBin, sigma: PerBin) -> PerBin:
    """Mean of |x| for x ~ N(mean, sigma): the folded normal distribution."""
    z = mean / np.where(sigma > 0, sigma, np.inf)
    middle = np.where(sigma > 0, mean * erf(z / math.sqrt(2)), mean)
    return np.asarray(sigma * math.sqrt(2 / math.pi) * np.exp(-(z**2) / 2) + middle)
