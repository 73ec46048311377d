import jax
import numpy as np
import pytest

from likelihoods import realistic
from verax.errors import InputError
from verax.infer import fit, sample_toys
from verax.results import good

KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def model():
    return realistic()


def test_counts_and_global_observables_have_the_right_mean_and_spread(model):
    n, truth = 6000, {"mu": 2.0, "theta0": 1.0}
    data = sample_toys(KEY, model, truth, n)
    mean, spread = model.asimov(truth), model.spread(truth, model.asimov(truth))
    for drawn, center, width in zip(*((d.counts, d.auxiliary) for d in (data, mean, spread)), strict=True):
        assert (abs(drawn.mean(0) - center) < 4.5 * width / np.sqrt(n)).all()
        assert (abs(drawn.std(0) / width - 1) < 4.5 / np.sqrt(2 * n)).all()
    assert (data.counts == np.round(data.counts)).all()


def test_a_toy_depends_on_the_key_and_its_number_only(model):
    few, many = sample_toys(KEY, model, {}, 3), sample_toys(KEY, model, {}, 5000)
    np.testing.assert_array_equal(few.counts, many.counts[:3])
    np.testing.assert_array_equal(few.auxiliary, many.auxiliary[:3])
    assert not np.array_equal(few.counts, sample_toys(jax.random.key(4), model, {}, 3).counts)


def test_global_observables_can_be_left_alone(model):
    data = sample_toys(KEY, model, {"theta0": 1.0}, 5, fluctuate_auxiliary=False)
    np.testing.assert_array_equal(data.auxiliary, np.tile([1.0, 0, 0, 0, *np.ones(7)], (5, 1)))
    np.testing.assert_array_equal(data.counts, sample_toys(KEY, model, {"theta0": 1.0}, 5).counts)


@pytest.mark.thorough
def test_the_bias_of_estimates_is_that_of_maximum_likelihood_not_of_the_minimiser():
    """Cox and Snell's bias, with the second-order change of the expectation replaced by its mean over the spread of θ̂."""
    model, n = realistic(simulation_statistics=False), 10_000
    truth = np.array([p.init for p in model.parameters])
    best = fit(model, sample_toys(KEY, model, {}, n), covariance=False)
    assert good(best.status).all()
    with jax.enable_x64(True):

        def expected(theta):
            return model.expected(dict(zip(model.names, theta, strict=True)))

        center, slope = np.asarray(expected(truth)), np.asarray(jax.jacfwd(expected)(truth))
        prior = np.diag([0.0 if p.constraint is None else 1.0 for p in model.parameters])
        covariance = np.linalg.inv((slope.T / center) @ slope + prior)
        spread = np.random.default_rng(1).multivariate_normal(np.zeros(len(truth)), covariance, 4000)
        spread = np.concatenate([spread, -spread])
        bend = np.asarray(jax.jit(jax.vmap(expected))(truth + spread)) - center - spread @ slope.T
    predicted = -(covariance[0] @ slope.T / center) @ bend.mean(axis=0)
    found, error = best.value[:, 0].mean() - truth[0], best.value[:, 0].std() / np.sqrt(n)
    assert predicted > 10 * error
    assert abs(found - predicted) < 4 * error + 0.1 * predicted  # the next order is as small as the bias itself, in σ


def test_unknown_parameters_are_named(model):
    with pytest.raises(InputError, match="did you mean 'theta0'"):
        sample_toys(KEY, model, {"theta00": 1.0}, 2)
