"""What a run would do is said before it, with reasons, and nothing is written."""

import re
import shutil

import pyarrow.parquet as pq
import pytest
import uproot

from small_run import SMALL
from toy_analysis import write_analysis
from verax.analysis import load, plan
from verax.cli import main
from verax.errors import InputError
from verax.pipeline import foresee, measure
from verax.pipeline._foresee import rows_of

STAGES = ("simulate", "learn", "summarise", "model", "infer", "check", "report")


def outlook(small, *settings):
    return foresee(load(small.parent / "analysis.yaml", settings), small)


def reasons(found):
    return {s.stage: s.why for s in found.stages if s.why}


def test_an_unchanged_run_is_kept_as_it_is(small):
    before = {p: p.stat().st_mtime_ns for p in small.rglob("*")}
    found = outlook(small)
    assert found.redone == found.open == ()
    assert found.seconds == {}
    assert {p: p.stat().st_mtime_ns for p in small.rglob("*")} == before


@pytest.mark.parametrize(
    ("setting", "first", "why"),
    [
        ("learn.epochs=3", "learn", ("learning.options.epochs",)),
        ("binning.max_bins=3", "summarise", ("histograms.max_bins",)),
        ("poi.bounds=[-5.0, 5.0]", "model", ("modelling.factors",)),
        ("infer.level=0.9", "infer", ("inference.level",)),
        ("check.toys=10", "check", ("campaign.toys",)),
        ("title=Another", "report", ("wording.title",)),
        ("seed=6", "learn", ("learning.key",)),
    ],
)
def test_a_change_is_named_and_what_depends_on_it_is_done_again(small, setting, first, why):
    found = outlook(small, setting)
    assert reasons(found)[first] == why
    key, _, value = setting.partition("=")
    assert len(found.keys) == 1
    assert found.keys[0].startswith(f"{key}: ")
    assert found.keys[0].endswith(f" → {value}")
    assert repr(found).startswith(f"{len(found.redone)} of 7 stages to be done\n")
    after = set(STAGES[STAGES.index(first) :])
    assert set(found.redone) <= after
    assert "report" in found.redone
    assert all(basis == "the last time" for _, basis in found.seconds.values())


def test_changed_files_are_named_and_networks_are_kept_if_their_events_are_the_same(small, tmp_path):
    folder = tmp_path / "all"
    shutil.copytree(small.parent, folder)
    found = foresee(load(folder / "analysis.yaml"), folder / "run")
    assert found.redone == ()
    (folder / "other.csv").write_text((folder / "other.csv").read_text() + "\n")
    found = foresee(load(folder / "analysis.yaml"), folder / "run")
    assert found.redone == STAGES
    assert found.open == ("learn",)
    assert reasons(found)["simulate"] == ("files (other.csv)",)
    assert reasons(found)["learn"] == ("simulate",)
    assert "again, unless its events stay the same" in found.tables()[0].rows[1]
    (folder / "run/stages/infer/arrays.npz").unlink()
    shutil.rmtree(folder / "run/stages/check")
    found = reasons(foresee(load(folder / "analysis.yaml"), folder / "run"))
    assert found["check"][0] == "never done"


def test_a_damaged_stage_says_how(small, tmp_path):
    run = shutil.copytree(small, tmp_path / "run")
    (run / "stages/infer/arrays.npz").unlink()
    found = foresee(load(small.parent / "analysis.yaml"), run)
    assert reasons(found)["infer"] == ("lost since it was written",)
    assert found.redone == ("infer", "report")


