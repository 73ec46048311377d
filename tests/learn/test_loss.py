import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gaussians import sample, weigh
from sklearn.metrics import log_loss

from verax.errors import InputError
from verax.events import Events, make_events
from verax.learn import CrossEntropy, balance


class Given(eqx.Module):
    """A "network" whose logit is its first input."""

    features: tuple[str, ...] = eqx.field(static=True, default=("x0",))

    def __call__(self, x):
        return x[0]


def test_cross_entropy_is_that_of_scikit_learn():
    events = sample(3, 400)
    weight = np.random.default_rng(0).uniform(0.1, 2, 400).astype(np.float32)
    events = Events(events.x, weight, events.process, events.number, events.columns, events.processes)
    loss = CrossEntropy(("signal",))(Given(), jax.tree.map(jnp.asarray, events), jax.random.key(0))
    p = jax.nn.sigmoid(jnp.asarray(events.column("x0")))
    expected = log_loss(events.process, np.asarray(p, np.float64), sample_weight=weight) * weight.mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_balanced_classes_have_equal_sums_and_mean_one():
    events = sample(4, 1000, weighted=True)
    weight = weigh(events)
    assert weight.mean() == pytest.approx(1)
    assert weight[events.process == 1].sum() == pytest.approx(weight[events.process == 0].sum())
    assert (weight < 0).any()
    assert (balance(events, ("signal",), negative="abs") > 0).all()
    with pytest.raises(InputError, match="below zero"):
        balance(events, ("signal",), negative="error")


def test_a_network_that_knows_nothing_has_loss_ln2():
    events = sample(4, 1000, weighted=True)
    balanced = events.replace({"x0": jnp.zeros(1000)})
    balanced = Events(balanced.x, weigh(events), events.process, events.number, events.columns, events.processes)
    loss = CrossEntropy(("signal",))(Given(), jax.tree.map(jnp.asarray, balanced), jax.random.key(0))
    assert float(loss) == pytest.approx(np.log(2), rel=1e-5)


@pytest.mark.parametrize("weight", [[1, 1, -1, -1], [1, 1, 0, 0]])
def test_a_class_without_positive_weight_is_refused(weight):
    events = make_events({"x": np.arange(4.0)}, weight=np.array(weight), process=np.array([0, 0, 1, 1]), processes="bs")
    with pytest.raises(InputError, match="training signal: got 2 events"):
        balance(events, ("s",))
