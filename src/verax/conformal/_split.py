"""Split conformal intervals around a mean, of one width or scaled by a predicted spread.

Papadopoulos, Proedrou, Vovk, Gammerman, "Inductive confidence machines for regression", ECML 2002; with a spread: Lei et
al., arXiv:1604.04173, section 5.2 (locally weighted, or normalised). The guarantee needs calibration points that neither
the mean nor the spread was trained on. Given the calibration set, coverage follows Beta(k, n + 1 − k), k = ⌈(n+1)·level⌉.
"""

import numpy as np

from verax.given import PerPoint, PerTest, plain, refuse
from verax.results import Interval


@plain("absolute", finite="y mean")
def absolute(y: PerPoint, mean: PerPoint) -> PerPoint:
    """Score points by |y − μ(x)|, for intervals of one width.

    Parameters
    ----------
    y : true values, in units of the target
    mean : predictions μ(x)

    Raises
    ------
    InputError : for values that are not finite, or arrays of different shapes

    >>> absolute(np.array([1.0, 2.0]), np.array([1.5, 1.0]))
    array([0.5, 1. ])
    """
    return np.asarray(np.abs(y - mean))


@plain("normalised", finite="y mean", number="spread")
def normalised(y: PerPoint, mean: PerPoint, spread: PerPoint) -> PerPoint:
    """Score points by |y − μ(x)| / σ(x), for intervals whose width follows a predicted spread.

    Parameters
    ----------
    y : true values, in units of the target
    mean : predictions μ(x)
    spread : predicted σ(x) > 0; any scale of the error will do

    Raises
    ------
    InputError : for values that are not finite, arrays of different shapes, or a spread that is not positive

    Source: Lei et al., arXiv:1604.04173, section 5.2.

    >>> normalised(np.array([1.0, 2.0]), np.array([1.5, 1.0]), np.array([0.5, 2.0]))
    array([1. , 0.5])
    """
    return np.asarray(np.abs(y - mean) / positive(spread))


@plain("band", finite="mean", number="quantile spread")
def band(mean: PerTest, quantile: float | PerTest, *, level: float, spread: PerTest | None = None) -> Interval:
    """Make the interval μ ± q, or μ ± qσ: all y whose score is at most q.

    Parameters
    ----------
    mean : predictions μ(x) at new points
    quantile : q, one number or one for each point; +∞ makes an interval without ends
    level : requested coverage, which the interval is labelled with
    spread : predicted σ(x), where the scores were :func:`normalised`

    Raises
    ------
    InputError : for means that are not finite, quantiles of NaN, or a spread that is not positive

    >>> band(np.array([1.0]), 2.0, level=0.9, spread=np.array([0.5])).high
    array([2.])
    """
    half = np.broadcast_to(np.asarray(quantile, np.float64), mean.shape)
    half = half if spread is None else half * positive(spread)
    return make_interval(level, mean, mean - half, mean + half)


def make_interval(level: float, value: PerTest, low: PerTest, high: PerTest) -> Interval:
    """A batch of prediction intervals of y; an infinite end is a valid one."""
    return Interval("y", level, np.asarray(value), np.asarray(low), np.asarray(high), np.zeros(np.shape(low), np.int64))


def positive(spread: PerPoint) -> PerPoint:
    """The spread, checked."""
    wrong = ~((spread > 0) & np.isfinite(spread))
    seen = f"spread {{:g}}, one of {wrong.sum()} in {wrong.size} that are not positive"
    action = "give one with a floor: lambda x: np.maximum(model.predict(x), least)"
    refuse(wrong, spread, seen, "normalised", "positive finite spreads", action)
    return spread
