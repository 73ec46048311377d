import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear import GRID, NOISE, PHI, TAU, Known, exact, moments, regression, start

from verax.epistemic import hmc
from verax.epistemic._diagnostics import effective_size, r_hat, tail_size
from verax.epistemic._hmc import _judge_draws
from verax.errors import InputError
from verax.events import make_events
from verax.learn import predict
from verax.results import Status

KEY = jax.random.key(0)
DRAWS = {"precision": TAU, "chains": 4, "warmup": 400, "draws": 2000}


@pytest.fixture(scope="module")
def events():
    return regression()


@pytest.fixture(scope="module")
def chains(events):
    return hmc(jax.random.key(4), start, Known(), events, **DRAWS)


@pytest.mark.thorough
def test_predictive_variance_is_that_of_the_exact_posterior(events, chains):
    mean, precision = exact(events)
    assert chains.status == Status.OK
    assert chains.problem == ""
    p = predict(chains.members(KEY), GRID, moments=moments)
    variance = np.einsum("ij,jk,ik->i", PHI, np.linalg.inv(precision), PHI)
    # 4,000 or more effective draws: the variance is known to √(2/4000) = 2.2 %.
    assert np.nanmin(chains.weight_effective) > 3000
    np.testing.assert_allclose(p.epistemic, variance, rtol=0.05)
    np.testing.assert_allclose(p.mean, PHI @ mean, atol=4 * np.sqrt(variance.max() / 3000))
    np.testing.assert_allclose(p.aleatoric, NOISE**2, rtol=1e-6)


def test_result_says_how_the_chains_went(chains):
    assert chains.r_hat.shape == (60 + 1,)
    assert chains.r_hat.max() < 1.02
    assert chains.weight_r_hat.shape == (3,)
    assert (chains.divergent == 0).all()
    assert (np.abs(chains.acceptance - 0.8) < 0.15).all()
    assert chains.members(KEY, 8).weight.shape == (8, 3)
    assert chains.observations == 60


@pytest.mark.thorough
def test_an_event_twice_is_an_event_of_weight_two(events, chains):
    twice = events.take(np.concatenate([np.arange(20), np.arange(60)]))
    heavy = regression(weight=np.where(np.arange(60) < 20, 2.0, 1.0))
    _, precision = exact(events, np.where(np.arange(60) < 20, 2.0, 1.0))
    variance = np.einsum("ij,jk,ik->i", PHI, np.linalg.inv(precision), PHI)
    for sample in (twice, heavy):
        found = hmc(jax.random.key(5), start, Known(), sample, **DRAWS, power="counts")
        np.testing.assert_allclose(predict(found.members(KEY), GRID, moments=moments).epistemic, variance, rtol=0.06)


class Number(eqx.Module):
    """One weight; what it says is its value."""

    value: jax.Array
    features: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def __call__(self, x):
        return self.value


class TwoModes(eqx.Module):
    """Likelihood of one observation: two Gaussians of width 0.3 at ±distance, 3 : 1."""

    distance: float = eqx.field(static=True)

    def __call__(self, network, events, key):
        at = jnp.asarray([1.0, -1.0]) * self.distance
        terms = -0.5 * ((network.value - at) / 0.3) ** 2 + jnp.log(jnp.asarray([0.75, 0.25]))
        return -jnp.mean(events.weight) * jax.nn.logsumexp(terms)


def wide(key, events):
    return Number(4 * jnp.sign(jax.random.normal(key, ())))


@pytest.mark.thorough
@pytest.mark.parametrize("distance", [0.5, 3.0])
def test_two_modes_are_both_found_or_the_chains_say_that_they_disagree(distance):
    one = make_events({"x": np.zeros(1)})
    found = hmc(jax.random.key(6), wide, TwoModes(distance), one, precision=1e-4, chains=6, warmup=400, draws=2000)
    value = np.asarray(found.members(KEY).value)
    assert {float(s) for s in np.sign(value)} == {-1.0, 1.0}
    assert (np.minimum(np.abs(value - distance), np.abs(value + distance)) < 6 * 0.3).all()
    if distance == 0.5:
        # Modes 3.3 widths apart: chains cross, and their shares are the exact ones.
        share = 0.75 * 0.9522 + 0.25 * 0.0478  # Φ(0.5/0.3) = 0.9522
        n = effective_size((value > 0).astype(float).reshape(6, 2000, 1))[0]
        assert found.status == Status.OK
        assert n > 200
        assert (value > 0).mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / n))
    else:
        # Twenty widths apart no chain crosses: they say so.
        assert found.status == Status.MAX_STEPS
        assert found.r_hat[0] > 1.1
        assert "chains disagree" in found.problem


class Pair(eqx.Module):
    """Two weights, which it says."""

    value: jax.Array
    features: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def __call__(self, x):
        return self.value


