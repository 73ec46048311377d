"""A conditional flow as a regression: mean and variance of its columns are those of its draws."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verax.aleatoric import flow, flow_moments, flow_prediction
from verax.errors import InputError
from verax.events import make_events
from verax.learn import predict

DRAWS = 40_000


def shaken(columns, condition=("x",)):
    """An untrained spline flow far from the identity."""
    rng = np.random.default_rng(31)
    events = make_events({name: 5 + 2 * rng.normal(size=500) for name in (*columns, "x")})
    start = flow(jax.random.key(32), events, columns, condition=condition, layers=1, bins=5, width=8, depth=1)
    keys = iter(jax.random.split(jax.random.key(33), 50))
    move = lambda a: a + 0.5 * jax.random.normal(next(keys), a.shape)  # noqa: E731
    return eqx.tree_at(lambda f: f.layers, start, jax.tree.map(move, start.layers))


@pytest.mark.thorough
@pytest.mark.parametrize("columns", [("a",), ("a", "b")])
def test_mean_and_variance_are_those_of_draws(columns):
    found = shaken(columns)
    members = jax.tree.map(lambda a: jnp.stack([a, a]) if eqx.is_array(a) else a, found)
    point = np.asarray([[4.0]], np.float32)
    said = predict(flow_prediction(members), point, moments=flow_moments)
    drawn = np.asarray(found.sample(jax.random.key(34), DRAWS, point[0]), np.float64)
    if len(columns) == 1:
        drawn, points = drawn[:, 0], np.inf
    else:
        points = 256  # pairs of fixed points, which know the mean better than as many draws
    mean, variance = drawn.mean(axis=0), drawn.var(axis=0)
    relative = np.sqrt(1 / DRAWS + 1 / points)
    np.testing.assert_allclose(said.mean[0], mean, atol=4 * float(np.sqrt(np.max(variance))) * relative)
    kurtosis = ((drawn - mean) ** 4).mean(axis=0) / variance**2
    np.testing.assert_allclose(said.aleatoric[0], variance, rtol=4 * float(np.sqrt(np.max(kurtosis) - 1)) * relative)
    np.testing.assert_allclose(said.epistemic, 0, atol=1e-9)


def test_what_is_no_conditional_flow_is_refused():
    with pytest.raises(InputError, match="a flow without condition"):
        flow_prediction(shaken(("a", "b"), condition=()))
    with pytest.raises(InputError, match="members of type MLP"):
        flow_prediction(eqx.nn.MLP(1, 1, 2, 1, key=jax.random.key(0)))
