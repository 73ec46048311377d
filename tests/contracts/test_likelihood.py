"""What every likelihood promises; a new one joins by one line in ``LIKELIHOODS``."""

import jax
import numpy as np
import pytest

from likelihoods import counting, realistic
from verax.errors import InputError
from verax.infer import fit, toys

LIKELIHOODS = {"counting": lambda: counting(relative_error=0.05), "realistic": realistic}


@pytest.fixture(scope="module", params=LIKELIHOODS)
def model(request):
    return LIKELIHOODS[request.param]()


def test_asimov_data_are_fitted_by_the_parameters_that_made_them(model):
    truth = dict(zip(model.names, [1.3, 0.9, 0.4, -0.3, 0.2, 0.1], strict=False))
    best = fit(model, model.asimov(truth))
    assert best.status == 0
    for name, value in truth.items():
        assert best.params[name] == pytest.approx(value, abs=2e-4 * best.error[model.names.index(name)] + 1e-9)


def test_the_score_vanishes_on_average(model):
    """E[∂ log L/∂θ] = 0 at the truth: so it is for every normalised density, profiling γ apart."""
    truth = {"mu": 1.2}
    n = 4000
    data = toys(jax.random.key(5), model, truth, n)
    with jax.enable_x64(True):
        theta = np.asarray(model.vector(truth))
        score = jax.jit(jax.vmap(jax.grad(model.log_density), (None, 0)))(theta, data)
        score = np.asarray(score)
    pull = score.mean(0) / (score.std(0) / np.sqrt(n))
    assert abs(pull).max() < 4.5


def test_values_do_not_depend_on_the_flags_of_the_caller(model):
    data = model.asimov({"mu": 1.1})
    assert not jax.config.jax_enable_x64
    plain = model.log_prob({"mu": 0.7}, data)
    assert plain.dtype == np.float64
    with jax.enable_x64(True):
        assert float(model.log_prob({"mu": 0.7}, data)) == float(plain)


def test_unknown_parameters_are_named(model):
    with pytest.raises(InputError, match="did you mean 'mu'"):
        model.log_prob({"muu": 1.0}, model.asimov({}))