class Funnel(eqx.Module):
    """Neal's funnel: v ~ N(0, 3²), x ~ N(0, e^v). Its neck, v < −6 in 2.3 % of cases, has no room for a step."""

    def __call__(self, network, events, key):
        v, x = network.value
        return jnp.mean(events.weight) * (v**2 / 18 + v / 2 + x**2 * jnp.exp(-v) / 2)


def pair(key, events):
    return Pair(jax.random.normal(key, (2,)))


@pytest.mark.thorough
def test_divergences_are_not_ok_where_chains_agree():
    """Chains that agree (R-hat 1.03, 160 effective draws) in having missed the neck, which is 2.3 % of the posterior."""
    one = make_events({"x": np.zeros(1)})
    options = {"precision": 1e-8, "warmup": 400, "draws": 2000, "acceptance": 0.6}
    found = hmc(jax.random.key(3), pair, Funnel(), one, **options)
    low = np.asarray(found.members(KEY).value)[:, 0] < -6
    assert low.mean() < 0.0228 / 2
    assert found.status == Status.MAX_STEPS
    many = np.full(3, 8000.0)
    status, line = _judge_draws(many, many, found.divergent, 8000)  # by the divergences alone
    assert status == Status.MAX_STEPS
    assert "of 8000 draws diverged" in line


def test_few_divergences_are_told():
    status, line = _judge_draws(np.full(3, 500.0), np.full(3, 400.0), np.asarray([0.0, 0.003]), 2000)
    assert status == Status.OK
    assert line.startswith("3 of 2000 draws diverged")
    assert _judge_draws(np.asarray([500.0, np.nan]), np.full(2, 400.0), np.zeros(2), 2000) == (Status.OK, "")
    status, line = _judge_draws(np.full(3, 500.0), np.asarray([99.0, 400.0, np.nan]), np.zeros(2), 2000)
    assert status == Status.MAX_STEPS
    assert "99 effective draws in the tails of 2000 (at least 100) in the worst of 3 quantities" in line


def test_tails_of_independent_draws_count_all_and_a_shared_tail_few():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 5000, 2))
    # one of 20 stretches of a chain stands above all else: the 95 % quantile is known from a handful of stretches
    x[:, :, 1] += np.repeat(rng.random((4, 100)) < 0.08, 50, axis=1) * 6
    sizes = tail_size(x)
    assert sizes[0] == pytest.approx(20_000, rel=0.15)
    assert sizes[1] < 1200  # 400 stretches, of which some overlap the bulk


@pytest.mark.thorough
def test_a_start_that_is_not_finite_is_a_status(events):
    broken = events.replace({"y": jnp.full(60, jnp.nan)})
    found = hmc(jax.random.key(4), start, Known(), broken, precision=TAU, chains=2, warmup=5, draws=5)
    assert found.status == Status.NOT_FINITE
    assert "0, 1" in found.problem


def test_effective_size_and_r_hat_of_autoregressive_chains():
    # An AR(1) chain with coefficient ρ has n (1 − ρ)/(1 + ρ) effective draws.
    rng = np.random.default_rng(0)
    rho = np.asarray([0.0, 0.5, 0.9])
    x = np.empty((4, 20_000, 3))
    x[:, 0] = rng.normal(size=(4, 3))
    noise = rng.normal(size=x.shape) * np.sqrt(1 - rho**2)
    for i in range(1, x.shape[1]):
        x[:, i] = rho * x[:, i - 1] + noise[:, i]
    np.testing.assert_allclose(effective_size(x), 80_000 * (1 - rho) / (1 + rho), rtol=0.1)
    np.testing.assert_allclose(r_hat(x), 1, atol=0.01)
    apart = x[:, :1000] + np.asarray([0, 0, 0, 2.0])[:, None, None]
    wider = x[:, :1000] * np.asarray([1, 1, 1, 3.0])[:, None, None]
    # Means 0 (six halves) and 2 (two): variance 6/7 between, 1 within, so √(1 + 6/7) = 1.36; ranks draw them together.
    np.testing.assert_allclose(r_hat(apart), 1.36, atol=0.1)
    assert (r_hat(wider)[:2] > 1.1).all()
    still = np.repeat(np.arange(4.0)[:, None, None], 100, axis=1)
    assert np.isinf(r_hat(still)).all()
    assert np.isnan(r_hat(np.ones((4, 100, 1)))).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chains": 0}, "chains"),
        ({"draws": 3}, "at least 4"),
        ({"acceptance": 1.0}, "between 0 and 1"),
        ({"steps": 0}, "leapfrog"),
        ({"precision": np.ones(2)}, r"shape \(2,\)"),
    ],
)
def test_bad_options_are_told(events, options, message):
    with pytest.raises(InputError, match=message):
        hmc(jax.random.key(0), start, Known(), events, **options)


def test_more_members_than_draws_are_refused(chains):
    with pytest.raises(InputError, match="8000"):
        chains.members(KEY, 8001)
