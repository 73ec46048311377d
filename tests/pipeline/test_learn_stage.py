"""Approaches to systematics in an analysis: each trains on the analysis' own effects and gives a measurement."""

import json
import re

import equinox as eqx
import jax
import numpy as np
import pytest

from toy_analysis import write_analysis
from verax import pipeline
from verax.analysis import load
from verax.cli import _main as cli
from verax.errors import InputError
from verax.learn import blank
from verax.learn import load as load_networks

LEARN = {"folds": 2, "members": 2, "width": 16, "epochs": 3, "batch": 512}
CHECK = {"toys": 20, "truths": [1.0], "shifts": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The run folder after some stages of an approach; the samples are read once."""
    folder = tmp_path_factory.mktemp("approaches")

    def one(approach, until):
        learn = {**LEARN, "approach": approach} | ({"bins": 4} if approach == "inferno" else {})
        path = write_analysis(folder, learn=learn, templates={"smooth": []}, check=CHECK)
        pipeline.measure(load(path), folder / "run", until=until)
        return folder / "run"

    return one


@pytest.mark.thorough
def test_each_approach_learns_something_else(run):
    """With an effect that JAX cannot trace and one that is a sample, both interpolated event by event."""
    names = ("propagate", "augment", "parameterised", "inferno")
    networks = {(run(name, "learn") / "stages" / "learn" / "networks.eqx").read_bytes() for name in names}
    assert len(networks) == len(names)


@pytest.mark.thorough
def test_inferno_gives_a_measurement_in_the_bins_that_it_sorts_into(run):
    folder = run("inferno", "report")
    found = json.loads((folder / "results.json").read_text())["results"]["expected"]
    assert found["fit"]["status"] == "OK"
    assert found["interval"]["value"] == pytest.approx(1.0, abs=1e-4)
    bins = [len(c["samples"][0]["data"]) for c in json.loads((folder / "workspace.json").read_text())["channels"]]
    assert all(2 <= n <= 4 for n in bins)
    page = (folder / "report.html").read_text()
    assert "INFERNO" in page
    assert "In training model, smear acted on each event by interpolation" in page


def test_a_sample_of_other_events_cannot_be_interpolated(tmp_path):
    path = write_analysis(tmp_path, learn={**LEARN, "approach": "augment"}, check=CHECK)
    lines = (tmp_path / "other_up.csv").read_text().splitlines()
    (tmp_path / "other_up.csv").write_text("\n".join(lines[:-5]) + "\n")
    with pytest.raises(InputError, match=r"systematic 'model'.*1995 events that are not the 2000 nominal.*systematics"):
        pipeline.measure(load(path), tmp_path / "run")


CONSTANT = "import numpy as np\n\n\ndef constant(x):\n    return np.full(len(x), 0.5)\n"


def refused(capsys, path, folder):
    """The one line that the command line prints."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["run", str(path), "--output", str(folder), "--quiet"])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.mark.thorough
def test_a_loss_that_breaks_stops_and_keeps_the_last_good_networks(tmp_path, capsys):
    learn = {**LEARN, "folds": 2, "members": 1, "epochs": 30, "learning_rate": 1e5}
    path = write_analysis(tmp_path, n=600, learn=learn, check=CHECK)
    line = refused(capsys, path, tmp_path / "run")
    assert re.search(
        r"learn: got loss not finite in epoch \d+, step \d+, learning rate 100000; likely cause: a learning", line
    )
    kept = tmp_path / "run" / "last_good_networks.eqx"
    assert str(kept) in line
    assert not (tmp_path / "run" / "stages" / "learn").exists()
    network = load_networks(kept, blank(("x", "y", "log_pt"), width=16, depth=2, missing=None, axes=(2, 1)))
    arrays = [np.asarray(a) for a in jax.tree.leaves(network) if eqx.is_array(a)]
    assert all(np.isfinite(a).all() for a in arrays)
    hopeless = write_analysis(tmp_path, n=600, learn={**learn, "learning_rate": 1e30}, check=CHECK)
    assert "no network is kept" in refused(capsys, hopeless, tmp_path / "other")


def test_a_constant_summary_is_one_line(tmp_path, capsys):
    path = write_analysis(
        tmp_path, n=200, summary={"kind": "function", "function": "constant.py:constant"}, check=CHECK
    )
    (tmp_path / "constant.py").write_text(CONSTANT)
    assert "summary: got all events in one of 50 bins, [0.5, 0.52]: a constant output" in refused(
        capsys, path, tmp_path / "run"
    )


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("jnp.asarray(np.asarray(events.column('y')) + theta)", "an effect that JAX cannot trace"),
        ("events.column('y') + jnp.round(10 * theta) / 10", "an effect whose derivative in θ is zero"),
    ],
)
def test_inferno_says_which_systematic_it_cannot_differentiate(tmp_path, capsys, function, said):
    path = write_analysis(tmp_path, n=200, learn={**LEARN, "approach": "inferno"}, check=CHECK)
    path.write_text(path.read_text().replace("function: smear.py:smear", "function: smear.py:smear\n  jax: true"))
    imports = "import jax.numpy as jnp\nimport numpy as np\n\n\n"
    (tmp_path / "smear.py").write_text(
        f"{imports}def smear(events, theta):\n    return events.replace({{'y': {function}}})\n"
    )
    line = refused(capsys, path, tmp_path / "run")
    assert "systematic 'smear'" in line
    assert said in line
    assert "interpolate it" in line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"learn": {**LEARN, "approach": "parameterised", "at": {"scale": 9.0}}},
            "learn.at, parameter 'scale': got 9",
        ),
        ({"pseudo_experiment": {"truth": {"lumi": -6.0}}}, "pseudo_experiment.truth, parameter 'lumi': got -6"),
        (
            {"check": {"truths": [1.0, 30.0]}},
            "check.truths, parameter 'mu': got 30; expected a finite value in [-20",
        ),
    ],
)
def test_values_beyond_their_bounds_are_refused_before_anything_is_read(tmp_path, capsys, changes, said):
    assert said in refused(capsys, write_analysis(tmp_path, n=50, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unknown_systematic_to_be_aware_of(tmp_path):
    with pytest.raises(InputError, match=r"learn.*'scal'.*scale"):
        load(write_analysis(tmp_path, learn={**LEARN, "approach": "augment", "systematics": ["scal"]}))
