"""Test-time augmentation of a linear network: the variance over members is Σ w² σ², that of error propagation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear import GRID, Known, Line, moments, regression

from verax.epistemic import tta
from verax.errors import InputError
from verax.events import make_events
from verax.learn import classifier, predict, start_from

KEY = jax.random.key(11)
SIGMA = {"x0": 0.1, "x1": 0.4}
WEIGHT = np.asarray([0.5, 2.0, -1.5])
N = 4000


def around(network, events, **resolution):
    return tta(KEY, start_from(network), Known(), events, training=None, resolution=resolution)


@pytest.fixture(scope="module")
def members():
    return around(Line(jnp.asarray(WEIGHT)), regression(), **SIGMA).members(KEY, N)


def test_the_spread_of_a_linear_network_is_exact(members):
    found = predict(members, GRID, moments=moments)
    variance = (2.0 * 0.1) ** 2 + (1.5 * 0.4) ** 2
    np.testing.assert_allclose(found.epistemic, variance, rtol=4.5 * np.sqrt(2 / N))
    exact = WEIGHT[0] + GRID @ WEIGHT[1:]
    np.testing.assert_allclose(found.mean, exact, atol=4.5 * np.sqrt(variance / N))


def test_one_input_without_resolution_is_exact():
    found = around(Line(jnp.asarray(WEIGHT)), regression(), x0=0.3).members(KEY, N)
    np.testing.assert_allclose(predict(found, GRID, moments=moments).epistemic, 0.6**2, rtol=4.5 * np.sqrt(2 / N))


def test_draws_of_different_events_are_independent_and_a_member_is_one_function(members):
    x = np.asarray([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 1.0 + 1e-6]], np.float32)
    out = np.asarray(jax.vmap(lambda m: jax.vmap(m)(x))(members), np.float64)
    np.testing.assert_array_equal(out[:, 0], out[:, 2])
    correlation = np.corrcoef(out[:, [0, 1, 3]], rowvar=False)
    assert np.abs(correlation[np.triu_indices(3, 1)]).max() < 4.5 / np.sqrt(N)
    backwards = np.asarray(jax.vmap(lambda m: jax.vmap(m)(x[::-1]))(members), np.float64)
    np.testing.assert_array_equal(out, backwards[:, ::-1])


def test_whole_numbers_do_not_share_their_draws(members):
    x = np.stack(np.meshgrid(np.arange(64.0), np.arange(64.0)), axis=-1).reshape(-1, 2).astype(np.float32)
    one = jax.tree.map(lambda a: a[0], members)
    noise = np.asarray(jax.vmap(one)(x) - jax.vmap(one.network)(x), np.float64)
    assert len(np.unique(np.round(noise, 4))) > 3000  # of 4096 numbers in about 6 widths of 0.63, to 10⁻⁴
    assert noise.std() == pytest.approx(np.hypot(0.2, 0.6), rel=4.5 / np.sqrt(2 * 4096))


def test_a_value_that_was_not_measured_has_no_noise():
    rng = np.random.default_rng(1)
    x = np.where(rng.random(200) < 0.3, -999.0, rng.normal(size=200))
    table = make_events({"x0": x, "x1": rng.normal(size=200)})
    network = classifier(KEY, table, ("x0", "x1"), width=8, depth=1, missing=-999.0)
    found = around(network, table, x0=0.5).members(KEY, 20)
    rows = np.asarray([[-999.0, 0.3], [0.2, 0.3]], np.float32)
    spread = predict(found, rows).epistemic
    assert spread[0] == pytest.approx(0, abs=1e-12)
    assert spread[1] > 1e-6


@pytest.mark.parametrize(
    ("resolution", "message"),
    [({"x2": 0.1}, "x0"), ({"x0": -0.1}, "standard deviations"), ({}, "above zero"), ({"x0": np.nan}, "finite")],
)
def test_a_resolution_that_means_nothing_is_refused(resolution, message):
    with pytest.raises(InputError, match=message):
        around(Line(jnp.asarray(WEIGHT)), regression(), **resolution)
