"""Methods of classification on an analysis: its events in parts, its systematics as shifts, negative weights."""

import jax
import numpy as np
import pytest

from comparison_folder import read_comparison
from toy_analysis import write_analysis
from verax import pipeline
from verax.analysis import load, plan
from verax.compare import CLASSIFIERS, Chances, Row, compare_methods, judge, plain_sets, training_sample
from verax.errors import InputError
from verax.events import make_events


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A small analysis with systematics of every kind."""
    return write_analysis(tmp_path_factory.mktemp("toy"), n=1000)


def two_classes(p):
    return np.stack([1 - p, p], axis=1)


def test_an_exact_probability_is_judged_exactly():
    """Half of the events have weight −½ and the same law: means are those of the law, as without them."""
    rng = np.random.default_rng(5)
    n = 200_000
    p = rng.uniform(size=n)
    label = (rng.random(n) < p).astype(np.int64)
    weight = np.where(rng.random(n) < 0.25, -0.5, 1.0)
    events = make_events({"p": p}, weight=weight)
    exact = Row(lambda e: Chances(two_classes(p), np.full(n, 0.4), np.full(n, 0.1)), plain_sets)
    found = judge(exact, events, label)
    for metric, truth in {
        "log loss": 0.5,
        "Brier": 1 / 6,
        "coverage": 0.99,
        "size": 1.8,
        "spread": 0.392,
        "entropy": 0.5,
    }.items():
        value, error = found[metric]
        assert abs(value - truth) < 4 * error + 1e-9, metric
    assert found["mutual information"][0] == pytest.approx(found["entropy"][0] - 0.4)
    assert found["ECE"][0] < 0.005


def test_of_three_classes_an_exact_probability_is_judged_exactly():
    """Uniform over the simplex: E[p(1 − p)] = 1/6 a class, and E[−ln p_y] = ψ(4) − ψ(2) = 5/6, the mean entropy."""
    rng = np.random.default_rng(6)
    p = rng.dirichlet(np.ones(3), 100_000)
    label = (rng.random((len(p), 1)) > p.cumsum(axis=1)).sum(axis=1)
    events = make_events({"p": p[:, 0]})
    found = judge(Row(lambda e: Chances(p, np.zeros(len(p)), np.zeros(len(p))), plain_sets), events, label)
    for metric, truth in {"log loss": 5 / 6, "Brier": 0.5, "entropy": 5 / 6, "accuracy": 11 / 18}.items():
        value, error = found[metric]
        assert abs(value - truth) < 4 * error, metric
    assert abs(found["confidence"][0] - 11 / 18) < 4 * found["confidence"][1]
    assert found["coverage"][0] > 0.9
    assert found["ECE"][0] < 0.005
    said, seen = ([found[f"{kind} in bin {i}"] for i in range(3, 10)] for kind in ("said", "seen"))  # none is below 1/3
    assert "said in bin 2" not in found
    assert sum(share for share, _ in said) == pytest.approx(1)
    for (share, p_said), (_, p_seen) in zip(said, seen, strict=True):
        assert abs(p_said - p_seen) < 4 * np.sqrt(p_said * (1 - p_said) / (share * len(p)))


def test_sets_hold_the_likeliest_class_and_the_other_when_in_doubt():
    found = plain_sets(two_classes(np.array([0.05, 0.3, 0.5, 0.85, 0.95])))
    assert found.tolist() == [[True, False], [True, True], [True, True], [True, True], [False, True]]
    several = plain_sets(np.array([[0.02, 0.5, 0.03, 0.45], [0.0, 0.95, 0.05, 0.0]]))
    assert several.tolist() == [[False, True, False, True], [False, True, False, False]]


def test_events_are_in_one_part_and_move_by_the_systematics(path, tmp_path):
    analysis = load(path)
    pipeline.measure(analysis, tmp_path, until="simulate")
    sample, conditions = training_sample(plan(analysis), tmp_path / "stages" / "simulate", 1, "systematic")
    nominal = conditions["nominal"]
    numbers = [set(np.asarray(e.number).tolist()) for e in (sample.learn, sample.stop, sample.calibrate, nominal)]
    assert sum(map(len, numbers)) == len(set.union(*numbers)) == 3000
    signal = sample.label(nominal) == 1
    weight = np.asarray(nominal.weight, np.float64)
    assert weight[signal].sum() == pytest.approx(weight[~signal].sum(), rel=1e-5)
    lumi = np.asarray(conditions["lumi +1"].weight, np.float64)
    np.testing.assert_allclose(lumi, 1.02 * weight, rtol=1e-5)
    order = np.argsort(nominal.number), np.argsort(conditions["model +1"].number)
    moved = np.asarray(conditions["model +1"].column("x"))[order[1]] - np.asarray(nominal.column("x"))[order[0]]
    other = np.asarray(nominal.process)[order[0]] == nominal.processes.index("other")
    np.testing.assert_allclose(moved, np.where(other, 0.05, 0.0), atol=1e-5)
    assert "model −1" not in conditions


@pytest.mark.thorough
def test_every_method_gives_the_rows_that_it_names(path, tmp_path):
    """With short trainings; methods with members have a spread, which one network has not."""
    analysis = load(path)
    short = analysis.learn.model_copy(update={"epochs": 2, "members": 2})
    analysis = analysis.model_copy(update={"learn": short})
    pipeline.measure(analysis, tmp_path, until="simulate")
    sample, conditions = training_sample(plan(analysis), tmp_path / "stages" / "simulate", 1, "none")
    for name, method in CLASSIFIERS.items():
        rows, problem = method.fit(jax.random.key(3), sample)
        assert problem == "" or "2 epochs" in problem
        assert problem or name != "laplace"  # its own distance from the mode is none here, that of its training is
        assert len(rows) == len(method.rows)
        for row in rows:
            found = judge(row, conditions["nominal"], sample.label(conditions["nominal"]))
            assert np.isfinite(found["log loss"]).all()
            assert (found["spread"][0] > 0) == (name != "single")
            assert (found["mutual information"][0] > 1e-6) == (name != "single")


@pytest.mark.thorough
def test_the_command_tells_of_an_analysis(path, tmp_path):
    (table,) = compare_methods(str(path), tmp_path, shift="systematic", names=["single"], quick=True)
    cells = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert cells["single network"]["spread"] == cells["conformal, LAC"]["Brier"] == "–"
    for row in ("conformal, LAC", "conformal, APS"):
        # 600 events calibrate and 600 are judged on, with weights of unequal classes: n_eff above 300 in each.
        covered = float(cells[row]["sets cover 90 %"].split(" ")[0])
        assert abs(covered - 0.9) < 4 * np.sqrt(0.09 * (1 / 300 + 1 / 300))
    assert len(read_comparison(tmp_path)["Methods"]["trials"][0]["result"]) == 10
    page = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "smear −1" in page
    with pytest.raises(InputError, match="none or systematic"):
        compare_methods(str(path), tmp_path, shift="gap")
    jax.clear_caches()


def test_an_analysis_of_another_method_than_an_ensemble_is_refused(tmp_path):
    path = write_analysis(tmp_path, n=20, learn={"epistemic": "laplace"})
    with pytest.raises(InputError, match=r"learn\.epistemic: got 'laplace'; expected ensemble or bootstrap"):
        compare_methods(str(path), tmp_path / "out", names=["single"])
