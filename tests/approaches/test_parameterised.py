"""Parameterised networks against exact classifiers (rotating Gaussians), and against themselves at a fixed value."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import rankdata

from verax.approaches import approach, at, given, parameterise, parameterised
from verax.approaches._augment import column_of
from verax.errors import InputError
from verax.events import Events
from verax.learn import CrossEntropy, Network, Training, classifier, inputs, train
from verax.problems import Rotating
from verax.problems._rotating import NOMINAL, WIDTH

PROBLEM = Rotating()
MAKE = parameterised(partial(classifier, width=24), PROBLEM.features, PROBLEM.systematics)


def sample(seed: int, n: int, theta: float = 0.0) -> Events:
    """``n`` events of each class at one angle, with unit weights."""
    events = PROBLEM.sample(jax.random.key(seed), {"z": theta}, n)
    return eqx.tree_at(lambda e: e.weight, events, jnp.ones_like(events.weight))


def area(network: Network, events: Events) -> float:
    """Area under the ROC curve, from ranks (Mann and Whitney)."""
    rank = rankdata(np.asarray(jax.vmap(network)(jnp.asarray(inputs(network, events)))))
    signal = np.asarray(events.is_process(("signal",)))
    n, m = signal.sum(), (~signal).sum()
    return float((rank[signal].sum() - n * (n + 1) / 2) / (n * m))


@pytest.fixture(scope="module")
def network() -> Network:
    events, key = sample(1, 20_000), jax.random.key(2)
    loss = parameterise(CrossEntropy(("signal",)), PROBLEM.systematics)
    trained = train(key, MAKE(key, events), loss, events, training=Training(epochs=12, batch=256, learning_rate=3e-3))
    assert trained.history.problem == ""
    return trained.network


@pytest.mark.thorough
@pytest.mark.parametrize("z", [NOMINAL, np.pi / 2])
def test_network_is_the_best_at_every_angle(network: Network, z: float) -> None:
    """AUC within 0.002 of the exact one at the events' own angle (σ of the sample's AUC: 0.0004)."""
    events = sample(11, 50_000, Rotating.theta_of(z))
    assert area(at(network, {"z": Rotating.theta_of(z)}), events) == pytest.approx(Rotating.auc(z, z), abs=0.002)


def test_network_told_another_angle_is_the_best_of_that_angle(network: Network) -> None:
    """Told π/4 for events of π/2 it does what the exact classifier of π/4 does, Φ(1/0.7) = 0.9234."""
    found = area(at(network), sample(12, 50_000, Rotating.theta_of(np.pi / 2)))
    assert found == pytest.approx(Rotating.auc(NOMINAL, np.pi / 2), abs=0.01)


@pytest.mark.thorough
@pytest.mark.parametrize("axes", [(), (2, 3)])
def test_a_fixed_value_is_a_bias(axes: tuple[int, ...]) -> None:
    """Networks with any leading axes, fixed at θ, give what they gave with a column of θ."""
    events = sample(3, 30)
    one = MAKE(jax.random.key(4), events)
    networks = jax.tree.map(
        lambda a: (
            a * jnp.linspace(0.5, 1.5, int(np.prod(axes))).reshape(*axes, *[1] * a.ndim) if eqx.is_array(a) else a
        ),
        one,
    )
    fixed = at(networks, {"z": 1.3})
    assert fixed.features == PROBLEM.features
    told = jnp.asarray(inputs(one, given(events, {"z": jnp.asarray(1.3)})))

    @eqx.filter_jit
    def outputs(networks: Network, x: jax.Array) -> jax.Array:
        arrays, rest = eqx.partition(networks, eqx.is_array)
        call = lambda a: jax.vmap(eqx.combine(a, rest))(x)  # noqa: E731
        for _ in axes:
            call = jax.vmap(call)
        return call(arrays)

    np.testing.assert_allclose(
        outputs(fixed, jnp.asarray(inputs(fixed, events))), outputs(networks, told), rtol=1e-4, atol=1e-5
    )


def test_parameters_enter_in_units_of_their_priors() -> None:
    network = MAKE(jax.random.key(4), sample(3, 30))
    assert network.features == (*PROBLEM.features, column_of("z"))
    np.testing.assert_array_equal([network.standardise.centre[2], network.standardise.scale[2]], [0, 1])
    assert WIDTH * Rotating.theta_of(np.pi / 2) == pytest.approx(np.pi / 4)


def test_bad_values() -> None:
    network = MAKE(jax.random.key(4), sample(3, 30))
    with pytest.raises(InputError, match=r"parameter 'zz'.*did you mean 'z'"):
        at(network, {"zz": 1.0})
    with pytest.raises(InputError, match="parameter 'z': got nan"):
        at(network, {"z": float("nan")})
    with pytest.raises(InputError, match=r"parameter 'z': got 40; expected a finite value in \[-5, 5\]"):
        at(network, {"z": 40.0}, systematics=PROBLEM.systematics)
    with pytest.raises(
        InputError, match=r"parameter 'z': got 40; expected a finite value in \[-5, 5\]"
    ):  # before training
        approach(
            "parameterised",
            classifier,
            sample(3, 30),
            PROBLEM.features,
            {"mu": PROBLEM.signal},
            PROBLEM.systematics,
            params={"z": 40.0},
        )
