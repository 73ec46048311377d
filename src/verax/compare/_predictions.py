"""Predictions of a target of four kinds, and how each is judged: coverage, width, NLL, CRPS, RMSE."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

import jax
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

    @property
    def centre(self) -> FloatArray:
        """The mean."""
        return self.mean

    def interval(self, level: float) -> tuple[FloatArray, FloatArray]:
        """The central interval."""
        half = norm.ppf(0.5 + level / 2) * np.sqrt(self.variance)
        return self.mean - half, self.mean + half

    def proper(self, y: Point) -> tuple[FloatArray, FloatArray]:
        """NLL and CRPS of each point."""
        flat = (self.mean.ravel(), self.variance.ravel(), y.ravel())
        return nll_gaussian(*flat) if self.nll is None else self.nll, crps_gaussian(*flat)


@dataclass(frozen=True)
class Mixture:
    """Share, mean and variance of each component of each point's mixture of Gaussians."""

    share: Float[np.ndarray, "split point component"]
    mean: Float[np.ndarray, "split point component"]
    variance: Float[np.ndarray, "split point component"]

    @property
    def centre(self) -> FloatArray:
        """The mean of the mixture."""
        return np.asarray(np.sum(self.share * self.mean, axis=-1))

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

    def proper(self, y: Point) -> tuple[FloatArray, FloatArray]:
        """NLL and CRPS of each point."""
        share, mean, variance = (a.reshape(y.size, -1) for a in (self.share, self.mean, self.variance))
        return nll_mixture(share, mean, variance, y.ravel()), crps_mixture(share, mean, variance, y.ravel())


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of each point at :data:`QUANTILES`."""

    value: Float[np.ndarray, "split point level"]

    @property
    def centre(self) -> FloatArray:
        """The median."""
        return self.value[..., QUANTILES.index(0.5)]

    def interval(self, level: float) -> tuple[FloatArray, FloatArray]:
        """The quantiles (1 ∓ level)/2."""
        ends = [int(np.argmin(np.abs(np.asarray(QUANTILES) - p))) for p in (0.5 - level / 2, 0.5 + level / 2)]
        return self.value[..., ends[0]], self.value[..., ends[1]]

    def proper(self, y: Point) -> tuple[FloatArray, FloatArray]:
        """NaN, as a few quantiles have no density, and the CRPS of each point."""
        crps = crps_quantiles(np.asarray(QUANTILES), self.value.reshape(y.size, -1), y.ravel())
        return np.full(y.size, np.nan), crps


@dataclass(frozen=True)
class Bands:
    """Intervals alone, by level, and a value: a conformal method has no density."""

    centre: Point
    ends: Mapping[float, tuple[FloatArray, FloatArray]]

    def interval(self, level: float) -> tuple[FloatArray, FloatArray]:
        """The interval at one of the levels."""
        return self.ends[level]

    def proper(self, y: Point) -> tuple[FloatArray, FloatArray]:
        """NaN: neither has a meaning for intervals."""
        return np.full(y.size, np.nan), np.full(y.size, np.nan)


Prediction: TypeAlias = Gaussian | Mixture | Quantiles | Bands
Fitted: TypeAlias = tuple[Sequence[Prediction], str]
"""A prediction for each row of a method, and what went wrong; empty when nothing did."""

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
    nll, crps = (np.reshape(values, y.shape).mean(axis=1) for values in prediction.proper(y))
    return {**found, "nll": nll, "crps": crps, "rmse": np.sqrt(((prediction.centre - y) ** 2).mean(axis=1))}


def take(prediction: Prediction, points: slice) -> Prediction:
    """Take some of the points of a prediction."""
    parts = {f.name: getattr(prediction, f.name) for f in fields(prediction)}
    return type(prediction)(**jax.tree.map(lambda a: a[:, points], parts))
