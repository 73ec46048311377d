"""What is told about networks and events that do not fit each other."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verax.errors import InputError
from verax.events import make_events
from verax.learn import CrossTrained, member_means, predict, score

FEATURES = ("a", "b", "c")
X = np.zeros((4, 3), np.float32)


class Plane(eqx.Module):
    """One number, or two, from three features."""

    slope: jax.Array
    shift: jax.Array
    features: tuple[str, ...] = eqx.field(static=True, default=FEATURES)

    def __call__(self, x):
        return self.slope @ x + self.shift


def planes(members=2, outputs=()):
    return Plane(jnp.ones((members, *outputs, 3)), jnp.zeros((members, *outputs)))


def events(names=FEATURES):
    return make_events({name: np.zeros(4) for name in names})


def test_networks_and_events_that_fit_are_read():
    assert predict(planes(), X).mean.tolist() == [0.5] * 4
    assert predict(planes(), events()).mean.tolist() == [0.5] * 4
    assert predict(planes(), X[:1]).mean.shape == (1,)


@pytest.mark.parametrize("ask", [predict, lambda *args: list(member_means(*args))], ids=["predict", "member_means"])
@pytest.mark.parametrize(
    ("members", "rows", "line"),
    [
        (planes(outputs=(2,)), X, r"outputs of shape \(2,\), taken for a classifier's logit; .* give the moments"),
        (Plane(jnp.ones(3), jnp.zeros(())), X, "first lengths 3, none; expected networks with one leading axis member"),
        (planes(), X[0], r"events of shape \(3,\); expected one row an event"),
        (planes(), X[:, :2], "2 columns; expected 3, the network's features"),
        (Plane(jnp.ones((2, 5)), jnp.zeros(2)), X, "Plane: .*; expected networks stacked along a leading axis"),
        (planes(), events(("a", "b")), "column 'c'"),
    ],
)
def test_those_that_do_not_are_one_clear_line(ask, members, rows, line):
    with pytest.raises(InputError, match=line):
        ask(members, rows)


def test_folds_need_the_numbers_of_events():
    trained = CrossTrained(jax.tree.map(lambda a: a[None], planes()), 1, ())
    with pytest.raises(InputError, match="ndarray; expected Events"):
        score(trained, X)
