import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear import GRID, NOISE, PHI, TAU, Known, Line, exact, moments, regression, start

from verax.epistemic import MeanField, NegativeElbo, hmc, temper, variational
from verax.errors import InputError
from verax.learn import predict, start_from
from verax.results import Status

OPTIONS = {"precision": TAU, "samples": 32}


@pytest.fixture(scope="module")
def events():
    return regression()


@pytest.fixture(scope="module")
def found(events):
    return variational(jax.random.key(0), start_from(Line(jnp.zeros(3))), Known(), events, **OPTIONS)


@pytest.mark.thorough
def test_finds_the_mean_and_the_known_variances_of_mean_field(events, found):
    mean, precision = exact(events)
    sigma = np.sqrt(1 / np.diag(precision))
    np.testing.assert_allclose(np.asarray(found.posterior.sigma) ** 2, sigma**2, rtol=0.05)
    # The bias is real here: the true marginal variances are more than twice as large.
    assert (np.diag(np.linalg.inv(precision)) > 2 * sigma**2)[1:].all()
    assert (np.abs(np.asarray(found.posterior.vector()) - mean) < 0.3 * sigma).all()
    assert found.observations == 60
    assert found.status == Status.OK
    assert found.histories[0].stopped == "settled"


def test_members_have_the_variances_of_the_posterior(events, found):
    members = found.members(jax.random.key(2), 4000)
    p = predict(members, GRID, moments=moments)
    expected = PHI**2 @ np.asarray(found.posterior.sigma, np.float64) ** 2
    np.testing.assert_allclose(p.epistemic, expected, rtol=4.5 * np.sqrt(2 / 4000))
    np.testing.assert_allclose(p.aleatoric, NOISE**2, rtol=1e-6)
    assert members.weight.shape == (4000, 3)


def elbo(events, *, samples=3):
    network = MeanField(Line(jnp.asarray([0.3, -0.2, 0.1])), jnp.full(3, -2.0))
    loss = NegativeElbo(Known(), len(events), np.asarray(TAU, np.float32), samples)
    return len(events) * float(loss(network, jax.tree.map(jnp.asarray, events), jax.random.key(0)))


@pytest.mark.thorough
def test_an_event_twice_is_an_event_of_weight_two(events):
    twice = events.take(np.concatenate([[0], np.arange(len(events))]))
    heavy = regression(weight=np.where(np.arange(60) == 0, 2.0, 1.0))
    counted = [elbo(temper(e, power="counts")) for e in (twice, heavy, events)]
    assert counted[0] == pytest.approx(counted[1], rel=1e-5)
    assert abs(counted[0] - counted[2]) > 1e-3 * counted[0]


def test_the_objective_is_its_closed_form(events):
    # E_q of a quadratic: the value at the mean, plus half the trace of its Hessian times q's variances.
    phi, y = np.column_stack([np.ones(60), events.features(("x0", "x1"))]), np.asarray(events.column("y"))
    mean, sigma = np.asarray([0.3, -0.2, 0.1]), np.log1p(np.exp(-2.0))
    at_mean = 0.5 * np.sum(((y - phi @ mean) / NOISE) ** 2)
    trace = 0.5 * sigma**2 * np.sum(phi**2) / NOISE**2
    kl = 0.5 * np.sum(TAU * (sigma**2 + mean**2) - 1 - np.log(TAU * sigma**2))
    spread = trace * np.sqrt(2 / 20_000) * 2
    assert elbo(events, samples=20_000) == pytest.approx(at_mean + trace + kl, abs=5 * spread)


def test_any_scale_of_the_weights_is_the_same_posterior(events):
    scaled = temper(regression(weight=np.full(60, 7.0)))
    np.testing.assert_allclose(scaled.weight, 1, rtol=1e-6)
    mixed = temper(regression(weight=np.where(np.arange(60) < 30, 3.0, 1.0)))
    assert np.sum(mixed.weight, dtype=np.float64) == pytest.approx(120**2 / (30 * 9 + 30), rel=1e-6)


@pytest.mark.parametrize(
    ("weight", "options", "message"),
    [
        (np.full(60, -1.0), {}, "sum to -60"),
        (np.where(np.arange(60) < 9, -1.0, 1.0), {"negative": "error"}, "9 below zero"),
        (None, {"power": "efective"}, "did you mean 'effective'"),
        (None, {"precision": 0.0}, "positive number"),
        (None, {"precision": np.ones(2)}, r"shape \(2,\)"),
        (None, {"samples": 0}, "above zero"),
    ],
)
def test_bad_input_is_told(weight, options, message):
    with pytest.raises(InputError, match=message):
        variational(jax.random.key(0), start_from(Line(jnp.zeros(3))), Known(), regression(weight=weight), **options)
    with pytest.raises(InputError, match="no trainable weights"):
        variational(jax.random.key(0), start_from(eqx.nn.Identity()), Known(), regression())


def test_chains_without_the_extra_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "blackjax", None)
    with pytest.raises(InputError, match="pip install blackjax"):
        hmc(jax.random.key(0), start, Known(), regression())
