import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from noisy import CENTRE, SCALE, duplicated, events_of, falling, gaussian_noise, make, mean, on_device, sigma
from scipy.integrate import quad
from scipy.stats import binom, norm
from sklearn.metrics import mean_pinball_loss

from verax.aleatoric import Pinball, QuantileMoments, quantiles
from verax.errors import InputError
from verax.events import Events
from verax.learn import Training, inputs, predict, train

LEVELS = (0.05, 0.16, 0.5, 0.84, 0.95)
N = 16_000
HEAD = {"features": ("x",), "target": "y", "make": make}


@pytest.fixture(scope="module")
def trained():
    events = gaussian_noise(11, N)
    start = quantiles(jax.random.key(1), events, levels=LEVELS, **HEAD)
    return train(
        jax.random.key(2),
        start,
        Pinball("y", LEVELS),
        events,
        training=Training(epochs=20, batch=250, optimizer=falling(20 * N // 250)),
    ).network


@pytest.mark.thorough
def test_as_many_events_are_below_as_the_level_says(trained):
    """Over all new events, within 4 binomial errors of both samples: that of training and that of the test."""
    test = gaussian_noise(12, N)
    found = np.asarray(jax.vmap(trained)(inputs(trained, test)))
    fraction = (np.asarray(test.column("y"))[:, None] <= found).mean(axis=0)
    error = binom.std(N, LEVELS) / N * np.sqrt(2)
    assert (np.abs(fraction - LEVELS) < 4 * error).all()


def test_quantiles_are_those_of_the_noise(trained):
    """In five bins of x, within 4 standard errors of the bin's own sample quantile."""
    x = np.linspace(-0.9, 0.9, 50)
    found = (np.asarray(jax.vmap(trained)(x[:, None].astype(np.float32)), np.float64) - CENTRE) / SCALE
    exact = mean(x)[:, None] + sigma(x)[:, None] * norm.ppf(LEVELS)
    for part in np.split(np.arange(50), 5):
        s = sigma(x[part]).mean()
        error = (
            s * np.sqrt(np.multiply(LEVELS, np.subtract(1, LEVELS))) / norm.pdf(norm.ppf(LEVELS)) / np.sqrt(N * 0.18)
        )
        assert (np.abs((found - exact)[part].mean(axis=0)) < 4 * error).all()


def test_quantiles_never_cross(trained):
    """Far outside the training range too, and with large random numbers in all layers."""
    x = np.linspace(-1000, 1000, 5000, dtype=np.float32)[:, None]
    wild = jax.tree.map(lambda a: a * 3 if a.ndim else a, trained)
    for network in (trained, wild):
        assert (np.diff(np.asarray(jax.vmap(network)(x)), axis=1) >= 0).all()


def test_mean_and_variance_of_a_gaussian_are_exact():
    for levels in [LEVELS, (0.1, 0.4), (0.2, 0.25, 0.9)]:
        q = jnp.asarray(norm.ppf(levels, 1000, 3), jnp.float32)
        centre, variance = QuantileMoments(levels)(q)
        assert float(centre) == pytest.approx(1000, abs=1e-3)
        assert float(variance) == pytest.approx(9, rel=1e-3)


def test_mean_and_variance_of_other_quantiles_are_the_integrals():
    q, z = np.array([-1.0, 0.5, 0.7, 4.0]), norm.ppf([0.1, 0.4, 0.6, 0.8])

    def value(t):
        piece = int(np.clip(np.searchsorted(z, t) - 1, 0, 2))
        return q[piece] + (q[piece + 1] - q[piece]) / (z[piece + 1] - z[piece]) * (t - z[piece])

    first = quad(lambda t: value(t) * norm.pdf(t), -9, 9, points=z, limit=200)[0]
    second = quad(lambda t: (value(t) - first) ** 2 * norm.pdf(t), -9, 9, points=z, limit=200)[0]
    centre, variance = QuantileMoments((0.1, 0.4, 0.6, 0.8))(jnp.asarray(q))
    assert float(centre) == pytest.approx(first, rel=1e-5)
    assert float(variance) == pytest.approx(second, rel=1e-5)


def test_prediction_over_members(trained):
    members = jax.tree.map(lambda a: jnp.stack([a, a]), trained)
    found = predict(members, np.zeros((1, 1)), moments=QuantileMoments(LEVELS))
    assert found.epistemic[0] == pytest.approx(0, abs=1e-3)
    assert np.sqrt(found.aleatoric[0]) / SCALE == pytest.approx(0.3, rel=0.06)


def test_loss_is_that_of_scikit_learn_and_an_event_twice_is_weight_two():
    events = gaussian_noise(4, 32)
    weight = np.random.default_rng(0).uniform(0.5, 2, 32).astype(np.float32)
    events = Events(events.x, weight, events.process, events.number, events.columns, events.processes)
    network = quantiles(jax.random.key(0), events, levels=LEVELS, **HEAD)
    loss = Pinball("y", LEVELS)
    found = np.asarray(jax.vmap(network)(inputs(network, events)))
    expected = [
        mean_pinball_loss(events.column("y"), found[:, i], alpha=a, sample_weight=weight) for i, a in enumerate(LEVELS)
    ]
    value = float(loss(network, on_device(events), jax.random.key(0)))
    assert value == pytest.approx(np.mean(expected) * weight.mean(), rel=1e-4)
    one, two = (float(eqx.filter_jit(loss)(network, e, jax.random.key(0))) * len(e) for e in duplicated(events))
    assert one == pytest.approx(two, rel=1e-5)


def test_bad_levels():
    events = events_of(np.linspace(-1, 1, 32), np.zeros(32))
    for levels, message in [
        ((0.5, 0.1), "strictly increasing numbers; sort them"),
        ((0.5, 0.5), "strictly increasing"),
        ((0.0, 0.5), r"inside \(0, 1\)"),
        ((0.5, 1.2), r"inside \(0, 1\)"),
        ((), r"inside \(0, 1\)"),
    ]:
        with pytest.raises(InputError, match=message):
            quantiles(jax.random.key(0), events, levels=levels, **HEAD)
        with pytest.raises(InputError, match=message):
            Pinball("y", levels)
    with pytest.raises(InputError, match="at least two"):
        QuantileMoments((0.5,))
    network = quantiles(jax.random.key(0), events, levels=(0.5,), **HEAD)
    with pytest.raises(InputError, match=r"outputs of shape \(1,\); expected outputs of shape \(5,\)"):
        Pinball("y", LEVELS)(network, on_device(events), jax.random.key(0))
