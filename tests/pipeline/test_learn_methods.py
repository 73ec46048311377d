"""Epistemic methods in an analysis: members of each make scores, templates and a measurement, fold by fold."""

import json
import shutil
from typing import get_args

import jax
import numpy as np
import pytest

from toy_analysis import write_analysis
from verax import pipeline
from verax.aleatoric import NoisyProbabilities
from verax.analysis import Analysis, load, plan
from verax.data import read_events
from verax.events import concatenate
from verax.learn import score
from verax.pipeline import _measure as _measure
from verax.pipeline._learn import Learned, kept, networks_in
from verax.pipeline._summary import score_of
from verax.run import Progress, Run

SMALL = {
    "systematics": [{"name": "lumi", "effect": "normalisation", "width": 0.02}],
    "channels": None,
    "normalisations": None,
    "pseudo_experiment": None,
    "unaffected": None,
    "binning": {"max_bins": 2, "fine_bins": 50},
    "infer": {"scan_points": 5},
    "check": {"toys": 5, "truths": [1.0], "shifts": False},
}
NETWORK = {"folds": 2, "members": 3, "width": 4, "depth": 1}
METHODS = {
    "ensemble": {"epochs": 2},
    "bootstrap": {"epochs": 2},
    "dropout": {"epochs": 2, "rate": 0.3},
    "variational": {"epochs": 2, "precision": 0.5},
    "laplace": {"epochs": 2},
    "hmc": {"chains": 2, "warmup": 20, "draws": 8, "max_events": 500},
}
NOISY = {"epistemic": "dropout", "head": "noisy_logits", "epochs": 20, "learning_rate": 0.02, "members": 4}
WORDS = {
    "ensemble": "trained on the same events",
    "bootstrap": "trained each on its own Poisson replica",
    "dropout": "each with 0.3 of its hidden units left out",
    "variational": "variational inference",
    "laplace": "Laplace",
    "hmc": "by 2 chains (Hamiltonian Monte Carlo)",
}


