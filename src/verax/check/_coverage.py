"""Coverage: the fraction of intervals that hold the truth, always beside their width."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from verax.errors import InputError
from verax.given import Weights, effective_size, plain, refuse
from verax.results import Coverage, FloatArray, Interval, good


@runtime_checkable
class Sets(Protocol):
    """Sets of classes, one an event, such as :class:`verax.conformal.PredictionSets`."""

    @property
    def level(self) -> float: ...

    @property
    def size(self) -> Int[np.ndarray, " event"]: ...

    def holds(self, label: Any) -> Bool[np.ndarray, " event"]: ...


@plain("coverage", other="truth", finite="weight")
def coverage(
    intervals: Interval | Sets,
    truth: float | Shaped[np.ndarray, "..."],
    weight: Weights = None,
    *,
    calibration: float | None = None,
) -> Coverage:
    """Measure the coverage of a batch of intervals, or of prediction sets, whose width is their number of classes.

    The error is the spread expected of a correct method at the nominal level c, so that ``pull`` is a test of it: binomial,
    √(c(1 − c)/n), with n_eff = (Σw)²/Σw² in place of n where there are weights. Intervals that share one calibration set
    of n_c points cover more or less often together: their coverage is Beta-distributed around c, the number that holds the
    truth Beta-binomial, and the error √(c(1 − c) [1/n + (1 − 1/n)/(n_c + 2)]). Intervals whose status is a failure are
    counted in ``failed`` and left out. An end may be infinite; an interval with an end that is not a number holds nothing.

    Parameters
    ----------
    intervals : any batch shape
    truth : one value, or one that broadcasts against the batch; the class of each set
    weight : of each interval, of any sign; the fraction is Σ w of those that hold the truth / Σ w, the width a weighted
        median
    calibration : points that all intervals were calibrated on, as by split conformal prediction; (Σw)²/Σw² of weighted ones

    Raises
    ------
    InputError : when truth or weights do not broadcast to the batch, or are not finite; for weights with a sum that is not
        positive; for less than one calibration point

    Source: Neyman, Philosophical Transactions A 236 (1937) 333; Vovk, arXiv:1209.2673, for shared calibration.

    >>> status = np.array([0, 0, 0, 2])
    >>> low, high = np.array([-1.0, -2.0, 0.5, np.nan]), np.array([1.0, 2.0, 1.5, np.nan])
    >>> result = coverage(Interval("mu", 0.68, (low + high) / 2, low, high, status), 0.0)
    >>> round(result.fraction, 3), result.width, result.n, result.failed
    (0.667, 2.0, 3, 1)
    """
    return _summary(_judge(intervals, truth, weight), calibration)


@plain("coverage_by", other="truth group", finite="weight")
def coverage_by(
    group: Shaped[np.ndarray, "..."],
    intervals: Interval | Sets,
    truth: float | Shaped[np.ndarray, "..."],
    weight: Weights = None,
    *,
    calibration: float | Mapping[Any, float] | None = None,
) -> dict[Any, Coverage]:
    """Measure the coverage of each group by itself: an average over all may hide groups that are covered too rarely.

    Parameters
    ----------
    group : of each interval; the truth for coverage by class, ``sets.size`` for coverage by size
    intervals : any batch shape
    truth : as in :func:`coverage`
    weight : as in :func:`coverage`
    calibration : points that all were calibrated on; by group, where each was calibrated on its own

    Raises
    ------
    InputError : as :func:`coverage`, and for groups that do not broadcast to the batch

    Source: Romano, Sesia and Candès, arXiv:2006.02544, for coverage by group.

    >>> low, status = np.array([-1.0, -1.0, 0.5, -1.0]), np.zeros(4, int)
    >>> found = coverage_by(["a", "b", "b", "b"], Interval("y", 0.68, low + 1, low, low + 2, status), 0.0)
    >>> {name: round(c.fraction, 2) for name, c in found.items()}
    {'a': 1.0, 'b': 0.67}
    """
    judged = _judge(intervals, truth, weight)
    of = _broadcast(group, judged.inside.shape, "groups")
    if of.dtype.kind == "f":
        refuse(~np.isfinite(of), of, "group {}", "coverage_by", "finite numbers, or names")
    try:
        names = [name.item() if isinstance(name, np.generic) else name for name in np.unique(of)]
    except TypeError as problem:
        raise InputError("coverage_by", "groups of several types", "all names, or all numbers") from problem
    own = dict(calibration) if isinstance(calibration, Mapping) else dict.fromkeys(names, calibration)
    if missing := [name for name in names if name not in own]:
        raise InputError("coverage_by", f"no calibration of group {missing[0]!r}", "one for each group")
    return {name: _summary(judged.take(of == name), own[name]) for name in names}


class _Judged(NamedTuple):
    """Whether each interval holds the truth and may be used, its width and weight, all of the batch's shape."""

    level: float
    inside: np.ndarray
    used: np.ndarray
    width: np.ndarray
    weight: np.ndarray

    def take(self, rows: np.ndarray) -> "_Judged":
        return _Judged(self.level, *(x[rows] for x in self[1:]))


