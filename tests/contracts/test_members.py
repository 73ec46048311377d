"""Epistemic methods take any network: one without a call, whose loss is a density of the events, has members too."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verax.epistemic import hmc, laplace, variational
from verax.events import make_events
from verax.learn import Training, inputs, start_from

KEY = jax.random.key(3)


class Shifted(eqx.Module):
    """A density that is no function of a row: x = location + exp(scale)·z, as flows are."""

    location: jax.Array
    scale: jax.Array
    features: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def log_prob(self, x):
        z = (x - self.location) * jnp.exp(-self.scale)
        return -0.5 * jnp.sum(z**2) - self.scale


class DensityOfX(eqx.Module):
    def __call__(self, network, events, key):
        return -jnp.mean(events.weight * jax.vmap(network.log_prob)(inputs(network, events)))


@pytest.mark.thorough
def test_a_density_without_a_call_has_members_too():
    # n Gaussian numbers: the posterior of the location has variance σ²/n, that of ln σ 1/(2n), up to the prior.
    rng = np.random.default_rng(8)
    events = make_events({"x": rng.normal(1, 2, 200)})
    spread = float(np.std(events.column("x"), dtype=np.float64))
    expected = np.asarray([spread**2 / 200, 1 / 400])
    start = Shifted(jnp.zeros(1), jnp.zeros(()))
    found = laplace(
        KEY,
        start_from(start),
        DensityOfX(),
        events,
        training=None,
        which="all",
        curvature="hessian",
        precision=1e-3,
    )
    np.testing.assert_allclose(np.diag(found.covariance), expected, rtol=0.02)
    training = Training(epochs=1600, batch=200, learning_rate=0.02)
    inferred = variational(KEY, start_from(start), DensityOfX(), events, training=training, precision=1e-3, samples=16)
    np.testing.assert_allclose(np.asarray(inferred.posterior.sigma) ** 2, expected, rtol=0.05)
    for members in (found.members(KEY, 4000), inferred.members(KEY, 4000)):
        drawn = np.column_stack([members.location, members.scale])
        np.testing.assert_allclose(drawn.var(axis=0), expected, rtol=0.05 + 4 * np.sqrt(2 / 4000))


@pytest.mark.thorough
def test_chains_of_a_density_without_a_call_are_judged_by_its_losses():
    events = make_events({"x": np.random.default_rng(8).normal(1, 2, 200)})
    chains = hmc(
        KEY,
        lambda k, e: Shifted(jnp.zeros(1), jnp.zeros(())),
        DensityOfX(),
        events,
        precision=1e-3,
        chains=2,
        warmup=200,
        draws=1000,
    )
    assert chains.r_hat.shape == (64 + 1,)
    assert chains.problem == ""
    spread = float(np.std(events.column("x"), dtype=np.float64))
    members = chains.members(KEY)
    size = chains.weight_effective
    for seen, variance, n in zip((members.location, members.scale), (spread**2 / 200, 1 / 400), size, strict=True):
        assert np.asarray(seen, np.float64).var() == pytest.approx(variance, rel=0.03 + 4 * np.sqrt(2 / n))
