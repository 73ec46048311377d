"""The evidential head against its density in closed form, and its known fault."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import invgamma, t

from verax.aleatoric import EvidentialNLL, evidential, evidential_log_prob, evidential_moments
from verax.epistemic import ensemble
from verax.errors import InputError
from verax.events import make_events
from verax.learn import Training, classifier, cosine, predict

OUTPUT = np.asarray([1.5, 0.7, 3.2, 2.1])  # γ, ν, α, β
small = partial(classifier, width=16, depth=1)
head = partial(evidential, features=("x",), target="y", make=small)


@pytest.mark.parametrize("alpha", [1.01, 3.2, 19.0, 21.0, 1e3, 1e6])
def test_the_density_is_students(alpha):
    """Also with many degrees of freedom, where it is all but a Gaussian and float32 has few digits."""
    mean, nu, _, beta = OUTPUT
    beta *= alpha / 3.2
    y = np.linspace(-6, 9, 31)
    exact = t(2 * alpha, mean, np.sqrt(beta * (1 + nu) / (nu * alpha))).logpdf(y)
    output = jnp.asarray([mean, nu, alpha, beta], jnp.float32)
    found = evidential_log_prob(jnp.tile(output, (31, 1)), jnp.asarray(y, jnp.float32))
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_moments_are_those_of_the_normal_inverse_gamma():
    mean, nu, alpha, beta = OUTPUT
    rng = np.random.default_rng(1)
    variance = invgamma(alpha, scale=beta).rvs(1_000_000, random_state=rng)
    mu = rng.normal(mean, np.sqrt(variance / nu))
    found = [float(v) for v in evidential_moments(jnp.asarray(OUTPUT))]
    # Var σ² = (β/(α − 1))²/(α − 2), so that 10⁶ draws know E σ² to 0.1 %; the variance of μ has tails of power 2α.
    assert found[0] == pytest.approx(mu.mean(), abs=0.005)
    assert found[1] == pytest.approx(variance.mean(), rel=0.005)
    assert found[2] == pytest.approx(mu.var(), rel=0.02)


@pytest.mark.thorough
def test_both_parts_of_one_network_and_of_several():
    table = make_events({"x": np.arange(8.0), "y": np.arange(8.0)})
    networks = [head(jax.random.key(i), table) for i in range(3)]
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *networks)
    x = np.linspace(0, 7, 5, dtype=np.float32)[:, None]
    each = np.asarray([jax.vmap(lambda p, n=n: jnp.stack(evidential_moments(n(p))))(x) for n in networks], np.float64)
    found = predict(stacked, x, moments=evidential_moments)
    np.testing.assert_allclose(found.mean, each[..., 0].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.aleatoric, each[..., 1].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.epistemic, each[..., 2].mean(axis=0) + each[..., 0].var(axis=0), rtol=1e-5)
    one = predict(jax.tree.map(lambda a: a[:1], stacked), x, moments=evidential_moments)
    np.testing.assert_allclose(one.epistemic, each[0, :, 2], rtol=1e-5)


def test_events_know_the_sum_of_both_parts_and_not_the_split():
    """The known fault: with β(1 + ν)/ν fixed the likelihood is the same for any ν, and the epistemic share is 1/(1 + ν)."""
    mean, nu, alpha, beta = OUTPUT
    y = jnp.linspace(-6.0, 9.0, 31)
    first = evidential_moments(jnp.asarray(OUTPUT))
    for other in (0.05, 20.0):
        moved = np.asarray([mean, other, alpha, beta * (1 + nu) / nu * other / (1 + other)])
        same = [evidential_log_prob(jnp.tile(jnp.asarray(o, jnp.float32), (31, 1)), y) for o in (OUTPUT, moved)]
        np.testing.assert_allclose(*same, rtol=1e-4, atol=1e-5)
        parts = evidential_moments(jnp.asarray(moved))
        assert float(parts[1] + parts[2]) == pytest.approx(float(first[1] + first[2]), rel=1e-5)
        assert float(parts[2] / (parts[1] + parts[2])) == pytest.approx(1 / (1 + other), rel=1e-5)


def test_the_sum_is_the_variance_of_the_noise():
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, 2000)
    events = make_events({"x": x, "y": 100 + 10 * (np.sin(2 * x) + 0.5 * rng.normal(size=2000))})
    training = Training(60, 250, optimizer=cosine(2e-2))
    found = ensemble(jax.random.key(4), head, EvidentialNLL("y"), events, training=training, members=1, bootstrap=False)
    assert found.problem == ""
    grid = np.linspace(-0.9, 0.9, 19, dtype=np.float32)[:, None]
    said = predict(found.networks, grid, moments=evidential_moments)
    np.testing.assert_allclose(said.mean, 100 + 10 * np.sin(2 * grid[:, 0]), atol=1.5)  # 0.3 of the noise
    # 2000 events know the variance to 3 %; the penalty of 0.01 adds a little.
    assert np.median(said.total) == pytest.approx(25, rel=0.15)


def test_a_negative_penalty_and_another_network_are_refused():
    with pytest.raises(InputError, match="zero or above"):
        EvidentialNLL("y", penalty=-1.0)
    table = make_events({"x": np.arange(4.0), "y": np.arange(4.0)})
    with pytest.raises(InputError, match=r"EvidentialNLL.*\(4,\)"):
        EvidentialNLL("y")(small(jax.random.key(0), table, ("x",)), table, jax.random.key(0))
