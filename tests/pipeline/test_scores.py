"""What a run says of its networks' scores."""

import json

import numpy as np
import pytest

from verax.analysis import load as load_analysis
from verax.analysis import passed, plan
from verax.events import concatenate
from verax.learn import fold_rows
from verax.pipeline import _scores, load
from verax.pipeline._networks import _overtrained
from verax.run import Run
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


def test_networks_that_learnt_by_heart_are_found_out(small, monkeypatch):
    """Scores that are noise for an event's own fold, and its class for the others: which learnt from it, and only it."""
    parts, run = plan(load_analysis(small.parent / "analysis.yaml")), load(small)
    events = concatenate(list(run.events()))
    options = parts.learning.options
    learnt = [set(rows.tolist()) for rows, _ in fold_rows(events, options.folds, options.held_out)]
    place = {x.tobytes(): i for i, x in enumerate(np.asarray(events.x))}
    label, asked = np.asarray(events.is_process(("signal",))), []

    def by_heart(some):
        rows, fold = np.array([place[x.tobytes()] for x in np.asarray(some.x)]), np.asarray(some.number) % options.folds
        own = np.asarray(events.number)[rows] % options.folds == fold
        if not own.all():
            asked.extend(zip(rows.tolist(), fold.tolist(), strict=True))
        return np.where(own, np.random.default_rng(1).uniform(size=len(rows)), 0.1 + 0.8 * label[rows])

    monkeypatch.setattr(_scores, "score_of", lambda *_: by_heart)
    _, curves, compared = _scores.judged(parts.campaign, parts.learning, run.stored.result("simulate"), Run(small))
    assert len(asked) > 0.3 * len(events)
    assert all(row in learnt[fold] for row, fold in asked)
    assert curves[""].area == pytest.approx(0.5, abs=4 * curves[""].error)
    assert max(o.p_value for o in compared.values()) < 1e-6
    assert "beyond chance" in _overtrained(compared)
    assert compared["signal"].seen.sum() == compared["signal"].seen[22]  # all at 0.9
