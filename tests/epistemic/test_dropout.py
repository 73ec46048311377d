import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear import regression

from verax.epistemic import Dropout, DropoutLoss, dropout, thin
from verax.errors import InputError
from verax.events import make_events
from verax.learn import Training, classifier, inputs, predict, start_from

RATE = 0.25


class Squared(eqx.Module):
    def __call__(self, network, events, key):
        found = jax.vmap(network)(inputs(network, events))
        return jnp.mean(events.weight * (events.column("y") - found) ** 2)


def moments(output):
    return output, jnp.ones(jnp.shape(output))


@pytest.fixture(scope="module")
def events():
    return regression()


@pytest.fixture(scope="module")
def network(events):
    return classifier(jax.random.key(1), events, ("x0", "x1"), width=32, depth=2)


@pytest.fixture(scope="module")
def members(network):
    return Dropout(network, RATE).members(jax.random.key(2), 400)


def test_two_equal_events_have_equal_predictions_in_every_member(members):
    x = np.asarray([[0.3, -1.0], [2.0, 1.0], [0.3, -1.0]], np.float32)
    said = np.asarray(eqx.filter_vmap(lambda m: jax.vmap(m)(x))(members))
    np.testing.assert_array_equal(said[:, 0], said[:, 2])
    assert said[:, 0].std() > 0.01


def test_a_member_is_the_network_with_units_left_out(network, members):
    for i in (1, 2):
        ratio = np.asarray(members.layers[i].weight) / np.asarray(network.layers[i].weight)
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), atol=1e-5)
        kept = ratio[:, 0] > 0
        np.testing.assert_allclose(ratio[:, 0][kept], 1 / (1 - RATE), rtol=1e-5)
        assert kept.mean() == pytest.approx(1 - RATE, abs=4 * np.sqrt(RATE * (1 - RATE) / kept.size))
        assert len(np.unique(kept, axis=0)) > 390
    np.testing.assert_array_equal(members.layers[0].weight[7], network.layers[0].weight)
    np.testing.assert_array_equal(members.standardise.centre[7], network.standardise.centre)


def test_variance_over_masks_is_its_closed_form(events):
    # One hidden layer: Σ_j v_j h_j m_j/(1 − p) + b has mean Σ v_j h_j + b and variance p/(1 − p) Σ (v_j h_j)².
    shallow = classifier(jax.random.key(3), events, ("x0", "x1"), width=32, depth=1)
    x = np.asarray([[0.5, 0.2], [1.5, -1.0]], np.float32)
    hidden = jax.vmap(lambda p: jax.nn.relu(shallow.layers[0](shallow.standardise(p))))(x)
    each = np.asarray(hidden, np.float64) * np.asarray(shallow.layers[1].weight, np.float64)[0]
    p = predict(Dropout(shallow, RATE).members(jax.random.key(4), 6000), x, moments=moments)
    variance = RATE / (1 - RATE) * (each**2).sum(axis=1)
    np.testing.assert_allclose(p.epistemic, variance, rtol=5 * np.sqrt(2 / 6000))
    mean = each.sum(axis=1) + float(np.ravel(shallow.layers[1].bias)[0])
    np.testing.assert_allclose(p.mean, mean, atol=4.5 * np.sqrt(variance.max() / 6000))


def test_bins_of_a_pass_move_together(members):
    # Events of one region: with one mask the sum moves as one event does; with a mask per event deviations average out.
    x = np.tile(np.asarray([[0.3, -1.0]], np.float32), (200, 1))
    said = np.asarray(eqx.filter_vmap(lambda m: jax.vmap(m)(x))(members), np.float64)
    rng = np.random.default_rng(0)
    per_event = said[rng.integers(0, 400, said.shape), np.arange(200)]
    shared, independent = said.sum(axis=1).var(), per_event.sum(axis=1).var()
    assert shared == pytest.approx(200**2 * said[:, 0].var(), rel=1e-3)
    assert independent == pytest.approx(shared / 200, rel=5 * np.sqrt(2 / 400))


