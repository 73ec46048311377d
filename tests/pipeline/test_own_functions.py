"""Functions of the user's are held to what they say."""

import numpy as np
import pytest

from toy_analysis import write_analysis
from verax.analysis import load, plan
from verax.errors import InputError
from verax.events import make_events
from verax.pipeline._own_functions import try_functions
from verax.pipeline._simulate import simulate
from verax.run import Run

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
    "no events": ("return y", "got ndarray"),
    "an exception": ("raise KeyError('mass')", "got KeyError: 'mass'"),
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
    return load(write_analysis(folder, 20, systematics=[effect, scale], unaffected=UNAFFECTED))


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
def test_a_function_that_does_what_it_says_passes(tmp_path, events, body):
    try_functions(plan(analysis(tmp_path, body)).reading, events)


@pytest.mark.parametrize(("body", "message"), BAD.values(), ids=BAD)
def test_a_function_that_does_something_else_is_refused_by_name(tmp_path, events, body, message):
    with pytest.raises(InputError, match=message) as caught:
        try_functions(plan(analysis(tmp_path, body)).reading, events)
    assert "\n" not in str(caught.value)
    assert "systematic 'mine', function 'own.py:f'" in str(caught.value)


def test_a_function_may_do_anything_to_processes_that_it_is_not_for(tmp_path, events):
    body = "return events.replace({'x': np.where(np.asarray(events.process) == 0, x + 1, x)})"
    try_functions(plan(analysis(tmp_path, body, processes=["top"])).reading, events)
    with pytest.raises(InputError, match="a change of x at θ = 0"):
        try_functions(plan(analysis(tmp_path, body, processes=["signal"])).reading, events)


def test_each_process_is_tried(tmp_path):
    """The function errs on the last process only, whose events come in a chunk of their own."""
    body = "return events.replace({'x': np.where(np.asarray(events.process) == 2, x + theta, x)})"
    given = analysis(tmp_path, body)
    with Run(tmp_path / "run") as run, pytest.raises(InputError, match=r"a change of x at θ = \+1"):
        run("simulate", simulate, plan(given).reading)


SCORES = {
    "a mean over events": ("return x[:, 2] - x[:, 2].mean()", "others when fewer events are given"),
    "a rank": ("return x[:, 0].argsort().argsort() / len(x)", "others when fewer events are given"),
    "a wrong shape": ("return x", r"shape \(4, 3\)"),
    "an exception": ("return x['pt']", "summary.function 'own.py:f': got IndexError"),
}


@pytest.mark.thorough
@pytest.mark.parametrize(("body", "message"), SCORES.values(), ids=SCORES)
def test_a_score_that_depends_on_other_events_is_refused(tmp_path, events, body, message):
    (tmp_path / "own.py").write_text(f"def f(x):\n    {body}\n")
    summary = {"kind": "function", "function": "own.py:f"}
    given = load(write_analysis(tmp_path, 20, systematics=[], unaffected=[], summary=summary))
    with pytest.raises(InputError, match=message):
        try_functions(plan(given).reading, events)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("own.py:one", r"mine.*a function of \(events\).*expected a function \(Events, θ\) → Events"),
        ("own.py:leave", "SystemExit: 3"),
        ("os:system", r"a function of \(command\)"),
        ("shutil:rmtree", "systematic 'mine'"),
    ],
)
def test_a_function_of_other_arguments_is_refused_before_it_is_called(tmp_path, events, function, message):
    path = analysis(tmp_path, "return events", function=function)
    (tmp_path / "own.py").write_text(
        "import sys\n\n\ndef one(events):\n    raise AssertionError\n\n\ndef leave(events, theta):\n    sys.exit(3)\n"
    )
    with pytest.raises(InputError, match=message):
        try_functions(plan(path).reading, events)
