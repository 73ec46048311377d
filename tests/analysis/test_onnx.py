"""Models in ONNX files score events, one for all or one for each fold, and are held to what they are given."""

import importlib.util

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from onnx_files import DOUBLE, INT64, onnx, plain, use_stand_in
from verax.analysis import OnnxScore, _onnx, parse, plan, written
from verax.errors import InputError
from verax.events import make_events
from verax.learn import fold_of
from verax.pipeline import measure

INSTALLED = importlib.util.find_spec("onnxruntime") is not None
W = np.array([0.7, -1.2, 0.3])
RNG = np.random.default_rng(23)
EVENTS = make_events({c: RNG.normal(size=2500) for c in "xyz"}, number=np.arange(2500) + 2**33)
X = np.asarray(EVENTS.x, np.float64)


@pytest.fixture(
    params=["stand-in", pytest.param("onnxruntime", marks=pytest.mark.skipif(not INSTALLED, reason="extra"))]
)
def write(request, monkeypatch, tmp_path):
    """Writes a model file, for onnxruntime or for what stands for it where it is not installed."""
    _onnx.session.cache_clear()
    if request.param == "stand-in":
        use_stand_in(monkeypatch)
    made = onnx if request.param == "onnxruntime" else plain
    return lambda name, *arguments, **options: (tmp_path / name).write_bytes(made(*arguments, **options))


