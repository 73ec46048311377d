"""Each list of choices is the list of what there is, and stands in the help of its option and in its error."""

import re

import pytest

from verax import choices, compare
from verax.cli import main

OPTIONS = {
    ("approaches", "--problem"): choices.PROBLEMS,
    ("approaches", "--approach"): choices.APPROACHES,
    ("methods", "--shift"): choices.SHIFTS,
    ("methods", "--set"): choices.UCI_SETS,
    ("methods", "--method"): choices.METHODS,
}


def test_the_lists_are_of_what_there_is():
    assert tuple(compare.METHODS) == choices.METHODS
    assert tuple(compare.CLASSIFIERS) == choices.CLASSIFIERS
    assert tuple(compare.SETS) == choices.UCI_SETS
    assert all(compare.cases(problem) for problem in choices.PROBLEMS if problem != "collider")


@pytest.mark.parametrize(("verb", "option"), OPTIONS)
def test_choices_are_in_the_help_and_in_the_error(verb, option, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit):
        main(["compare", verb, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert [c for c in OPTIONS[verb, option] if c not in shown] == []
    with pytest.raises(SystemExit) as ended:
        main(["compare", verb, option, "nothing", "-o", str(tmp_path / "run")])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert re.fullmatch(r"verax: .*'nothing'.*", told.strip())
    assert [c for c in OPTIONS[verb, option] if c not in told] == []
