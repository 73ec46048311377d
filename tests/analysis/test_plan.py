"""The plan of an analysis: the same for the same content, wherever it lies."""

import json
import shutil
from dataclasses import fields

import pytest

from toy_analysis import write_analysis
from verax.analysis import load, plan
from verax.errors import InputError
from verax.run import describe


def parts(path, *settings):
    """What stages are given."""
    made = plan(load(path, settings))
    return {f.name: describe(getattr(made, f.name)) for f in fields(made) if f.name != "files"}


def test_a_plan_does_not_depend_on_where_the_analysis_lies(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    path = write_analysis(tmp_path / "one", 20)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first = parts(path)
    assert parts(tmp_path / "two" / "analysis.yaml") == first
    monkeypatch.chdir(tmp_path / "two")
    assert parts("analysis.yaml") == first
    assert parts("analysis.yaml", "chunk=7") == first


@pytest.mark.parametrize("file", ["smear.py", "more.txt"])
def test_functions_are_told_apart_by_what_they_are_made_of_and_may_read(tmp_path, file):
    path = write_analysis(tmp_path, 20)
    (tmp_path / "more.txt").write_text("1")
    first = parts(path, "inputs=[more.txt]")
    text = (tmp_path / file).read_text()
    (tmp_path / file).write_text(f"{text}\n")
    found = parts(path, "inputs=[more.txt]")
    assert {name for name in first if found[name] != first[name]} == {"reading", "systematics", "histograms"}


KEPT = {"group": "another", "width": 0.02}
"""Of the systematic 'scale': its row of the breakdown, and the width that it has."""


@pytest.mark.parametrize(("change", "same"), [(KEPT, True), ({"width": 0.03}, False), ({"processes": ["top"]}, False)])
def test_networks_know_of_a_systematic_what_it_does_to_events(tmp_path, change, same):
    path = write_analysis(tmp_path, 20, learn={"approach": "augment"})
    given = [s.model_dump(mode="json") for s in load(path).systematics]
    found = [
        parts(path, f"systematics={json.dumps([{**given[0], **c}, *given[1:]])}")["learning"] for c in ({}, change)
    ]
    assert (found[0] == found[1]) == same
    assert parts(path, "observed={files: [data.parquet]}", "report.experiment=X")["learning"] == found[0]


def test_samples_of_a_systematic_say_which_processes_they_replace(tmp_path):
    path = write_analysis(tmp_path, 20)
    model = next(s for s in plan(load(path)).systematics if s.name == "model")
    assert model.processes == ("other",)
    varied = "{name: model, effect: samples, processes: [top], up: [{process: other, files: [other_up.csv]}]}"
    with pytest.raises(InputError, match=r"systematics\.0\.processes: got unknown key 'processes'"):
        load(path, [f"systematics=[{varied}]"])


def test_a_package_that_a_method_needs_is_missed_before_any_work(tmp_path, monkeypatch):
    analysis = load(None, ["learn={epistemic: hmc}"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"learn\.epistemic: got hmc without the package 'blackjax'.*; pip install blackjax"
    ):
        plan(analysis)
