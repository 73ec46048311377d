"""The whole chain on a small analysis with files of every kind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import yaml

from referee import compare
from toy_analysis import write_analysis
from verax import pipeline, questions
from verax.analysis import load
from verax.errors import InputError
from verax.infer import _evaluate, fit
from verax.pipeline._infer import statistical
from verax.results import good
from verax.workspace import from_pyhf
from workspaces import MU, sample, workspace


@pytest.fixture(scope="module", autouse=True)
def as_installed(compiled_sooner):
    """Fits as in a process of its own: the bits of both are compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_evaluate, "FEW_EVALUATIONS", compiled_sooner)
        yield


@pytest.fixture(scope="module")
def done(tmp_path_factory, as_installed):
    """One run: its folder, the analysis and the measurement."""
    folder = tmp_path_factory.mktemp("toy")
    path = write_analysis(folder)
    measurement = pipeline.measure(load(path), folder / "run")
    return folder, path, measurement


def results(folder):
    return json.loads((folder / "results.json").read_text())


def test_every_product_is_there(done):
    folder, _, measurement = done
    names = {p.name for p in (folder / "run").iterdir()}
    assert {
        "report.html",
        "results.json",
        "workspace.json",
        "groups.txt",
        "record.json",
        "analysis.yaml",
        "figures",
    } <= names
    figures = {p.suffix for p in (folder / "run" / "figures").iterdir()}
    assert figures == {".pdf", ".png"}
    assert set(measurement.intervals) == {"expected", "pseudo-experiment"}


def test_the_asimov_fit_finds_what_it_was_made_of(done):
    found = results(done[0] / "run")["results"]["expected"]
    assert found["fit"]["status"] == "OK"
    assert found["interval"]["value"] == pytest.approx(1.0, abs=1e-4)
    for name, value in found["fit"]["parameters"].items():
        assert value == pytest.approx(1.0 if name in ("mu", "norm_top") else 0.0, abs=1e-3)


def test_each_source_is_a_row_and_rows_add_up(done):
    rows = results(done[0] / "run")["results"]["expected"]["breakdown"]["shifted-observables"]
    assert {"detector", "luminosity", "theory", "simulation statistics"} <= {r["name"] for r in rows}
    total, *parts = rows
    top = [r["impact"] for r in parts if r["depth"] == 1]
    assert np.hypot.reduce(top) == pytest.approx(total["impact"], rel=0.01)


def test_the_pseudo_experiment_has_its_own_truth(done):
    found = results(done[0] / "run")["results"]["pseudo-experiment"]
    assert found["truth"]["mu"] == 1.5
    counts = np.array(found["counts"])
    assert np.array_equal(counts, counts.round())
    pull = (found["interval"]["value"] - 1.5) / found["fit"]["errors"]["mu"]
    assert abs(pull) < 4


def test_the_mirrored_sample_is_mirrored(done):
    templates = results(done[0] / "run")["templates"]
    nominal, model = np.array(templates["nominal"]), templates["systematics"]["model"]
    assert np.allclose(np.array(model["up"]) + np.array(model["down"]), 2 * nominal)
    changed = ~np.isclose(model["up"], nominal).all(axis=1)
    assert changed.tolist() == [False, False, True]


def test_the_record_says_what_was_used(done):
    record = json.loads((done[0] / "run" / "record.json").read_text())
    assert set(record["timings"]) == {"simulate", "learn", "summarise", "model", "infer", "check", "report"}
    assert record["seeds"] == {"analysis": 5}
    assert sum(path.endswith("signal.root") for path in record["inputs"]) == 1
    assert any("coverage" in name for name in record["failed"])


def test_the_folder_says_which_analysis_was_run(done):
    """All keys with their values, and the files' places: run again from there, the results are the same to the last bit."""
    folder, path, _ = done
    kept = folder / "run" / "analysis.yaml"
    again, first = load(kept).model_dump(exclude={"summary": {"range"}}), load(path).model_dump()
    for key in set(again) - {"samples", "observed", "inputs", "systematics", "summary"}:
        assert again[key] == first[key]
    assert (
        yaml.safe_load(kept.read_text())["learn"]["epistemic"]
        == results(folder / "run")["learn"]["epistemic"]
        == "bootstrap"
    )
    assert results(folder / "run")["learn"]["head"] == "classifier"
    assert "head: classifier" in (folder / "run" / "report.html").read_text()
    pipeline.measure(load(kept), folder / "again")
    assert (folder / "again" / "results.json").read_bytes() == (folder / "run" / "results.json").read_bytes()
    assert (folder / "again" / "analysis.yaml").read_bytes() == kept.read_bytes()


