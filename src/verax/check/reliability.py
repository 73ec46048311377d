"""Reliability of a classifier's probabilities, with event weights of any sign.

The diagram goes back to Murphy & Winkler (Applied Statistics 26 (1977) 41). Neither scikit-learn's ``calibration_curve``
nor the calibration packages take event weights; here each bin is a ratio of weighted sums, and its error the linearised
(sandwich) error of that ratio, which holds for weights that differ between signal and background and for negative ones.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import erf

from verax.errors import InputError
from verax.results import FloatArray


@dataclass(frozen=True)
class ReliabilitySums:
    """Sums per bin of predicted probability; additive over chunks of events with the same edges.

    With weight w, probability p, label y ∈ {0, 1} and residual r = y − p: Σw, Σw², Σwp, Σwy, Σw²r and Σw²r².
    """

    edges: Float[np.ndarray, " edge"]
    weight: Float[np.ndarray, " bin"]
    weight_squared: Float[np.ndarray, " bin"]
    predicted: Float[np.ndarray, " bin"]
    observed: Float[np.ndarray, " bin"]
    residual: Float[np.ndarray, " bin"]
    residual_squared: Float[np.ndarray, " bin"]

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
    error : standard error of ``observed`` − ``predicted``, √Σw²(r − r̄)² / Σw with r = y − p
    weight, n_effective : Σw, and (Σw)²/Σw², the number of unit-weight events of the same statistical power
    ece : expected calibration error Σ (Σw)_bin/Σw |observed − predicted|, as measured: biased upwards by fluctuations
    ece_corrected : the same less its bias as estimated from the errors (Kumar, Liang, Ma, arXiv:1909.10155, L1 form). No
        estimate of |x| is free of bias where x may be 0: of exactly calibrated events it leaves 0.585 of the bias
    squared, squared_error : squared calibration error Σ (Σw)_bin/Σw (observed − predicted)² without bias (as there,
        section 4), and its standard error. Below zero in about half of all samples of exactly calibrated events
    ece_calibrated : what ``ece`` would be on average for an exactly calibrated classifier with these errors
    """

    edges: Float[np.ndarray, " edge"]
    predicted: Float[np.ndarray, " bin"]
    observed: Float[np.ndarray, " bin"]
    error: Float[np.ndarray, " bin"]
    weight: Float[np.ndarray, " bin"]
    n_effective: Float[np.ndarray, " bin"]
    ece: float
    ece_corrected: float
    ece_calibrated: float
    squared: float
    squared_error: float

    @property
    def pull(self) -> Float[np.ndarray, " bin"]:
        """(observed − predicted) / error: standard normal for an exactly calibrated classifier."""
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = (self.observed - self.predicted) / self.error
        return np.where(self.error > 0, pull, np.nan)

    @property
    def chi2(self) -> float:
        """Sum of squared pulls."""
        return float(np.nansum(self.pull**2))

    @property
    def ndf(self) -> int:
        """Bins with a pull: the expectation of ``chi2`` for an exactly calibrated classifier."""
        return int(np.isfinite(self.pull).sum())


def reliability_sums(
    probability: Float[np.ndarray, " event"],
    label: Shaped[np.ndarray, " event"],
    weight: Float[np.ndarray, " event"],
    *,
    bins: int | Float[np.ndarray, " edge"] = 10,
) -> ReliabilitySums:
    """Sums of one chunk of events.

    Parameters
    ----------
    probability : predicted probability of label 1, in [0, 1]
    label : true or false, 0 or 1
    weight : of any sign
    bins : number of equal bins of [0, 1], or their edges (a value on the last edge counts in the last bin)

    Raises
    ------
    InputError : for a probability outside the edges, a label that is neither 0 nor 1, weights or edges of no use
    """
    edges = np.linspace(0.0, 1.0, bins + 1) if isinstance(bins, int) else np.asarray(bins, np.float64)
    if edges.size < 2 or not (np.diff(edges) > 0).all():
        raise InputError("reliability", f"edges {edges}", "two or more increasing edges")
    p, w = np.asarray(probability, np.float64), np.asarray(weight, np.float64)
    y = np.asarray(label, np.float64)
    outside = ~((p >= edges[0]) & (p <= edges[-1]))
    if outside.any():
        raise InputError("reliability", f"probability {p[outside][0]}", f"values in [{edges[0]:g}, {edges[-1]:g}]")
    if not np.isin(y, (0.0, 1.0)).all():
        raise InputError("reliability", f"label {y[~np.isin(y, (0.0, 1.0))][0]}", "0 or 1")
    if not np.isfinite(w).all():
        raise InputError("reliability", f"weight {w[~np.isfinite(w)][0]}", "finite weights")
    n_bins = edges.size - 1
    index = np.minimum(np.searchsorted(edges, p, side="right") - 1, n_bins - 1)

    def total(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(index, weights=values, minlength=n_bins), np.float64)

    r = y - p
    return ReliabilitySums(
        edges, total(w), total(w * w), total(w * p), total(w * y), total(w * w * r), total(w * w * r * r)
    )


