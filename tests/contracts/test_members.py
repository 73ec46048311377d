"""What every epistemic method must do with a head that has both parts: members of one form, and parts that converge.

With more events from one law the epistemic part falls and the aleatoric part stays at the variance of the noise.
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from verax.epistemic import dropout, dropout_members, ensemble, hmc, laplace, variational
from verax.events import Events, make_events
from verax.learn import classifier, inputs, predict, train

NOISE = 0.5
FEW, MANY = 50, 800
make = partial(classifier, features=("x",), width=8, depth=1, outputs=2)
GRID = np.linspace(-1.2, 1.2, 21, dtype=np.float32)[:, None]


class Density(eqx.Module):
    """−ln N(y; mean, exp(2·second output)) with constants left out."""

    def __call__(self, network, events, key):
        out = jax.vmap(network)(inputs(network, events))
        z = (events.column("y") - out[:, 0]) * jnp.exp(-out[:, 1])
        return jnp.mean(events.weight * (0.5 * z**2 + out[:, 1]))


def moments(output):
    return output[0], jnp.exp(2 * output[1])


def sample(n) -> Events:
    rng = np.random.default_rng(n)
    x = rng.uniform(-1.5, 1.5, n)
    return make_events({"x": x, "y": np.sin(2 * x) + NOISE * rng.normal(size=n)})


KEY = jax.random.key(3)


def epochs(n):
    return 60_000 // n + 50  # more steps where there are more events, fewer epochs


def options(events):
    """As many epochs, with a rate that falls to zero: members must not differ by the noise of the last steps."""
    n = epochs(len(events))
    return {"epochs": n, "batch": 50, "optimizer": optax.adam(optax.cosine_decay_schedule(2e-2, n * len(events) // 50))}


def by_ensemble(events, bootstrap):
    return ensemble(KEY, make, Density(), events, members=6, bootstrap=bootstrap, **options(events)).network


def by_dropout(events):
    trained = train(KEY, make(KEY, events), dropout(Density(), rate=0.1), events, **options(events))
    return dropout_members(KEY, trained.network, members=200, rate=0.1)


def by_variational(events):
    found = variational(KEY, make(KEY, events), Density(), events, **options(events))
    return found.members(KEY, 200)


def by_laplace(events, which):
    start = train(KEY, make(KEY, events), Density(), events, **options(events)).network
    return laplace(start, Density(), events, which=which).members(KEY, 200)


def by_hmc(events):
    pytest.importorskip("blackjax", reason="the extra 'mcmc' is not installed")
    return hmc(KEY, make, Density(), events, chains=2, warmup=80, draws=50).members()


METHODS = {
    "deep ensemble": partial(by_ensemble, bootstrap=False),
    "bootstrap ensemble": partial(by_ensemble, bootstrap=True),
    "variational": by_variational,
    "Laplace, last layer": partial(by_laplace, which="last"),
    "Laplace": partial(by_laplace, which="all"),
    "HMC": by_hmc,
}


def parts(method):
    """Mean epistemic variance and median aleatoric one, after few events and after many."""
    found = []
    for n in (FEW, MANY):
        members = method(sample(n))
        counts = {a.shape[0] for a in jax.tree.leaves(eqx.filter(members, eqx.is_array))}
        assert len(counts) == 1
        p = predict(members, GRID, moments=moments)
        found.append((p.epistemic.mean(), np.median(p.aleatoric)))
    return found


@pytest.mark.parametrize("name", METHODS)
def test_epistemic_part_falls_with_events_and_aleatoric_part_stays(name):
    (first, noise_of_few), (last, noise_of_many) = parts(METHODS[name])
    # 16 times the events: a variance of estimation falls 16-fold, and less where optimisation adds its own.
    assert 0 < last < 0.5 * first
    # 800 events know the variance to 5 %, and the fit takes some of it away; 50 know it to 20 %.
    assert noise_of_many == pytest.approx(NOISE**2, rel=0.2)
    assert 0.5 < noise_of_few / NOISE**2 < 2


def test_dropout_at_a_fixed_rate_keeps_its_spread():
    # The known limit of the method: what the rate says stays, however many events there are.
    (first, _), (last, noise) = parts(by_dropout)
    assert 0.2 * first < last < first
    assert noise > NOISE**2


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


def test_a_density_without_a_call_has_members_too():
    # n Gaussian numbers: the posterior of the location has variance σ²/n, that of ln σ 1/(2n), up to the prior.
    rng = np.random.default_rng(8)
    events = make_events({"x": rng.normal(1, 2, 200)})
    spread = float(np.std(events.column("x"), dtype=np.float64))
    expected = np.asarray([spread**2 / 200, 1 / 400])
    start = Shifted(jnp.zeros(1), jnp.zeros(()))
    found = laplace(start, DensityOfX(), events, which="all", curvature="hessian", precision=1e-3)
    np.testing.assert_allclose(np.diag(found.covariance), expected, rtol=0.02)
    inferred = variational(
        KEY, start, DensityOfX(), events, precision=1e-3, epochs=800, batch=200, rate=0.02, samples=4
    )
    np.testing.assert_allclose(np.asarray(inferred.posterior.sigma) ** 2, expected, rtol=0.05)
    for members in (found.members(KEY, 4000), inferred.members(KEY, 4000)):
        drawn = np.column_stack([members.location, members.scale])
        np.testing.assert_allclose(drawn.var(axis=0), expected, rtol=0.05 + 4 * np.sqrt(2 / 4000))


def test_chains_of_a_density_without_a_call_are_judged_by_its_losses():
    pytest.importorskip("blackjax", reason="the extra 'mcmc' is not installed")
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
    members = chains.members()
    size = chains.weight_effective
    for seen, variance, n in zip((members.location, members.scale), (spread**2 / 200, 1 / 400), size, strict=True):
        assert np.asarray(seen, np.float64).var() == pytest.approx(variance, rel=0.03 + 4 * np.sqrt(2 / n))
