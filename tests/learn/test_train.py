import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from gaussians import AUC, make, sample, weigh
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from verax.errors import InputError
from verax.events import Events
from verax.learn import CrossEntropy, Training, inputs, start_from, train, train_made
from verax.parameters import nuisance
from verax.systematics import Systematic, shift

LOSS = CrossEntropy(("signal",))


def weighted(events: Events) -> Events:
    return Events(events.x, weigh(events).astype("f4"), events.process, events.number, events.columns, events.processes)


def logit(network, events: Events) -> np.ndarray:
    return np.asarray(jax.vmap(network)(jnp.asarray(inputs(network, events))), np.float64)


def same(a, b) -> bool:
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y) for x, y in leaves)


@pytest.fixture(scope="module")
def fitted():
    events, stop = weighted(sample(0, 4000)), weighted(sample(1, 1000))
    network = make(jax.random.key(1), events)
    return train(
        jax.random.key(2),
        network,
        LOSS,
        events,
        validation=stop,
        training=Training(epochs=12, batch=128, learning_rate=1e-2),
    )


def test_auc_of_two_gaussians_is_the_exact_one(fitted):
    test = sample(5, 20_000)
    # Standard error of an AUC of 0.86 from 10,000 + 10,000 events is 0.0026; the network itself loses a little.
    assert roc_auc_score(test.process, logit(fitted.network, test)) == pytest.approx(AUC, abs=3 * 0.0026)


def test_probability_is_calibrated(fitted):
    test = sample(5, 20_000)
    exact = 1.5 * (test.column("x0") - 0.75)
    assert np.abs(expit(logit(fitted.network, test)) - expit(exact)).mean() < 0.03


def test_history_says_what_was_kept(fitted):
    h = fitted.history
    assert h.best == int(np.argmin(h.validation))
    assert len(h.train) == len(h.validation) <= 12
    assert h.problem == ""
    h.check()


def test_patience_stops_and_the_best_network_comes_back():
    events, stop = weighted(sample(0, 200)), weighted(sample(1, 200))
    network = make(jax.random.key(1), events)
    long = train(
        jax.random.key(2),
        network,
        LOSS,
        events,
        validation=stop,
        training=Training(epochs=60, batch=50, learning_rate=0.1, patience=3),
    )
    assert long.history.stopped == "patience"
    assert len(long.history.train) == long.history.best + 1 + 3
    short = train(
        jax.random.key(2),
        network,
        LOSS,
        events,
        validation=stop,
        training=Training(epochs=long.history.best + 1, batch=50, learning_rate=0.1),
    )
    assert same(short.network, long.network)


def test_same_key_same_bits_other_key_other_bits():
    events = weighted(sample(0, 300))
    network = make(jax.random.key(1), events)
    a, b, c = (
        train(jax.random.key(k), network, LOSS, events, training=Training(epochs=2, batch=64)).network
        for k in (3, 3, 4)
    )
    assert same(a, b)
    assert not same(a, c)


def test_tilted_weights_give_the_decision_of_the_reweighted_population():
    # Weights e^(a x0) turn N(m, 1) into N(m + a, 1): with tilt on the background only, the boundary moves by a/2.
    events = sample(0, 8000)
    tilt = 0.5
    x0 = events.column("x0").astype(np.float64)
    weight = np.where(events.process == 1, 1.0, np.exp(tilt * x0 - tilt**2 / 2)).astype("f4")
    events = Events(events.x, weight, events.process, events.number, events.columns, events.processes)
    network = make(jax.random.key(1), events)
    trained = train(
        jax.random.key(2), network, LOSS, weighted(events), training=Training(epochs=6, batch=128, learning_rate=1e-2)
    )
    grid = np.zeros((5, 2), np.float32)
    grid[:, 0] = np.linspace(0, 1.6, 5)
    seen = np.asarray(jax.vmap(trained.network)(jnp.asarray(grid)))
    exact = (1.5 - tilt) * (grid[:, 0] - (1.5 + tilt) / 2)
    np.testing.assert_allclose(seen, exact, atol=0.25)
    assert np.abs(seen - 1.5 * (grid[:, 0] - 0.75)).max() > 0.25  # the untilted answer would fail


