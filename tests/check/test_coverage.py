"""Coverage of intervals whose coverage is known."""

import math

import numpy as np
import pytest

from verax.check import coverage, coverage_by, median_with_error
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


def test_weights_count() -> None:
    """Half of the weight lies where intervals of half width hold less; negative weights take events away exactly."""
    rng = np.random.default_rng(3)
    y, weight = rng.normal(size=60_000), np.repeat([3.0, 1.0], [20_000, 40_000])
    half = np.repeat([1.0, 0.5], [20_000, 40_000])
    zero = np.zeros(len(y))
    intervals = Interval("y", 0.6827, zero, zero - half, zero + half, zero.astype(int))
    found = coverage(intervals, y, weight)
    inside = np.repeat([0.6827, 0.3829], [20_000, 40_000])
    expected, spread = weight @ inside / weight.sum(), math.sqrt(weight**2 @ (inside * (1 - inside))) / weight.sum()
    assert found.fraction == pytest.approx(expected, abs=4 * spread)
    assert found.error == pytest.approx(math.sqrt(0.6827 * 0.3173 * (weight**2).sum()) / weight.sum())
    assert (found.width, found.n) == (2.0, 60_000)

    twice = Interval(
        "y", 0.6827, *(np.concatenate([x, x[:5000]]) for x in (zero, zero - half, zero + half)), np.zeros(65_000, int)
    )
    gone = coverage(twice, np.concatenate([y, y[:5000]]), np.concatenate([np.ones(60_000), -np.ones(5000)]))
    rest = coverage(Interval("y", 0.6827, zero[5000:], -half[5000:], half[5000:], zero[5000:].astype(int)), y[5000:])
    assert gone.fraction == pytest.approx(rest.fraction, abs=1e-12)
    assert gone.width == rest.width
    assert gone.error > rest.error  # it has been added and taken away again, with fluctuations
    with pytest.raises(InputError, match="sum above zero"):
        coverage(intervals, y, -weight)
    with pytest.raises(InputError, match="weights of shape"):
        coverage(intervals, y, weight[:7])


def test_intervals_that_share_a_calibration_set_vary_together() -> None:
    """Right split conformal intervals: 1,000 calibration points, 10,000 tests. Binomial errors find faults in a third."""
    rng, level, n = np.random.default_rng(4), 0.9, 1000
    pulls = []
    for _ in range(400):
        reach = np.sort(abs(rng.normal(size=n)))[math.ceil((n + 1) * level) - 1]
        y = rng.normal(size=10_000)
        zero = np.zeros(len(y))
        intervals = Interval("y", level, zero, zero - reach, zero + reach, zero.astype(int))
        pulls.append([coverage(intervals, y).pull, coverage(intervals, y, calibration=n).pull])
    binomial, shared = np.array(pulls).T
    assert (abs(binomial) > 3).mean() > 0.25
    assert (abs(shared) > 3).mean() <= 0.015  # 0.27 % expected of a normal one: 1.1 of 400
    assert shared.std() == pytest.approx(1.0, abs=4 / math.sqrt(800))
    with pytest.raises(InputError, match="calibration points"):
        coverage(intervals, y, calibration=0)


def test_the_beta_binomial_variance_is_the_published_one() -> None:
    """m tests after n calibration points: Var = m a b (a + b + m) / (a + b)² / (a + b + 1), a + b = n + 1."""
    m, n, level = 200, 99, 0.9
    a, b = (n + 1) * level, (n + 1) * (1 - level)
    variance = m * a * b * (a + b + m) / (a + b) ** 2 / (a + b + 1) / m**2
    zero = np.zeros(m)
    assert coverage(
        Interval("y", level, zero, zero, zero, zero.astype(int)), 0.0, calibration=n
    ).error ** 2 == pytest.approx(variance)


def test_coverage_by_group_class_and_size() -> None:
    truth = np.repeat([0.0, 5.0], [300, 100])
    zero = np.zeros(400)
    intervals = Interval("y", 0.9, zero, zero - 1, zero + 1, np.where(np.arange(400) < 10, 2, 0))
    found = coverage_by(np.repeat(["near", "far"], [300, 100]), intervals, truth)
    assert {k: (c.fraction, c.n, c.failed) for k, c in found.items()} == {"far": (0.0, 100, 0), "near": (1.0, 290, 10)}
    member = np.array([[True, False, False], [True, True, False], [False, True, True], [True, True, True]])
    sets, label = PredictionSets(0.9, ("a", "b", "c"), member), np.array(["a", "c", "c", "b"])
    by_class = coverage_by(label, sets, label, calibration={"a": 10, "b": 20, "c": 30})
    assert {k: c.fraction for k, c in by_class.items()} == {"a": 1.0, "b": 1.0, "c": 0.5}
    assert {k: c.fraction for k, c in coverage_by(sets.size, sets, label).items()} == {1: 1.0, 2: 0.5, 3: 1.0}
    with pytest.raises(InputError, match="no calibration of group 'c'"):
        coverage_by(label, sets, label, calibration={"a": 10, "b": 20})
    with pytest.raises(InputError, match="groups of several types"):
        coverage_by(np.array(["a", None, "b", "a"], object), sets, label)
    with pytest.raises(InputError, match="groups of shape"):
        coverage_by(label[:3], sets, label)


def test_the_error_of_a_weighted_median_is_its_spread() -> None:
    rng = np.random.default_rng(5)
    weight = np.where(rng.random(600) < 0.1, -1.0, rng.exponential(1.0, 600))
    found = np.array([median_with_error(rng.normal(size=600), weight) for _ in range(600)])
    expected = 1.2533 * math.sqrt((weight**2).sum()) / weight.sum()
    assert found[:, 0].mean() == pytest.approx(0.0, abs=4 * expected / math.sqrt(600))
    assert found[:, 0].std() == pytest.approx(expected, rel=0.15)
    assert found[:, 1].mean() == pytest.approx(expected, rel=0.1)
