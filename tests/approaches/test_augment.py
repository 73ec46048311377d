"""Draws from the priors, and losses on events at them: moments in closed form."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array as JaxArray

from verax.approaches import Augmented, augment, draw, given
from verax.approaches._augment import column_of
from verax.errors import InputError
from verax.events import Events, make_events
from verax.learn import Training, classifier, train
from verax.parameters import Gaussian, Parameter, Poisson, nuisance
from verax.problems._effects import LinearWeight, ShiftColumn
from verax.systematics import Systematic

N, UNIT = 50, 2.0
SHIFT = Systematic(nuisance("shift", "g"), ShiftColumn("x", UNIT), changes=("x",))
YIELD = Systematic(Parameter("yield", init=0.0, constraint=Gaussian(0.5)), LinearWeight(0.1), changes=("weight",))


@pytest.fixture(scope="module")
def events() -> Events:
    return make_events({"x": np.linspace(-1, 1, N)}, weight=np.where(np.arange(N) % 5, 1.0, -1.0))


def mean_x(network: object, events: Events, key: object) -> JaxArray:
    """A loss: the plain mean of the column, whose distribution over draws is Gaussian."""
    return jnp.mean(events.column("x"))


def sum_w(network: object, events: Events, key: object) -> JaxArray:
    return jnp.sum(events.weight)


def test_draws_have_the_moments_of_the_priors() -> None:
    n = 40_000
    narrow = Parameter("narrow", init=1.0, bounds=(0.9, 5.0), constraint=Gaussian(0.2))
    parameters = [
        nuisance("a", "g"),
        Parameter("free"),
        Parameter("counted", init=3.0, constraint=Poisson(2.0)),
        narrow,
    ]
    drawn = {name: np.asarray(v, np.float64) for name, v in draw(jax.random.key(0), parameters, (n,)).items()}
    for name, middle in {"a": 0, "free": 0, "counted": 3}.items():
        assert drawn[name].mean() == pytest.approx(middle, abs=4 / np.sqrt(n))
        assert drawn[name].std() == pytest.approx(1, abs=4 / np.sqrt(2 * n))
    at_bound = drawn["narrow"] == np.float32(0.9)
    assert at_bound.mean() == pytest.approx(0.308538, abs=4 * np.sqrt(0.3085 * 0.6915 / n))  # Φ(−0.5)
    assert drawn["narrow"].min() == np.float32(0.9)
    assert abs(np.corrcoef(list(drawn.values())) - np.eye(4)).max() < 4.5 / np.sqrt(n)


@pytest.mark.parametrize(("per", "spread"), [("event", UNIT / np.sqrt(N)), ("batch", UNIT)])
def test_one_draw_for_each_event_or_for_the_batch(events: Events, per: str, spread: float) -> None:
    """The mean of x at θ ~ N(0, 1): a variance of unit²/n for one θ per event, unit² for one per batch."""
    keys = jax.random.split(jax.random.key(1), 4000)
    means = np.asarray(jax.jit(jax.vmap(lambda k: augment(mean_x, [SHIFT], per=per)(None, events, k)))(keys))
    assert means.mean() == pytest.approx(0, abs=4 * spread / np.sqrt(4000))
    assert means.std() == pytest.approx(spread, rel=4 / np.sqrt(8000))


def test_weights_of_both_signs_move_with_their_systematic(events: Events) -> None:
    """Σw (1 + 0.1 θ) with θ ~ N(0, 0.5), one for the batch: mean Σw, spread 0.05 Σw."""
    keys = jax.random.split(jax.random.key(2), 4000)
    totals = np.asarray(jax.jit(jax.vmap(lambda k: augment(sum_w, [YIELD], per="batch")(None, events, k)))(keys))
    total = float(events.weight.sum())
    assert totals.mean() == pytest.approx(total, abs=4 * 0.05 * total / np.sqrt(4000))
    assert totals.std() == pytest.approx(0.05 * total, rel=4 / np.sqrt(8000))


def test_given_values_become_columns(events: Events) -> None:
    table = given(events, {"a": jnp.asarray(0.5), "b": jnp.arange(N, dtype=jnp.float32)})
    assert table.columns == ("x", column_of("a"), column_of("b"))
    np.testing.assert_array_equal(table.column(column_of("a")), 0.5)
    np.testing.assert_array_equal(table.column(column_of("b")), np.arange(N))
    assert given(events, {}).columns == ("x",)


def test_network_is_told_the_values_that_moved_its_events(events: Events) -> None:
    def left_over(network: object, events: Events, key: object) -> JaxArray:
        at_nominal = events.column("x") - UNIT * events.column(column_of("shift"))
        return jnp.max(jnp.abs(at_nominal - jnp.linspace(-1, 1, N)))

    loss = Augmented(left_over, (SHIFT,), "event", give=True)
    assert float(loss(None, events, jax.random.key(3))) < 1e-6


def test_training_sees_another_draw_in_each_step(events: Events) -> None:
    """The training loss of an epoch of one batch is that draw's mean of x."""
    network = classifier(jax.random.key(0), events, ["x"], width=2, depth=1)
    losses = train(
        jax.random.key(0), network, augment(mean_x, [SHIFT]), events, training=Training(epochs=20, batch=N)
    ).history.train
    assert len(np.unique(losses)) == 20
    assert abs(losses).max() < 5 * UNIT / np.sqrt(N)


@dataclass(frozen=True)
class OnTheHost:
    """An effect that JAX cannot trace."""

    def __call__(self, events: Events, theta: object) -> Events:
        return events.replace({"x": np.asarray(events.column("x")) + np.asarray(theta)})


def test_an_effect_that_cannot_be_traced(events: Events) -> None:
    closed = Systematic(nuisance("smear", "g"), OnTheHost(), traceable=False)
    with pytest.raises(InputError, match=r"systematic 'smear'.*cannot trace.*interpolate"):
        eqx.filter_jit(augment(mean_x, [closed]))(None, events, jax.random.key(0))