@pytest.mark.thorough
@pytest.mark.parametrize("per", ["event", "batch"])
def test_an_event_twice_is_an_event_of_weight_two(network, per):
    events = regression(n=6)
    rows = np.concatenate([[0], np.arange(6)])
    heavy = regression(n=6, weight=np.where(np.arange(6) == 0, 2.0, 1.0))
    loss = eqx.filter_jit(DropoutLoss(Squared(), RATE, per))
    keys = jax.random.split(jax.random.key(5), 4000 if per == "event" else 3)

    def values(sample):
        table = jax.tree.map(jnp.asarray, sample)
        return (
            len(sample) * np.asarray([loss(network, table, k) for k in keys[:3]])
            if per == "batch"
            else (
                len(sample) * np.asarray(eqx.filter_jit(jax.vmap(lambda k: loss(network, table, k)))(keys), np.float64)
            )
        )

    twice, weighted = values(events.take(rows)), values(heavy)
    if per == "batch":
        np.testing.assert_allclose(twice, weighted, rtol=1e-5)
    else:  # two rows have two masks: equal in expectation
        error = np.hypot(twice.std(), weighted.std()) / np.sqrt(len(keys))
        assert twice.mean() == pytest.approx(weighted.mean(), abs=4 * error)
        assert abs(weighted.mean() - values(events).mean()) > 8 * error


@pytest.mark.thorough
@pytest.mark.parametrize("per", ["event", "batch"])
def test_loss_under_dropout_adds_the_variance_over_masks(network, per):
    # E over masks of (y − f)² = (y − E f)² + Var f, which members measure.
    events = regression(n=6)
    loss, table = DropoutLoss(Squared(), RATE, per), jax.tree.map(jnp.asarray, events)
    keys = jax.random.split(jax.random.key(6), 8000)
    values = np.asarray(eqx.filter_jit(jax.vmap(lambda k: loss(network, table, k)))(keys), np.float64)
    p = predict(Dropout(network, RATE).members(jax.random.key(7), 8000), events, moments=moments)
    expected = np.mean((np.asarray(events.column("y")) - p.mean) ** 2 + p.epistemic)
    assert values.mean() == pytest.approx(expected, abs=4 * np.sqrt(2) * values.std() / np.sqrt(8000) + 0.002)


@pytest.mark.thorough
def test_trains_in_the_one_loop(events, network):
    training = Training(epochs=200, batch=20, learning_rate=1e-2)
    found = dropout(jax.random.key(8), start_from(network), Squared(), events, training=training)
    assert found.problem == ""
    said = predict(found.members(jax.random.key(9)), events, moments=moments)
    residual = np.mean((np.asarray(events.column("y")) - said.mean) ** 2)
    assert residual < 0.5 * np.var(events.column("y"))
    assert (said.epistemic > 0).all()


def test_a_rate_of_zero_is_the_network_itself(network):
    same = thin(jax.random.key(0), network, 0.0)
    assert eqx.tree_equal(same, network)


def test_bad_input_is_told(network):
    for rate in (-0.1, 1.0, float("nan")):
        with pytest.raises(InputError, match=r"\[0, 1\)"):
            DropoutLoss(Squared(), rate)
        with pytest.raises(InputError, match=r"\[0, 1\)"):
            Dropout(network, rate).members(jax.random.key(0))
    with pytest.raises(InputError, match="did you mean 'event'"):
        DropoutLoss(Squared(), per="events")
    with pytest.raises(InputError, match="at least 1"):
        Dropout(network, RATE).members(jax.random.key(0), 0)
    line = classifier(jax.random.key(0), make_events({"x": np.zeros(3)}), ("x",), depth=0)
    with pytest.raises(InputError, match="add a hidden layer"):
        Dropout(line, RATE).members(jax.random.key(0))