def test_what_the_counts_alone_say_beside_a_bin_that_can_expect_nothing():
    """It says nothing of μ: the scan is that of the other bin, to the last bit, and reaches 3.5 σ = 3.5 √120/20."""
    scans = []
    for more in ([], [0.0]):
        samples = [sample("s", [20.0, *more], MU), sample("b", [100.0, *more])]
        model, data, _ = from_pyhf(workspace({"a": samples}, observations={"a": [120.0, *more]}))
        scans.append(statistical(model, data, fit(model, data), "mu", 7, (0.0, 2.0)))
    assert (scans[1].status == 0).all()
    np.testing.assert_array_equal(scans[0].t, scans[1].t)
    np.testing.assert_allclose(np.ptp(scans[1].values), 7 * np.sqrt(120) / 20)


@pytest.mark.thorough
def test_a_second_run_changes_only_what_it_must(done, monkeypatch):
    folder, path, _ = done
    before = results(folder / "run")
    monkeypatch.setattr("verax.pipeline._measure.learn", lambda *_: pytest.fail("networks were trained again"))
    monkeypatch.setattr("verax.pipeline._measure.infer", lambda *_: pytest.fail("fitted again"))
    pipeline.measure(load(path, ["report.experiment=Another"]), folder / "run")
    assert results(folder / "run") == before
    assert "blinded" in (folder / "run" / "report.html").read_text()


@pytest.mark.thorough
def test_chunks_and_a_fresh_folder_do_not_change_a_bit(done, tmp_path):
    folder, path, _ = done
    pipeline.measure(load(path, ["chunk=300"]), tmp_path / "again")
    assert (tmp_path / "again" / "results.json").read_bytes() == (folder / "run" / "results.json").read_bytes()


@pytest.mark.thorough
def test_processes_fill_the_same_templates(done, tmp_path):
    folder, path, _ = done
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        analysis = load(path, ["chunk=1500"])
        assert pipeline.measure(analysis, tmp_path / "run", until="summarise", executor=pool) is None
    stage = "stages/summarise/arrays.npz"
    with np.load(folder / "run" / stage) as here, np.load(tmp_path / "run" / stage) as there:
        assert all(np.array_equal(here[name], there[name]) for name in here)


def test_a_killed_run_continues_to_the_same_bits(done, tmp_path):
    folder, path, _ = done
    command = [sys.executable, "-m", "verax", "run", str(path), "--output", str(tmp_path / "run"), "--quiet"]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONWARNINGS": "default"})
    stages = tmp_path / "run" / "stages"
    while process.poll() is None and not (stages / ".verax-summarise").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "run" / "results.json").exists()
    assert (stages / "learn").exists()
    assert subprocess.run(command).returncode == 0
    assert (tmp_path / "run" / "results.json").read_bytes() == (folder / "run" / "results.json").read_bytes()


@pytest.mark.thorough
def audited(folder):
    """What an audit says of a run: which data it is about, and each severity."""
    page = questions.answer("audit", str(folder), toys=0)
    return page.content["about"], {v.name: v.severity.word for v in page.content["verdicts"]}


def test_a_run_is_audited_with_what_it_knows(done):
    about, found = audited(done[0] / "run")
    assert about == "run 'toy', expected (Asimov) data"
    assert found["result of the run"] == found["failed fits"] == found["treated templates"] == "ok"
    assert found["trainings"] == "warning"  # few epochs
    assert found["pulls"] == found["training seeds"] == found["coverage at the fit"] == "not made"
    assert found["few simulated events"] == found["second minima"] == "ok"


@pytest.mark.thorough
def test_observed_data_stay_blind_until_asked_for(done, tmp_path):
    path = done[1]
    observed = "observed={files: [data.parquet]}"
    pipeline.measure(load(path, [observed]), tmp_path / "run")
    blind = results(tmp_path / "run")
    assert blind["blind"]
    assert "observed" not in blind["results"]
    assert "This analysis is blind" in (page := (tmp_path / "run" / "report.html").read_text())
    assert blind["events"]["observed"] is None
    assert blind["events"]["rows"] == sum(y["rows"] for y in blind["events"]["yields"]) + 2000  # of the varied sample
    assert " 600 " not in page  # observed events, also not by way of the rows that were read
    assert " 8600 " not in page
    assert audited(tmp_path / "run")[0] == "run 'toy', blind, expected (Asimov) data"
    pipeline.measure(load(path, [observed, "blind=false"]), tmp_path / "run")
    found = results(tmp_path / "run")
    assert not found["blind"]
    assert found["events"]["observed"] == 600
    assert sum(found["results"]["observed"]["counts"]) == 600
    assert found["results"]["expected"] == blind["results"]["expected"]
    about, verdicts = audited(tmp_path / "run")
    assert about == "run 'toy', the data given"
    assert verdicts["result of the run"] == "ok"
    assert verdicts["pulls"] != "not made"
    figures = tmp_path / "run" / "figures"
    assert list(figures.glob("*_observed.*"))
    (figures / "mine_observed.png").write_text("mine")
    pipeline.measure(load(path, [observed]), tmp_path / "run")
    assert [p.name for p in figures.glob("*_observed.*")] == ["mine_observed.png"]


