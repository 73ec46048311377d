"""Calibration of predicted distributions: coverage of quantiles, PIT and recalibration, with weights."""

import jax
import numpy as np
import pytest
from scipy.stats import kstest, norm

from keys import key_from
from verax.calibrate import pit_normal, pit_samples, quantile_calibration, recalibration, uniformity
from verax.errors import InputError

LEVELS = np.array([0.1, 0.25, 0.5, 0.75, 0.9])


def test_errors_of_observed_fractions_are_their_spread():
    rng, pulls = np.random.default_rng(1), []
    for _ in range(300):
        weight = rng.uniform(0.5, 1.5, 400) * np.where(rng.random(400) < 0.2, -1, 1)
        quantile = np.broadcast_to(norm.ppf(LEVELS), (400, 5))
        result = quantile_calibration(rng.normal(size=400), quantile, LEVELS, weight=weight, negative="signed")
        pulls.append((result.observed - result.level) / result.error)
    pulls = np.array(pulls)
    assert np.abs(pulls.mean(0)).max() < 4 / np.sqrt(300)
    assert np.abs(pulls.std(0) - 1).max() < 4 / np.sqrt(600)
    wide = quantile_calibration(rng.normal(size=4000), 2 * np.broadcast_to(norm.ppf(LEVELS), (4000, 5)), LEVELS)
    assert wide.area > 5 * wide.area_calibrated


def test_uniformity_is_kolmogorov_smirnov_and_holds_its_level():
    rng = np.random.default_rng(2)
    u = rng.random(300)
    distance, p = uniformity(u)
    reference = kstest(u, "uniform")
    assert distance == pytest.approx(reference.statistic)
    assert p == pytest.approx(reference.pvalue, abs=0.01)
    small = []
    for _ in range(1000):
        signs = np.where(rng.random(500) < 0.2, -1.0, 1.0)
        small.append(uniformity(rng.random(500), weight=signs, negative="signed")[1] < 0.05)
    assert np.mean(small) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 1000))


def test_recalibration_makes_the_requested_fractions_true():
    rng = np.random.default_rng(3)
    y, signs = rng.normal(size=20_000), np.where(rng.random(20_000) < 0.2, -1.0, 1.0)
    u = pit_normal(y, np.zeros(20_000), np.full(20_000, 2.0))
    assert uniformity(u)[1] < 1e-6
    for weight, n in ((None, 20_000), (signs, 0.36 * 20_000)):
        level = recalibration(u, weight=weight, negative="signed")
        below = norm.cdf(2 * norm.ppf(level(LEVELS)))
        assert (np.abs(below - LEVELS) < 4 * np.sqrt(LEVELS * (1 - LEVELS) / n)).all()
    assert (np.diff(level(np.linspace(0, 1, 1001))) >= 0).all()


def test_ranks_among_samples_are_uniform_with_ties_too():
    rng = np.random.default_rng(4)
    for draws in (rng.normal(size=(4000, 8)), rng.integers(0, 4, (4000, 8)).astype(float)):
        assert uniformity(pit_samples(key_from(rng), draws[:, 0], draws[:, 1:]))[1] > 0.001
        assert uniformity(pit_samples(key_from(rng), draws[:, 0] * 2, draws[:, 1:]))[1] < 1e-6


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (
            lambda: quantile_calibration(np.ones(2), np.ones((2, 2)), np.array([0.9, 0.1])),
            "got 0.9, 0.1; expected incr",
        ),
        (lambda: uniformity(np.array([0.5, 1.5])), r"value 1.5; expected values in \[0, 1\]"),
        (lambda: uniformity(np.zeros(0)), "no events"),
        (lambda: pit_samples(jax.random.key(1), np.ones(1), np.array([[np.nan]])), "some not numbers"),
        (lambda: pit_normal(np.ones(1), np.ones(1), np.zeros(1)), "spread 0"),
    ],
)
def test_bad_input_is_one_clear_line(call, line):
    with pytest.raises(InputError, match=line):
        call()
