"""A run that continues: what changed is done again, what did not is kept, and what nobody can see is said."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from toy_analysis import write_analysis
from verax import pipeline
from verax.analysis import FunctionEffect, load
from verax.errors import InputError
from verax.run import Progress

FEW = {
    "normalisations": [],
    "systematics": [],
    "unaffected": [],
    "pseudo_experiment": None,
    "channels": [{"name": "all"}],
    "check": {"toys": 50, "truths": [1.0], "shifts": False},
}


class Heard(Progress):
    """Which stages worked, and which lines were told."""

    def __init__(self):
        self.worked, self.lines = [], []

    def stage(self, name, *, reused):
        if not reused:
            self.worked.append(name)

    def note(self, text):
        self.lines.append(text)


def templates(path, folder, *settings, until="summarise"):
    """Nominal templates of a run, and what was heard of it."""
    heard = Heard()
    pipeline.measure(load(path, settings), folder, until=until, progress=heard)
    with np.load(folder / "stages" / "summarise" / "arrays.npz") as arrays:
        return [arrays[name] for name in sorted(arrays)], heard


def scored(folder, function, **changes):
    """An analysis with a score of one's own."""
    summary = {"kind": "function", "function": function, "range": [-8, 8]}
    return write_analysis(folder, 300, summary=summary, **{**FEW, **changes})


PLACES = {
    "the file": ("own_score.py:score", "own_score.py"),
    "a module that it imports": ("own_score.py:score", "own_helper.py"),
    "a module that this imports": ("own_score.py:score", "own_parts/sign.py"),
    "module:name": ("own_score:score", "own_score.py"),
    "a module that module:name imports": ("own_score:score", "own_helper.py"),
}


@pytest.mark.thorough
@pytest.mark.parametrize(("function", "changed"), PLACES.values(), ids=PLACES)
def test_changed_code_is_another_result(tmp_path, monkeypatch, function, changed):
    monkeypatch.syspath_prepend(tmp_path)
    path = scored(tmp_path, function)
    (tmp_path / "own_parts").mkdir()
    (tmp_path / "own_parts" / "__init__.py").touch()
    (tmp_path / "own_parts" / "sign.py").write_text("SIGN = +1\n")
    (tmp_path / "own_helper.py").write_text("from own_parts.sign import SIGN\ndef put(x):\n    return +SIGN * x\n")
    (tmp_path / "own_score.py").write_text("from own_helper import put\ndef score(x):\n    return put(+x[:, 0])\n")
    before, _ = templates(path, tmp_path / "run")
    kept, heard = templates(path, tmp_path / "run")
    assert heard.worked == []
    assert all(np.array_equal(a, b) for a, b in zip(before, kept, strict=True))
    text = (tmp_path / changed).read_text()
    (tmp_path / changed).write_text(text.replace("+", "-"))
    after, heard = templates(path, tmp_path / "run")
    fresh, _ = templates(path, tmp_path / "fresh")
    assert "summarise" in heard.worked
    assert any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(after, fresh, strict=True))
    assert any(changed in line for line in heard.lines)


SCORE = "def score(x):\n    return {gain} * x[:, 0]\n"
READ = "float(pathlib.Path('{file}').read_text())"
READS = {
    "when called": f"import pathlib\n{SCORE.replace('{gain}', READ)}",
    "when imported": f"import pathlib\nGAIN = {READ}\n{SCORE.replace('{gain}', 'GAIN')}",
    "by a name that is made": "import pathlib\nFILE = (pathlib.Path(__file__).parent / ('ga' + 'in')).with_suffix('.txt')\n"
    + SCORE.replace("{gain}", "float(FILE.read_text())"),
    "by code that Python does not see": f"NAME = 'gain.txt'\n{SCORE.replace('{gain}', '1.0')}",
}


@pytest.mark.parametrize("text", READS.values(), ids=READS)
def test_a_file_that_nobody_declared_is_said_once_in_each_run(tmp_path, text):
    (tmp_path / "gain.txt").write_text("1.0")
    (tmp_path / "own_score.py").write_text(text.format(file=tmp_path / "gain.txt"))
    path = scored(tmp_path, "own_score.py:score")
    for _ in range(2):
        _, heard = templates(path, tmp_path / "run")
        (line,) = heard.lines
        assert "own_score.py:score" in line
        assert "gain.txt" in line
        assert "inputs" in line
    _, heard = templates(path, tmp_path / "run", "inputs=[gain.txt]")
    assert heard.lines == []


