import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from verax.check import average, crps_gaussian, crps_mixture, crps_quantiles, crps_sample, nll_gaussian, nll_mixture
from verax.errors import InputError

TARGET = np.array([-3.0, 0.2, 1.5])
SHARE = np.tile([0.3, 0.7], (3, 1))
MEAN = np.tile([-1.0, 0.5], (3, 1))
VARIANCE = np.tile([0.04, 0.25], (3, 1))


def by_definition(cdf, y):
    below = quad(lambda t: cdf(t) ** 2, -12, y, limit=400, points=[-1, 0, 0.5])[0]
    return below + quad(lambda t: (1 - cdf(t)) ** 2, y, 12, limit=400, points=[-1, 0, 0.5])[0]


def mixed(t):
    return 0.3 * norm.cdf(t, -1, 0.2) + 0.7 * norm.cdf(t, 0.5, 0.5)


def test_crps_is_its_defining_integral():
    gauss = crps_gaussian(np.full(3, 0.4), np.full(3, 2.25), TARGET)
    assert gauss == pytest.approx([by_definition(lambda t: norm.cdf(t, 0.4, 1.5), y) for y in TARGET], rel=1e-6)
    mixture = crps_mixture(SHARE, MEAN, VARIANCE, TARGET)
    assert mixture == pytest.approx([by_definition(mixed, y) for y in TARGET], rel=1e-6)


def test_a_mixture_of_one_is_a_gaussian():
    one = np.ones((3, 1))
    assert crps_mixture(one, 2 * one, 3 * one, TARGET) == pytest.approx(
        crps_gaussian(np.full(3, 2.0), np.full(3, 3.0), TARGET)
    )
    assert nll_mixture(one, 2 * one, 3 * one, TARGET) == pytest.approx(
        nll_gaussian(np.full(3, 2.0), np.full(3, 3.0), TARGET)
    )


def test_likelihoods_are_those_of_scipy():
    assert nll_gaussian(np.zeros(3), np.full(3, 4.0), TARGET) == pytest.approx(-norm.logpdf(TARGET, 0, 2))
    density = 0.3 * norm.pdf(TARGET, -1, 0.2) + 0.7 * norm.pdf(TARGET, 0.5, 0.5)
    assert nll_mixture(SHARE, MEAN, VARIANCE, TARGET) == pytest.approx(-np.log(density))
    without = np.array([[1.0, 0.0]])
    assert nll_mixture(without, MEAN[:1], VARIANCE[:1], TARGET[:1]) == pytest.approx(-norm.logpdf(-3, -1, 0.2))


def test_crps_of_draws_is_unbiased():
    """Ten draws are few: only the mean over many repetitions agrees, within 4 standard errors."""
    rng = np.random.default_rng(1)
    found = crps_sample(rng.normal(size=(20_000, 10)), np.full(20_000, 0.7))
    exact = crps_gaussian(np.zeros(1), np.ones(1), np.array([0.7]))[0]
    assert found.mean() == pytest.approx(exact, abs=4 * found.std() / np.sqrt(20_000))


def test_crps_of_draws_is_the_sum_over_pairs_with_weights_of_any_sign():
    rng = np.random.default_rng(2)
    x, w, y = rng.normal(size=(4, 8)), rng.choice([1.0, 2.0, -0.5], (4, 8), p=[0.6, 0.3, 0.1]), rng.normal(size=4)
    pair = w[:, :, None] * w[:, None, :] * (1 - np.eye(8))
    distance = np.abs(x[:, :, None] - x[:, None, :])
    expected = np.sum(w * np.abs(x - y[:, None]), axis=1) / w.sum(axis=1) - 0.5 * np.sum(
        pair * distance, axis=(1, 2)
    ) / np.sum(pair, axis=(1, 2))
    assert crps_sample(x, y, w) == pytest.approx(expected)


def test_crps_of_dense_quantiles_is_the_crps():
    levels = (np.arange(2000) + 0.5) / 2000
    quantiles = np.tile(norm.ppf(levels, 0.4, 1.5), (3, 1))
    exact = crps_gaussian(np.full(3, 0.4), np.full(3, 2.25), TARGET)
    assert crps_quantiles(levels, quantiles, TARGET) == pytest.approx(exact, rel=1e-3)


def test_the_truth_has_the_smallest_score():
    y = np.random.default_rng(3).normal(size=50_000)
    for score in (crps_gaussian, nll_gaussian):
        values = [
            average(score(np.full(len(y), m), np.full(len(y), v), y)) for m, v in [(0.0, 1.0), (0.1, 1.0), (0.0, 1.2)]
        ]
        assert values[0].value < min(values[1].value, values[2].value)


def test_average_counts_an_event_twice_as_weight_two():
    scores, weight = np.array([1.0, 4.0, 9.0]), np.array([2.0, 1.0, 1.0])
    assert average(scores, weight).value == average(np.array([1.0, 1.0, 4.0, 9.0])).value
    assert average(scores, np.array([2.0, 1.0, -1.0])).value == pytest.approx(-1.5)
    found = average(np.random.default_rng(4).normal(size=10_000))
    assert found.error == pytest.approx(0.01, rel=4 / np.sqrt(2e4))
    assert found.n_effective == 10_000


def test_bad_scores():
    y = np.zeros(2)
    for call, message in [
        (lambda: crps_gaussian(y, y, y), "variance: got 2 that are not positive"),
        (lambda: crps_mixture(np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2)), y), "do not sum to one"),
        (lambda: crps_sample(np.zeros((2, 1)), y), "1 draws; expected at least two"),
        (lambda: crps_sample(np.zeros((2, 2)), y, np.array([[1.0, -1.0], [1.0, 1.0]])), "weights sum to zero or less"),
        (lambda: crps_quantiles(np.array([0.5, 0.1]), np.zeros((2, 2)), y), "strictly increasing"),
        (lambda: crps_quantiles(np.array([0.5]), np.zeros((2, 2)), y), "2 quantiles; expected 1"),
        (lambda: average(y, np.array([1.0, -1.0])), "weights that sum to 0"),
        (lambda: average(y, np.ones(3)), "3 weights; expected 2"),
        (lambda: average(np.zeros(0)), "0 scores"),
    ]:
        with pytest.raises(InputError, match=message):
            call()
