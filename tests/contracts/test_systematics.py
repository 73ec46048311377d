"""What every systematic promises; a new one joins by one line in ``SYSTEMATICS``."""

import pickle
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from systematics import SYSTEMATICS, with_value
from verax.errors import InputError
from verax.events import Events
from verax.systematics import StagedEffect, Systematic

POINTS = (0.7, -0.7)


@eqx.filter_jit
def compiled(systematic: Systematic, events: Events, theta: jax.Array) -> Events:
    return systematic(events, theta)


def at(systematic: Systematic, events: Events, theta) -> Events:
    """The events at θ, as NumPy arrays; one compiled program for all values of θ."""
    return jax.tree.map(np.asarray, compiled(systematic, events, jnp.asarray(theta, jnp.float32)))


@pytest.fixture(scope="module", params=SYSTEMATICS.values(), ids=SYSTEMATICS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def case(kind):
    """Events whose arrays cannot be written to, and the systematic."""
    events, systematic = kind()
    events = jax.tree.map(np.array, events)
    for array in jax.tree.leaves(events):
        array.setflags(write=False)
    return events, systematic


@pytest.mark.thorough
def test_nominal_is_the_identity(case):
    events, systematic = case
    same = at(systematic, events, 0.0)
    np.testing.assert_array_equal(same.x, events.x)
    np.testing.assert_array_equal(same.weight, events.weight)


def test_identity_and_names_of_events_stay(case):
    events, systematic = case
    moved = at(systematic, events, 0.7)
    np.testing.assert_array_equal(moved.number, events.number)
    np.testing.assert_array_equal(moved.process, events.process)
    assert (moved.columns, moved.processes) == (events.columns, events.processes)


@pytest.mark.parametrize("theta", POINTS)
def test_weights_keep_their_sign(case, theta):
    events, systematic = case
    assert (events.weight < 0).any()
    assert (events.weight == 0).any()
    np.testing.assert_array_equal(np.sign(at(systematic, events, theta).weight), np.sign(events.weight))


def test_only_its_processes_move(kind, case):
    events, systematic = case
    moved = at(systematic, events, 0.7)
    others = ~np.asarray(events.is_process(kind.processes or events.processes))
    np.testing.assert_array_equal(moved.x[others], events.x[others])
    np.testing.assert_array_equal(moved.weight[others], events.weight[others])
    assert not np.array_equal(moved.x, events.x) or not np.array_equal(moved.weight, events.weight)


@pytest.mark.thorough
def test_what_it_says_that_it_changes_is_what_moves(case):
    events, systematic = case
    first = systematic.effect.move if isinstance(systematic.effect, StagedEffect) else systematic.effect
    both = [first(events, jnp.float32(theta)) for theta in POINTS]
    moves = [name for name in events.columns if any((m.column(name) != events.column(name)).any() for m in both)]
    moves += ["weight"] * any((np.asarray(m.weight) != events.weight).any() for m in both)
    assert sorted(moves) == sorted(systematic.changes)


def test_it_reads_what_it_says_that_it_needs(case):
    events, systematic = case
    needed = [name for name in events.columns if name in systematic.needs]
    chosen = events.index(needed)
    narrow = replace(events, x=events.x[:, chosen], columns=tuple(needed))
    moved, whole = systematic(narrow, 0.7), at(systematic, events, 0.7)
    assert len(needed) == len(systematic.needs)
    np.testing.assert_allclose(moved.x, whole.x[:, chosen], rtol=1e-5)
    np.testing.assert_allclose(moved.weight, whole.weight, rtol=1e-6)
    if needed:
        without = replace(narrow, x=narrow.x[:, 1:], columns=narrow.columns[1:])
        with pytest.raises(InputError, match=f"systematic '{systematic.name}'.*column '{needed[0]}'"):
            systematic(without, 0.7)


def test_the_order_of_events_does_not_matter(case):
    events, systematic = case
    order = np.random.default_rng(1).permutation(len(events))
    moved, other = at(systematic, events, 0.7), at(systematic, events.take(order), 0.7)
    np.testing.assert_allclose(other.x, moved.x[order], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(other.weight, moved.weight[order], rtol=1e-6)


def test_a_value_of_nan_stays_in_its_event(case):
    events, systematic = case
    moved = at(systematic, events, 0.7)
    rest = np.arange(len(events)) != 3
    for column in systematic.needs:
        other = at(systematic, with_value(events, column, 3, np.nan), 0.7)
        np.testing.assert_array_equal(other.x[rest], moved.x[rest])
        np.testing.assert_array_equal(other.weight[rest], moved.weight[rest])


def test_no_events_stay_none(case):
    events, systematic = case
    none = at(systematic, events.take(np.zeros(0, int)), 0.7)
    assert (none.x.shape, none.weight.shape) == ((0, len(events.columns)), (0,))


@pytest.mark.thorough
def test_one_value_for_each_event(case):
    events, systematic = case
    up = np.arange(len(events)) % 2 == 0
    each = at(systematic, events, np.where(up, *POINTS))
    high, low = (at(systematic, events, theta) for theta in POINTS)
    np.testing.assert_allclose(each.x, np.where(up[:, None], high.x, low.x), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(each.weight, np.where(up, high.weight, low.weight), rtol=1e-6)


@pytest.mark.thorough
def test_it_has_a_derivative(case):
    events, systematic = case
    systematic.check_differentiable(events, "the contract")
    _, slope = jax.jvp(lambda theta: compiled(systematic, events, theta), (jnp.float32(0),), (jnp.float32(1),))
    assert all(np.isfinite(a).all() for a in (slope.x, slope.weight))
    assert np.any(slope.x) or np.any(slope.weight)


def test_nothing_is_changed_in_place(case):
    events, systematic = case  # whose arrays refuse to be written to
    before = [array.tobytes() for array in jax.tree.leaves(events)]
    systematic(events, 0.7)
    assert [array.tobytes() for array in jax.tree.leaves(events)] == before


def test_equal_ones_are_equal_and_can_be_sent(kind, case):
    _, systematic = case
    _, again = kind()
    assert systematic == again
    assert hash(systematic.effect) == hash(again.effect)
    assert pickle.loads(pickle.dumps(systematic)) == systematic


@pytest.mark.parametrize("side", [0, 1])
def test_values_outside_the_bounds_are_refused_in_one_line(case, side):
    events, systematic = case
    beyond = systematic.parameter.bounds[side] * 1.01
    with pytest.raises(InputError, match=rf"'{systematic.name}': got [^\n]+; expected [^\n]+$"):
        systematic(events, beyond)
    with pytest.raises(InputError, match="got nan"):
        systematic(events, float("nan"))
