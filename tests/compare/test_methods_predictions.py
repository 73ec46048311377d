"""Four kinds of prediction are judged alike, and as closed forms and SciPy say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from verax.aleatoric import GaussianNLL
from verax.compare import (
    LEVELS,
    QUANTILES,
    TARGET,
    Bands,
    Data,
    Gaussian,
    Mixture,
    Quantiles,
    adversarial,
    mean_network,
    mixture_nll,
    score,
    softplus_network,
    take,
)
from verax.epistemic import masked, thin

N = 8_000


@pytest.fixture(scope="module")
def drawn():
    """Two splits of points from N(mean, sigma²), with what they were drawn from."""
    rng = np.random.default_rng(6)
    mean, sigma = rng.normal(size=(2, N)), rng.uniform(0.5, 2.0, size=(2, N))
    return mean, sigma, mean + sigma * rng.normal(size=(2, N))


def predictions(mean, sigma):
    """The same Gaussians as every kind of prediction."""
    parts = np.stack([mean, mean], axis=-1)
    z = norm.ppf(QUANTILES)
    return {
        "gaussian": Gaussian(mean, sigma**2),
        "mixture": Mixture(np.full(parts.shape, 0.5), parts, np.stack([sigma, sigma], axis=-1) ** 2),
        "quantiles": Quantiles(mean[..., None] + sigma[..., None] * z),
        "bands": Bands(mean, {v: norm.interval(v, mean, sigma) for v in LEVELS}),
    }


@pytest.mark.parametrize("name", ["gaussian", "mixture", "quantiles", "bands"])
def test_the_truth_covers_and_has_its_entropy(drawn, name):
    mean, sigma, y = drawn
    prediction = predictions(mean, sigma)[name]
    found = score(prediction, y)
    for level in LEVELS:
        error = np.sqrt(level * (1 - level) / N)
        assert np.abs(found[f"coverage {100 * level:.0f}"] - level).max() < 4 * error
        width = 2 * norm.ppf(0.5 + level / 2) * sigma
        np.testing.assert_allclose(found[f"mean width {100 * level:.0f}"], width.mean(axis=1), rtol=1e-9)
        np.testing.assert_allclose(found[f"width {100 * level:.0f}"], np.median(width, axis=1), rtol=1e-9)
    np.testing.assert_allclose(found["rmse"], np.sqrt(((y - mean) ** 2).mean(axis=1)))
    if name in ("gaussian", "mixture"):
        entropy = (np.log(sigma) + 0.5 * np.log(2 * np.pi * np.e)).mean(axis=1)
        assert np.abs(found["nll"] - entropy).max() < 4 * np.sqrt(0.5 / N)  # Var(z²/2) = ½
        crps = sigma.mean(axis=1) / np.sqrt(np.pi)
        np.testing.assert_allclose(found["crps"], crps, rtol=0.04)  # its spread is 0.75 of it, over √N
    else:
        assert np.isnan(found["nll"]).all()
    cut = take(prediction, slice(0, 10))
    np.testing.assert_allclose(cut.interval(0.95)[0], prediction.interval(0.95)[0][:, :10], rtol=1e-12)


def test_the_interval_of_a_mixture_has_its_tails():
    prediction = Mixture(np.array([[[0.3, 0.7]]]), np.array([[[-2.0, 1.0]]]), np.array([[[0.5, 2.0]]]))
    for end, tail in zip(prediction.interval(0.68), (0.16, 0.84), strict=True):
        below = 0.3 * norm.cdf(end, -2.0, np.sqrt(0.5)) + 0.7 * norm.cdf(end, 1.0, np.sqrt(2.0))
        assert float(below[0, 0]) == pytest.approx(tail, abs=1e-9)


def test_the_likelihood_of_masks_is_that_of_their_mixture():
    rng = np.random.default_rng(2)
    draws, y, tau = rng.normal(size=(7, 5)), rng.normal(size=5), 3.0
    expected = -np.log(norm.pdf(y, draws, 1 / np.sqrt(tau)).mean(axis=0))
    np.testing.assert_allclose(mixture_nll(draws, y, tau), expected, rtol=1e-12)


@pytest.fixture(scope="module")
def table():
    """A line with noise, as events."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(64, 2)) * [1.0, 5.0]
    return Data("line", x, x[:, 0] + rng.normal(size=64), np.zeros((0, 0), int), np.zeros((0, 0), int)).events()


@pytest.mark.thorough
def test_adversarial_training_adds_the_loss_where_it_grows(table):
    """ε small: the added term exceeds the plain loss by the sum of |∂ℓ/∂x| ε, of first order."""
    network = softplus_network(jax.random.key(1), table, features=("x0", "x1"))
    loss, key = GaussianNLL(TARGET), jax.random.key(0)
    made = adversarial(loss, table, ("x0", "x1"), share=1e-4)
    plain = float(loss(network, table, key))
    np.testing.assert_allclose(made.step, [*(1e-4 * np.ptp(table.x[:, :2], axis=0)), 0.0], rtol=1e-6)

    def at(x):
        moved = type(table)(x, table.weight, table.process, table.number, table.columns, table.processes)
        return loss(network, moved, key)

    slope = np.asarray(jax.grad(at)(jnp.asarray(table.x)))
    gain = float(np.sum(np.abs(slope) * np.asarray(made.step)))
    assert float(made(network, table, key)) - 2 * plain == pytest.approx(gain, rel=0.1)


@pytest.mark.thorough
def test_masks_of_features_too(table):
    """A mask beside the weights says what the folded one says; columns are left out with the rate, and scaled by it."""
    network = mean_network(jax.random.key(1), table, features=("x0", "x1"), rate=0.25, decay=0.0)
    x = jnp.asarray([0.3, -2.0])
    keys = jax.random.split(jax.random.key(2), 4000)
    first = np.asarray(
        jax.vmap(lambda k: thin(k, network, network.settings.rate, inputs=True).body.layers[0].weight)(keys)
    )
    whole = np.asarray(network.body.layers[0].weight)
    gone = (first == 0).all(axis=1)
    assert np.abs(gone.mean(axis=0) - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / 4000)
    np.testing.assert_allclose(
        first[~gone[:, 0], :, 0], np.broadcast_to(whole[:, 0] / 0.75, first[~gone[:, 0], :, 0].shape), rtol=1e-6
    )
    one = thin(keys[0], network, 0.25, inputs=True)(x)
    np.testing.assert_allclose(one, masked(keys[0], network, jnp.float32(0.25), inputs=True)(x), rtol=1e-5)