def _judge(intervals: Interval | Sets, truth: Any, weight: Any) -> _Judged:
    if isinstance(intervals, Sets):
        inside = np.asarray(intervals.holds(truth))
        used, widths = np.ones(inside.shape, bool), np.asarray(intervals.size, np.float64)
    else:
        low, high = np.asarray(intervals.low), np.asarray(intervals.high)
        target = np.asarray(truth, np.float64)
        if not np.isfinite(target).all():
            raise InputError("coverage", f"truth {truth}", "finite values")
        target = _broadcast(target, low.shape, "truth")
        used, widths = good(np.asarray(intervals.status)), intervals.width
        inside = (low <= target) & (target <= high) & used
    weights = _broadcast(1.0 if weight is None else weight, inside.shape, "weights")
    return _Judged(intervals.level, inside, used, np.broadcast_to(widths, inside.shape), weights)


def _broadcast(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    try:
        return np.broadcast_to(value, shape)
    except ValueError as problem:
        raise InputError("coverage", f"{name} of shape {np.shape(value)}", f"a number or shape {shape}") from problem


def _summary(judged: _Judged, calibration: float | None) -> Coverage:
    level, inside, used, width, weight = judged
    if calibration is not None and not calibration >= 1:
        raise InputError("coverage", f"{calibration} calibration points", "one or more")
    n, failed = int(used.sum()), int(used.size - used.sum())
    if n == 0:
        nan = math.nan
        return Coverage(level, nan, nan, nan, nan, 0, failed)
    weight = np.asarray(weight[used], np.float64)
    if not weight.sum() > 0:
        raise InputError("coverage", f"weights with the sum {weight.sum():g}", "a sum above zero")
    size = effective_size(weight)
    shared = 0.0 if calibration is None else (1 - 1 / size) / (calibration + 2)
    error = math.sqrt(level * (1 - level) * (1 / size + shared))
    middle, middle_error = median_with_error(width[used], weight)
    return Coverage(level, float(weight @ inside[used] / weight.sum()), error, middle, middle_error, n, failed)


def median_with_error(values: Float[np.ndarray, " sample"], weight: Weights = None) -> tuple[float, float]:
    """Compute the median and its standard error, without assuming a density.

    The number of values below the true median is Binomial(n, ½), so the order statistics at ranks n/2 ± √n/2 bound it
    with 68 % confidence; half their distance is the error (not a number below five values, infinite where an end is). With
    weights a rank is the sum of weights up to a value, and the ranks are Σw/2 ± √(Σw²)/2.

    Parameters
    ----------
    values : in any order
    weight : of each value, of any sign: where they make the sum fall, the rank stays as high as it was

    Source: Thompson, Annals of Mathematical Statistics 7 (1936) 122.

    >>> median_with_error(np.arange(101.0))
    (50.0, 5.0)
    >>> median_with_error(np.arange(3.0), np.array([1.0, 1.0, 8.0]))[0]
    2.0
    """
    given: FloatArray = np.asarray(values, np.float64)
    weights = np.ones(given.size) if weight is None else np.asarray(weight, np.float64)
    order = np.argsort(given, kind="stable")
    ordered, rank = given[order], np.maximum.accumulate(np.cumsum(weights[order]))
    total, half = weights.sum(), math.sqrt(float((weights**2).sum())) / 2
    last = len(ordered) - 1

    def at(position: float, side: Literal["left", "right"]) -> float:
        return float(ordered[min(int(np.searchsorted(rank, position, side)), last)])

    middle = (at(total / 2, "left") + at(total / 2, "right")) / 2
    if effective_size(weights) < 5:
        return middle, math.nan
    low, high = at(total / 2 - half, "right"), at(total / 2 + half, "left")
    if math.isinf(high):
        return middle, math.inf if math.isfinite(middle) else math.nan
    return middle, (high - low) / 2
