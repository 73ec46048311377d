"""Calibration of classifiers: closure with negative weights, scikit-learn without weights, validity of Venn–Abers."""

import numpy as np
import pytest
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit, softmax
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from verax.calibrate import isotonic, platt, temperature, venn_abers
from verax.check import classwise, reliability
from verax.errors import InputError
from verax.results import Status

TRUE_SLOPE, TRUE_OFFSET = 0.6, -0.4


def draw(rng, n, negative=0.0):
    """A score that is too sharp, labels, and weights with a fraction of negative ones whatever the label."""
    score = rng.normal(size=n) * 2
    label = rng.random(n) < expit(TRUE_SLOPE * score + TRUE_OFFSET)
    weight = rng.uniform(0.5, 1.5, n) * np.where(rng.random(n) < negative, -1, 1)
    return score, label, weight


@pytest.fixture(scope="module")
def negative():
    return draw(np.random.default_rng(1), 20_000, 0.2)


@pytest.mark.parametrize("method", [isotonic, platt])
def test_closure_with_a_fifth_of_negative_weights(method, negative):
    score, label, weight = negative
    fit = method(score, label, weight=weight, negative="signed")
    p = fit(score)
    assert abs(np.sum(weight * p) / np.sum(weight * label) - 1) < 1e-9
    assert p.min() >= 0
    assert p.max() <= 1
    # and it is the truth: Σw²/(Σw)² is 2.9 times 1/n, so pools and fit see some 7,000 effective events
    held, _, _ = draw(np.random.default_rng(2), 5000)
    assert np.sqrt(np.mean((fit(held) - expit(TRUE_SLOPE * held + TRUE_OFFSET)) ** 2)) < 0.04


def test_scikit_learn_loses_closure_where_ours_holds():
    rng = np.random.default_rng(12)
    lost = {"ours": [], "theirs": []}
    for _ in range(20):
        score, label, weight = draw(rng, 500, 0.2)
        theirs = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1)
        theirs.fit(score, label.astype(float), sample_weight=weight)
        curves = {"ours": isotonic(score, label, weight=weight, negative="signed"), "theirs": theirs.predict}
        for name, curve in curves.items():
            lost[name].append(abs(np.sum(weight * curve(score)) / np.sum(weight * label) - 1))
    assert max(lost["ours"]) < 1e-9
    assert np.mean(lost["theirs"]) > 1e-3


@pytest.mark.parametrize("seed", range(20))
def test_isotonic_holds_for_any_small_sample(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 30))
    score, label = rng.integers(0, 12, n).astype(float), rng.random(n) < 0.5
    weight = np.where(rng.random(n) < 0.3, -1.0, 1.0)
    total, positive = weight.sum(), (weight * label).sum()
    if not 0 <= positive <= total or total <= 0:
        with pytest.raises(InputError):
            isotonic(score, label, weight=weight, negative="signed")
        return
    fit = isotonic(score, label, weight=weight, negative="signed")
    p = fit(score)
    assert np.sum(weight * p) == pytest.approx(positive, abs=1e-9)
    assert (fit.weight > 0).all()
    assert (np.diff(fit.value) >= 0).all()
    assert ((p >= 0) & (p <= 1)).all()
    mirror = isotonic(-score, ~label, weight=weight, negative="signed")  # left to right or right to left
    np.testing.assert_allclose(mirror(-score), 1 - p, atol=1e-9)


def test_isotonic_is_scikit_learns_for_positive_weights():
    score, label, weight = draw(np.random.default_rng(3), 500)
    score = score.round(1)
    for w in (None, weight):
        ours = isotonic(score, label, weight=w)
        theirs = IsotonicRegression(out_of_bounds="clip").fit(score, label.astype(float), sample_weight=w)
        new = np.linspace(-8, 8, 333)
        np.testing.assert_allclose(ours(new), theirs.predict(new), atol=1e-12)


