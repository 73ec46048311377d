"""Approaches to systematics in an analysis: each trains on the analysis' own effects and gives a measurement."""

import json

import pytest

from toy_analysis import write_analysis
from verax import config, pipeline
from verax.errors import InputError

LEARN = {"folds": 2, "members": 2, "width": 16, "epochs": 3, "batch": 512}
CHECK = {"toys": 20, "truths": [1.0], "shifts": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The run folder after some stages of an approach; the samples are read once."""
    folder = tmp_path_factory.mktemp("approaches")

    def one(approach, until):
        learn = {**LEARN, "approach": approach, "bins": 4}
        path = write_analysis(folder, learn=learn, templates={"smooth": []}, check=CHECK)
        pipeline.measure(config.load(path), folder / "run", until=until)
        return folder / "run"

    return one


def test_each_approach_learns_something_else(run):
    """With an effect that JAX cannot trace and one that is a sample, both interpolated event by event."""
    names = ("propagate", "augment", "parameterised", "inferno")
    networks = {(run(name, "learn") / "stages" / "learn" / "networks.eqx").read_bytes() for name in names}
    assert len(networks) == len(names)


def test_inferno_gives_a_measurement_in_the_bins_that_it_sorts_into(run):
    folder = run("inferno", "report")
    found = json.loads((folder / "results.json").read_text())["results"]["expected"]
    assert found["fit"]["status"] == "OK"
    assert found["interval"]["value"] == pytest.approx(1.0, abs=1e-4)
    bins = [len(c["samples"][0]["data"]) for c in json.loads((folder / "workspace.json").read_text())["channels"]]
    assert all(2 <= n <= 4 for n in bins)
    assert "INFERNO" in (folder / "report.html").read_text()


def test_a_sample_of_other_events_cannot_be_interpolated(tmp_path):
    path = write_analysis(tmp_path, learn={**LEARN, "approach": "augment"}, check=CHECK)
    lines = (tmp_path / "other_up.csv").read_text().splitlines()
    (tmp_path / "other_up.csv").write_text("\n".join(lines[:-5]) + "\n")
    with pytest.raises(InputError, match=r"systematic 'model'.*1995 events that are not the 2000 nominal.*systematics"):
        pipeline.measure(config.load(path), tmp_path / "run")


def test_an_unknown_systematic_to_be_aware_of(tmp_path):
    with pytest.raises(InputError, match=r"learn.*'scal'.*scale"):
        config.load(write_analysis(tmp_path, learn={**LEARN, "approach": "augment", "systematics": ["scal"]}))
