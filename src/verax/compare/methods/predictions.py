"""Predictions of a target in four forms, and how each is judged: coverage, width, NLL, CRPS, RMSE."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from verax.check import crps_gaussian, crps_mixture, crps_quantiles, nll_gaussian, nll_mixture
from verax.results import FloatArray

LEVELS = (0.68, 0.95)
QUANTILES = (0.025, 0.16, 0.25, 0.5, 0.75, 0.84, 0.975)
"""Levels of quantile regression: the ends of both intervals are among them."""

Point = Float[np.ndarray, "split point"]


@dataclass(frozen=True)
class Gaussian:
    """Mean and variance of each point; ``nll``, where a method has a density of its own (a mixture of many members)."""

    mean: Point
    variance: Point
    nll: Point | None = None

    def interval(self, level: float) -> tuple[FloatArray, FloatArray]:
        """The central interval."""
        half = norm.ppf(0.5 + level / 2) * np.sqrt(self.variance)
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class Mixture:
    """Share, mean and variance of each component of each point's mixture of Gaussians."""

    share: Float[np.ndarray, "split point component"]
    mean: Float[np.ndarray, "split point component"]
    variance: Float[np.ndarray, "split point component"]

    def interval(self, level: float) -> tuple[FloatArray, FloatArray]:
        """The central interval, by halving a bracket of its ends 60 times."""
        return self._quantile(0.5 - level / 2), self._quantile(0.5 + level / 2)

    def _quantile(self, probability: float) -> FloatArray:
        sigma = np.sqrt(self.variance)
        low, high = (self.mean - 10 * sigma).min(axis=-1), (self.mean + 10 * sigma).max(axis=-1)
        for _ in range(60):
            middle = (low + high) / 2
            below = np.sum(self.share * norm.cdf(middle[..., None], self.mean, sigma), axis=-1) < probability
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray((low + high) / 2)


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of each point at :data:`QUANTILES`."""

    value: Float[np.ndarray, "split point level"]

    def interval(self, level: float) -> tuple[FloatArray, FloatArray]:
        """The quantiles (1 ∓ level)/2."""
        ends = [int(np.argmin(np.abs(np.asarray(QUANTILES) - p))) for p in (0.5 - level / 2, 0.5 + level / 2)]
        return self.value[..., ends[0]], self.value[..., ends[1]]


@dataclass(frozen=True)
class Bands:
    """Intervals alone, by level, and a value: a conformal method has no density."""

    value: Point
    ends: Mapping[float, tuple[FloatArray, FloatArray]]

    def interval(self, level: float) -> tuple[FloatArray, FloatArray]:
        """The interval at one of the levels."""
        return self.ends[level]


Prediction: TypeAlias = Gaussian | Mixture | Quantiles | Bands
Fitted: TypeAlias = tuple[dict[str, Prediction], str]
"""Prediction by row of the table, and what went wrong; empty when nothing did."""

Scores: TypeAlias = dict[str, FloatArray]
"""Number by name, one for each split: "coverage 68", "width 68" (median), "mean width 68", the same of 95, "nll", "crps"
and "rmse"."""


def score(prediction: Prediction, y: Float[np.ndarray, "split point"]) -> Scores:
    """Judge a prediction on each split; what it has no answer to is NaN. Widths and RMSE are in the target's units."""
    found: Scores = {}
    for level in LEVELS:
        low, high = prediction.interval(level)
        found[f"coverage {100 * level:.0f}"] = ((low <= y) & (y <= high)).mean(axis=1)
        found[f"width {100 * level:.0f}"] = np.median(high - low, axis=1)
        found[f"mean width {100 * level:.0f}"] = (high - low).mean(axis=1)
    nll, crps = _proper(prediction, y)
    return {**found, "nll": nll, "crps": crps, "rmse": np.sqrt(((centre(prediction) - y) ** 2).mean(axis=1))}


def centre(prediction: Prediction) -> FloatArray:
    """The mean of each point; the median of quantiles."""
    if isinstance(prediction, Gaussian):
        return prediction.mean
    if isinstance(prediction, Mixture):
        return np.asarray(np.sum(prediction.share * prediction.mean, axis=-1))
    return prediction.value if isinstance(prediction, Bands) else prediction.value[..., QUANTILES.index(0.5)]


def _proper(prediction: Prediction, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """NLL and CRPS of each split."""
    shape, flat = y.shape, y.ravel()

    def mean(values: FloatArray) -> FloatArray:
        return np.asarray(values.reshape(shape).mean(axis=1))

    if isinstance(prediction, Gaussian):
        mu, variance = prediction.mean.ravel(), prediction.variance.ravel()
        nll = nll_gaussian(mu, variance, flat) if prediction.nll is None else prediction.nll
        return mean(nll), mean(crps_gaussian(mu, variance, flat))
    if isinstance(prediction, Mixture):
        share, m, v = (a.reshape(len(flat), -1) for a in (prediction.share, prediction.mean, prediction.variance))
        return mean(nll_mixture(share, m, v, flat)), mean(crps_mixture(share, m, v, flat))
    none = np.full(len(y), np.nan)
    if isinstance(prediction, Quantiles):
        found = crps_quantiles(np.asarray(QUANTILES), prediction.value.reshape(len(flat), -1), flat)
        return none, mean(found)
    return none, none


def part(prediction: Prediction, points: slice) -> Prediction:
    """The same prediction of some of the points."""
    if isinstance(prediction, Bands):
        return Bands(
            prediction.value[:, points], {k: (a[:, points], b[:, points]) for k, (a, b) in prediction.ends.items()}
        )
    if isinstance(prediction, Quantiles):
        return Quantiles(prediction.value[:, points])
    if isinstance(prediction, Mixture):
        return Mixture(prediction.share[:, points], prediction.mean[:, points], prediction.variance[:, points])
    nll = None if prediction.nll is None else prediction.nll[:, points]
    return Gaussian(prediction.mean[:, points], prediction.variance[:, points], nll)