def test_platt_is_scikit_learns_without_weights():
    score, label, _ = draw(np.random.default_rng(4), 400)
    ours, smooth = platt(score, label), platt(score, label, smooth=True)
    theirs = _SigmoidCalibration().fit(score, label.astype(int))
    assert (smooth.slope, smooth.offset) == pytest.approx((-theirs.a_, -theirs.b_), rel=1e-3)
    plain = LogisticRegression(C=np.inf, tol=1e-10).fit(score[:, None], label)
    assert (ours.slope, ours.offset) == pytest.approx((plain.coef_[0, 0], plain.intercept_[0]), rel=1e-4)
    assert ours.status == Status.OK


@pytest.mark.thorough
def test_errors_of_platt_and_temperature_are_their_spread():
    rng = np.random.default_rng(5)
    slopes, temperatures = [], []
    for _ in range(200):
        score, label, weight = draw(rng, 2000, 0.2)
        fit = platt(score, label, weight=weight, negative="signed")
        slopes.append((fit.slope - TRUE_SLOPE, np.sqrt(fit.covariance[0, 0]), fit.offset - TRUE_OFFSET))
        z = rng.normal(size=(1000, 3)) * 2
        classes = (softmax(z / 1.7, axis=1).cumsum(1) < rng.random((1000, 1))).sum(1)
        signs = np.where(rng.random(1000) < 0.2, -1.0, 1.0)
        t = temperature(z, classes, weight=signs, negative="signed")
        temperatures.append((t.value - 1.7, t.error))
    for off, error in (np.array(slopes).T[:2], np.array(temperatures).T):
        pull = off / error
        assert abs(pull.mean()) < 4 / np.sqrt(200) + 0.1
        assert pull.std() == pytest.approx(1, abs=4 / np.sqrt(400))
    assert t.after < t.before


def test_temperature_has_known_ends():
    z = np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    assert temperature(z, np.array([0, 1, 0])).status == Status.AT_BOUND  # separable: T → 0
    assert temperature(z, np.array([1, 0, 1])).status == Status.AT_BOUND  # misled: T → ∞
    assert temperature(z, np.array([1, 0, 1])).value == 1e4
    # one event of two is right at log-odds ±2 by chance 3/4: T = 2/log 3
    z = np.array([[2.0, 0.0]] * 4)
    assert temperature(z, np.array([0, 0, 0, 1])).value == pytest.approx(2 / np.log(3))
    assert platt(np.array([-1.0, -2.0, 1.0, 2.0]), np.array([0, 0, 1, 1])).status == Status.MAX_STEPS


def test_methods_calibrate():
    rng = np.random.default_rng(6)
    score, label, weight = draw(rng, 20_000, 0.2)
    held, truth, w = draw(rng, 20_000, 0.2)
    before = reliability(expit(held), truth, w)
    assert before.ece > 3 * before.ece_calibrated
    for method in (platt, isotonic, venn_abers):
        after = reliability(method(score, label, weight=weight, negative="signed")(held), truth, w)
        assert after.ece < 2 * after.ece_calibrated


# --- Venn–Abers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_venn_abers_is_isotonic_regression_with_the_new_event(weighted):
    rng = np.random.default_rng(7)
    score, label = rng.integers(0, 15, 60).astype(float), (rng.random(60) < 0.5).astype(float)
    weight = rng.uniform(0.5, 2, 60) if weighted else np.ones(60)
    test_weight = np.sum(weight**2) / np.sum(weight)
    fit = venn_abers(score, label, weight=weight)
    new = np.concatenate([np.arange(-1, 16), np.arange(-1, 16) + 0.5])
    for s, p0, p1 in zip(new, *fit.bounds(new), strict=True):
        for y, p in ((0.0, p0), (1.0, p1)):
            x = np.append(score, s)
            _, where = np.unique(x, return_inverse=True)
            w = np.append(weight, test_weight)
            total = np.bincount(where, w)
            value = np.bincount(where, w * np.append(label, y)) / total
            assert p == pytest.approx(isotonic_regression(value, weights=total).x[where[-1]], abs=1e-12)


