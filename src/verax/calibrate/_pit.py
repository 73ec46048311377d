"""Calibration of predicted distributions in regression: coverage of quantiles, and the probability integral transform.

PIT: u = F(y|x) is uniform for a calibrated prediction (Dawid 1984; Gneiting, Balabdaoui, Raftery 2007). Recalibration by
the distribution of u: Kuleshov, Fenner, Ermon, arXiv:1807.00263.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from scipy.stats import kstwobign, norm

from verax.conformal import Ordered, check_levels, checked_weight, ordered
from verax.errors import InputError
from verax.given import effective_size, plain
from verax.results import FloatArray


@dataclass(frozen=True)
class QuantileCalibration:
    """Fraction of weight below each predicted quantile, beside the level it should have.

    ``error`` is the standard error of ``observed`` at the nominal level, √(Σw²)/Σw · √(p(1 − p)); ``area`` the mean of
    |observed − level|, which for a calibrated prediction is about ``area_calibrated`` by chance.
    """

    level: Float[np.ndarray, " level"]
    observed: Float[np.ndarray, " level"]
    error: Float[np.ndarray, " level"]
    n_effective: float

    @property
    def area(self) -> float:
        """Mean distance from calibration."""
        return float(np.mean(np.abs(self.observed - self.level)))

    @property
    def area_calibrated(self) -> float:
        """What ``area`` is on average for a calibrated prediction."""
        return float(np.mean(self.error) * math.sqrt(2 / math.pi))


@plain("quantile calibration", finite="y level", number="quantile", other="weight")
def quantile_calibration(
    y: Float[np.ndarray, " event"],
    quantile: Float[np.ndarray, "event level"],
    level: Float[np.ndarray, " level"],
    *,
    weight: Shaped[np.ndarray, "..."] | None = None,
    negative: str = "error",
) -> QuantileCalibration:
    """How often y is at or below each predicted quantile.

    Raises
    ------
    InputError : for levels that do not increase within (0, 1), or weights of no use
    """
    check_levels(tuple(level.tolist()))
    if quantile.shape != (y.size, level.size):
        raise InputError(
            "quantiles", f"shape {quantile.shape}", f"({y.size}, {level.size}): one for each event and level"
        )
    w = checked_weight(weight, y.size, negative=negative, where="quantile calibration")
    observed = w @ (y[:, None] <= quantile) / w.sum()
    n = effective_size(w)
    return QuantileCalibration(np.asarray(level, np.float64), observed, np.sqrt(level * (1 - level) / n), n)


@plain("PIT", finite="y mean spread", alike="y mean spread")
def pit_normal(
    y: Float[np.ndarray, " event"], mean: Float[np.ndarray, " event"], spread: Float[np.ndarray, " event"]
) -> Float[np.ndarray, " event"]:
    """U = Φ((y − μ)/σ) of a Gaussian prediction."""
    if not (spread > 0).all():
        raise InputError("PIT", f"spread {spread[~(spread > 0)][0]:g}", "positive spreads")
    return np.asarray(norm.cdf((y - mean) / spread))


@plain("PIT", finite="y", other="samples")
def pit_samples(
    rng: np.random.Generator, y: Float[np.ndarray, " event"], samples: Float[np.ndarray, "event draw"]
) -> Float[np.ndarray, " event"]:
    """U of predictions given as samples (a flow, a posterior predictive): the rank of y among them, ties at random.

    u = (number below + U·(number equal + 1)) / (draws + 1) is exactly uniform if y is one more draw.

    Raises
    ------
    InputError : for samples that are not one row an event, or not numbers
    """
    if samples.ndim != 2 or len(samples) != len(y) or np.isnan(samples).any():
        seen = f"samples of shape {samples.shape}" + (", some not numbers" if np.isnan(samples).any() else "")
        raise InputError("PIT", seen, f"numbers of shape ({len(y)}, draws)")
    below, equal = (samples < y[:, None]).sum(1), (samples == y[:, None]).sum(1)
    return np.asarray((below + rng.random(len(y)) * (equal + 1)) / (samples.shape[1] + 1))


@plain("PIT", other="pit weight")
def uniformity(
    pit: Float[np.ndarray, " event"],
    *,
    weight: Shaped[np.ndarray, "..."] | None = None,
    negative: str = "error",
) -> tuple[float, float]:
    """Largest distance of the weighted distribution of u from the uniform one, and its p-value (Kolmogorov–Smirnov).

    The p-value takes Σw²/(Σw)² as 1/n. With weights that depend on u it is an approximation.
    """
    table = distribution(pit, weight, negative)
    above = table.mass / table.total
    below = np.append(0.0, above[:-1])
    distance = float(np.maximum(np.abs(above - table.score), np.abs(below - table.score)).max())
    root = math.sqrt(table.n_effective)
    return distance, float(kstwobign.sf(distance * (root + 0.12 + 0.11 / root)))  # Stephens 1970


@dataclass(frozen=True)
class Recalibration:
    """What level to ask of a predicted distribution so that the wanted fraction lies below."""

    wanted: Float[np.ndarray, " knot"]
    ask: Float[np.ndarray, " knot"]

    @plain("recalibration", number="level")
    def __call__(self, level: Float[np.ndarray, " level"]) -> Float[np.ndarray, " level"]:
        """The level to ask.

        Raises
        ------
        InputError : for levels outside [0, 1]
        """
        wrong = np.asarray((level < 0) | (level > 1))
        if wrong.any():
            raise InputError("recalibration", f"level {np.asarray(level)[wrong][0]:g}", "levels in [0, 1]")
        return np.asarray(np.interp(level, self.wanted, self.ask))


@plain("PIT", other="pit weight")
def recalibration(
    pit: Float[np.ndarray, " event"],
    *,
    weight: Shaped[np.ndarray, "..."] | None = None,
    negative: str = "error",
) -> Recalibration:
    """The inverse of the weighted distribution of u: of events held out, those with u ≤ ask(p) are a fraction p.

    >>> ask = recalibration(np.linspace(0.3, 0.7, 999))  # a prediction that is too wide
    >>> ask(np.array([0.05, 0.5, 0.95])).round(3)
    array([0.32, 0.5 , 0.68])
    """
    table = distribution(pit, weight, negative)
    fraction = np.maximum(table.passed, 0.0) / (table.total + table.own)  # signed sums can begin below zero
    return Recalibration(np.append(np.append(0.0, fraction), 1.0), np.append(np.append(0.0, table.score), 1.0))


def distribution(pit: FloatArray, weight: FloatArray | None, negative: str) -> Ordered:
    """Sorted u with running weight, checked."""
    wrong = ~((pit >= 0) & (pit <= 1))
    if wrong.any() or not pit.size:
        seen = f"value {pit[wrong][0]:g}" if wrong.any() else "no events"
        raise InputError("PIT", seen, "values in [0, 1]")
    return ordered(pit, weight=weight, negative=negative, where="PIT")