@pytest.mark.thorough
def test_the_line_is_in_report_results_and_record(tmp_path):
    (tmp_path / "gain.txt").write_text("1.0")
    (tmp_path / "own_score.py").write_text(READS["when called"].format(file=tmp_path / "gain.txt"))
    path = scored(tmp_path, "own_score.py:score")
    measurement = pipeline.measure(load(path), tmp_path / "run")
    assert any("gain.txt" in line for line in measurement.warnings)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert any("gain.txt" in line for line in record["notes"])
    assert "gain.txt" in (tmp_path / "run" / "report.html").read_text()


def test_files_of_python_and_of_packages_are_nobodys_business(tmp_path):
    (tmp_path / "own_score.py").write_text(
        "def score(x):\n    import numpy.polynomial, wave, scipy.datasets, pathlib, importlib.metadata\n"
        "    importlib.metadata.version('numpy')\n    pathlib.Path(__file__).read_text()\n    return x[:, 0]\n"
    )
    _, heard = templates(scored(tmp_path, "own_score.py:score"), tmp_path / "run")
    assert heard.lines == []


@pytest.mark.parametrize("given", ["gain.txt", "g*.txt", "."])
def test_a_declared_file_that_changes_is_another_result(tmp_path, given):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "gain.txt").write_text("1.0")
    (tmp_path / "own_score.py").write_text(READS["when called"].format(file=folder / "gain.txt"))
    path = scored(tmp_path, "own_score.py:score", inputs=[f"made/{given}"])
    before, _ = templates(path, tmp_path / "run")
    (folder / "gain.txt").write_text("-1.")
    after, heard = templates(path, tmp_path / "run")
    assert any("gain.txt" in line and "changed since the last run" in line for line in heard.lines)
    assert any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_links_to_folders_lead_to_declared_files_too(tmp_path):
    """Also in circles, and to files outside the declared folder."""
    far = tmp_path / "far"
    (tmp_path / "made" / "deep").mkdir(parents=True)
    far.mkdir()
    (far / "gain.txt").write_text("1.0")
    (tmp_path / "made" / "deep" / "link").symlink_to(far)
    (far / "back").symlink_to(tmp_path / "made")
    (tmp_path / "own_score.py").write_text(READS["when called"].format(file=tmp_path / "made/deep/link/gain.txt"))
    path = scored(tmp_path, "own_score.py:score", inputs=["made"])
    before, heard = templates(path, tmp_path / "run")
    assert heard.lines == []
    (far / "gain.txt").write_text("-1.")
    after, heard = templates(path, tmp_path / "run")
    assert any("gain.txt" in line and "changed since the last run" in line for line in heard.lines)
    assert any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_an_effect_of_ones_own_that_changes_is_another_result(tmp_path):
    smear = {"name": "smear", "effect": "function", "function": "smear.py:smear", "changes": ["y"]}
    summary = {"kind": "column", "column": "y", "range": [-5, 5]}
    path = write_analysis(
        tmp_path, 300, **{**FEW, "systematics": [smear], "unaffected": {"smear": ["x"]}}, summary=summary
    )
    before, _ = templates(path, tmp_path / "run")
    text = (tmp_path / "smear.py").read_text()
    (tmp_path / "smear.py").write_text(text.replace("0.1", "0.9"))
    after, _ = templates(path, tmp_path / "run")
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_changed_callable_in_python_is_another_result(tmp_path):
    analysis = load(scored(tmp_path, "own_score.py:none"))

    def measured(gain):
        summary = analysis.summary.model_copy(update={"function": lambda x: gain * x[:, 0]})
        heard = Heard()
        changed = analysis.model_copy(update={"summary": summary})
        pipeline.measure(changed, tmp_path / "run", until="summarise", progress=heard)
        return heard.worked

    assert "summarise" in measured(1.0)
    assert measured(1.0) == []
    assert "summarise" in measured(2.0)


GAIN = 1.0


def shifted(events, theta):
    return events.replace({"y": events.column("y") + GAIN * theta})


