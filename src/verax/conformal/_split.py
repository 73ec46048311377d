"""Split conformal intervals around a mean, of one width or scaled by a predicted spread.

Papadopoulos, Proedrou, Vovk, Gammerman, "Inductive confidence machines for regression", ECML 2002; with a spread: Lei et
al., arXiv:1604.04173, section 5.2 (locally weighted, or normalised). The guarantee needs calibration points that neither
the mean nor the spread was trained on. Given the calibration set, coverage follows Beta(k, n + 1 − k), k = ⌈(n+1)·level⌉.
"""

import numpy as np
from jaxtyping import Float

from verax.errors import InputError
from verax.given import plain
from verax.results import Interval


@plain("absolute", finite="y mean", alike="y mean")
def absolute(y: Float[np.ndarray, " point"], mean: Float[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
    """Score |y − μ(x)|."""
    return np.asarray(np.abs(y - mean))


@plain("normalised", finite="y mean", number="spread", alike="y mean spread")
def normalised(
    y: Float[np.ndarray, " point"], mean: Float[np.ndarray, " point"], spread: Float[np.ndarray, " point"]
) -> Float[np.ndarray, " point"]:
    """Score |y − μ(x)| / σ(x).

    Raises
    ------
    InputError : for a spread that is not positive and finite
    """
    return np.asarray(np.abs(y - mean) / positive(spread))


@plain("band", finite="mean", number="quantile spread")
def band(
    mean: Float[np.ndarray, " test"],
    quantile: float | Float[np.ndarray, " test"],
    *,
    level: float,
    spread: Float[np.ndarray, " test"] | None = None,
) -> Interval:
    """The interval μ ± q, or μ ± qσ: all y whose score is at most q (one, or one for each point).

    >>> band(np.array([1.0]), 2.0, level=0.9, spread=np.array([0.5])).high
    array([2.])
    """
    half = np.broadcast_to(np.asarray(quantile, np.float64), mean.shape)
    half = half if spread is None else half * positive(spread)
    return make_interval(level, mean, mean - half, mean + half)


def make_interval(
    level: float,
    value: Float[np.ndarray, " test"],
    low: Float[np.ndarray, " test"],
    high: Float[np.ndarray, " test"],
) -> Interval:
    """A batch of prediction intervals of y; an infinite end is a valid one."""
    return Interval("y", level, np.asarray(value), np.asarray(low), np.asarray(high), np.zeros(np.shape(low), np.int64))


def positive(spread: Float[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
    """The spread, checked."""
    wrong = ~((spread > 0) & np.isfinite(spread))
    if wrong.any():
        raise InputError("normalised", f"spread {spread[wrong][0]:g}", "positive finite spreads", "add a floor to it")
    return spread
