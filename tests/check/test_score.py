"""The challenge's score, against the organisers' own numbers."""

import json
import math

import numpy as np
import pytest

from verax.check import coverage_penalty, score, score_value
from verax.errors import InputError
from verax.results import Interval, Status


def intervals(low, high, status=None, level=0.6827):
    low, high = np.asarray(low, float), np.asarray(high, float)
    status = np.zeros(low.shape, int) if status is None else np.asarray(status)
    return Interval("mu", level, (low + high) / 2, low, high, status)


def test_published_scores(shared):
    golden = json.loads((shared / "fair_universe" / "golden" / "golden_score.json").read_text())
    for row in golden:
        ours = score_value(row["width"], row["coverage"], row["n"])
        assert ours == pytest.approx(row["score"], abs=1e-12), row
    assert len(golden) > 50


def test_the_same_from_intervals():
    """1,000 intervals of width 0.46, 600 of which hold the truth: −4.3762 in the organisers' implementation."""
    truth = np.full(1000, 1.0)
    low = np.where(np.arange(1000) < 600, 0.8, 1.1)
    result = score(intervals(low, low + 0.46), truth)
    assert result.score == pytest.approx(-4.3761966045932565, abs=1e-9)
    assert (result.coverage, result.n, result.failed) == (0.6, 1000, 0)
    assert result.width == pytest.approx(0.46)
    assert result.error == pytest.approx(math.sqrt(0.6827 * 0.3173 / 1000))


@pytest.mark.parametrize(("coverage", "width"), [(0.6683, 0.4599), (0.6698, 0.4974), (0.6659, 0.8134)])
def test_published_winners_pay_no_penalty_in_a_set_of_one_thousand(coverage, width):
    assert score_value(width, coverage, 1000) == -math.log(width + 0.001)


def test_under_coverage_costs_more_than_over_coverage():
    sigma = math.sqrt(0.6827 * 0.3173 / 1000)
    assert coverage_penalty(0.6827 - 5 * sigma, 1000) == pytest.approx(1 + 3**4)
    assert coverage_penalty(0.6827 + 5 * sigma, 1000) == pytest.approx(1 + 3**3)
    assert coverage_penalty(0.6827 + 1.999 * sigma, 1000) == coverage_penalty(0.6827 - 1.999 * sigma, 1000) == 1


def test_pooling_hides_what_each_truth_shows():
    """Covers always at μ = 1 and in 36.54 % at μ = 2: pooled the nominal 68.27 %."""
    truth = np.repeat([1.0, 2.0], 5000)
    low = np.concatenate([np.full(5000, 0.8), np.where(np.arange(5000) < 1827, 1.8, 2.1)])
    result = score(intervals(low, low + 0.4), truth)
    assert result.penalty == 1
    assert result.truths == (1.0, 2.0)
    assert [c.fraction for c in result.by_truth] == [1.0, 0.3654]
    assert min(abs(c.pull) for c in result.by_truth) > 40


def test_failed_intervals_are_counted_and_left_out():
    low, high = [0.9, 0.9, 0.9, np.nan, 0.9], [1.1, 1.1, np.inf, 1.1, 1.1]
    result = score(intervals(low, high, [0, Status.AT_BOUND, 0, 0, Status.MAX_STEPS]), 1.0)
    assert (result.n, result.failed, result.coverage) == (2, 3, 1.0)
    assert (result.by_truth[0].n, result.by_truth[0].failed) == (2, 3)
    assert result.width == pytest.approx(0.2)
    none = score(intervals([np.nan], [1.0]), 1.0)
    assert (none.n, none.failed) == (0, 1)
    assert math.isnan(none.score)


def test_bad_input():
    with pytest.raises(InputError, match="level"):
        score(intervals([0.0], [1.0], level=0.95), 1.0)
    with pytest.raises(InputError, match="truth"):
        score(intervals([0.0, 0.0], [1.0, 1.0]), np.ones(3))
    with pytest.raises(InputError, match="fraction"):
        score_value(1.0, 1.5, 10)
