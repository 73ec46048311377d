from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear import Known, moments, regression

from verax.aleatoric import GaussianNLL, gaussian, mean_variance
from verax.epistemic import Dropout, concrete_dropout, dropout_predict
from verax.epistemic._concrete import Concrete, ConcreteLoss
from verax.errors import InputError
from verax.learn import Training, classifier, predict, start_from

KEY = jax.random.key(4)


@pytest.fixture(scope="module")
def events():
    return regression()


@pytest.fixture(scope="module")
def network(events):
    return classifier(jax.random.key(1), events, ("x0", "x1"), width=24, depth=2)


class Nothing(eqx.Module):
    """A loss that knows nothing: only the prior is left of the objective."""

    def __call__(self, network, events, key):
        return 0.0 * jnp.sum(jax.vmap(network)(events.features(("x0", "x1"))))


def test_the_penalty_is_the_divergence_of_the_paper(network):
    p, tau = np.asarray([0.2, 0.4]), 0.7
    found = ConcreteLoss(Nothing(), 60, tau).penalty(Concrete(network, jnp.asarray(np.log(p / (1 - p)), jnp.float32)))
    size = [float(np.sum(np.asarray(layer.weight, np.float64) ** 2)) for layer in network.layers]
    offsets = sum(float(np.sum(np.asarray(layer.bias, np.float64) ** 2)) for layer in network.layers)
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    expected = 0.5 * tau * (size[0] + offsets + size[1] / 0.8 + size[2] / 0.6) - 24 * entropy.sum()
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.thorough
def test_without_data_the_rate_is_a_half_and_the_weights_are_nothing(events, network):
    found = concrete_dropout(
        KEY, start_from(network), Nothing(), events, training=Training(epochs=300, batch=60, learning_rate=0.03)
    )
    np.testing.assert_allclose(found.rate, 0.5, atol=0.02)
    assert max(float(jnp.abs(layer.weight).max()) for layer in found.network.layers) < 0.02


@pytest.mark.thorough
def test_more_observations_bring_the_rate_down(events, network):
    # Rows that stand for 30 observations each: the entropy's pull is 30 times weaker beside the loss.
    training = Training(epochs=300, batch=60, learning_rate=1e-2)
    few = concrete_dropout(KEY, start_from(network), Known(), events, training=training)
    many = concrete_dropout(
        KEY, start_from(network), Known(), regression(weight=np.full(60, 30.0)), power="counts", training=training
    )
    assert (few.observations, many.observations) == (60, 1800)
    assert max(many.rate) < 0.3 * min(few.rate)
    spread = [predict(found.members(KEY, 100), events, moments=moments).epistemic.mean() for found in (few, many)]
    assert spread[1] < 0.7 * spread[0]


@pytest.mark.thorough
@pytest.mark.parametrize("rate", [0.1, (0.2, 0.7), (0.7, 0.1)])
def test_prediction_with_shared_sums_is_that_of_the_members(events, network, rate):
    x = np.asarray(events.features(("x0", "x1")))
    slow = predict(Dropout(network, rate).members(KEY, 20), x, moments=moments)
    fast = dropout_predict(KEY, network, x, members=20, rate=rate, moments=moments, batch=32)
    np.testing.assert_allclose(fast.mean, slow.mean, atol=1e-6)
    np.testing.assert_allclose(fast.epistemic, slow.epistemic, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(fast.aleatoric, slow.aleatoric, rtol=1e-6)
    assert (slow.epistemic > 1e-6).all()


@pytest.mark.thorough
def test_a_head_is_predicted_with_as_well(events):
    shallow = partial(classifier, width=8, depth=1)
    head = mean_variance(KEY, events, features=("x0", "x1"), target="y", make=shallow)
    assert np.isfinite(GaussianNLL("y")(head, jax.tree.map(jnp.asarray, events), KEY))
    slow = predict(Dropout(head, 0.3).members(KEY, 20), events, moments=gaussian)
    fast = dropout_predict(KEY, head, events, members=20, rate=0.3, moments=gaussian)
    for name in ("mean", "aleatoric", "epistemic"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), rtol=1e-4, atol=1e-7)


def test_bad_input_of_learnt_rates_is_told(events, network):
    with pytest.raises(InputError, match=r"inside \(0, 1\)"):
        concrete_dropout(KEY, start_from(network), Known(), events, start=0.0)
    with pytest.raises(InputError, match="one number"):
        concrete_dropout(KEY, start_from(network), Known(), events, precision=np.ones(2))
    with pytest.raises(InputError, match="0 perceptrons"):
        dropout_predict(KEY, eqx.nn.MLP(2, 1, 4, 1, key=KEY), events)
    with pytest.raises(InputError, match="at least 1"):
        dropout_predict(KEY, network, events, members=0)
    line = classifier(KEY, events, ("x0",), depth=0)
    with pytest.raises(InputError, match="add a hidden layer"):
        concrete_dropout(KEY, start_from(line), Known(), events)
    with pytest.raises(InputError, match="without hidden layers"):
        dropout_predict(KEY, line, events)
