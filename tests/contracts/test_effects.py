"""What every effect of the analysis file promises; a new one joins by one line in ``EFFECTS``."""

import pickle
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from effects import EFFECTS

from verax.analysis import Analysis, parse
from verax.analysis._systematics import sources_of
from verax.data import higgsml
from verax.errors import InputError
from verax.events import concatenate
from verax.systematics import HIGGSML

DERIVED = {"pt_ratio": "PRI_tau_pt / PRI_met"}
"""A column of the user's, made of columns that some effects move."""

ACTING = pytest.mark.parametrize("effect", EFFECTS)


def built(effect, **more):
    """The systematic that an analysis file makes of an effect."""
    content = {
        "name": "contract",
        "title": "Contract",
        "dataset": {"name": "higgsml"},
        "poi": {"name": "mu", "processes": ["htautau"]},
        "features": ["PRI_tau_pt"],
        "derived": DERIVED,
        "systematics": [{"name": "tested", "group": "some", "effect": effect, **EFFECTS[effect], **more}],
    }
    (made,) = sources_of(parse(content, "contract")).systematics
    return made


@pytest.fixture(scope="module")
def events():
    """Some 230 events of all processes, with the derived column."""
    some = higgsml.load()
    some = some.take(np.arange(0, len(some), 100))
    ratio = np.asarray(some.column("PRI_tau_pt")) / np.asarray(some.column("PRI_met"))
    x = np.column_stack([np.asarray(some.x), ratio.astype(np.float32)])
    return type(some)(x, some.weight, some.process, some.number, (*some.columns, *DERIVED), some.processes)


def moved_columns(before, after):
    """Names of the columns that differ beyond the rounding of a few operations."""
    scale = np.abs(np.asarray(before.x)).max(axis=0)
    moves = (np.abs(np.asarray(after.x) - np.asarray(before.x)) > 3e-6 * scale).any(axis=0)
    return {name for name, moved in zip(before.columns, moves, strict=True) if moved}


def test_every_effect_of_the_analysis_file_is_held_to_the_contract():
    (union,) = get_args(Analysis.model_fields["systematics"].annotation)
    kinds = get_args(get_args(union)[0])
    known = {name for kind in kinds for name in get_args(kind.model_fields["effect"].annotation)}
    bins = {"envelope", "hessian", "replicas", "histograms"}  # which act on bins: test_weight_set.py, test_stored.py
    assert known - {"samples"} - bins == set(EFFECTS)  # samples: whose events are files of their own


@pytest.mark.thorough
@ACTING
def test_nominal_is_the_identity(effect, events):
    same = built(effect)(events, 0.0)
    assert moved_columns(events, same) == set()
    np.testing.assert_array_equal(same.weight, events.weight)
    measured = events.index([c for c in HIGGSML.measured if c in events.columns])
    np.testing.assert_array_equal(np.asarray(same.x)[:, measured], np.asarray(events.x)[:, measured])


@ACTING
@pytest.mark.parametrize("theta", [1.0, -1.0])
def test_it_changes_what_it_says_and_what_is_made_of_that(effect, events, theta):
    systematic = built(effect)
    moved = systematic(events, theta)
    changed = moved_columns(events, moved) | ({"weight"} if (moved.weight != events.weight).any() else set())
    assert (systematic.name, systematic.parameter.group) == ("tested", "some")
    assert changed & set(systematic.changes)
    assert changed <= {*systematic.changes, *HIGGSML.recomputed, *DERIVED}
    if {"PRI_tau_pt", "PRI_met"} & changed:
        ratio = np.asarray(moved.column("PRI_tau_pt")) / np.asarray(moved.column("PRI_met"))
        np.testing.assert_allclose(moved.column("pt_ratio"), ratio, rtol=1e-6)
    assert (moved.columns, moved.processes) == (events.columns, events.processes)
    np.testing.assert_array_equal(moved.process, events.process)
    np.testing.assert_array_equal(moved.number, events.number)
    assert np.isfinite(np.asarray(moved.x)).all()
    assert np.isfinite(np.asarray(moved.weight)).all()
    assert jnp.asarray(moved.x).dtype == jnp.asarray(moved.weight).dtype == jnp.float32


@ACTING
def test_it_leaves_other_processes_as_they_are(effect, events):
    moved = built(effect, processes=["ztautau"])(events, 1.0)
    others = ~np.asarray(events.is_process(["ztautau"]))
    np.testing.assert_array_equal(np.asarray(moved.x)[others], np.asarray(events.x)[others])
    np.testing.assert_array_equal(np.asarray(moved.weight)[others], np.asarray(events.weight)[others])
    whole = built(effect)(events, 1.0)
    np.testing.assert_array_equal(np.asarray(moved.x)[~others], np.asarray(whole.x)[~others])
    np.testing.assert_array_equal(np.asarray(moved.weight)[~others], np.asarray(whole.weight)[~others])


@pytest.mark.thorough
@ACTING
def test_an_event_moves_by_its_own_parameter_whatever_comes_with_it(effect, events):
    systematic, theta = built(effect), np.linspace(-1.5, 1.5, len(events)).astype(np.float32)
    each = systematic(events, theta)
    rows = np.asarray([3, len(events) // 2, len(events) - 1])
    alone = concatenate([systematic(events.take(rows[i : i + 1]), float(theta[rows[i]])) for i in range(3)])
    np.testing.assert_allclose(np.asarray(each.x)[rows], alone.x, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(np.asarray(each.weight)[rows], alone.weight, rtol=1e-5)


@pytest.mark.thorough
@ACTING
def test_it_can_be_compiled_and_differentiated(effect, events):
    systematic = built(effect)
    some = events.take(np.arange(0, len(events), 8))

    def measured(theta):
        moved = systematic(some, theta)
        columns = [c for c in systematic.changes if c != "weight" and "phi" not in c]  # angles jump at ±π
        return jnp.concatenate(
            [jnp.asarray(moved.weight), jnp.ravel(moved.features(columns)) if columns else jnp.zeros(0)]
        )

    compiled = jax.jit(lambda theta: jax.jvp(measured, (theta,), (jnp.float32(1.0),)))
    step, (at, along) = 0.05, compiled(jnp.float32(0.4))
    up, down = (np.asarray(compiled(jnp.float32(0.4 + s))[0], np.float64) for s in (step, -step))
    assert np.abs(along).max() > 0
    # Central differences: curvature of the third order, and rounding of float32 over the step.
    np.testing.assert_allclose(along, (up - down) / (2 * step), rtol=0.02, atol=2e-6 * np.abs(at).max() / step)


@ACTING
def test_equal_ones_are_equal_and_travel(effect):
    first = built(effect)
    assert first == built(effect)
    assert hash(first) == hash(built(effect))
    if effect != "function":  # a callable that is given in Python stays in its process
        assert pickle.loads(pickle.dumps(first)) == first


@ACTING
def test_a_column_that_is_not_there_is_named(effect, events):
    systematic = built(effect)
    if not systematic.needs:  # a user's function need not say what it reads; others do, unless they read nothing
        assert systematic.changes == ("weight",) or effect == "function"
        return
    gone = systematic.needs[0]
    kept = [c for c in events.columns if c != gone]
    fewer = type(events)(
        events.features(kept), events.weight, events.process, events.number, tuple(kept), events.processes
    )
    with pytest.raises(InputError, match=rf"'tested': got column '{gone}'"):
        systematic(fewer, 1.0)
