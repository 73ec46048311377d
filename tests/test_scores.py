"""Functions of the user's are held to what they say, and what lies outside the bins is counted."""

import numpy as np
import pytest

from toy_analysis import write_analysis
from verax import agreement, config, scores
from verax.analysis import plan
from verax.errors import InputError
from verax.events import make_events

COLUMNS = {
    "x": [1.0, 2.0, 3.0, 0.0],
    "y": [0.0, 1.0, 2.0, 5.0],
    "pt": [30.0, 40.0, 60.0, 9.0],
    "log_pt": [1.0, 2.0, 3.0, 4.0],
}
UNAFFECTED = {"scale": ["x", "y"], "mine": ["x"]}
EFFECT = """
import numpy as np


def f(events, theta):
    x, y = np.asarray(events.column("x")), np.asarray(events.column("y"))
    weight = np.asarray(events.weight)
    number = events.number
    {body}
"""

GOOD = {
    "a shift": "return events.replace({'y': y + np.float32(0.1) * theta})",
    "rounding at zero": "return events.replace({'y': np.sqrt(y**2 + np.float32(theta) ** 2)})",
    "nothing": "return events",
    "what is computed again": "return events.replace({'y': y + theta, 'log_pt': y})",
}

BAD = {
    "another column": (
        "return events.replace({'y': y + theta, 'x': x + theta})",
        r"a change of x at θ = \+1.*changes of y only",
    ),
    "the weights": ("return events.reweight(np.exp(0.1 * theta))", "a change of weight at θ"),
    "downwards only": ("return events.replace({'x': x + min(theta, 0)})", "a change of x at θ = -1"),
    "not the identity": ("return events.replace({'y': 1.01 * y + theta})", "a change of y at θ = 0"),
    "numbers": (
        "import dataclasses\n    return dataclasses.replace(events, number=number + np.uint32(1))",
        "a change of number at θ = 0",
    ),
    "the events in place": ("y += np.float32(theta)\n    return events", "ValueError.*read-only"),
    "fewer events": ("return events.take(np.arange(2))", "2 events of 4"),
    "no events": ("return y", "seen ndarray"),
    "an exception": ("raise KeyError('mass')", "seen KeyError: 'mass'"),
    "other columns": ("return events.replace({'z': y})", "'z'"),
}


@pytest.fixture
def events():
    return make_events(
        {k: np.array(v) for k, v in COLUMNS.items()},
        process=np.array([0, 1, 2, 2]),
        number=np.arange(4),
        processes=("signal", "top", "other"),
    )


def analysis(folder, body, **more):
    (folder / "own.py").write_text(EFFECT.format(body=body))
    effect = {"name": "mine", "effect": "function", "function": "own.py:f", "changes": ["y"], **more}
    scale = {"name": "scale", "effect": "scale", "columns": ["pt"], "width": 0.02}
    return config.load(write_analysis(folder, 20, systematics=[effect, scale], unaffected=UNAFFECTED))


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
def test_a_function_that_does_what_it_says_passes(tmp_path, events, body):
    scores.try_functions(plan(analysis(tmp_path, body)).reading, events)


@pytest.mark.parametrize(("body", "message"), BAD.values(), ids=BAD)
def test_a_function_that_does_something_else_is_refused_by_name(tmp_path, events, body, message):
    with pytest.raises(InputError, match=message) as caught:
        scores.try_functions(plan(analysis(tmp_path, body)).reading, events)
    assert "\n" not in str(caught.value)
    if body != BAD["other columns"][0]:
        assert "systematic 'mine', function 'own.py:f'" in str(caught.value)


def test_a_function_may_do_anything_to_processes_that_it_is_not_for(tmp_path, events):
    body = "return events.replace({'x': np.where(np.asarray(events.process) == 0, x + 1, x)})"
    scores.try_functions(plan(analysis(tmp_path, body, processes=["top"])).reading, events)
    with pytest.raises(InputError, match="a change of x at θ = 0"):
        scores.try_functions(plan(analysis(tmp_path, body, processes=["signal"])).reading, events)


def test_each_process_is_tried(tmp_path):
    """The function errs on the last process only, whose events come in a chunk of their own."""
    from verax import stages
    from verax.store import Run

    body = "return events.replace({'x': np.where(np.asarray(events.process) == 2, x + theta, x)})"
    given = analysis(tmp_path, body)
    with Run(tmp_path / "run") as run, pytest.raises(InputError, match=r"a change of x at θ = \+1"):
        run("simulate", stages.simulate, plan(given).reading)


SCORES = {
    "a mean over events": ("return x[:, 2] - x[:, 2].mean()", "others when fewer events are given"),
    "a rank": ("return x[:, 0].argsort().argsort() / len(x)", "others when fewer events are given"),
    "a wrong shape": ("return x", r"shape \(4, 3\)"),
    "an exception": ("return x['pt']", "summary.function 'own.py:f': seen IndexError"),
}


@pytest.mark.parametrize(("body", "message"), SCORES.values(), ids=SCORES)
def test_a_score_that_depends_on_other_events_is_refused(tmp_path, events, body, message):
    (tmp_path / "own.py").write_text(f"def f(x):\n    {body}\n")
    summary = {"kind": "function", "function": "own.py:f"}
    given = config.load(write_analysis(tmp_path, 20, systematics=[], unaffected=[], summary=summary))
    with pytest.raises(InputError, match=message):
        scores.try_functions(plan(given).reading, events)


# ------------------------------------------------------------------------------------------------------------ outside


def test_what_lies_outside_is_said_with_numbers(events):
    found = scores.Outside(((0.5, 1.0, 2.0), (0.0, 2.0)), "events")
    heavy = events.reweight(np.array([1.0, 1.0, 2.0, 4.0], np.float32))
    for some in (heavy.take(np.arange(2)), heavy.take(np.arange(2, 4))):
        score = np.asarray(some.column("x"), np.float64)
        found.add(some, score, np.asarray(some.process) % 2 * 0)
    assert found.problems() == (
        "1 of 4 events (50.00% by weight) lie below the bins, 0 … 2, and count in the first one",
        "1 of 4 events (25.00% by weight) lie above the bins, 0 … 2, and count in the last one",
    )


def test_the_last_edge_belongs_to_the_last_bin(events):
    found = scores.Outside(((0.0, 3.0),), "events")
    found.add(events, np.asarray(events.column("x"), np.float64), np.zeros(4, int))
    assert found.problems() == ()


def test_events_of_no_channel_do_not_count(events):
    found = scores.Outside(((0.0, 1.0),), "events")
    found.add(events, np.asarray(events.column("x"), np.float64), np.array([0, -1, -1, 0]))
    assert found.problems() == ()


def test_a_range_that_holds_no_event_is_refused(events):
    found = scores.Outside(((10.0, 20.0),), "events")
    found.add(events, np.asarray(events.column("x"), np.float64), np.zeros(4, int))
    with pytest.raises(InputError, match=r"summary.range: seen none of 4 events in 10 … 20: the summary lies in 0 … 3"):
        found.problems()


def test_overlapping_channels_are_counted(events):
    found = agreement.Overlap((("low", "x < 3"), ("high", "x > 0.5"), ("far", "x > 2.5")))
    for some in (events.take(np.arange(2)), events.take(np.arange(2, 4))):
        found.add(some)
    assert found.problems() == (
        "channels 'low' and 'high' overlap: 2 rows (2 events) pass both and count in 'low'",
        "channels 'high' and 'far' overlap: 1 rows (1 events) pass both and count in 'high'",
    )
