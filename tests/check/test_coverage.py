"""Coverage of intervals whose coverage is known."""

import math

import numpy as np
import pytest

from verax.check import coverage, median_with_error
from verax.conformal import PredictionSets
from verax.errors import InputError
from verax.results import Interval, Status


def gaussian(n: int, *, half_width: float = 1.0, truth: float = 0.0, seed: int = 0) -> Interval:
    value = np.random.default_rng(seed).normal(truth, 1.0, n)
    return Interval("mu", 0.6827, value, value - half_width, value + half_width, np.zeros(n, np.int64))


def test_a_correct_interval_covers() -> None:
    result = coverage(gaussian(20_000, truth=0.7), 0.7)
    assert abs(result.pull) < 3
    assert result.error == pytest.approx(math.sqrt(0.6827 * 0.3173 / 20_000))
    assert result.width == pytest.approx(2.0)
    assert result.width_error == pytest.approx(0.0, abs=1e-12)
    assert (result.n, result.failed) == (20_000, 0)


@pytest.mark.parametrize(("half_width", "sign"), [(0.9, -1), (1.1, 1)])
def test_a_wrong_interval_is_found(half_width: float, sign: int) -> None:
    assert sign * coverage(gaussian(20_000, half_width=half_width), 0.0).pull > 5


def test_failures_are_counted_and_left_out() -> None:
    status = np.array([Status.OK, Status.AT_BOUND, Status.MAX_STEPS, Status.END_NOT_FOUND, Status.NOT_FINITE])
    low, high = np.array([-1.0, 0.5, -1.0, np.nan, np.nan]), np.array([1.0, 1.5, 1.0, 1.0, np.nan])
    result = coverage(Interval("mu", 0.68, low, low, high, status), 0)
    assert (result.n, result.failed, result.fraction) == (2, 3, 0.5)


def test_without_any_good_interval_nothing_is_claimed() -> None:
    one = np.zeros(3)
    result = coverage(Interval("mu", 0.68, one, one, one, np.full(3, Status.NOT_FINITE)), 0.0)
    assert math.isnan(result.fraction)
    assert math.isnan(result.pull)
    assert (result.n, result.failed) == (0, 3)


def test_an_end_that_is_no_number_holds_nothing_and_an_infinite_one_all() -> None:
    low, high = np.array([np.nan, -np.inf, -np.inf]), np.array([1.0, 1.0, -5.0])
    assert coverage(Interval("mu", 0.9, high, low, high, np.zeros(3, np.int64)), 0.0).fraction == pytest.approx(1 / 3)


def test_each_interval_may_have_its_own_truth() -> None:
    truth = np.linspace(-5, 5, 4000)
    centred = gaussian(4000)
    moved = Interval("mu", 0.6827, centred.value + truth, centred.low + truth, centred.high + truth, centred.status)
    assert coverage(moved, truth).fraction == coverage(centred, 0.0).fraction
    with pytest.raises(InputError, match="shape"):
        coverage(moved, truth[:7])
    with pytest.raises(InputError, match="finite"):
        coverage(moved, math.nan)


def test_the_error_of_the_median_is_its_spread() -> None:
    """For a normal sample the median's standard deviation is 1.2533/√n."""
    rng = np.random.default_rng(1)
    found = np.array([median_with_error(rng.normal(size=400)) for _ in range(400)])
    expected = 1.2533 / math.sqrt(400)
    assert found[:, 0].std() == pytest.approx(expected, rel=0.15)  # 4 σ of a standard deviation from 400 samples
    assert found[:, 1].mean() == pytest.approx(expected, rel=0.1)
    assert math.isnan(median_with_error(np.ones(3))[1])


def test_prediction_sets_are_judged_by_the_classes_that_they_hold() -> None:
    member = np.array([[True, False, False], [True, True, False], [False, True, True], [True, True, True], [False] * 3])
    found = coverage(PredictionSets(0.9, ("a", "b", "c"), member), np.array(["a", "c", "c", "b", "a"]))
    assert (found.fraction, found.width, found.n, found.failed) == (0.6, 2.0, 5, 0)
    assert found.error == pytest.approx(math.sqrt(0.9 * 0.1 / 5))
    with pytest.raises(InputError, match=r"labels of shape \(4,\)"):
        coverage(PredictionSets(0.9, ("a", "b", "c"), member), np.array(["a", "c", "c", "b"]))
