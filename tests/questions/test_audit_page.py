"""`verax audit`: a page whose first lines need a decision, the same as JSON, drawn, and as an exit code."""

import json

import pytest

from audited import control, norm, shape, subject
from verax import questions
from verax.audit import audit
from verax.cli import _main as cli
from verax.errors import InputError
from verax.workspace import to_pyhf

TITLES = ["Needs a decision: the data given", "To know", "Not checked", "Checked, and in order"]


@pytest.fixture(scope="module", autouse=True)
def as_installed(compiled_sooner):
    """Few fits are made by NumPy: each model is asked little."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verax.infer._evaluate.FEW_EVALUATIONS", compiled_sooner)
        yield


def written(given, folder, name="workspace.json"):
    path = folder / name
    path.write_text(json.dumps(to_pyhf(given.model, given.data, poi="mu")))
    return str(path)


@pytest.fixture(scope="module")
def pulled(tmp_path_factory):
    """A workspace with a pull of 2.2 σ and nothing else to decide: what it is, and its file."""
    given = subject(control(shape("jes", [110.0], [90.0])), {"SR": [70], "CR": [150]})
    return given, written(given, tmp_path_factory.mktemp("pulled"))


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*map(str, arguments)])
    return stopped.value.code


def test_the_page_begins_with_what_needs_a_decision(pulled):
    page = questions.answer("audit", pulled[1], toys=0)
    assert [t.title for t in page.tables] == TITLES
    assert page.text == "2 warnings, 1 note, 2 not made, 12 ok"
    first = [" ".join(row).strip() for row in page.tables[0].rows]
    assert first[0].startswith("warning: ")
    assert any(line.startswith("do ") for line in first)
    assert any(line.startswith("threshold ") for line in first)
    names = [row[0] for t in page.tables for row, depth in zip(t.rows, t.indents, strict=True) if not depth and row[0]]
    made = {v.name for v in audit(pulled[0].model, pulled[0].data, "mu")}
    assert {n.removeprefix("warning: ").removeprefix("failure: ") for n in names} == made
    assert len(names) == len(made)


def test_json_has_all_that_was_found(pulled, capsys):
    assert run("audit", pulled[1], "--toys", "0", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    by = {v["name"]: v for v in found["verdicts"]}
    assert found["worst"] == "WARNING"
    assert found["about"] == "the data given"
    worst = by["pulls"]["findings"][0]
    assert worst["place"]["parameter"] == "jes"
    assert worst["numbers"]["pull"] == pytest.approx(2.247, abs=1e-3)  # see tests/audit
    assert by["coverage at the fit"]["severity"] == "NOT_MADE"
    assert found["count"]["NOT_MADE"] == 2  # no toys, and no errors of the simulation


def test_a_warning_ends_with_1_where_it_is_asked_to(pulled, tmp_path, capsys):
    assert run("audit", pulled[1], "--toys", "0", "--strict") == 1
    assert "verdicts need a decision: " in capsys.readouterr().err
    clean = written(subject(control(norm("lumi", 0.02)), {"SR": [70], "CR": [108]}), tmp_path)
    assert run("audit", clean, "--toys", "0", "--strict") == 0
    assert "Needs a decision" not in capsys.readouterr().out


def test_the_page_is_drawn(pulled, tmp_path):
    assert run("audit", pulled[1], "--toys", "0", "--json", "--plot", tmp_path / "page.png") == 0
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.thorough
def test_toys_are_made_with_their_number_and_error(pulled, capsys):
    assert run("audit", pulled[1], "--toys", "64", "--seed", "2", "--json") == 0
    [found] = [v for v in json.loads(capsys.readouterr().out)["verdicts"] if v["name"] == "coverage at the fit"]
    assert "of 64 toys (0 failed)" in found["found"]
    assert found["severity"] in ("OK", "NOTE")


def test_data_masks_and_held_parameters_are_as_for_all_questions(pulled):
    page = questions.answer("audit", pulled[1], toys=0, data="asimov")
    assert page.content["about"] == "expected (Asimov) data"
    assert "pulls" in [row[0] for t in page.tables if t.title == "Not checked" for row in t.rows]
    held = questions.answer("audit", pulled[1], toys=0, fixed=["jes=0"])
    assert "0 of 0" in next(v.found for v in held.content["verdicts"] if v.name == "pulls")
    without = questions.answer("audit", pulled[1], toys=0, fixed=["mu=1"])
    assert "no parameter of interest" in next(v.found for v in without.content["verdicts"] if v.name == "pruning")


def test_a_run_folder_is_audited_with_what_it_knows(tmp_path):
    given = subject(control(norm("lumi", 0.02)), expected=True)
    results = {"name": "mine", "blind": True, "posteriors": [], "coverage": {}, "warnings": [], "treated": []}
    results["results"] = {"expected": {"fit": {"parameters": {"mu": 1.0}}}}
    for name, content in (("results", results), ("record", {"failed": {"expected: fit": 0}})):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    written(given, tmp_path)
    page = questions.answer("audit", str(tmp_path), toys=0)
    assert page.content["about"] == "run 'mine', blind, expected (Asimov) data"
    found = {v.name: v.severity.word for v in page.content["verdicts"]}
    assert found["result of the run"] == found["failed fits"] == found["treated templates"] == "ok"
    assert found["trainings"] == found["coverage in the run"] == found["pulls"] == "not made"
    (tmp_path / "counts.json").write_text(json.dumps({"SR": [70], "CR": [108]}))
    with pytest.raises(InputError, match="those alone while it is blind"):
        questions.answer("audit", str(tmp_path), toys=0, data=str(tmp_path / "counts.json"))
    (tmp_path / "results.json").write_text(json.dumps({**results, "posteriors": [1]}))
    with pytest.raises(InputError, match=r"results\.json, record\.json: got content that no run writes"):
        questions.answer("audit", str(tmp_path), toys=0)
    (tmp_path / "record.json").unlink()
    with pytest.raises(InputError, match=r"record\.json"):
        questions.answer("audit", str(tmp_path), toys=0)


def test_a_run_folder_is_the_workspace_in_it_for_any_question(tmp_path):
    given = subject(control(norm("lumi", 0.02)), {"SR": [70], "CR": [108]})
    path = written(given, tmp_path)
    folder, file = (questions.answer("gof", where).content["goodness_of_fit"] for where in (str(tmp_path), path))
    assert folder.statistic == file.statistic
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"workspace\.json"):
        questions.answer("gof", str(tmp_path / "empty"))
    (tmp_path / "empty" / ".verax").touch()
    with pytest.raises(InputError, match=r"no workspace\.json; .*a run with `rates` has none, .* verax\.load"):
        questions.answer("gof", str(tmp_path / "empty"))