class Worked(Progress):
    def __init__(self):
        self.stages, self.noted = [], []

    def stage(self, name, *, reused):
        self.stages += [] if reused else [name]

    def note(self, text):
        self.noted.append(text)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Of a method: the analysis, its run folder and what it holds, measured once, and the stages that worked for it."""
    folder, runs = tmp_path_factory.mktemp("methods"), {}
    path = write_analysis(folder, n=300, **SMALL)

    def one(method):
        learn = {**NETWORK, **({"epistemic": method, **METHODS[method]} if method in METHODS else NOISY)}
        analysis = load(path, [f"learn={json.dumps(learn)}"])
        if method not in runs:
            runs[method] = folder / f"run_{len(runs)}"
            if len(runs) > 1:
                shutil.copytree(folder / "run_0", runs[method])
        worked = Worked()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("verax.report.plots.save", lambda *_: (path, path))  # drawing is what takes long
            pipeline.measure(analysis, runs[method], progress=worked)
        return analysis, runs[method], worked.stages

    return one


def test_every_method_of_the_analysis_file_is_tried():
    kinds = get_args(Analysis.model_fields["learn"].annotation)
    assert {name for kind in kinds for name in get_args(kind.model_fields["epistemic"].annotation)} == set(METHODS)


@pytest.mark.thorough
@pytest.mark.parametrize("method", METHODS)
def test_each_method_gives_a_measurement(measured, method):
    analysis, folder, _ = measured(method)
    found = json.loads((folder / "results.json").read_text())
    assert found["results"]["expected"]["fit"]["status"] == "OK"
    assert found["results"]["expected"]["interval"]["value"] == pytest.approx(1.0, abs=1e-3)
    assert WORDS[method] in (folder / "report.html").read_text()
    with Run(folder, types=_measure.TYPES, owner="analysis 'toy'") as run:
        networks = networks_in(run.path("learn"), kept(plan(analysis).learning))
        (events, *_) = read_events(run.path("simulate") / "nominal.parquet", 200)
    assert {a.shape[:2] for a in jax.tree.leaves(networks.network) if isinstance(a, jax.Array)} == {(2, 3)}
    predicted = score(networks, events)
    assert (predicted.epistemic > 0).mean() > 0.5  # members differ; dropout may leave out units that are zero
    assert np.ptp(predicted.mean) > 0.001
    assert len(found["posteriors"]) == 2
    notes, page = found["epistemic_notes"], (folder / "report.html").read_text()
    assert any("held-out events" in note for note in notes) == (method not in ("variational", "hmc"))
    assert len([note for note in notes if "held-out events" not in note]) == (method not in ("bootstrap", "hmc"))
    assert all(note in page for note in notes)


@pytest.mark.thorough
def test_noisy_logits_give_a_measurement(measured):
    analysis, folder, _ = measured("noisy logits")
    found = json.loads((folder / "results.json").read_text())
    assert found["results"]["expected"]["fit"]["status"] == "OK"
    assert found["reliability"] is not None
    with Run(folder, types=_measure.TYPES, owner="analysis 'toy'") as run:
        made = score_of(plan(analysis).learning, run)
        events = concatenate(list(read_events(run.path("simulate") / "nominal.parquet", 200)))
    values, probability = made(events), score(made.networks, events, moments=NoisyProbabilities()).mean
    np.testing.assert_allclose(values, probability[:, 1], rtol=1e-6)
    signal = np.asarray(events.is_process(["signal"]))
    # Two Gaussians 0.8 and 1.2 from the backgrounds' in two features: separated, and not the wrong way round.
    assert values[signal].mean() > values[~signal].mean() + 0.1


@pytest.mark.thorough
def test_a_method_is_not_done_again_and_another_learns_again(measured):
    measured("laplace")
    before = (measured("laplace")[1] / "results.json").read_bytes()
    shutil.rmtree(measured("laplace")[1] / "stages" / "learn")
    analysis, folder, stages = measured("laplace")
    assert stages[:1] == ["learn"]
    assert (folder / "results.json").read_bytes() == before
    assert measured("laplace")[2] == []
    changed = analysis.model_copy(update={"learn": analysis.learn.model_copy(update={"precision": 2.0})})
    worked = Worked()
    pipeline.measure(changed, folder, until="learn", progress=worked)
    assert worked.stages == ["learn"]


@pytest.mark.thorough
def test_chains_that_disagree_are_told_in_results_record_and_report(measured):
    _, folder, _ = measured("hmc")
    found = json.loads((folder / "results.json").read_text())
    assert [p["status"] for p in found["posteriors"]] == ["MAX_STEPS", "MAX_STEPS"]
    assert all("R-hat" in p["problem"] for p in found["posteriors"])
    told = [w for w in found["warnings"] if w.startswith("networks of fold")]
    assert told == [
        f"networks of fold {i + 1} ended with status MAX_STEPS: {p['problem']}"
        for i, p in enumerate(found["posteriors"])
    ]
    assert "networks of fold 2 ended with status MAX_STEPS: chains disagree" in (folder / "report.html").read_text()
    assert json.loads((folder / "record.json").read_text())["failed"]["posteriors"] == 2


def test_only_chains_have_something_to_announce(tmp_path):
    """The budget counts 10⁹ in a second of a core: 3e11 are five minutes."""
    path = write_analysis(tmp_path, n=20)
    said = {name: load(path, [f"learn={{epistemic: {name}}}"]).learn.announced for name in METHODS}
    assert {name for name, line in said.items() if line} == {"hmc"}
    assert said["hmc"] == "chains of 3 folds may take 5 minutes of a core each (learn.budget)"


@pytest.mark.thorough
def test_chains_say_before_they_begin_how_long_they_may_take(measured):
    analysis, folder, _ = measured("hmc")
    worked = Worked()
    shutil.rmtree(folder / "stages" / "learn")
    pipeline.measure(analysis, folder, until="learn", progress=worked)
    assert worked.noted[0] == "learn: chains of 2 folds may take 5 minutes of a core each (learn.budget)"


def test_a_posterior_that_is_well_but_has_a_problem_is_told_too():
    learned = Learned(ended=(("OK", ""), ("OK", "3 of 2000 draws diverged"), ("AT_BOUND", "no prior precision")))
    assert learned.warnings() == [
        "networks of fold 2: 3 of 2000 draws diverged",
        "networks of fold 3 ended with status AT_BOUND: no prior precision",
    ]
