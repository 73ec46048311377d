"""What every problem with a known answer promises; a new one joins by one line in ``PROBLEMS``."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from problems import DENSITIES, PROBLEMS
from verax.errors import InputError

KEY = jax.random.key(5)
each = pytest.mark.parametrize("known", PROBLEMS.values(), ids=PROBLEMS)
with_density = pytest.mark.parametrize("known", DENSITIES.values(), ids=DENSITIES)


def values(params) -> dict:
    """Parameters as arrays, so that one program serves all their values."""
    return {name: jnp.float32(value) for name, value in params.items()}


def sums(problem, events) -> np.ndarray:
    """Σw of each process."""
    return np.bincount(np.asarray(events.process), np.asarray(events.weight, float), len(problem.processes))


@pytest.mark.thorough
@each
def test_samples_of_any_number(known):
    problem = known.make()
    for n in known.sizes:
        events = problem.sample(KEY, values(known.params), n)
        assert np.bincount(np.asarray(events.process)).tolist() == [n] * len(problem.processes)
        assert set(problem.features) <= set(events.columns)
        assert events.processes == problem.processes
        assert set(problem.signal) <= set(problem.processes)
        assert len(np.unique(np.asarray(events.number))) == len(events)
        assert np.isfinite(np.asarray(events.x)).all()


@pytest.mark.thorough
@each
def test_weights_sum_to_what_is_expected(known):
    problem, n = known.make(), known.sizes[-1]
    moved = problem.sample(KEY, values(known.params), n)
    if known.selected:
        assert (sums(problem, moved) < np.asarray(problem.yields) * known.params["mu"]).all()
    else:
        np.testing.assert_allclose(sums(problem, problem.nominal(KEY, n)), problem.yields, rtol=1e-5)
        np.testing.assert_allclose(sums(problem, moved), known.expected(), rtol=1e-5)
    twice = problem.sample(KEY, values({**known.params, "mu": 2 * known.params["mu"]}), n)
    factor = np.where(np.asarray(moved.is_process(problem.signal)), 2, 1)
    np.testing.assert_allclose(twice.weight, np.asarray(moved.weight) * factor, rtol=1e-6)


@pytest.mark.thorough
@each
def test_any_values_within_the_bounds(known):
    problem, n = known.make(), known.sizes[-1]
    for parameter in problem.parameters:
        for value in parameter.bounds:
            events = problem.sample(KEY, values({**known.params, parameter.name: value}), n)
            assert np.isfinite(np.asarray(events.x)).all(), (parameter.name, value)
            assert np.isfinite(np.asarray(events.weight)).all(), (parameter.name, value)


@each
def test_values_beyond_are_refused_in_one_line(known):
    problem = known.make()
    for parameter in problem.parameters:
        high = parameter.bounds[1] + 1
        with pytest.raises(InputError, match=rf"'{parameter.name}': got [^\n]+; expected [^\n]+$"):
            problem.sample(KEY, {parameter.name: high}, 1)
    with pytest.raises(InputError, match="parameter 'nothing_like_it'"):
        problem.sample(KEY, {"nothing_like_it": 1.0}, 1)
    with pytest.raises(InputError, match=r"0 events of each process; expected at least one$"):
        problem.sample(KEY, {}, 0)


@each
def test_a_key_makes_one_sample(known):
    problem, n = known.make(), known.sizes[-1]
    one, same, other = (problem.sample(key, values(known.params), n) for key in (KEY, KEY, jax.random.key(6)))
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(same), strict=True))
    assert not set(np.asarray(one.number).tolist()) & set(np.asarray(other.number).tolist())


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name, known in PROBLEMS.items() if len(known.sizes) > 1])
def test_one_value_for_each_event(name):
    known = PROBLEMS[name]
    problem, n = known.make(), known.sizes[-1]
    shape = (n * len(problem.processes),)
    one = problem.sample(KEY, values(known.params), n)
    each = problem.sample(KEY, {name: jnp.full(shape, value, jnp.float32) for name, value in known.params.items()}, n)
    np.testing.assert_allclose(each.x, one.x, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(each.weight, one.weight, rtol=1e-5)


@each
def test_its_parameters_are_those_of_its_systematics(known):
    problem = known.make()
    assert [p.name for p in problem.parameters] == ["mu", *(s.name for s in problem.systematics)]
    assert list(known.params) == [p.name for p in problem.parameters], "the contract moves all of them"
    assert problem.poi_unit > 0


@each
def test_equal_ones_are_equal_and_can_be_sent(known):
    problem = known.make()
    assert problem == known.make()
    assert pickle.loads(pickle.dumps(problem)) == problem


@pytest.mark.thorough
@with_density
def test_the_density_integrates_to_its_yield(known):
    problem = known.make()
    points, volume = problem.quadrature(known.params)
    with jax.enable_x64(True):
        density = np.exp(np.asarray(problem.log_density(jnp.asarray(points), known.params)))
        total = float(np.asarray(problem.intensity(jnp.asarray(points), known.params)) @ volume)
        expected = known.expected().sum()
    np.testing.assert_allclose(density @ volume, 1, atol=1e-8)
    assert total == pytest.approx(expected, rel=1e-8)


@pytest.mark.thorough
@with_density
def test_the_score_is_the_derivative_of_the_log_density(known):
    """By central differences in float64: an error of h² times a third derivative, 10⁻⁸ here."""
    problem = known.make()
    events = problem.sample(KEY, values(known.params), 7)
    x, step = np.asarray(events.features(problem.features), np.float64), 1e-4
    params = {p.name: known.params[p.name] for p in problem.parameters}
    with jax.enable_x64(True):
        score = np.asarray(problem.score(jnp.asarray(x), params))
        for row, name in zip(score, params, strict=True):
            low, high = (
                np.log(np.asarray(problem.intensity(jnp.asarray(x), {**params, name: params[name] + shift})))
                for shift in (-step, step)
            )
            np.testing.assert_allclose(row, (high - low) / (2 * step), rtol=1e-6, atol=1e-6, err_msg=name)


@with_density
def test_the_exact_classifier_is_a_probability_of_its_log_ratio(known):
    problem = known.make()
    if set(problem.processes) <= set(problem.signal):
        with pytest.raises(InputError, match="no background"):
            problem.log_ratio(np.zeros((1, len(problem.features)), np.float32))
        return
    events = problem.sample(KEY, values(known.params), 7)
    x = np.asarray(events.features(problem.features))
    signal = np.asarray([p in problem.signal for p in problem.processes])
    density = np.exp(np.asarray(problem.log_density(x, known.params), np.float64))
    share = np.asarray(problem.yields)
    of = [share[c] @ density[c] / share[c].sum() for c in (signal, ~signal)]
    np.testing.assert_allclose(problem.classifier(x, known.params), of[0] / (of[0] + of[1]), rtol=1e-4, atol=1e-6)
