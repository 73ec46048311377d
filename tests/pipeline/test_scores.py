"""What a run says of its networks' scores."""

import json

import numpy as np
import pytest

from small_run import small_run
from verax.analysis import passed
from verax.events import concatenate
from verax.pipeline import load
from verax.shift import auc


def test_areas_are_those_of_the_scores_of_networks_that_never_saw_the_event(small):
    run, found = load(small), json.loads((small / "results.json").read_text())
    events = concatenate(list(run.events()))
    score, label = run.score(events), np.asarray(events.is_process(("signal",)))
    weight, low = np.asarray(events.weight, np.float64), np.asarray(passed("pt < 45", events))
    assert set(found["roc"]) == {"all", "low", "high"}
    for name, some in {"all": low | ~low, "low": low, "high": ~low}.items():
        assert found["roc"][name]["area"] == pytest.approx(auc(score[some], weight[some], label[some]), rel=1e-9)
        assert 0 < found["roc"][name]["error"] < 0.1
    assert set(found["overtraining"]) == {"signal", "background"}
    assert (small / "report.html").read_text(encoding="utf-8").count("as they score others, within chance") == 1


@pytest.mark.thorough
def test_networks_that_learnt_by_heart_are_found_out(tmp_path):
    """Many parameters, few events and no early stopping."""
    learn = {"epistemic": "laplace", "folds": 2, "members": 2, "width": 128, "depth": 2, "epochs": 300}
    folder = small_run(tmp_path, 500, learn={**learn, "learning_rate": 0.01, "precision": 1e-3}, seed=11)
    found = json.loads((folder / "results.json").read_text())["overtraining"]
    assert min(found["signal"]["p_value"], found["background"]["p_value"]) < 1e-3
    assert "beyond chance" in (folder / "report.html").read_text(encoding="utf-8")
