from dataclasses import replace

import equinox as eqx
import jax
import numpy as np
import pytest

from verax.epistemic import ensemble
from verax.errors import InputError
from verax.events import make_events
from verax.learn import Training, predict
from verax.learn import _loop as loop
from verax.run import side_by_side


class Mean(eqx.Module):
    """A model with one number, for which the bootstrap has a closed form."""

    value: jax.Array

    def __call__(self, x):
        return self.value


class Squared(eqx.Module):
    def __call__(self, network, events, key):
        return jax.numpy.mean(events.weight * (events.x[:, 0] - network.value) ** 2)


def moments(output):
    return output, jax.numpy.ones(())


@pytest.fixture(scope="module")
def events():
    return make_events({"y": np.random.default_rng(0).normal(2, 3, 200)})


def start(key, events):
    return Mean(jax.numpy.zeros(()))


TRAINING = Training(epochs=400, batch=200, learning_rate=0.05)


def test_bootstrap_members_spread_as_the_mean_of_the_sample(events):
    members = ensemble(
        jax.random.key(1), start, Squared(), events, members=100, training=replace(TRAINING, vmapped=True)
    ).networks
    values = np.asarray(members.value)
    y = np.asarray(events.x[:, 0], np.float64)
    expected = y.std() / np.sqrt(200)
    assert values.shape == (100,)
    assert values.mean() == pytest.approx(y.mean(), abs=4 * expected / 10 + 0.01)
    assert values.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * 100) + 0.05)  # (1 + 1/n) and weights' spread


def test_without_bootstrap_this_convex_problem_has_one_answer(events):
    trained = ensemble(jax.random.key(1), start, Squared(), events, training=TRAINING, members=3, bootstrap=False)
    assert np.ptp(np.asarray(trained.networks.value)) < 0.01
    p = predict(trained.networks, np.zeros((5, 1), np.float32), moments=moments)
    np.testing.assert_allclose(p.mean, events.x[:, 0].mean(), atol=0.01)
    np.testing.assert_allclose(p.aleatoric, 1)
    np.testing.assert_allclose(p.epistemic, 0, atol=1e-4)
    assert len(trained.histories) == 3


def test_predict_is_the_law_of_total_variance():
    members = Mean(jax.numpy.asarray([0.0, 1.0, 5.0]))
    p = predict(members, np.zeros((7, 1), np.float32), moments=moments, batch=4)
    np.testing.assert_allclose(p.mean, 2)
    np.testing.assert_allclose(p.epistemic, np.var([0, 1, 5]), rtol=1e-6)
    np.testing.assert_allclose(p.aleatoric, 1)


def test_validation_decides_for_all_members(events):
    trained = ensemble(
        jax.random.key(1),
        start,
        Squared(),
        events,
        members=2,
        validation=events,
        training=replace(TRAINING, patience=3),
    )
    assert all(h.stopped in ("patience", "epochs") and np.isfinite(h.validation).all() for h in trained.histories)


def test_no_members_is_refused(events):
    with pytest.raises(InputError, match="members"):
        ensemble(jax.random.key(1), start, Squared(), events, members=0)


def test_members_are_the_same_whatever_trains_beside_them(events, monkeypatch):
    """Bit for bit; and epochs of all members are counted together."""
    seen = []
    training = replace(TRAINING, epochs=7, batch=50)
    counted = replace(training, progress=lambda *counts: seen.append(counts[:2]))
    beside = ensemble(jax.random.key(3), start, Squared(), events, members=5, training=counted)
    assert seen == [(i + 1, 35) for i in range(35)]
    monkeypatch.setattr(loop, "side_by_side", lambda: side_by_side(1))
    alone = ensemble(jax.random.key(3), start, Squared(), events, members=5, training=training)
    assert np.array_equal(beside.networks.value, alone.networks.value)
    assert len(set(np.asarray(beside.networks.value).tolist())) == 5


@pytest.mark.thorough
def test_an_interrupted_ensemble_ends_at_once(events):
    """The members that train, and those that wait."""
    seen = []

    def stop(epoch, epochs, loss):
        seen.append(epoch)
        if epoch > 3:
            raise KeyboardInterrupt

    long = replace(TRAINING, epochs=500, progress=stop)
    with pytest.raises(KeyboardInterrupt):
        ensemble(jax.random.key(3), start, Squared(), events, members=8, training=long)
    assert len(seen) < 50