def test_nan_loss_keeps_the_last_good_network_and_says_why():
    class Fragile(eqx.Module):
        """A loss that breaks in epoch 2 or so: once the network has moved away from its start."""

        limit: float = eqx.field(static=True)

        def __call__(self, network, events, key):
            value = LOSS(network, events, key)
            return jnp.where(value < self.limit, jnp.nan, value)

    events = weighted(sample(0, 1000))
    network = make(jax.random.key(1), events)
    trained = train(
        jax.random.key(2), network, Fragile(0.5), events, training=Training(epochs=20, batch=100, learning_rate=3e-3)
    )
    assert trained.history.stopped == "not finite"
    assert 0 <= trained.history.best < len(trained.history.train) - 1
    assert np.isfinite(logit(trained.network, events)).all()
    assert not same(trained.network, network)
    with pytest.raises(InputError, match=r"epoch \d+, step \d+, learning rate 0.003; likely cause: a learning rate"):
        trained.history.check()


def test_nan_features_are_named_as_the_cause():
    events = weighted(sample(0, 100))
    network = make(jax.random.key(1), events)
    broken = events.replace({"x0": jnp.full(100, jnp.nan)})
    trained = train(jax.random.key(2), network, LOSS, broken, training=Training(epochs=5, batch=100))
    assert trained.history.best == -1
    assert "likely cause: NaN or infinite features" in trained.history.problem
    assert same(trained.network, network)


def test_standardisation_stays_as_it_was(fitted):
    events = weighted(sample(0, 4000))
    assert same(fitted.network.standardise, make(jax.random.key(1), events).standardise)


def test_any_optimizer_and_progress():
    events, seen = weighted(sample(0, 128)), []
    network = make(jax.random.key(1), events)
    train(
        jax.random.key(0),
        network,
        LOSS,
        events,
        training=Training(
            epochs=3,
            batch=64,
            optimizer=optax.sgd(0.1),
            progress=lambda epoch, epochs, loss: seen.append((epoch, epochs, loss)),
        ),
    )
    assert [s[:2] for s in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[2][2] < seen[0][2]


@pytest.mark.parametrize("option", ["epochs", "batch", "patience", "learning_rate"])
def test_options_must_be_positive(option):
    with pytest.raises(InputError, match=f"^{option.replace('_', ' ')}.*above zero"):
        Training(**{option: 0})


def test_empty_sample_is_refused():
    events = sample(0, 16)
    with pytest.raises(InputError, match="no events"):
        train(jax.random.key(0), make(jax.random.key(0), events), LOSS, events.take(np.zeros(0, int)))


def test_a_network_that_is_not_trained_is_taken_as_it_is():
    events = sample(0, 16)
    network = make(jax.random.key(0), events)
    found = train_made(jax.random.key(1), start_from(network), LOSS, events, None)
    assert found.network is network
    assert found.histories == ()
    with pytest.raises(InputError, match="training=None"):
        train_made(jax.random.key(1), start_from(network), LOSS, events, None, events)


class Augmented(eqx.Module):
    """A loss transformer: each batch is shifted by its own θ ~ N(0, 1)."""

    loss: CrossEntropy
    systematics: tuple[Systematic, ...]

    def __call__(self, network, events, key):
        params = {s.name: jax.random.normal(jax.random.fold_in(key, i)) for i, s in enumerate(self.systematics)}
        return self.loss(network, shift(events, self.systematics, params), key)


@pytest.mark.thorough
def test_a_loss_may_shift_the_events_by_a_random_nuisance_parameter():
    # Smearing x0 by N(0, 1) per batch makes a class N(m, 2) over batches: the slope of the exact logit halves.
    move = Systematic(nuisance("move", "detector"), lambda e, t: e.replace({"x0": e.column("x0") + t}))
    events = weighted(sample(0, 8000))
    network = make(jax.random.key(1), events)
    training = Training(epochs=8, batch=32, learning_rate=3e-3)
    plain = train(jax.random.key(2), network, LOSS, events, training=training).network
    blurred = train(jax.random.key(2), network, Augmented(LOSS, (move,)), events, training=training).network
    ends = jnp.asarray([[0.0, 0.0], [1.5, 0.0]])
    slopes = [float(jnp.diff(jax.vmap(n)(ends))[0]) / 1.5 for n in (plain, blurred)]
    assert slopes[0] == pytest.approx(1.5, abs=0.3)
    assert slopes[1] == pytest.approx(0.75, abs=0.3)
