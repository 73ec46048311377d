"""Calibration of predicted distributions in regression: coverage of quantiles, and the probability integral transform.

PIT: u = F(y|x) is uniform for a calibrated prediction (Dawid 1984; Gneiting, Balabdaoui, Raftery 2007). Recalibration by
the distribution of u: Kuleshov, Fenner, Ermon, arXiv:1807.00263.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, PRNGKeyArray
from scipy.stats import kstwobign, norm

from verax.conformal import Ordered, check_levels, checked_weight, ordered
from verax.errors import InputError
from verax.given import PerEvent, Weights, effective_size, generator, plain, refuse
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
    y: PerEvent,
    quantile: Float[np.ndarray, "event level"],
    level: Float[np.ndarray, " level"],
    *,
    weight: Weights = None,
    negative: str = "error",
) -> QuantileCalibration:
    """Compare how often y is at or below each predicted quantile with the quantile's level.

    Parameters
    ----------
    y : true values
    quantile : predicted quantiles, one column a level
    level : of each column, increasing within (0, 1)
    weight : event weights, one an event; by default 1
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`verax.conformal.checked_weight`

    Raises
    ------
    InputError : for levels that do not increase within (0, 1), or weights of no use

    Source: Kuleshov, Fenner, Ermon, arXiv:1807.00263, section 3.

    >>> quantile_calibration(np.arange(4.0), np.full((4, 1), 1.5), np.array([0.5])).observed
    array([0.5])
    """
    check_levels(tuple(level.tolist()))
    w = checked_weight(weight, y.size, negative=negative, where="quantile calibration")
    observed = w @ (y[:, None] <= quantile) / w.sum()
    n = effective_size(w)
    return QuantileCalibration(np.asarray(level, np.float64), observed, np.sqrt(level * (1 - level) / n), n)


@plain("PIT", finite="y mean spread")
def pit_normal(y: PerEvent, mean: PerEvent, spread: PerEvent) -> PerEvent:
    """Compute u = Φ((y − μ)/σ) of a Gaussian prediction.

    Parameters
    ----------
    y : true values
    mean : predicted μ, in units of y
    spread : predicted σ > 0, in units of y

    Raises
    ------
    InputError : for values that are not finite, arrays of different shapes, or a spread that is not positive

    Source: Gneiting, Balabdaoui, Raftery 2007.

    >>> pit_normal(np.array([0.0, 1.0]), np.zeros(2), np.ones(2)).round(3)
    array([0.5  , 0.841])
    """
    refuse(~(spread > 0), spread, "spread {:g}", "PIT", "positive spreads")
    return np.asarray(norm.cdf((y - mean) / spread))


@plain("PIT", finite="y", other="samples")
def pit_samples(key: PRNGKeyArray, y: PerEvent, samples: Float[np.ndarray, "event draw"]) -> PerEvent:
    """Compute u of predictions given as samples (a flow, a posterior predictive): the rank of y, ties at random.

    u = (number below + U·(number equal + 1)) / (draws + 1) is exactly uniform if y is one more draw.

    Parameters
    ----------
    key : of the uniform numbers U
    y : true values
    samples : draws of each event's predicted distribution, one row an event

    Raises
    ------
    InputError : for samples that are not one row an event, or not numbers

    Source: Gneiting, Balabdaoui, Raftery 2007.

    >>> import jax
    >>> u = pit_samples(jax.random.key(1), np.array([0.5]), np.array([[0.0, 1.0, 2.0]]))
    >>> bool(0.25 <= u[0] <= 0.5)  # between one and two of four
    True
    """
    if np.isnan(samples).any():
        got = f"samples of shape {samples.shape}, some not numbers"
        raise InputError("PIT", got, f"numbers of shape ({len(y)}, draws)")
    below, equal = (samples < y[:, None]).sum(1), (samples == y[:, None]).sum(1)
    return np.asarray((below + generator(key, "PIT").random(len(y)) * (equal + 1)) / (samples.shape[1] + 1))


@plain("PIT", other="pit weight")
def uniformity(pit: PerEvent, *, weight: Weights = None, negative: str = "error") -> tuple[float, float]:
    """Test whether u is uniform, by the largest distance of its weighted distribution (Kolmogorov–Smirnov).

    Parameters
    ----------
    pit : u of each event, in [0, 1]
    weight : event weights, one an event; by default 1
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`verax.conformal.checked_weight`

    Returns
    -------
    The distance, and its p-value, which takes Σw²/(Σw)² as 1/n: an approximation for weights that depend on u

    Raises
    ------
    InputError : for no events, values outside [0, 1], or weights of no use

    Source: Stephens, Journal of the Royal Statistical Society B 32 (1970) 115.

    >>> distance, p_value = uniformity((np.arange(100) + 0.5) / 100)
    >>> round(distance, 3), round(p_value, 3)
    (0.005, 1.0)
    """
    table = distribution(pit, weight, negative)
    above = table.mass / table.total
    below = np.append(0.0, above[:-1])
    distance = float(np.maximum(np.abs(above - table.score), np.abs(below - table.score)).max())
    root = math.sqrt(table.n_effective)
    return distance, float(kstwobign.sf(distance * (root + 0.12 + 0.11 / root)))  # Stephens 1970


@dataclass(frozen=True)
class Recalibration:
    """The level to request of a predicted distribution so that a fraction of events lies below; linear between knots."""

    fraction: Float[np.ndarray, " knot"]
    level: Float[np.ndarray, " knot"]

    @plain("recalibration", number="fraction")
    def __call__(self, fraction: Float[np.ndarray, " fraction"]) -> Float[np.ndarray, " fraction"]:
        """The level to request.

        Raises
        ------
        InputError : for fractions outside [0, 1]
        """
        refuse((fraction < 0) | (fraction > 1), fraction, "fraction {:g}", "recalibration", "fractions in [0, 1]")
        return np.asarray(np.interp(fraction, self.fraction, self.level))


@plain("PIT", other="pit weight")
def recalibration(pit: PerEvent, *, weight: Weights = None, negative: str = "error") -> Recalibration:
    """Invert the weighted distribution of u: of other events, those with u ≤ level(p) are a fraction p.

    Parameters
    ----------
    pit : u of each event, in [0, 1]
    weight : event weights, one an event; by default 1
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`verax.conformal.checked_weight`

    Raises
    ------
    InputError : for no events, values outside [0, 1], or weights of no use

    Source: Kuleshov, Fenner, Ermon, arXiv:1807.00263, algorithm 1.

    >>> level = recalibration(np.linspace(0.3, 0.7, 999))  # a prediction that is too wide
    >>> level(np.array([0.05, 0.5, 0.95])).round(3)
    array([0.32, 0.5 , 0.68])
    """
    table = distribution(pit, weight, negative)
    fraction = np.maximum(table.passed, 0.0) / (table.total + table.test_weight)  # signed sums can begin below zero
    return Recalibration(np.append(np.append(0.0, fraction), 1.0), np.append(np.append(0.0, table.score), 1.0))


def distribution(pit: FloatArray, weight: FloatArray | None, negative: str) -> Ordered:
    """Sorted u with running weight, checked."""
    refuse(~((pit >= 0) & (pit <= 1)), pit, "value {:g}", "PIT", "values in [0, 1]")
    if not pit.size:
        raise InputError("PIT", "no events", "values in [0, 1]")
    return ordered(pit, weight=weight, negative=negative, where="PIT")
