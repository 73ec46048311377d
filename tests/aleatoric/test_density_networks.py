from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from noisy import CENTRE, SCALE, duplicated, events_of, falling, gaussian_noise, make, mean, on_device, sigma
from scipy.stats import norm

from verax.aleatoric import (
    GaussianNLL,
    MixtureNLL,
    gaussian,
    gaussian_log_prob,
    mean_variance,
    mixture,
    mixture_density,
    mixture_log_prob,
)
from verax.epistemic import ensemble
from verax.errors import InputError
from verax.learn import Training, inputs, predict, train

N = 16_000


class _Shifted(eqx.Module):
    """A head whose mean is moved by a number."""

    head: Any
    shift: Any

    @property
    def features(self):
        return self.head.features

    def __call__(self, x):
        return self.head(x) + jnp.stack([self.shift, 0.0])


HEAD = {"features": ("x",), "target": "y", "make": make}


@pytest.fixture(scope="module")
def trained():
    events = gaussian_noise(1, N)
    make_head = partial(mean_variance, **HEAD)
    return ensemble(
        jax.random.key(1),
        make_head,
        GaussianNLL("y"),
        events,
        members=3,
        training=Training(epochs=20, batch=250, optimizer=falling(20 * N // 250)),
    ).networks


@pytest.mark.thorough
def test_mean_and_width_are_recovered(trained):
    """In five bins of x: the mean, and σ, within 4 standard errors of what the bin's own events can tell."""
    x = np.linspace(-0.9, 0.9, 50)
    found = predict(trained, x[:, None], moments=gaussian)
    per_bin = N / 2 * 0.36  # events within a bin of width 0.36
    value = (found.mean - CENTRE) / SCALE
    width = np.sqrt(found.aleatoric) / SCALE
    for part in np.split(np.arange(50), 5):
        s = sigma(x[part]).mean()
        assert np.mean(value[part] - mean(x[part])) == pytest.approx(0, abs=4 * s / np.sqrt(per_bin))
        assert np.mean(width[part] / sigma(x[part])) == pytest.approx(1, abs=4 / np.sqrt(2 * per_bin))


def test_parts_add_up_over_members(trained):
    """Three replicas of many events differ by far less than the noise, but do differ."""
    found = predict(trained, np.linspace(-1, 1, 20)[:, None], moments=gaussian)
    assert (found.epistemic > 0).all()
    assert (found.epistemic < 0.05 * found.aleatoric).all()


@pytest.mark.thorough
def test_nll_of_a_known_mixture_is_the_entropy():
    rng = np.random.default_rng(5)
    n, shares, centres, widths = 24_000, (0.3, 0.7), (-1.0, 0.5), (0.1, 0.3)
    which = rng.choice(2, 2 * n, p=shares)
    x = rng.uniform(-1, 1, 2 * n)
    y = x + np.asarray(centres)[which] + np.asarray(widths)[which] * rng.normal(size=2 * n)
    grid = np.linspace(-3, 3, 20_001)
    p = sum(a * norm.pdf(grid, m, s) for a, m, s in zip(shares, centres, widths, strict=True))
    step = grid[1] - grid[0]
    entropy = -np.sum(p * np.log(np.where(p > 0, p, 1))) * step
    events, held_out = (events_of(x[part], y[part]) for part in (slice(n), slice(n, None)))
    start = mixture_density(jax.random.key(2), events, components=4, **HEAD)
    network = train(
        jax.random.key(3),
        start,
        MixtureNLL("y"),
        events,
        validation=held_out,
        training=Training(epochs=20, batch=250, learning_rate=3e-3),
    ).network
    fresh = n // 2  # judged on new events
    which, x = rng.choice(2, fresh, p=shares), rng.uniform(-1, 1, fresh)
    y = x + np.asarray(centres)[which] + np.asarray(widths)[which] * rng.normal(size=fresh)
    test = events_of(x, y)
    output = jax.vmap(network)(inputs(network, test))
    nll = -np.asarray(mixture_log_prob(output, jnp.asarray(test.column("y"))), np.float64) - np.log(SCALE)
    # The sample's own entropy fluctuates; the excess over the truth's log-density of the same events does not.
    true = sum(a * norm.pdf(y - x, m, s) for a, m, s in zip(shares, centres, widths, strict=True))
    excess = nll + np.log(true)
    assert excess.mean() == pytest.approx(0, abs=0.02 * abs(entropy))
    assert nll.mean() == pytest.approx(entropy, abs=0.02 * abs(entropy) + 4 * nll.std() / np.sqrt(fresh))


def test_log_densities_are_those_of_scipy_and_integrate_to_one():
    one = jnp.asarray([2.0, np.log(0.5)])
    y = np.linspace(-2, 6, 2001, dtype=np.float32)
    both = jnp.asarray([np.log([0.25, 0.75]), [1.0, 3.0], np.log([0.5, 0.2])])
    single = np.asarray(gaussian_log_prob(jnp.broadcast_to(one, (2001, 2)), jnp.asarray(y)))
    mixed = np.asarray(mixture_log_prob(jnp.broadcast_to(both, (2001, *both.shape)), jnp.asarray(y)))
    assert single == pytest.approx(norm.logpdf(y, 2, 0.5), rel=1e-5, abs=1e-5)
    density = 0.25 * norm.pdf(y, 1, 0.5) + 0.75 * norm.pdf(y, 3, 0.2)
    assert np.exp(mixed) == pytest.approx(density, rel=1e-4, abs=1e-6)
    centre, variance = mixture(both)
    assert float(centre) == pytest.approx(np.sum(density * y) * 0.004, rel=1e-5)
    assert float(variance) == pytest.approx(np.sum(density * (y - 2.5) ** 2) * 0.004, rel=1e-4)


@pytest.mark.thorough
def test_beta_scales_each_gradient_and_keeps_the_value():
    events = on_device(events_of(np.array([0.2]), np.array([1.0])))
    network = mean_variance(jax.random.key(0), gaussian_noise(3, 64), **HEAD)
    variance = float(gaussian(network(jnp.asarray([0.2])))[1])

    def loss(shift, beta):
        return GaussianNLL("y", beta)(_Shifted(network, shift), events, jax.random.key(0))

    plain, scaled = (jax.value_and_grad(loss)(0.0, beta) for beta in (0.0, 0.5))
    assert float(scaled[0]) == pytest.approx(float(plain[0]), rel=1e-6)
    assert float(scaled[1]) == pytest.approx(float(plain[1]) * np.sqrt(variance), rel=1e-5)


@pytest.mark.thorough
def test_an_event_twice_is_an_event_of_weight_two():
    events = gaussian_noise(4, 32)
    twice, heavier = duplicated(events)
    pairs = [
        (GaussianNLL("y"), mean_variance),
        (GaussianNLL("y", 0.5), mean_variance),
        (MixtureNLL("y"), mixture_density),
    ]
    for loss, head in pairs:
        network = head(jax.random.key(0), events, **HEAD)
        one, two = (float(eqx.filter_jit(loss)(network, e, jax.random.key(0))) * len(e) for e in (twice, heavier))
        assert one == pytest.approx(two, rel=1e-5)


def test_bad_input():
    events = gaussian_noise(4, 32)
    with pytest.raises(InputError, match="target 'y': got a feature of that name"):
        mean_variance(jax.random.key(0), events, features=("x", "y"), target="y")
    broken = events.replace({"y": jnp.full(32, jnp.nan)})
    with pytest.raises(InputError, match="target 'y': got 32 NaN or infinite values"):
        mean_variance(jax.random.key(0), broken, features=("x",), target="y")
    network = mixture_density(jax.random.key(0), events, **HEAD)
    with pytest.raises(InputError, match=r"outputs of shape \(3, 5\); expected outputs of shape \(2,\)"):
        GaussianNLL("y")(network, on_device(events), jax.random.key(0))
    with pytest.raises(InputError, match="beta: got 2"):
        GaussianNLL("y", 2.0)
    with pytest.raises(InputError, match="components: got 0"):
        mixture_density(jax.random.key(0), events, components=0, **HEAD)


def test_a_constant_target_has_scale_one_and_a_finite_loss():
    events = events_of(np.linspace(-1, 1, 32), np.zeros(32))
    network = mean_variance(jax.random.key(0), events, **HEAD)
    assert float(network.scale.scale[0]) == 1
    trained = train(jax.random.key(1), network, GaussianNLL("y"), events, training=Training(epochs=5, batch=32))
    assert trained.history.problem == ""


def test_weights_that_do_not_sum_to_a_positive_number_are_refused():
    events = gaussian_noise(6, 32).reweight(-jnp.ones(32))
    with pytest.raises(InputError, match=r"training part: got 32 events with weights that sum to -32"):
        mean_variance(jax.random.key(0), events, **HEAD)
