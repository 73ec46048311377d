"""ROC curves, and scores of events that a model saw, where the answer is known."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from verax.check import overtraining, roc
from verax.errors import InputError
from verax.shift import auc


def draw(rng, n=300, apart=1.0):
    """Two Gaussians, with weights of which a tenth is negative."""
    label = np.arange(n) % 2 == 0
    weight = rng.uniform(0.5, 1.5, n) * rng.choice([1, -1], n, p=[0.9, 0.1])
    return rng.normal(apart * label, 1.0), label, weight


def test_area_and_curve_are_those_of_other_implementations():
    score, label, weight = draw(np.random.default_rng(1))
    score = score.round(1)  # ties
    assert roc(score, label, weight).area == pytest.approx(auc(score, weight, label), rel=1e-12)
    found = roc(score, label, abs(weight))
    assert found.area == pytest.approx(roc_auc_score(label, score, sample_weight=abs(weight)), rel=1e-12)
    false, true, _ = roc_curve(label, score, sample_weight=abs(weight), drop_intermediate=False)
    np.testing.assert_allclose(found.false_rate, false, atol=1e-12)
    np.testing.assert_allclose(found.true_rate, true, atol=1e-12)


def test_a_long_curve_is_thinned_between_its_ends():
    score, label, weight = draw(np.random.default_rng(2), 5000)
    found, whole = roc(score, label, weight, points=50), roc(score, label, weight, points=10**5)
    assert len(found.true_rate) <= 51
    assert found.area == whole.area
    assert (found.false_rate[0], found.true_rate[-1]) == (0.0, pytest.approx(1.0))
    near = np.interp(found.false_rate, np.sort(whole.false_rate), np.sort(whole.true_rate))
    np.testing.assert_allclose(near, found.true_rate, atol=0.05)


def test_the_error_is_the_spread_of_areas_of_signed_weights():
    """400 samples around Φ(1/√2): the mean within 4 of its errors, the spread within 4/√800 of the error."""
    rng = np.random.default_rng(3)
    found = [roc(*draw(rng)) for _ in range(400)]
    areas, errors = np.array([r.area for r in found]), np.array([r.error for r in found])
    assert abs(areas.mean() - norm.cdf(1 / np.sqrt(2))) < 4 * areas.std() / 20
    assert areas.std() / errors.mean() == pytest.approx(1.0, abs=4 / np.sqrt(800))


def test_p_values_of_overtraining_are_those_of_chance_where_there_is_none():
    """600 pairs of one distribution, weights of both signs: p < 0.2 as often as that, within 4 binomial errors."""
    rng, found = np.random.default_rng(4), []
    for _ in range(600):
        seen, unseen = draw(rng, 200, 0.0), draw(rng, 600, 0.0)
        found.append(overtraining(seen[0], unseen[0], seen[2], unseen[2]).p_value)
    assert np.mean(np.array(found) < 0.2) == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / 600))


def test_overtraining_is_seen_and_bins_hold_all_events():
    rng = np.random.default_rng(5)
    seen, unseen = norm.cdf(rng.normal(0.5, 1, 400)), norm.cdf(rng.normal(0, 1, 400))
    found = overtraining(seen, unseen)
    assert found.p_value < 1e-4
    assert found.distance == pytest.approx(norm.cdf(0.25) - norm.cdf(-0.25), abs=4 / np.sqrt(800))
    assert found.seen.sum() == pytest.approx(1)
    np.testing.assert_allclose(found.unseen_error, np.sqrt(found.unseen / 400))


def test_classes_without_weight_are_refused():
    with pytest.raises(InputError, match="roc: got a sum of weights of 0 of the signal"):
        roc(np.zeros(3), np.zeros(3, bool))
    with pytest.raises(InputError, match=r"roc: got labels .*2.*; expected 0 and 1"):
        roc(np.zeros(3), np.arange(3))
    with pytest.raises(InputError, match="kolmogorov_smirnov: got a sum of weights of -1"):
        overtraining(np.zeros(1), np.zeros(1), -np.ones(1))
