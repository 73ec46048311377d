"""Questions about a workspace on the command line: what is printed is what the verbs answer."""

import io
import json

import numpy as np
import pytest

from likelihoods import realistic
from verax import cli
from verax.infer import fit, interval, limit
from verax.model import to_pyhf


@pytest.fixture(scope="module")
def model():
    return realistic()


@pytest.fixture(scope="module")
def workspace(model, tmp_path_factory):
    """A workspace whose data are an Asimov set at μ = 1.2, in a file."""
    path = tmp_path_factory.mktemp("workspace") / "workspace.json"
    path.write_text(json.dumps(to_pyhf(model, model.asimov({"mu": 1.2}), poi="mu", name="measurement")))
    return path


def ask(capsys, *arguments):
    """What is printed, as JSON."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([*map(str, arguments), "--json"])
    assert stopped.value.code == 0
    return json.loads(capsys.readouterr().out)


def test_fit_finds_what_the_data_were_made_of(model, workspace, capsys):
    found = ask(capsys, "fit", workspace)
    assert found["status"] == "OK"
    assert found["parameters"]["mu"] == pytest.approx(1.2, abs=1e-4)
    data = model.asimov({"mu": 1.2})
    best, ends = fit(model, data), interval(model, data, "mu")
    assert found["errors"]["mu"] == pytest.approx(best.error[0], rel=1e-3)
    assert found["interval"]["high"] == pytest.approx(float(ends.high), rel=1e-3)


def test_parameters_can_be_held_and_data_exchanged(workspace, capsys, tmp_path):
    held = ask(capsys, "fit", workspace, "--fixed", "norm=1.1", "--data", "asimov")
    assert held["parameters"]["norm"] == 1.1
    assert ask(capsys, "fit", workspace, "--data", "asimov")["parameters"]["mu"] == pytest.approx(1.0, abs=1e-4)
    counts = tmp_path / "counts.json"
    spec = json.loads(workspace.read_text())
    counts.write_text(json.dumps({o["name"]: o["data"] for o in spec["observations"]}))
    assert ask(capsys, "fit", workspace, "--data", counts)["parameters"]["mu"] == pytest.approx(1.2, abs=1e-4)


def test_standard_input_is_read(workspace, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(workspace.read_bytes())))
    assert ask(capsys, "fit", "-")["status"] == "OK"


def test_a_limit_is_the_verbs_limit(model, workspace, capsys):
    found = ask(capsys, "limit", workspace)["limit"]
    expected = limit(model, model.asimov({"mu": 1.2}), "mu")
    assert found["observed"] == pytest.approx(float(expected.observed), rel=1e-3)
    assert np.allclose(found["expected"], expected.expected, rtol=1e-3)
    assert np.all(np.diff(found["expected"]) > 0)


@pytest.mark.parametrize("verb", ["scan", "breakdown", "ranking"])
def test_figures_are_drawn(verb, workspace, capsys, tmp_path):
    found = ask(capsys, verb, workspace, "--plot", tmp_path / "figure.png")
    assert found
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_toys_and_goodness_of_fit(workspace, capsys):
    covered = ask(capsys, "toys", workspace, "--toys", "300", "--seed", "4")["coverage"]
    assert covered["n"] + covered["failed"] == 300
    assert abs(covered["fraction"] - 0.6827) < 4 * covered["error"]
    fitted = ask(capsys, "gof", workspace)["goodness_of_fit"]
    assert fitted["p_value"] > 0.5  # Asimov data fit well


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "no.json"), "no.json"),
        (("scan", "WORKSPACE", "--poi", "muu"), "did you mean 'mu'"),
        (("fit", "WORKSPACE", "--fixed", "nrm=1"), "did you mean 'norm'"),
        (("fit", "WORKSPACE", "--fixed", "norm"), "NAME=NUMBER"),
        (("limit", "WORKSPACE", "--plot", "figure.txt"), "the ending '.txt'"),
        (("gof", "WORKSPACE", "--plot", "figure.png"), "without a figure"),
        (("scan", "TRUNCATED"), "JSON"),
    ],
)
def test_bad_input_is_one_line(arguments, message, workspace, capsys, tmp_path):
    truncated = tmp_path / "truncated.json"
    truncated.write_text(workspace.read_text()[:500])
    places = {"WORKSPACE": str(workspace), "TRUNCATED": str(truncated)}
    with pytest.raises(SystemExit) as stopped:
        cli.main([places.get(a, a) for a in arguments])
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