@pytest.mark.thorough
def test_names_are_never_paths_and_each_figure_has_a_file_of_its_own(tmp_path):
    path = write_analysis(tmp_path, 300)
    content = yaml.safe_load(path.read_text())
    names = ["../../../../evil", str(tmp_path / "evil"), "a/b"]
    content["systematics"] = [s for s in content["systematics"] if s["name"] in ("lumi", "shape", "model")]
    for name, systematic in zip(names, reversed(content["systematics"]), strict=True):
        systematic["name"] = name
    content["channels"][0]["name"], content["channels"][1]["name"] = "SR 1", "SR/1"
    content |= {"summary": {"kind": "column", "column": "x", "range": [-3, 3]}, "pseudo_experiment": None}
    content["check"]["toys"] = 20
    path.write_text(yaml.safe_dump(content))
    run = tmp_path / "in" / "run"
    pipeline.measure(load(path), run)
    assert not list(tmp_path.parent.glob("*evil*"))
    assert not list(tmp_path.glob("*evil*"))
    figures = {p.stem for p in (run / "figures").glob("*.png")}
    assert len({f for f in figures if f.startswith("variation")}) == 3 * 2
    assert len({f for f in figures if f.startswith("score")}) == 2
    assert (run / "report.html").read_text().count("data:image/png") == len(figures)


def test_another_analysis_is_refused_in_the_same_folder(done):
    folder, path, _ = done
    before = (folder / "run" / "results.json").read_bytes()
    with pytest.raises(InputError, match="the folder of analysis 'toy'; expected one of analysis 'other'"):
        pipeline.measure(load(path, ["name=other"]), folder / "run")
    assert (folder / "run" / "results.json").read_bytes() == before


@pytest.mark.thorough
def test_a_users_own_score_stands_in_for_the_network(done, tmp_path):
    folder, path, _ = done
    (folder / "score.py").write_text("def score(x):\n    return 1 / (1 + (-(x[:, 0] - x[:, 1])).__pow__(2))\n")
    analysis = load(path, ["summary={kind: function, function: score.py:score}"])
    measurement = pipeline.measure(analysis, tmp_path / "run")
    assert good(measurement.intervals["expected"].status)
    assert "No network was trained" in (tmp_path / "run" / "report.html").read_text()


def test_without_toys_coverage_is_said_to_be_untested(done, tmp_path):
    folder, path, measurement = done
    shutil.copytree(folder / "run", tmp_path / "run")
    found = pipeline.measure(load(path, ["check.toys=0"]), tmp_path / "run")
    assert found.warnings == (*measurement.warnings, "coverage was not tested")
    assert found.intervals == measurement.intervals
    assert results(tmp_path / "run")["coverage"] == {}
    assert "Coverage was not tested" in (tmp_path / "run" / "report.html").read_text()
    fitted = pipeline.measure(load(path), tmp_path / "run", until="infer")
    assert fitted.intervals == measurement.intervals
    assert fitted.tables == measurement.tables


def test_the_workspace_has_the_rows_of_the_analysis_beside_it(done):
    run = done[0] / "run"
    found = questions.answer("breakdown", str(run / "workspace.json"), groups=[f"@{run / 'groups.txt'}"])
    rows = {row.name for row in found.content["shifted-observables"]}
    assert {"detector", "luminosity", "theory"} <= rows
    assert "systematic" not in rows


def test_the_workspace_is_read_by_others_and_by_verax(done):
    """The same log L; pure normalisations are factors only, though events have float32 weights."""
    path = done[0] / "run" / "workspace.json"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pyhf's use of jsonschema
        model, data, _ = compare(json.loads(path.read_text()))
    found = results(done[0] / "run")["results"]["expected"]["fit"]
    assert sorted(model.names) == found["names"] == list(found["parameters"])
    np.testing.assert_allclose(np.diag(found["covariance"]), np.square(list(found["errors"].values())))
    assert float(model.log_prob(found["parameters"], data)) == pytest.approx(-found["nll"], abs=1e-6)
    spec = json.loads(path.read_text())
    used = [(m["name"], m["type"]) for c in spec["channels"] for s in c["samples"] for m in s["modifiers"]]
    assert ("lumi", "normsys") in used
    assert ("lumi", "histosys") not in used
