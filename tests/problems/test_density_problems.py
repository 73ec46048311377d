"""What holds of every problem with a density: samples follow it, effects are identities at 0 and have true gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verax.errors import InputError
from verax.problems import Mixture, Pivot, Rotating, ThreeJets
from verax.systematics import shift

N = 30_000
CASES = [
    (Mixture(4), {"mu": 1.5, "r": 1.2, "lambda": -0.8, "b": 0.7}),
    (Pivot(), {"mu": 0.5, "z": 1.3}),
    (Rotating(), {"mu": 2.0, "z": -1.1}),
    (ThreeJets(), {"mu": 1.2}),
]
IDS = [type(problem).__name__ for problem, _ in CASES]
each = pytest.mark.parametrize(("problem", "params"), CASES, ids=IDS)


@pytest.fixture(scope="module")
def draw():
    """One compiled sampler for each problem."""
    compiled = {}

    def of(problem, params, seed=0):
        if problem not in compiled:
            compiled[problem] = jax.jit(lambda key, values: problem.sample(key, values, N))
        return compiled[problem](jax.random.key(seed), params)

    return of


@pytest.mark.thorough
@each
def test_samples_have_the_moments_of_the_density(problem, params, draw):
    events = draw(problem, params, 11)
    points, volume = problem.quadrature(params)
    with jax.enable_x64(True):
        density = np.exp(np.asarray(problem.log_density(jnp.asarray(points), params))) * volume
        expected = np.asarray(problem.expected(params))
    np.testing.assert_allclose(density.sum(axis=1), 1, atol=1e-9)
    for i, name in enumerate(problem.processes):
        chosen = np.asarray(events.process) == i
        x = np.asarray(events.x, float)[chosen]
        assert np.asarray(events.weight, float)[chosen].sum() == pytest.approx(expected[i], rel=1e-5), name
        for f in (lambda x: x, lambda x: x[:, :1] * x, lambda x: np.tanh(x) ** 3):
            mean = density[i] @ f(points)
            error = f(x).std(axis=0) / np.sqrt(N)
            value = f(x).mean(axis=0)
            assert (abs(value - mean) < 4 * error).all(), (name, value, mean, error)


@pytest.mark.thorough
@each
def test_score_and_information_agree(problem, params, draw):
    """I = Σ w s sᵀ over weighted events, plus the constraints: an identity between sampler, score and quadrature."""
    events = draw(problem, params, 12)
    score = np.asarray(problem.score(events.features(problem.features), params), float)
    outer = score[:, None] * score[None] * np.asarray(events.weight, float)
    prior = np.diag([float(p.constraint is not None) for p in problem.parameters])
    blocks = outer.reshape(*outer.shape[:2], len(problem.processes), N)
    error = np.sqrt((blocks.var(axis=3) * N).sum(axis=2))
    exact = problem.information(params)
    assert (abs(outer.sum(axis=2) + prior - exact) < 4.5 * error + 1e-4 * abs(exact)).all()


@pytest.mark.thorough
@each
def test_nothing_moves_at_zero(problem, params, draw):
    nominal = draw(problem, {}, 13)
    for systematic in problem.systematics:
        same = shift(nominal, [systematic], {systematic.name: jnp.zeros(())})
        np.testing.assert_array_equal(same.x, nominal.x)
        np.testing.assert_array_equal(same.weight, nominal.weight)


@pytest.mark.thorough
@each
def test_gradients_of_the_effects(problem, params, draw):
    events = jax.tree.map(lambda leaf: leaf[:: N // 50], draw(problem, {}, 14))
    with jax.enable_x64(True):
        events = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64) if a.dtype == jnp.float32 else a, events)
        for systematic in problem.systematics:

            def at(theta, systematic=systematic):
                moved = shift(events, [systematic], {systematic.name: theta})
                return jnp.concatenate([moved.x.ravel(), moved.weight])

            _, slope = jax.jvp(at, (0.7,), (1.0,))
            np.testing.assert_allclose(slope, (at(0.7 + 1e-5) - at(0.7 - 1e-5)) / 2e-5, rtol=1e-6, atol=1e-8)
            assert np.any(np.asarray(slope) != 0)


@pytest.mark.thorough
def test_one_value_per_event():
    problem, n = Rotating(), 500
    theta = jnp.linspace(-2, 2, 2 * n)
    moved = problem.sample(jax.random.key(3), {"z": theta}, n)
    one = problem.sample(jax.random.key(3), {"z": float(theta[7])}, n)
    np.testing.assert_allclose(moved.x[7], one.x[7], rtol=1e-5)
    density = problem.log_density(moved.x, {"z": theta})
    np.testing.assert_allclose(density[:, 7], problem.log_density(one.x, {"z": theta[7]})[:, 7], rtol=1e-4)


@pytest.mark.thorough
def test_log_likelihood_peaks_in_the_truth():
    """For the quadrature's own Asimov events it is stationary in the truth."""
    problem = Mixture(4)
    x, volume = problem.quadrature({})
    with jax.enable_x64(True):
        x = jnp.asarray(x)
        weight = np.asarray(problem.intensity(x, {})) * volume
        values = {p.name: jnp.asarray(p.init) for p in problem.parameters}
        slopes = jax.grad(lambda v: problem.log_likelihood(x, weight, v))(values)
    assert all(abs(float(slope)) < 1e-6 for slope in slopes.values())


def test_bad_input():
    with pytest.raises(InputError, match="did you mean 'lambda'"):
        Mixture(2).sample(jax.random.key(0), {"lambd": 1.0}, 10)
    with pytest.raises(InputError, match=r"parameter 'lambda': got -3; expected a finite value in \[-2.9, 5\]"):
        Mixture(2).sample(jax.random.key(0), {"lambda": -3.0}, 10)
    with pytest.raises(InputError, match="got nan"):
        Rotating().information({"z": float("nan")})
    with pytest.raises(InputError, match="0 events"):
        Pivot().sample(jax.random.key(0), {}, 0)
    with pytest.raises(InputError, match="benchmark 5"):
        Mixture(5)
    with pytest.raises(InputError, match="ThreeJets: got no background"):
        ThreeJets().classifier(np.full((1, 2), 0.6, np.float32))