def test_the_work_is_counted_and_estimated_without_a_run(tmp_path, capsys):
    path = write_analysis(tmp_path, 500, **{**SMALL, "check": {"toys": 100, "truths": [0, 1], "shifts": True}})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit, match="0"):
        main(["run", str(path), "-o", str(tmp_path / "run"), "--plan"])
    shown = capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before
    found = foresee(load(path), tmp_path / "run")
    assert found.redone == STAGES
    assert {why for s in found.stages for why in s.why} == {"never done"}
    assert found.work["trainings"].startswith("6, on at most ")
    assert found.work["toys"] == "600 (100 at each of 6 truths)"  # two truths, and two systematics up and down
    assert found.work["fits"].endswith("of 2 data sets with 4 parameters")
    assert all(took > 0 and basis == "rates" for took, basis in found.seconds.values())
    for text in ("never done", "600 (100 at each", "GB", "Minutes"):
        assert text in shown


def test_rows_are_known_from_headers_and_about_so_from_text(tmp_path):
    reading = plan(load(write_analysis(tmp_path, 20_000, **SMALL))).reading
    root, parquet, text = (rows_of(reading.open(s)) for s in reading.samples)
    assert root == parquet == 20_000
    assert text == pytest.approx(20_000, rel=0.02)


def drop_pt(folder):
    table = pq.read_table(folder / "top.parquet")
    pq.write_table(table.drop_columns(["pt"]), folder / "top.parquet")


def other_tree(folder):
    with uproot.recreate(folder / "signal.root") as file:
        file["nominal"] = {"x": [1.0]}


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (drop_pt, [], r"process 'top', .*top\.parquet: got column 'pt'; expected a known column"),
        (other_tree, [], "tree 'events'"),
        (None, ["number=nmber"], r"signal\.root: got column 'nmber'; expected a known column; did you mean 'number'"),
        (
            None,
            ["samples=[{process: signal, files: [other.csv], weight: ww}]"],
            "other.csv: got column 'ww'; .*mean 'w'",
        ),
        (None, ["observed={files: [data.parquet], select: pt_miss > 3}"], "observed, .*got column 'pt_miss'"),
        (None, ["features=[x, z]", "unaffected={scale: [x, z]}"], "got column 'z'"),
    ],
)
def test_files_are_held_to_their_headers_before_any_work(tmp_path, change, settings, message, capsys):
    path = write_analysis(
        tmp_path, 20, **{**SMALL, "poi": {"name": "mu", "processes": ["signal"]}, "normalisations": []}
    )
    if change:
        change(tmp_path)
    given = [part for setting in settings for part in ("--set", setting)]
    for plan_only in (["--plan"], ["-q"]):
        with pytest.raises(SystemExit) as stopped:
            main(["run", str(path), "-o", str(tmp_path / "run"), *given, *plan_only])
        assert stopped.value.code == 2
        shown = capsys.readouterr().err
        assert re.search(message, shown)
        assert len(shown.splitlines()) == 1
        assert not (tmp_path / "run" / "stages" / "simulate").exists()


def test_the_folder_of_another_analysis_is_refused_as_a_run_does(small):
    with pytest.raises(InputError, match="the folder of analysis 'toy'; expected one of analysis 'other'"):
        outlook(small, "name=other")


@pytest.mark.parametrize(
    ("body", "summary", "message"),
    [
        ("def scor(x):\n    return x[:, 0]\n", {}, "function '.*m.py:score': got AttributeError: .*'score'"),
        ("import nowhere_at_all\n", {}, "got ModuleNotFoundError: No module named 'nowhere_at_all'"),
        (
            "def score(x, fold):\n    return x[:, 0]\n",
            {},
            r"summary\.folds: got nothing, with a function of \(x, fold\)",
        ),
    ],
)
def test_functions_are_found_before_any_event_is_read(tmp_path, monkeypatch, body, summary, message):
    (tmp_path / "m.py").write_text(body)
    given = {"kind": "function", "function": "m.py:score", "range": [-5, 5], **summary}
    analysis = load(write_analysis(tmp_path, 20, **{**SMALL, "summary": given}))
    with pytest.raises(InputError, match=message):
        foresee(analysis, tmp_path / "run")
    monkeypatch.setattr("verax.pipeline._simulate.simulated", lambda *_: pytest.fail("events were read"))
    with pytest.raises(InputError, match=message):
        measure(analysis, tmp_path / "run")
