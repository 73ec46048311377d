"""Conformalised quantile regression (Romano, Patterson, Candès, arXiv:1905.03222)."""

from typing import TypeAlias

import numpy as np

from verax.errors import InputError
from verax.given import PerPoint, PerTest, plain
from verax.results import Interval

from ._split import make_interval

End: TypeAlias = float | PerTest
"""By how much an end of a band moves outwards: one number, or one for each point."""


def check_levels(levels: tuple[float, ...]) -> None:
    """Check that quantile levels lie in (0, 1) and increase.

    Parameters
    ----------
    levels : of the quantiles, in the order of their columns

    Raises
    ------
    InputError : when they do not

    >>> check_levels((0.05, 0.5, 0.95))
    """
    if not all(0 < level < 1 for level in levels) or any(a >= b for a, b in zip(levels[:-1], levels[1:], strict=True)):
        raise InputError("quantile levels", ", ".join(f"{level:g}" for level in levels), "increasing levels in (0, 1)")


@plain("cqr", finite="y low high")
def cqr(y: PerPoint, low: PerPoint, high: PerPoint) -> PerPoint:
    """Score points by max(q_low(x) − y, y − q_high(x)), which is negative inside the band of two quantiles.

    Parameters
    ----------
    y : true values, in units of the target
    low : predicted lower quantiles; where they cross they are exchanged
    high : predicted upper quantiles

    Raises
    ------
    InputError : for values that are not finite, or arrays of different shapes

    Source: Romano, Patterson, Candès, arXiv:1905.03222.

    >>> cqr(np.array([0.5, 3.0]), np.zeros(2), np.ones(2))
    array([-0.5,  2. ])
    """
    return np.maximum(np.minimum(low, high) - y, y - np.maximum(low, high))


@plain("cqr_sides", finite="y low high")
def cqr_sides(y: PerPoint, low: PerPoint, high: PerPoint) -> tuple[PerPoint, PerPoint]:
    """Score each side of a band by itself, q_low(x) − y and y − q_high(x), for asymmetric bands.

    With the quantile of each at (1 + level)/2, each end misses with probability at most (1 − level)/2: a stronger
    promise than that of :func:`cqr`, at the price of somewhat wider bands.

    Parameters
    ----------
    y : true values, in units of the target
    low : predicted lower quantiles; where they cross they are exchanged
    high : predicted upper quantiles

    Returns
    -------
    Scores of the lower and of the upper side

    Raises
    ------
    InputError : for values that are not finite, or arrays of different shapes

    Source: Romano, Patterson, Candès, arXiv:1905.03222, theorem 2.

    >>> y, zero = np.random.default_rng(1).exponential(size=999), np.zeros(999)
    >>> from verax.conformal import conformalize
    >>> below, above = (conformalize(side, level=0.95).value for side in cqr_sides(y, zero, zero))
    >>> band = cqr_band(zero[:1], zero[:1], (below, above), level=0.9)
    >>> round(float(band.low[0]), 2), round(float(band.high[0]), 1)  # −ln 0.95 and −ln 0.05
    (0.05, 3.0)
    """
    return np.minimum(low, high) - y, y - np.maximum(low, high)


@plain("cqr_band", finite="low high value")
def cqr_band(
    low: PerTest, high: PerTest, quantile: End | tuple[End, End], *, level: float, value: PerTest | None = None
) -> Interval:
    """Make the interval [q_low − q, q_high + q].

    A negative q narrows the band; where nothing would be left, the interval is the middle of the band, or the point
    half-way between the ends that crossed.

    Parameters
    ----------
    low : predicted lower quantiles at new points
    high : predicted upper quantiles
    quantile : q, one number or one for each point; a pair of them, of :func:`cqr_sides`, moves each end by its own
    level : requested coverage, which the interval is labelled with
    value : the predicted median; by default the middle of the band

    Raises
    ------
    InputError : for predictions that are not finite, arrays of different shapes, or a quantile of NaN

    >>> cqr_band(np.zeros(1), np.ones(1), 0.5, level=0.9).low
    array([-0.5])
    """
    if any(np.isnan(q).any() for q in (quantile if isinstance(quantile, tuple) else (quantile,))):
        raise InputError("cqr_band", "a quantile of NaN", "numbers")
    bottom, top = np.minimum(low, high), np.maximum(low, high)
    middle = bottom + (top - bottom) / 2
    pair = quantile if isinstance(quantile, tuple) else (quantile, quantile)
    below, above = (np.broadcast_to(np.asarray(q, np.float64), middle.shape) for q in pair)
    start, stop = bottom - below, top + above
    empty = start > stop
    with np.errstate(invalid="ignore"):
        meet = middle if pair[0] is pair[1] else start + (stop - start) / 2
    ends = np.where(empty, meet, start), np.where(empty, meet, stop)
    return make_interval(level, middle if value is None else value, *ends)
