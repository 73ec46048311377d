"""A score of the user's own knows its event: models of k folds score what they never saw."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from verax.analysis import FunctionScore, parse, plan
from verax.cli import main
from verax.errors import InputError
from verax.events import fold_number, make_events
from verax.learn import fold_of
from verax.pipeline import measure, write_folds
from verax.pipeline._networks import given
from verax.pipeline._own_functions import try_functions

FIRST = 2**33
"""Event numbers go beyond 32 bits."""

MEMORY = '''
import numpy as np
import pyarrow.parquet as pq
from pathlib import Path

TRAINING = pq.read_table(Path(__file__).with_name("training.parquet"))
X, FOLD = TRAINING["x"].to_numpy(), TRAINING["fold"].to_numpy()
LABEL = np.array(TRAINING["event_process"].to_pylist()) == "signal"


def remembered(x, rows):
    """The class of the nearest event in training, which for these events is their own."""
    order = np.argsort(X[rows], kind="stable")
    known, label = X[rows][order], LABEL[rows][order]
    right = np.searchsorted(known, x[:, 0]).clip(1, len(known) - 1)
    near = np.where(abs(known[right] - x[:, 0]) < abs(known[right - 1] - x[:, 0]), right, right - 1)
    return label[near].astype(float)


def score(x, fold):
    return remembered(x, FOLD != fold)


def cheat(x):
    return remembered(x, FOLD >= 0)
'''


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    """A signal of 1000 on a background of 4000 events, data with both, and a model that remembers what it saw."""
    folder, rng = tmp_path_factory.mktemp("memory"), np.random.default_rng(17)
    drawn = {"signal": rng.normal(0.5, 1, 4000), "background": rng.normal(-0.5, 1, 4000)}
    for i, (name, x) in enumerate(drawn.items()):
        number = FIRST + 4000 * i + np.arange(4000)
        pq.write_table(pa.table({"x": x, "number": number}), folder / f"{name}.parquet")
    seen = [rng.normal(0.5, 1, rng.poisson(1000)), rng.normal(-0.5, 1, rng.poisson(4000))]
    pq.write_table(pa.table({"x": np.concatenate(seen)}), folder / "data.parquet")
    analysis = {
        "name": "memory",
        "title": "Memory",
        "samples": [
            {"process": "signal", "files": ["signal.parquet"], "total": 1000},
            {"process": "background", "files": ["background.parquet"], "total": 4000},
        ],
        "observed": {"files": ["data.parquet"]},
        "blind": False,
        "poi": {"name": "mu", "processes": ["signal"]},
        "number": "number",
        "features": ["x"],
        "channels": [{"name": "all", "edges": [0, 0.5, 1]}],
        "inputs": ["training.parquet"],
    }
    measure(parse({**analysis, "inputs": []}, "", folder), folder / "first", until="simulate")
    write_folds(folder / "first", 3, folder / "training.parquet")
    (folder / "memory.py").write_text(MEMORY)
    return folder, analysis


def pull(folder, analysis, summary):
    measured = measure(parse({**analysis, "summary": {"kind": "function", **summary}}, "", folder), until="infer")
    found = measured.intervals["observed"]
    return float((found.value - 1) / (found.down if found.value > 1 else found.up))


def test_a_model_that_remembers_its_training_is_unbiased_in_folds_and_biased_without(memory):
    folder, analysis = memory
    assert abs(pull(folder, analysis, {"function": "memory.py:score", "folds": 3})) < 3
    assert abs(pull(folder, analysis, {"function": "memory.py:cheat"})) > 5


def test_the_table_for_training_has_all_events_with_the_folds_of_the_analysis(memory, capsys):
    folder, _ = memory
    with pytest.raises(SystemExit, match="0"):
        main(["folds", str(folder / "first"), "-k", "5", "-o", str(folder / "five.parquet")])
    assert "8000 events of 5 folds" in capsys.readouterr().out
    found = pq.read_table(folder / "five.parquet").to_pydict()
    assert [*found] == ["x", "event_weight", "event_process", "event_number", "fold"]
    assert np.array_equal(found["fold"], fold_of(FIRST + np.arange(8000), 5))
    assert np.array_equal(found["event_number"], fold_number(FIRST + np.arange(8000)))
    assert found["event_process"] == ["signal"] * 4000 + ["background"] * 4000
    weight = np.array(found["event_weight"])
    assert weight[:4000].sum() == pytest.approx(1000)
    assert weight[4000:].sum() == pytest.approx(4000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "-k", "3", "-o", "a.parquet"], "nowhere: got no such folder; expected the folder of a run"),
        (["first", "-k", "1", "-o", "a.parquet"], "folds: got 1; expected a whole number, at least 2"),
        (["first", "-k", "3", "-o", "a.csv"], "got the ending '.csv'; expected .parquet"),
        (
            ["first", "-k", "3", "-o", "first/stages/simulate/nominal.parquet"],
            "got the place of a file that is read",
        ),
        (["first", "-k", "3", "-o", "no/a.parquet"], "expected a file that can be written"),
    ],
)
def test_what_cannot_be_written_is_one_line(memory, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(memory[0])
    with pytest.raises(SystemExit) as stopped:
        main(["folds", *arguments])
    assert stopped.value.code in (2, 3)
    line = capsys.readouterr().err
    assert message in line
    assert line.count("\n") == 1


EVENTS = make_events(
    {"x": np.arange(7.0), "y": np.arange(7.0) ** 2, "other": np.zeros(7)},
    weight=np.linspace(-1, 2, 7),
    process=np.arange(7) % 2,
    number=np.arange(7) + FIRST,
    processes=("signal", "background"),
)


def score_of(folder, body, **more):
    """The score of an analysis with a function of the user's, and what is tried of it."""
    (folder / "own.py").write_text(f"import numpy as np\nfrom verax.learn import fold_of\n\n\n{body}\n")
    pq.write_table(pa.table({"x": [1.0, 2.0], "y": [1.0, 2.0]}), folder / "a.parquet")
    content = {
        "name": "own",
        "title": "Own",
        "samples": [{"process": p, "files": ["a.parquet"], "allow_duplicates": True} for p in EVENTS.processes],
        "poi": {"name": "mu", "processes": ["signal"]},
        "features": ["x", "y"],
        "summary": {"kind": "function", "function": "own.py:f", **more},
    }
    reading = plan(parse(content, "", folder)).reading
    try_functions(reading, EVENTS)
    assert isinstance(reading.score, FunctionScore)
    return reading.score


