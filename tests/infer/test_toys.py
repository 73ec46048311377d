import jax
import numpy as np
import pytest

from likelihoods import realistic
from verax.errors import InputError
from verax.infer import toys

KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def model():
    return realistic()


def test_counts_and_global_observables_have_the_right_mean_and_spread(model):
    n, truth = 6000, {"mu": 2.0, "theta0": 1.0}
    data = toys(KEY, model, truth, n)
    mean, spread = model.asimov(truth), model.spread(truth, model.asimov(truth))
    for drawn, center, width in zip(*((d.counts, d.auxiliary) for d in (data, mean, spread)), strict=True):
        assert (abs(drawn.mean(0) - center) < 4.5 * width / np.sqrt(n)).all()
        assert (abs(drawn.std(0) / width - 1) < 4.5 / np.sqrt(2 * n)).all()
    assert (data.counts == np.round(data.counts)).all()


def test_a_toy_depends_on_the_key_and_its_number_only(model):
    few, many = toys(KEY, model, {}, 3), toys(KEY, model, {}, 5000)
    np.testing.assert_array_equal(few.counts, many.counts[:3])
    np.testing.assert_array_equal(few.auxiliary, many.auxiliary[:3])
    assert not np.array_equal(few.counts, toys(jax.random.key(4), model, {}, 3).counts)


def test_global_observables_can_be_left_alone(model):
    data = toys(KEY, model, {"theta0": 1.0}, 5, fluctuate_auxiliary=False)
    np.testing.assert_array_equal(data.auxiliary, np.tile([1.0, 0, 0, 0, *np.ones(7)], (5, 1)))
    np.testing.assert_array_equal(data.counts, toys(KEY, model, {"theta0": 1.0}, 5).counts)


def test_unknown_parameters_are_named(model):
    with pytest.raises(InputError, match="did you mean 'theta0'"):
        toys(KEY, model, {"theta00": 1.0}, 2)
