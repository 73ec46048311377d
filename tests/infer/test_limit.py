import jax
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm, poisson

import onoff
from likelihoods import counting, make_templates, realistic
from verax.errors import InputError
from verax.infer import cls, interval, limit, profile, sample_toys, significance
from verax.infer._cls import ToyStatistics
from verax.infer._limit import _crossings
from verax.infer._roots import roots
from verax.model import Data, binned_likelihood
from verax.results import Status

VALUES = np.array([0.3, 1.0, 2.0, 3.5])


def asymptotic(mu, n, m):
    """CLs by eq. 64-66 of Cowan et al. from the closed forms of the on/off problem."""
    b0 = onoff.background(0.0, n, m)
    q, width = onoff.q_tilde(mu, n, m), np.sqrt(onoff.t(mu, b0, onoff.TAU * b0, lowest=0.0))
    if q <= width**2:
        return norm.sf(np.sqrt(q)) / norm.sf(np.sqrt(q) - width)
    return norm.sf((q + width**2) / (2 * width)) / norm.sf((q - width**2) / (2 * width))


@pytest.mark.parametrize(("n", "m"), [(13.0, 16.0), (25.0, 16.0), (3.0, 16.0)])
def test_on_off_in_closed_form(n, m):
    data = onoff.observed(n, m)
    scan = cls(onoff.on_off(), data, "mu", VALUES)
    np.testing.assert_allclose(scan.observed, [asymptotic(mu, n, m) for mu in VALUES], rtol=1e-4)
    np.testing.assert_allclose(scan.q, [onoff.q_tilde(mu, n, m) for mu in VALUES], atol=1e-6)
    found = limit(onoff.on_off(), data, "mu")
    exact = brentq(lambda mu: asymptotic(mu, n, m) - 0.05, max(onoff.estimate(n, m), 0) + 1e-3, 20.0)
    assert float(found.observed) == pytest.approx(exact, rel=1e-5)
    b0 = onoff.background(0.0, n, m)
    for band, value in zip([-2, -1, 0, 1, 2], found.expected, strict=True):
        width = np.sqrt(onoff.t(value, b0, onoff.TAU * b0, lowest=0.0))
        assert norm.sf(width - band) / norm.cdf(band) == pytest.approx(0.05, rel=1e-4)
    assert found.status == Status.OK
    assert not found.expected_status.any()


def test_a_model_whose_strength_may_be_negative_has_the_same_limit():
    data = onoff.observed(3.0, 16.0)
    bounded, free = (limit(onoff.on_off(bounds), data, "mu") for bounds in [(0.0, 30.0), (-1.0, 30.0)])
    assert float(bounded.observed) == pytest.approx(float(free.observed), rel=1e-6)


@pytest.mark.thorough
def test_a_batch_is_its_data_sets_and_covers():
    model = realistic()
    drawn = sample_toys(jax.random.key(4), model, {"mu": 0.3}, 300)
    together = limit(model, drawn, "mu")
    for i in (0, 33, 299):
        alone = limit(model, Data(drawn.counts[i], drawn.auxiliary[i]), "mu")
        assert float(alone.observed) == pytest.approx(together.observed[i], rel=1e-5)
        np.testing.assert_allclose(alone.expected, together.expected[i], rtol=1e-5)
    fine = together.status <= Status.AT_BOUND
    assert fine.mean() > 0.99
    # CLs covers at least as often as its level.
    assert (together.observed[fine] > 0.3).mean() > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 300)


def test_a_limit_beyond_the_bound_is_reported():
    found = limit(onoff.on_off((0.0, 2.0)), onoff.observed(25.0, 16.0), "mu")
    assert found.status == Status.END_NOT_FOUND
    assert found.observed == 2.0
    assert found.expected_status[0] == Status.OK
    assert found.expected_status[-1] == Status.END_NOT_FOUND


@pytest.mark.parametrize(("n", "m"), [(25.0, 16.0), (3.0, 16.0)])
def test_a_search_goes_on_beyond_the_bound(n, m):
    """The range 0 to 2 is that of a search: limits, ends and z are those without it, the estimate of 25 too."""
    data, narrow, wide = onoff.observed(n, m), onoff.on_off((0.0, 2.0)), onoff.on_off((0.0, 30.0))
    one, other = limit(narrow, data, "mu", beyond=True), limit(wide, data, "mu")
    np.testing.assert_allclose([one.observed, *one.expected], [other.observed, *other.expected], rtol=1e-6)
    assert one.status == Status.OK
    assert not one.expected_status.any()
    ends, others = interval(narrow, data, "mu", beyond=True), interval(wide, data, "mu")
    assert ends.status == others.status
    for which in ("low", "value", "high"):
        assert float(getattr(ends, which)) == pytest.approx(float(getattr(others, which)), abs=1e-4)
    assert float(significance(narrow, data, "mu", beyond=True).z) == pytest.approx(
        float(significance(wide, data, "mu").z), abs=1e-6
    )
    curves = (profile(narrow, data, "mu", VALUES, beyond=True), profile(wide, data, "mu", VALUES))
    np.testing.assert_allclose(curves[0].t, curves[1].t, atol=1e-6)


def test_a_search_without_end_ends():
    """Nothing in the data depends on μ: what is found is the end of the search, and said to be."""
    model = binned_likelihood(
        make_templates([[1e-9], [50.0]]),
        free={"mu": ("signal",)},
        bounds={"mu": (0.0, 5.0)},
        simulation_statistics=False,
    )
    found = limit(model, Data(np.array([50.0]), np.zeros(0)), "mu", beyond=True)
    assert found.status == Status.END_NOT_FOUND
    assert found.observed == 5000.0