def test_a_function_of_the_fold_is_called_with_the_events_of_one_fold(tmp_path):
    body = "def f(x, fold):\n    assert isinstance(fold, int)\n    return 100 * fold + x[:, 0]"
    found = score_of(tmp_path, body, folds=3)
    expected = 100 * fold_of(EVENTS.number, 3) + np.arange(7)
    assert np.array_equal(found(EVENTS), expected)
    order = np.array([3, 1, 6])
    assert np.array_equal(found(EVENTS.take(order)), expected[order])


def test_a_function_of_events_is_given_what_data_have(tmp_path):
    body = (
        "def f(events):\n    assert events.columns == ('x', 'y') and events.processes == ('data',)\n"
        "    assert (events.weight == 1).all() and (events.process == 0).all()\n"
        "    return 10 * fold_of(events.number, 2) + np.asarray(events.column('y'))"
    )
    assert np.array_equal(score_of(tmp_path, body)(EVENTS), 10 * fold_of(EVENTS.number, 2) + np.arange(7) ** 2)


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ({"function": "m.py:f"}, "provided that it did not learn from the events that fill the templates"),
        (
            {"function": "m.py:f", "folds": 4},
            "provided that each of the 4 folds is scored by a model that did not learn",
        ),
        ({"kind": "column", "column": "x", "range": [0, 1]}, "on its account, whatever it is."),
    ],
)
def test_the_report_says_on_which_condition_a_given_score_costs_precision_alone(memory, summary, said):
    folder, analysis = memory
    wording = plan(parse({**analysis, "summary": {"kind": "function", **summary}}, "", folder)).wording
    assert said in given(wording)


@pytest.mark.parametrize(
    ("body", "more", "message"),
    [
        ("def f(x, fold):\n    return x[:, 0]", {}, r"summary\.folds: got nothing, with a function of \(x, fold\)"),
        (
            "def f(x):\n    return x[:, 0]",
            {"folds": 3},
            r"folds: got 3 with a function of \(x\); .*\(x, fold\) → score",
        ),
        ("def f(events):\n    return events", {"folds": 3}, r"got 3 with a function of \(events\)"),
        (
            "def f(x, y):\n    return x",
            {},
            r"function of \(x, y\) .*expected a function \(x\), \(x, fold\) or \(events\)",
        ),
        ("def f(x, fold, z):\n    return x", {"folds": 2}, r"function of \(x, fold, z\) .*'z'"),
        (
            "def f(x, fold):\n    return x",
            {"folds": 2},
            r"output of shape \(\d, 2\); expected \(\d,\), a score per event",
        ),
        ("def f(events):\n    return events.column('z')", {}, r"got column 'z'; expected a known column; .*x, y"),
        ("def f(x, fold):\n    return [0, 1][x]", {"folds": 2}, "TypeError"),
    ],
)
def test_a_function_that_asks_for_something_else_is_refused_in_a_line(tmp_path, body, more, message):
    with pytest.raises(InputError, match=message) as caught:
        score_of(tmp_path, body, **more)
    assert "summary.function 'own.py:f'" in str(caught.value)
    assert "\n" not in str(caught.value)