def analysis(folder, **summary):
    for i, process in enumerate(("signal", "background")):
        rows = {c: X[i::2, k] + 0.5 * i for k, c in enumerate("xyz")} | {"number": np.arange(len(X) // 2) + 2**33}
        pq.write_table(pa.table(rows), folder / f"{process}.parquet")
    given = {
        "name": "mine",
        "title": "Mine",
        "samples": [{"process": p, "files": [f"{p}.parquet"]} for p in ("signal", "background")],
        "poi": {"name": "mu", "processes": ["signal"]},
        "number": "number",
        "features": ["x", "y", "z"],
        "channels": [{"name": "all", "edges": [0, 0.3, 0.6, 1]}],
        "summary": summary,
        "check": {"toys": 0},
    }
    return parse(given, "mine.yaml", folder)


def score(folder, **summary):
    found = plan(analysis(folder, kind="onnx", **summary)).histograms.score
    assert isinstance(found, OnnxScore)
    return found


def probability(x, w=W):
    return 1 / (1 + np.exp(-x @ w))


@pytest.mark.parametrize("kind", [1, DOUBLE])
def test_a_model_scores_events_to_the_same_bits_in_any_chunks(write, tmp_path, kind):
    write("m.onnx", W, kind=kind)
    found = score(tmp_path, model="m.onnx")
    whole = found(EVENTS)
    assert whole == pytest.approx(probability(X), abs=1e-6)
    order = RNG.permutation(len(X))
    parts = [found(EVENTS.take(some)) for some in np.split(order, [3, 700, 1024, 2300])]
    assert np.array_equal(np.concatenate(parts), whole[order])


def test_each_fold_has_its_model(write, tmp_path):
    for f in range(3):
        write(f"m{f}.onnx", W * (f + 1))
    found = score(tmp_path, models=["m0.onnx", "m1.onnx", "m2.onnx"])(EVENTS)
    fold = fold_of(EVENTS.number, 3)
    assert found == pytest.approx(probability((1 + fold[:, None]) * X), abs=1e-6)


@pytest.mark.parametrize(("column", "sign"), [(0, -1), (1, 1)])
def test_a_column_of_an_output_is_chosen_by_name(write, tmp_path, column, sign):
    write("m.onnx", W, classes=2)
    found = score(tmp_path, model="m.onnx", output=f"probabilities[{column}]")
    assert found(EVENTS) == pytest.approx(probability(sign * X), abs=1e-6)


def test_a_measurement_by_a_model_is_that_of_its_formula(write, tmp_path):
    write("m.onnx", W)
    (tmp_path / "m.py").write_text(
        f"import numpy as np\n\n\ndef f(x):\n    return 1 / (1 + np.exp(-x @ {W.tolist()}))\n"
    )
    by_model, by_formula = (
        measure(analysis(tmp_path, **summary), until="infer").intervals["expected"]
        for summary in ({"kind": "onnx", "model": "m.onnx"}, {"kind": "function", "function": "m.py:f"})
    )
    assert by_model.high == by_formula.high


def test_another_content_of_the_file_is_another_summary_and_the_text_of_the_analysis_says_where_it_is(write, tmp_path):
    write("m.onnx", W)
    given = analysis(tmp_path, kind="onnx", model="m.onnx")
    assert f"model: {tmp_path / 'm.onnx'}" in written(given)
    before = plan(given)
    assert str(tmp_path / "m.onnx") in before.files
    write("m.onnx", 2 * W)
    assert plan(given).histograms.score.versions != before.histograms.score.versions
    _onnx.session.cache_clear()
    with pytest.raises(InputError, match="a file that changed during the run"):
        before.histograms.score(EVENTS)


@pytest.mark.parametrize(
    ("model", "summary", "message"),
    [
        ({"weights": [1.0, 2.0]}, {}, "a model of 2 inputs; expected 3, the features of the analysis"),
        ({"weights": W, "kind": INT64}, {}, r"input x: tensor\(int64\); expected tensor\(float\) or tensor\(double\)"),
        ({"weights": W, "batch": 1}, {}, "batches of 1 only; expected any number of events; export it with a dynamic"),
        ({"weights": W, "inputs": 2}, {}, r"2 inputs \(x, more\); expected one, of shape \[event, feature\]"),
        ({"weights": W, "classes": 2}, {}, r"outputs label: tensor\(int64\).*probabilities: .*summary\.output: NAME"),
        ({"weights": W, "classes": 2}, {"output": "label"}, r"output label: tensor\(int64\); expected tensor\(float\)"),
        (
            {"weights": W, "classes": 2},
            {"output": "probabilities"},
            r"2 columns; .*say summary\.output: probabilities\[1\]",
        ),
        (
            {"weights": W, "classes": 2},
            {"output": "probabilities[2]"},
            "output probabilities of 2 columns, and column 2",
        ),
        ({"weights": W}, {"output": "scroe"}, "output 'scroe'; expected a known output; did you mean 'score'"),
        ({"weights": W}, {"output": "score[1]"}, "output score of 1 columns, and column 1"),
    ],
)
def test_a_model_of_other_inputs_or_outputs_is_refused_in_a_line(write, tmp_path, model, summary, message):
    write("m.onnx", **model)
    with pytest.raises(InputError, match=message) as caught:
        score(tmp_path, model="m.onnx", **summary)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_model_or_is_not_there_is_refused_in_a_line(write, tmp_path):
    (tmp_path / "m.onnx").write_text("no model")
    with pytest.raises(InputError, match=r"m\.onnx.*expected an ONNX model that onnxruntime reads"):
        score(tmp_path, model="m.onnx")
    with pytest.raises(InputError, match=r"summary\.model: got '.*n\.onnx'; expected an ONNX file"):
        score(tmp_path, model="n.onnx")


@pytest.mark.skipif(not INSTALLED, reason="extra")
def test_weights_in_another_file_which_could_change_unseen_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.bin").write_bytes(W.astype(np.float32).tobytes())
    (tmp_path / "m.onnx").write_bytes(onnx(W, elsewhere="w.bin"))
    with pytest.raises(InputError, match="got weights in another file; expected a model in one file; save it as one"):
        score(tmp_path, model="m.onnx")


def test_without_onnxruntime_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"summary\.kind: got onnx without the package 'onnxruntime'.*pip install"):
        score(tmp_path, model="m.onnx")


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ({}, r"summary: got kind: onnx alone; expected also 'model or models:'"),
        ({"model": "a", "models": ["b", "c"]}, "kind: onnx with both"),
        ({"models": ["a"]}, r"summary\.models: got \[\"a\"\]; expected 2 or more of them"),
        ({"model": 3}, r"summary\.model: got 3; expected text"),
        ({"model": "a", "outputs": "b"}, "unknown key 'outputs'.*did you mean 'output'"),
        ({"model": "a", "function": "b"}, r"summary\.function: got 'b' with kind: onnx; expected kind: function"),
        ({"kind": "onxn"}, r"summary\.kind: got \"onxn\"; expected .*'onnx'"),
        ({"kind": "classifier", "model": "a"}, r"summary\.model: got 'a' with kind: classifier; expected kind: onnx"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(tmp_path, summary, message):
    with pytest.raises(InputError, match=message) as caught:
        analysis(tmp_path, **{"kind": "onnx", **summary})
    assert "\n" not in str(caught.value)
