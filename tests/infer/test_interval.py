import jax
import numpy as np
import pytest
from scipy.optimize import brentq

from likelihoods import counting, realistic
from verax.errors import InputError
from verax.infer import fit, interval, profile, sample_toys
from verax.model import Data
from verax.results import Status, good

S, B = 20.0, 100.0


def t_counting(mu, n):
    nu = mu * S + B
    return 2 * (nu - n + n * np.log(n / nu))


def test_counting_experiment_on_a_grid():
    values = np.linspace(-2, 8, 41)
    scan = profile(counting(S, B), Data(np.array([130.0]), np.array([1.0])), "mu", values)
    np.testing.assert_allclose(scan.t, t_counting(values, 130.0), atol=1e-7)


@pytest.mark.parametrize(("level", "quantile"), [(0.6827, 1.0000217), (0.95, 3.8414588)])
@pytest.mark.parametrize("n", [25.0, 130.0])
def test_ends_of_the_counting_experiment(level, quantile, n):
    found = interval(counting(S, B), Data(np.array([n]), np.array([1.0])), "mu", level=level)
    hat, sigma = (n - B) / S, np.sqrt(n) / S
    expected = [brentq(lambda m: t_counting(m, n) - quantile, *sorted((hat, hat + k * sigma))) for k in (-4, 6)]
    np.testing.assert_allclose([found.low, found.high], expected, atol=1e-4 * sigma)
    assert found.status == Status.OK


def test_an_end_beyond_the_bound_is_reported():
    found = interval(counting(S, B, bounds=(0.0, 2.0)), Data(np.array([110.0]), np.array([1.0])), "mu")
    assert found.status == Status.END_NOT_FOUND
    assert found.low == 0.0
    assert found.high == pytest.approx(brentq(lambda m: t_counting(m, 110.0) - 1.0000217, 0.5, 2.0), abs=1e-4)


@pytest.mark.thorough
def test_t_equals_its_quantile_at_the_ends():
    model = realistic()
    data = sample_toys(jax.random.key(1), model, {}, 5)
    found = interval(model, data, "mu", level=0.9)
    for i in range(5):
        scan = profile(model, Data(data.counts[i], data.auxiliary[i]), "mu", np.array([found.low[i], found.high[i]]))
        np.testing.assert_allclose(scan.t, 2.705543, rtol=1e-3)


def test_profile_of_a_batch():
    model = realistic()
    data = sample_toys(jax.random.key(1), model, {}, 3)
    scan = profile(model, data, "mu", np.array([0.0, 1.0]))
    assert scan.t.shape == scan.status.shape == (3, 2)
    one = fit(model, data)
    held = fit(model, data, fixed={"mu": 1.0})
    np.testing.assert_allclose(scan.t[:, 1], 2 * (held.nll - one.nll), atol=1e-6)


@pytest.mark.parametrize("truth", [{"mu": 0.0}, {"mu": 1.0}, {"mu": 2.0}, {"theta0": 1.0}, {"theta0": -1.0}], ids=str)
def test_coverage(truth, coverage_of):
    fraction, error, failed = coverage_of(truth)
    assert abs(fraction - 0.6827) < 3 * error
    assert failed < 5


def test_global_observables_left_fixed_are_noticed(coverage_of):
    """The check can fail: without their fluctuation the intervals cover too often."""
    fraction, error, _ = coverage_of({"mu": 1.0}, fluctuate_auxiliary=False)
    assert fraction - 0.6827 > 5 * error


@pytest.fixture(scope="module")
def coverage_of():
    model, n = realistic(), 4000

    def measure(truth, **options):
        found = interval(model, sample_toys(jax.random.key(11), model, truth, n, **options), "mu")
        ok = good(found.status)
        true = truth.get("mu", 1.0)
        inside = ((found.low <= true) & (true <= found.high))[ok]
        return inside.mean(), np.sqrt(0.6827 * 0.3173 / n), (~ok).sum()

    return measure


def test_unknown_parameters_are_named():
    model = counting()
    for verb in (
        lambda: interval(model, model.asimov({}), "muu"),
        lambda: profile(model, model.asimov({}), "muu", np.ones(1)),
    ):
        with pytest.raises(InputError, match="did you mean 'mu'"):
            verb()
