import jax
import numpy as np
import pytest
from scipy.stats import norm, poisson

import onoff
from likelihoods import counting, realistic
from verax.errors import InputError
from verax.infer import sample_toys, significance
from verax.model import Data
from verax.results import Status


@pytest.mark.parametrize(("n", "m"), [(25.0, 16.0), (14.0, 20.0), (9.0, 3.0)])
def test_on_off_is_the_formula_of_li_and_ma(n, m):
    """ApJ 272 (1983) 317, eq. 17."""
    found = significance(onoff.on_off(), onoff.observed(n, m), "mu")
    share = 1 / onoff.TAU
    q0 = 2 * (n * np.log((1 + share) / share * n / (n + m)) + m * np.log((1 + share) * m / (n + m)))
    assert float(found.q0) == pytest.approx(q0, abs=1e-6)
    assert float(found.z) == pytest.approx(np.sqrt(q0), abs=1e-6)
    assert float(found.p_value) == pytest.approx(norm.sf(np.sqrt(q0)), rel=1e-5)
    assert found.status == Status.OK


def test_a_deficit_has_negative_significance():
    found = significance(counting(20.0, 100.0), Data(np.array([90.0]), np.array([1.0])), "mu")
    assert float(found.z) == pytest.approx(-np.sqrt(2 * (90 * np.log(0.9) + 10)), rel=1e-5)
    assert found.q0 == 0
    assert found.p_value > 0.5


def test_expected_significance_is_that_of_asimov_data():
    model = counting(20.0, 100.0)
    found = significance(model, model.asimov({"mu": 1.0}), "mu")
    assert float(found.z) == pytest.approx(np.sqrt(2 * (120 * np.log(1.2) - 20)), rel=1e-5)


def test_without_signal_z_is_normal():
    model = realistic()
    drawn = sample_toys(jax.random.key(11), model, {"mu": 0.0}, 600)
    found = significance(model, drawn, "mu")
    assert (found.status <= Status.AT_BOUND).mean() > 0.99
    assert abs(found.z.mean()) < 4 / np.sqrt(600)
    assert abs(found.z.std() - 1) < 4 / np.sqrt(1200)
    one = significance(model, Data(drawn.counts[3], drawn.auxiliary[3]), "mu")
    assert float(one.z) == pytest.approx(found.z[3], abs=1e-6)


def test_another_null():
    found = significance(counting(20.0, 100.0), Data(np.array([130.0]), np.array([1.0])), "mu", null=1.0)
    assert float(found.q0) == pytest.approx(2 * (130 * np.log(130 / 120) - 10), rel=1e-5)


def test_unknown_names():
    model = counting()
    with pytest.raises(InputError, match="did you mean 'mu'"):
        significance(model, model.asimov({}), "muu")


@pytest.mark.parametrize(("b", "n"), [(1.5, 5), (3.0, 2)])
def test_toys_of_a_counting_experiment_are_poisson(b, n):
    """P(N ≥ n | b), which the asymptotic p-value misses: an excess, and a deficit."""
    model, data = counting(2.0, b), Data(np.array([float(n)]), np.ones(1))
    found = significance(model, data, "mu", key=jax.random.key(21), n_toys=4000)
    exact = poisson.sf(n - 1, b)
    assert found.failed == 0
    assert found.p_toys == pytest.approx(exact, abs=4 * found.p_toys_error)
    assert found.p_toys_error == pytest.approx(np.sqrt(exact * (1 - exact) / 4000), rel=0.3)
    assert abs(float(found.p_value) - exact) > 0.005
    assert float(found.p_value) == float(significance(model, data, "mu").p_value)


def test_toys_need_a_key_and_one_data_set():
    model = counting()
    data = model.asimov({})
    with pytest.raises(InputError, match="key"):
        significance(model, data, "mu", n_toys=10)
    with pytest.raises(InputError, match="batch"):
        significance(model, Data(data.counts[None], data.auxiliary[None]), "mu", key=jax.random.key(1), n_toys=10)