def test_a_bound_at_zero_is_no_range_of_search():
    data = onoff.observed(3.0, 16.0)
    found = interval(onoff.on_off((0.0, 2.0)), data, "mu", beyond=True)
    assert (float(found.low), float(found.value)) == (0.0, 0.0)
    below = interval(onoff.on_off((-0.2, 2.0)), data, "mu", beyond=True)
    assert float(below.value) == pytest.approx(float(onoff.estimate(3.0, 16.0)), abs=1e-5)


def exact_by_toys(mu, n, m):
    """P(q ≥ q_obs) with and without signal, summed over all counts, b at its conditional fit to the data."""
    counts = onoff.all_counts()
    as_extreme = onoff.q_tilde(mu, *counts) >= onoff.q_tilde(mu, n, m) - 1e-9
    p = [onoff.probability(value, onoff.background(value, n, m), *counts)[as_extreme].sum() for value in (mu, 0.0)]
    return p[0] / p[1]


@pytest.mark.thorough
def test_toys_against_the_sum_over_all_counts():
    n, m = 12.0, 14.0
    model, data = onoff.on_off(), onoff.observed(n, m)
    scan = cls(model, data, "mu", VALUES, method="toys", key=jax.random.key(5), n_toys=4000)
    exact = np.array([exact_by_toys(mu, n, m) for mu in VALUES])
    np.testing.assert_array_equal(scan.observed[:2], 1.0)  # below the estimate q = 0, and every toy is as extreme
    assert (scan.observed_error[2:] > 0).all()
    assert (abs(scan.observed - exact) <= 4.5 * scan.observed_error + 1e-9).all()
    assert scan.failed == 0
    found = limit(model, data, "mu", method="toys", key=jax.random.key(6), n_toys=2000)
    root = brentq(lambda mu: exact_by_toys(mu, n, m) - 0.05, 0.5, 5.0, xtol=1e-3)
    assert abs(float(found.observed) - root) < 4 * float(found.observed_error) + 0.02
    assert 0 < found.observed_error < 0.2
    assert found.status == Status.OK


@pytest.mark.thorough
def test_expected_limits_by_toys_of_a_counting_experiment():
    """Without nuisances the limit is a function of n, so its quantiles are limits at quantiles of n."""
    model = counting(20.0, 100.0)
    found = limit(model, Data(np.array([100.0]), np.array([1.0])), "mu", method="toys", key=jax.random.key(7))

    def exact(n):
        return brentq(lambda mu: poisson.cdf(n, 100 + 20 * mu) / poisson.cdf(n, 100) - 0.05, 0.0, 8.0)

    for band, value, error in zip([-1, 0, 1], found.expected[1:4], found.expected_error[1:4], strict=True):
        count = poisson.ppf(norm.cdf(band), 100)
        assert exact(count - 2) - 4 * error < value < exact(count + 2) + 4 * error


@pytest.mark.thorough
def test_the_error_of_a_limit_by_toys_is_its_spread_over_toys():
    """q̃ of toys as for normal estimates, without fits: 200 sets of toys, the errors of the first 5 are their spread."""
    values, n, key, spread = np.linspace(0.2, 4.0, 15), 300, jax.random.key(3), []

    def q_of(estimates):
        return np.maximum(values[:, None] - np.maximum(estimates, 0.0), 0.0) ** 2

    for seed in range(200):
        rng = np.random.default_rng(seed)
        noise, background = rng.normal(0, 1, (2, n))
        signal = np.diagonal([q_of(noise + v) for v in values], axis1=0, axis2=1).T
        toys = ToyStatistics(values, q_of(np.array([0.3]))[:, 0], signal, q_of(background), np.zeros(15, int))
        curves = [(toys.tails()[0], toys.tails()[1][2])]
        if seed < 5:
            curves += [(o, e[2]) for o, e in zip(*toys.bootstrap(key), strict=True)]
        found = np.array([_crossings(values, np.stack(c), 0.05)[0] for c in curves])
        spread.append((found[0], found[1:].std(axis=0) if seed < 5 else [np.nan] * 2))
    limits, errors = (np.array([s[k] for s in spread]) for k in (0, 1))
    np.testing.assert_allclose(np.nanmean(errors, axis=0), limits.std(axis=0, ddof=1), rtol=0.25)  # known to 5 and 5 %
    assert limits[:, 1].mean() == pytest.approx(norm.isf(0.025), rel=0.02)


@pytest.mark.thorough
def test_same_key_same_limit():
    model, data = onoff.on_off(), onoff.observed(12.0, 14.0)
    one, two = (limit(model, data, "mu", method="toys", key=jax.random.key(8), n_toys=100) for _ in range(2))
    assert one.observed == two.observed
    np.testing.assert_array_equal(one.expected, two.expected)


def test_bad_questions():
    model = counting()
    data = model.asimov({})
    with pytest.raises(InputError, match="did you mean 'mu'"):
        limit(model, data, "muu")
    with pytest.raises(InputError, match="'asymptotic' or 'toys'"):
        limit(model, data, "mu", method="asymptotics")
    with pytest.raises(InputError, match="key"):
        cls(model, data, "mu", VALUES, method="toys")
    with pytest.raises(InputError, match=r"between 0\.5 and 1"):
        limit(model, data, "mu", level=95.0)


def test_roots_of_many_functions():
    power = np.array([1.0, 2.0, 5.0, 0.3, 1.0])
    goal = np.array([3.0, 4.0, 100.0, 2.0, 60.0])
    found, status = roots(lambda i, x: x ** power[i] - goal[i], np.zeros(5), -goal, np.full(5, 0.1), 50.0, 1e-9)
    np.testing.assert_allclose(found[:4], goal[:4] ** (1 / power[:4]), rtol=1e-7)
    assert not status[:4].any()
    assert status[4] == Status.END_NOT_FOUND
    assert found[4] == 50.0
