"""The score of the FAIR Universe HiggsML Uncertainty Challenge: narrow intervals that cover (arXiv:2410.02867)."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from verax.errors import InputError
from verax.given import plain
from verax.results import Coverage, Interval, good

from ._coverage import coverage

LEVEL = 0.6827
"""Confidence level that the score is defined for."""

EPSILON = 0.001
"""Added to the width (in units of μ), so that a width of zero has a score."""


@dataclass(frozen=True)
class Score:
    """Score of a batch of intervals.

    Parameters
    ----------
    score : −ln((width + 0.001)·penalty), larger is better; NaN without any interval
    width : mean length of the intervals that count
    coverage, error : fraction that hold the truth, and √(c(1 − c)/n) at the nominal level c = 0.6827
    penalty : f of :func:`coverage_penalty`, 1 within two errors of the nominal level
    n, failed : intervals that count, and those left out because their status is a failure or an end is not finite
    truths, by_truth : distinct values of the truth, and the coverage at each: the pooled one hides what they differ in
    """

    score: float
    width: float
    coverage: float
    error: float
    penalty: float
    n: int
    failed: int
    truths: tuple[float, ...]
    by_truth: tuple[Coverage, ...]


@plain("score", other="truth")
def score(intervals: Interval, truth: float | Float[np.ndarray, "..."]) -> Score:
    """Score a batch of intervals at 68.27 % against the true values; pooled, with the coverage per truth beside it.

    An interval with a failed status, or with an end that is infinite or not a number, has no width: it is left out and
    counted in ``failed``, in the pooled numbers and per truth alike. The challenge has no failed intervals; a method
    that fails must be judged by ``failed`` too.

    Parameters
    ----------
    intervals : any batch shape
    truth : one value, or one that broadcasts against the batch

    Raises
    ------
    InputError : for another level than 68.27 %, or a truth that does not broadcast to the batch or is not finite

    Source: FAIR Universe, arXiv:2410.02867.

    >>> mean = np.linspace(-1.46, 1.46, 1000)  # 685 of 1000 within ±1 of zero
    >>> round(score(Interval("mu", 0.6827, mean, mean - 1, mean + 1, np.zeros(1000, int)), 0.0).score, 3)
    -0.694
    """
    if abs(intervals.level - LEVEL) > 1e-3:
        raise InputError("score", f"intervals at level {intervals.level}", f"level {LEVEL}", "make intervals at 0.6827")
    coverage(intervals, truth)  # raises for a truth that does not fit
    low, high = np.asarray(intervals.low).ravel(), np.asarray(intervals.high).ravel()
    target = np.broadcast_to(np.asarray(truth, np.float64), np.shape(intervals.low)).ravel()
    used = good(np.asarray(intervals.status).ravel()) & np.isfinite(low) & np.isfinite(high)
    n, failed = int(used.sum()), int(used.size - used.sum())
    truths = tuple(np.unique(target).tolist())
    by_truth = tuple(_coverage(low, high, used, target, value) for value in truths)
    if n == 0:
        nan = math.nan
        return Score(nan, nan, nan, nan, nan, 0, failed, truths, by_truth)
    width = float(np.abs(high - low)[used].mean())
    fraction = float(((low <= target) & (target <= high))[used].mean())
    value, factor = score_value(width, fraction, n), coverage_penalty(fraction, n)
    return Score(value, width, fraction, _error(n), factor, n, failed, truths, by_truth)


def score_value(width: float, fraction: float, n: int) -> float:
    """Compute −ln((width + 0.001)·penalty) of ``n`` intervals of mean ``width`` that cover in a ``fraction`` of cases.

    Parameters
    ----------
    width : mean length of the intervals, in units of μ
    fraction : of intervals that hold the truth
    n : number of intervals

    >>> round(score_value(0.46, 0.6827, 1000), 4)
    0.7744
    """
    return -math.log((width + EPSILON) * coverage_penalty(fraction, n))


def coverage_penalty(fraction: float, n: int) -> float:
    """Compute the factor on the width of ``n`` intervals: 1 within 2σ of 0.6827 for σ = √(0.6827·0.3173/n).

    Beyond, 1 + d⁴ below and 1 + d³ above, where d counts the σ beyond: too small intervals cost more.

    Parameters
    ----------
    fraction : of intervals that hold the truth
    n : number of intervals

    Raises
    ------
    InputError : for no interval, or a fraction outside [0, 1]

    >>> round(coverage_penalty(0.6, 1000), 1)  # 5.6σ below: 1 + 3.6⁴
    172.5
    """
    if n < 1 or not 0 <= fraction <= 1:
        raise InputError("score", f"coverage {fraction} of {n} intervals", "a fraction in [0, 1] of at least one")
    pull = (fraction - LEVEL) / _error(n)
    if pull < -2:
        return 1 + (pull + 2) ** 4
    return 1 + (pull - 2) ** 3 if pull > 2 else 1.0


def _error(n: int) -> float:
    return math.sqrt(LEVEL * (1 - LEVEL) / n)


def _coverage(low: np.ndarray, high: np.ndarray, used: np.ndarray, target: np.ndarray, truth: float) -> Coverage:
    """Coverage of the intervals with that truth; those that do not count are failures."""
    here = target == truth
    status = np.where(used[here], 0, 5)
    middle = np.where(used[here], (low[here] + high[here]) / 2, 0.0)
    return coverage(Interval("", LEVEL, middle, low[here], high[here], status), float(truth))