def test_a_compiled_function_that_reads_another_value_is_compiled_again(tmp_path, monkeypatch):
    path = write_analysis(tmp_path, 300, **FEW, summary={"kind": "column", "column": "y", "range": [-5, 5]})
    effect = FunctionEffect(name="own", effect="function", function=shifted, changes=["y"], jax=True)
    analysis = load(path).model_copy(update={"systematics": [effect], "unaffected": ["x"]})
    sides = []
    for gain in (1.0, 2.0):
        monkeypatch.setitem(globals(), "GAIN", gain)
        pipeline.measure(analysis, tmp_path / "run", until="summarise")
        with np.load(tmp_path / "run" / "stages" / "summarise" / "arrays.npz") as arrays:
            sides.append([arrays[name] for name in sorted(arrays)])
    assert any(not np.array_equal(a, b) for a, b in zip(*sides, strict=True))


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = scored(tmp_path, "own_score.py:score")
    (tmp_path / "own_score.py").write_text(
        "import pathlib\nFILE = pathlib.Path(__file__).with_name('other.csv')\n"
        "def score(x):\n    FILE.write_bytes(FILE.read_bytes().replace(b'.', b'.0', 1))\n    return x[:, 0]\n"
    )
    with pytest.raises(InputError, match="changed while they were read"):
        templates(path, tmp_path / "run")
    assert not (tmp_path / "run" / "stages" / "simulate").exists()


def test_a_changed_input_file_is_said(tmp_path):
    summary = {"kind": "column", "column": "x", "range": [-5, 5]}
    path = write_analysis(tmp_path, 300, **FEW, summary=summary)
    assert templates(path, tmp_path / "run")[1].lines == []
    lines = (tmp_path / "other.csv").read_text().splitlines()
    (tmp_path / "other.csv").write_text("\n".join(lines[:-1]) + "\n")
    _, heard = templates(path, tmp_path / "run")
    assert [line for line in heard.lines if "other.csv" in line and "top.parquet" not in line]
    assert templates(path, tmp_path / "run")[1].lines == []


SMALL = {"folds": 2, "members": 1, "width": 4, "depth": 1, "epochs": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with networks."""
    folder = tmp_path_factory.mktemp("trained")
    path = write_analysis(folder, 300, learn=SMALL)
    heard = Heard()
    pipeline.measure(load(path), folder / "run", until="learn", progress=heard)
    assert heard.worked == ["simulate", "learn"]
    return folder, path


def systematics(path, change):
    """The setting that gives the analysis other systematics."""
    found = [s.model_dump(mode="json") for s in load(path).systematics]
    return f"systematics={json.dumps([change(s) for s in found])}"


KEPT = {
    "another name": lambda path: systematics(
        path, lambda s: {**s, "name": "lumi_2" if s["name"] == "lumi" else s["name"]}
    ),
    "another group": lambda path: systematics(path, lambda s: {**s, "group": "all of them"}),
    "another width": lambda path: systematics(path, lambda s: {**s, "width": 0.1} if s["name"] == "lumi" else s),
    "observed events": lambda path: "observed={files: [data.parquet]}",
    "channels": lambda path: "channels=[{name: all}]",
    "normalisations": lambda path: "normalisations=[]",
    "chunks": lambda path: "chunk=100",
}


@pytest.mark.thorough
@pytest.mark.parametrize("change", KEPT.values(), ids=KEPT)
def test_networks_that_learn_the_same_are_kept(trained, change):
    folder, path = trained
    heard = Heard()
    pipeline.measure(load(path, [change(path)]), folder / "run", until="learn", progress=heard)
    assert "learn" not in heard.worked


CHANGED = {
    "features": "features=[x, y]",
    "signal": "poi={name: mu, processes: [top]}",
    "seed": "seed=6",
    "members": "learn.members=2",
    "weights": "samples.0.total=300",
    "aware of systematics": "learn.approach=augment",
}


@pytest.mark.parametrize("setting", CHANGED.values(), ids=CHANGED)
def test_networks_that_would_learn_something_else_are_trained_again(trained, tmp_path, monkeypatch, setting):
    folder, path = trained
    settings = [setting, "normalisations=[]"]
    if setting.startswith("samples"):
        given = [s.model_dump(mode="json") for s in load(path).samples]
        settings[0] = f"samples={json.dumps([{**given[0], 'total': 300}, *given[1:]])}"
    again = []
    monkeypatch.setattr("verax.pipeline._measure.learn", lambda *_: again.append(1))
    pipeline.measure(load(path, settings), folder / "run", until="learn")
    assert again == [1]
    monkeypatch.undo()
    pipeline.measure(load(path), folder / "run", until="learn")


@pytest.mark.thorough
def test_a_warning_is_a_line_of_the_command(tmp_path):
    (tmp_path / "gain.txt").write_text("1.0")
    (tmp_path / "own_score.py").write_text(READS["when called"].format(file=tmp_path / "gain.txt"))
    path = scored(tmp_path, "own_score.py:score")
    command = [sys.executable, "-m", "verax", "simulate", str(path), "--output", str(tmp_path / "run")]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"})
        assert done.returncode == 0, done.stderr
        (line,) = [line for line in done.stderr.splitlines() if "gain.txt" in line]
        assert "inputs" in line
