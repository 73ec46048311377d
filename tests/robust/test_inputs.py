"""Random changes of analysis files and workspaces: refused in one line, or answered; no error of Python's, no warning."""

import json

import numpy as np
import pytest
import yaml

from mutations import limited, misspelt, mutated, one_line
from toy_analysis import write_analysis
from verax.analysis import load
from verax.errors import InputError
from verax.infer import fit, goodness_of_fit, interval, limit
from verax.workspace import from_hs3, from_pyhf
from workspaces import EXAMPLES, LUMI, MU, as_hs3, sample, workspace

FEW, MANY = range(3), range(3, 40)
PARTS = [*FEW, *(pytest.param(k, marks=pytest.mark.thorough) for k in MANY)]
"""Each of some cases; a few in every run."""

SECONDS = 60.0
"""Of processor time for one case; types are checked at each call, and programs compiled."""


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    path = write_analysis(tmp_path_factory.mktemp("analysis"), n=50)
    return path, yaml.safe_load(path.read_text())


@pytest.mark.parametrize("part", PARTS)
def test_an_analysis_file(part, analysis):
    path, content = analysis
    for case in range(50):
        rng = np.random.default_rng([part, case])
        changed, _ = mutated(content, rng, int(rng.integers(1, 3)))
        text = yaml.safe_dump(changed)
        path.write_text(text if case % 2 else misspelt(text, rng, 2), errors="surrogatepass")
        try:
            with limited(SECONDS):
                load(path)
        except InputError as error:
            one_line(error)


def spec():
    shapes = [
        ("h", "histosys", {"hi_data": [104.0, 57.0], "lo_data": [97.0, 61.0]}),
        ("n", "normsys", {"hi": 1.1, "lo": 0.95}),
        ("st", "staterror", [4.0, 3.0]),
    ]
    own = [("sh", "shapesys", [5.0]), ("lumi", "lumi", None)]
    channels = {
        "a": [sample("s", [20.0, 30.0], MU), sample("b", [100.0, 60.0], *shapes)],
        "c": [sample("b", [50.0], *own)],
    }
    return workspace(channels, parameters=[LUMI], observations={"a": [115.0, 93.0], "c": [52.0]})


@pytest.mark.parametrize("part", PARTS)
def test_a_workspace(part):
    content = spec()
    assert from_pyhf(content).poi == "mu"
    for case in range(12):
        rng = np.random.default_rng([100 + part, case])
        changed, _ = mutated(content, rng, int(rng.integers(1, 4)))
        try:
            with limited(SECONDS):
                found = from_pyhf(json.loads(json.dumps(changed)))
                fit(found.model, found.data)
                goodness_of_fit(found.model, found.data)
                if found.poi:
                    interval(found.model, found.data, found.poi)
                    limit(found.model, found.data, found.poi)
        except InputError as error:
            one_line(error)


@pytest.mark.parametrize("part", PARTS)
def test_an_hs3_file(part, tmp_path):
    content = as_hs3(EXAMPLES["staterror and shapesys"], relative=True)
    assert from_hs3(content, shape_errors="relative").poi == "mu"
    path = tmp_path / "hs3.json"
    for case in range(25):
        rng = np.random.default_rng([200 + part, case])
        text = json.dumps(mutated(content, rng, int(rng.integers(1, 4)))[0])
        path.write_text(text if case % 3 else misspelt(text, rng, 2), errors="surrogatepass")
        try:
            with limited(SECONDS):
                found = from_hs3(path, shape_errors="relative")
                fit(found.model, found.data)
        except InputError as error:
            one_line(error)