def test_the_venn_abers_probability_of_the_true_label_is_calibrated():
    rng = np.random.default_rng(8)
    p, y, group = [], [], []
    for i in range(1000):
        score, label, _ = draw(rng, 60)
        fit = venn_abers(score[:40], label[:40])
        p0, p1 = fit.bounds(score[40:])
        p.append(np.where(label[40:], p1, p0))
        y.append(label[40:].astype(float))
        group.append(np.full(20, i))
    p, y, group = map(np.concatenate, (p, y, group))
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        chosen = (p >= low) & (p < high)
        residual = np.bincount(group, np.where(chosen, y - p, 0.0), minlength=1000)
        # sums over one calibration set are correlated, sums of different sets are not
        assert abs(residual.sum()) < 4 * np.sqrt(np.sum(residual**2))
    # isotonic regression by itself says 0 or 1 at the ends, and is wrong there
    sure = []
    for _ in range(300):
        score, label, _ = draw(rng, 60)
        q = isotonic(score[:40], label[:40])(score[40:])
        sure.append(label[40:][q == 0])
    assert np.concatenate(sure).mean() > 0.01


def test_venn_abers_narrows_with_calibration_events():
    rng = np.random.default_rng(9)
    width = []
    for n in (100, 10_000):
        score, label, _ = draw(rng, n)
        p0, p1 = venn_abers(score, label).bounds(np.linspace(-2, 2, 50))
        assert (p0 <= p1).all()
        width.append(np.mean(p1 - p0))
    assert width[1] < width[0] / 4


def test_classwise_error_of_a_calibrated_and_a_sharp_classifier():
    rng = np.random.default_rng(10)
    z = rng.normal(size=(20_000, 4))
    p = softmax(z, axis=1)
    label = (p.cumsum(1) < rng.random((20_000, 1))).sum(1)
    weight = np.where(rng.random(20_000) < 0.2, -1.0, 1.0)
    good, sharp = classwise(p, label, weight), classwise(softmax(3 * z, axis=1), label, weight)
    assert good.ece < 1.7 * good.ece_calibrated
    assert sharp.ece_corrected > 5 * good.ece
    assert good.top.ece < 2 * good.top.ece_calibrated
    assert sharp.top.ece > 0.1
    with pytest.raises(InputError, match="labels 0 … 4"):
        classwise(p, label + (label == 3), weight)


ZERO, ONE = np.array([0.1, 0.2, 0.3]), np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: isotonic(ZERO, np.array([0, 1, 2])), "isotonic: got label 2; expected 0 or 1"),
        (lambda: isotonic(np.array([0.1, np.nan, 0.2]), ONE), "score nan"),
        (lambda: isotonic(ZERO, ONE, weight=np.array([1.0, -1, 1])), "1 negative weights of 3"),
        (lambda: isotonic(ZERO, ONE, weight=np.array([3.0, -1, -1]), negative="signed"), "Σwy/Σw = -2"),
        (lambda: platt(ZERO, np.ones(3)), "weights 3 of label 1 and 0 of label 0"),
        (lambda: temperature(np.zeros((3, 2)), np.zeros(3, int)), "events of one class"),
        (lambda: temperature(np.array([[0.0, -np.inf]]), np.zeros(1, int)), "logit -inf"),
        (lambda: venn_abers(ZERO, ONE, weight=np.zeros(3)), "total weight 0"),
        (lambda: reliability(np.array([1.2]), np.array([1]), np.ones(1)), "probability 1.2"),
    ],
)
def test_bad_input_is_one_clear_line(call, line):
    with pytest.raises(InputError, match=line):
        call()


def test_the_log_odds_of_a_calibrated_probability_need_no_platt():
    rng = np.random.default_rng(11)
    p = rng.beta(2, 2, 20_000)
    fit = platt(logit(p), rng.random(20_000) < p)
    assert (fit.slope - 1) / np.sqrt(fit.covariance[0, 0]) == pytest.approx(0, abs=4)
    assert fit.offset / np.sqrt(fit.covariance[1, 1]) == pytest.approx(0, abs=4)
