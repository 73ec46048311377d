"""Coverage: the fraction of intervals that hold the truth, always beside their width."""

import math
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from verax.errors import InputError
from verax.given import plain
from verax.results import Coverage, FloatArray, Interval, good


@runtime_checkable
class Sets(Protocol):
    """Sets of classes, one an event, such as :class:`verax.conformal.PredictionSets`."""

    @property
    def level(self) -> float: ...

    @property
    def size(self) -> Int[np.ndarray, " event"]: ...

    def holds(self, label: Any) -> Bool[np.ndarray, " event"]: ...


@plain("coverage", other="truth")
def coverage(intervals: Interval | Sets, truth: float | Shaped[np.ndarray, "..."]) -> Coverage:
    """Measure the coverage of a batch of intervals, or of prediction sets, whose width is their number of classes.

    The error is the binomial standard error √(c(1 − c)/n) at the nominal level c: the spread expected of a correct
    method, so that ``pull`` is a test of it. Intervals whose status is a failure are counted in ``failed`` and left
    out. An end may be infinite; an interval with an end that is not a number holds nothing.

    Parameters
    ----------
    intervals : any batch shape
    truth : one value, or one that broadcasts against the batch; the class of each set

    Raises
    ------
    InputError : when the truth does not broadcast to the batch, or is not finite

    Source: Neyman, Philosophical Transactions A 236 (1937) 333.

    >>> status = np.array([0, 0, 0, 2])
    >>> low, high = np.array([-1.0, -2.0, 0.5, np.nan]), np.array([1.0, 2.0, 1.5, np.nan])
    >>> result = coverage(Interval("mu", 0.68, (low + high) / 2, low, high, status), 0.0)
    >>> round(result.fraction, 3), result.width, result.n, result.failed
    (0.667, 2.0, 3, 1)
    """
    if isinstance(intervals, Sets):
        inside = np.asarray(intervals.holds(truth))
        used, widths = np.ones(inside.shape, bool), np.asarray(intervals.size, np.float64)
    else:
        low, high = np.asarray(intervals.low), np.asarray(intervals.high)
        target = np.asarray(truth, np.float64)
        if not np.isfinite(target).all():
            raise InputError("coverage", f"truth {truth}", "finite values")
        try:
            target = np.broadcast_to(target, low.shape)
        except ValueError as problem:
            got = f"truth of shape {target.shape}"
            raise InputError("coverage", got, f"a number or shape {low.shape}") from problem
        used, widths = good(np.asarray(intervals.status)), intervals.width
        inside = (low <= target) & (target <= high) & used
    n = int(used.sum())
    failed = int(used.size) - n
    if n == 0:
        nan = math.nan
        return Coverage(intervals.level, nan, nan, nan, nan, 0, failed)
    error = math.sqrt(intervals.level * (1 - intervals.level) / n)
    width, width_error = median_with_error(widths[used])
    return Coverage(intervals.level, float(inside.sum() / n), error, width, width_error, n, failed)


def median_with_error(values: Float[np.ndarray, " sample"]) -> tuple[float, float]:
    """Compute the median and its standard error, without assuming a density.

    The number of values below the true median is Binomial(n, ½), so the order statistics at ranks n/2 ± √n/2 bound it
    with 68 % confidence; half their distance is the error (not a number below five values, infinite where an end is).

    Parameters
    ----------
    values : in any order

    Source: Thompson, Annals of Mathematical Statistics 7 (1936) 122.

    >>> median_with_error(np.arange(101.0))
    (50.0, 5.0)
    """
    ordered: FloatArray = np.sort(np.asarray(values, np.float64))
    n = ordered.size
    middle = float(np.median(ordered))
    if n < 5:
        return middle, math.nan
    half = math.sqrt(n) / 2
    low, high = math.floor(n / 2 - half), min(math.ceil(n / 2 + half), n) - 1
    if math.isinf(ordered[high]):
        return middle, math.inf if math.isfinite(middle) else math.nan
    return middle, float(ordered[high] - ordered[low]) / 2