def diagram(sums: ReliabilitySums) -> Reliability:
    """The diagram that the sums of all chunks make."""
    used = sums.weight > 0
    norm = np.where(used, sums.weight, np.nan)
    predicted, observed = sums.predicted / norm, sums.observed / norm
    distance = observed - predicted
    variance = sums.residual_squared - 2 * distance * sums.residual + distance**2 * sums.weight_squared
    error = np.sqrt(np.maximum(variance, 0.0)) / norm
    n_effective = np.where(sums.weight_squared > 0, norm**2 / np.where(used, sums.weight_squared, 1.0), np.nan)

    share = np.where(used, sums.weight, 0.0) / max(float(sums.weight[used].sum()), np.finfo(float).tiny)
    size = np.abs(np.where(used, distance, 0.0))
    sigma = np.where(used, error, 0.0)
    bias = np.sum(share * (mean_size(size, sigma) - size))
    ece = float(np.sum(share * size)) if used.any() else math.nan
    calibrated = float(np.sum(share * sigma) * math.sqrt(2 / math.pi)) if used.any() else math.nan
    squared, squared_error = debiased_square(share, size, sigma, np.where(used, n_effective, 1.0))
    return Reliability(
        sums.edges,
        predicted,
        observed,
        error,
        sums.weight,
        n_effective,
        ece,
        ece - float(bias),
        calibrated,
        squared if used.any() else math.nan,
        squared_error if used.any() else math.nan,
    )


def debiased_square(
    share: Float[np.ndarray, " bin"],
    size: Float[np.ndarray, " bin"],
    sigma: Float[np.ndarray, " bin"],
    n_effective: Float[np.ndarray, " bin"],
) -> tuple[float, float]:
    """Σ share·x² from |x̂| with errors, less what the errors add to it, and its standard error.

    The errors are measured with one degree of freedom less than events: n/(n − 1) takes that out. A bin of a single
    effective event says nothing of its error and is left out.
    """
    known = n_effective > 1.5
    variance = np.where(known, sigma**2 * n_effective / np.where(known, n_effective - 1, 1.0), 0.0)
    square = np.where(known, size**2 - variance, 0.0)
    by_chance = 2 * float(np.sum((share * variance) ** 2))
    by_distance = 4 * float(np.sum(share**2 * variance * square))  # of either sign by chance: each clip is an excess
    total = max(float(share[known].sum()), np.finfo(float).tiny)
    return float(np.sum(share * square)) / total, math.sqrt(max(by_chance + by_distance, by_chance / 2)) / total


def reliability(
    probability: Float[np.ndarray, " event"],
    label: Shaped[np.ndarray, " event"],
    weight: Float[np.ndarray, " event"],
    *,
    bins: int | Float[np.ndarray, " edge"] = 10,
) -> Reliability:
    """Reliability diagram of events that fit in memory; see :func:`reliability_sums` for chunks.

    >>> p, y = np.array([0.2, 0.2, 0.2, 0.2, 0.2]), np.array([0, 0, 1, 0, 0])
    >>> result = reliability(p, y, np.ones(5), bins=2)
    >>> [round(float(v), 3) for v in (result.predicted[0], result.observed[0], result.error[0], result.ece)]
    [0.2, 0.2, 0.179, 0.0]
    """
    return diagram(reliability_sums(probability, label, weight, bins=bins))


def mean_size(mean: Float[np.ndarray, " bin"], sigma: Float[np.ndarray, " bin"]) -> Float[np.ndarray, " bin"]:
    """Mean of |x| for x ~ N(mean, sigma): the folded normal distribution."""
    z = mean / np.where(sigma > 0, sigma, np.inf)
    return np.asarray(
        sigma * math.sqrt(2 / math.pi) * np.exp(-(z**2) / 2) + np.where(sigma > 0, mean * erf(z / math.sqrt(2)), mean)
    )
