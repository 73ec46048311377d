"""Scale, PDF and replica weights from vector branches: templates with a known answer, and what is refused."""

import math

import awkward as ak
import numpy as np
import pytest
import uproot

from verax.analysis import parse, plan
from verax.errors import InputError
from verax.pipeline import _measure, measure
from verax.pipeline._summarise import summarise

N = 6000
SCALES = (0.9, 0.95, 1.0, 1.02, 1.1, 0.97, 0.8)
"""Factors of the seven scale choices, the same for all events; the last is turned round where x > 1."""
PDF = ((0.03, -0.02), (0.01, 0.015), (-0.04, 0.0))
"""Slopes in the sign of x − 1 of three eigenvectors, up and down."""
REPLICAS = (0.1, -0.1, 0.05, -0.05, 0.2)
"""Slopes of the replicas."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Events in two bins of x, with all weights absolute: w[0] is the nominal one, different in each event."""
    place = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(23)
    for name in ("signal", "background"):
        x, w0 = rng.uniform(0, 2, N), rng.uniform(0.5, 1.5, N)
        side = np.where(x > 1, 1.0, -1.0)
        scales = np.where((np.arange(7) == 6) & (side > 0)[:, None], 1.2, np.array(SCALES))
        pdf = 1 + np.array(PDF).ravel() * side[:, None]
        replicas = 1 + np.array(REPLICAS) * side[:, None]
        factors = np.concatenate([np.ones((N, 1)), scales, pdf, replicas], axis=1)
        with uproot.recreate(place / f"{name}.root") as file:
            file["events"] = {"x": x, "w": ak.from_regular(w0[:, None] * factors)}
    with uproot.recreate(place / "data.root") as file:
        file["events"] = {"x": rng.uniform(0, 2, 200)}
    return place


WEIGHTS = {"envelope": "w[1:8]", "hessian": "w[8:14]", "replicas": "w[14:19]"}


def content(*systematics):
    events = {"tree": "events", "weight": "w[0]", "total": 1000}
    return {
        "name": "sets",
        "title": "Sets",
        "samples": [{"process": p, "files": [f"{p}.root"], **events} for p in ("signal", "background")],
        "observed": {"files": ["data.root"]},
        "blind": False,
        "poi": {"name": "mu", "processes": ["signal"]},
        "features": ["x"],
        "summary": {"kind": "column", "column": "x", "range": [0.0, 2.0]},
        "channels": [{"name": "SR", "edges": [0.0, 1.0, 2.0]}],
        "systematics": list(systematics),
        "check": {"toys": 0},
    }


def effect(kind, **more):
    given = {"name": kind, "effect": kind, "weights": WEIGHTS[kind], "nominal": "w[0]", "processes": ["signal"], **more}
    return {k: v for k, v in given.items() if v is not None}


def test_templates_of_all_sets_are_those_of_the_formulas(folder, tmp_path, monkeypatch):
    systematics = [
        {"name": "before", "effect": "normalisation", "width": 0.1},
        effect("envelope"),
        effect("hessian", confidence=90),
        effect("hessian", name="each", parameters="each", formula="asymmetric"),
        effect("replicas"),
        effect("replicas", name="about", about="nominal"),
    ]
    made = []
    monkeypatch.setattr(_measure, "summarise", lambda *given: made.append(summarise(*given)) or made[0])
    measure(parse(content(*systematics), "test", folder), tmp_path / "run", until="summarise")
    found = made[0].templates
    nominal = found.nominal
    relative = {
        p.name: (found.up[k][0] / nominal[0] - 1, found.down[k][0] / nominal[0] - 1)
        for k, p in enumerate(found.systematics)
    }
    names = ["before", "envelope", "hessian", "each_1", "each_2", "each_3", "replicas", "about"]
    assert list(relative) == names
    for k in range(1, len(names)):
        np.testing.assert_array_equal(found.up[k][1], nominal[1])  # only the signal has these weights
    low, high = 0, 1

    def holds(name, bin, up, down):
        assert relative[name][0][bin] == pytest.approx(up, abs=3e-7)
        assert relative[name][1][bin] == pytest.approx(down, abs=3e-7)

    holds("envelope", low, 0.1, -0.2)
    holds("envelope", high, 0.2, -0.1)
    scale = 1.6448536269514722
    up, down = math.hypot(0.03, 0.015) / scale, math.hypot(0.02, 0.04) / scale
    holds("hessian", high, up, -down)
    holds("hessian", low, down, -up)
    for i, (plus, minus) in enumerate(PDF):
        holds(f"each_{i + 1}", high, plus, minus)
        holds(f"each_{i + 1}", low, -plus, -minus)
    spread = float(np.std(REPLICAS, ddof=1))
    about = math.sqrt(sum(r**2 for r in REPLICAS) / len(REPLICAS))
    for bin in (low, high):
        holds("replicas", bin, spread, -spread)
        holds("about", bin, about, -about)


def test_a_systematic_of_weights_is_read_where_it_acts(folder):
    parts = plan(parse(content(effect("hessian")), "test", folder)).reading.columns
    assert "w[13]" in parts.needed["signal"]
    assert "w[13]" not in parts.needed["background"]
    assert "w[13]" not in parts.needed[""]


def test_slices_and_lists():
    def members(weights):
        return parse(content(effect("envelope", weights=weights)), "test").systematics[0].members

    assert members("w[1:4]") == ["w[1]", "w[2]", "w[3]"]
    assert members(["w[0:2]", "w[3]", "up", "w[5:6] * 2"]) == ["w[0]", "w[1]", "w[3]", "up", "w[5] * 2"]
    assert members("w[1:3] / v[0:2]") == ["w[1] / v[0]", "w[2] / v[1]"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (effect("envelope", weights="w[3:3]"), r"'envelope': got no member in w\[3:3\]; expected 1 weight or more"),
        (effect("envelope", weights=[]), r"'envelope': got no member in \[\]; expected 1 weight or more"),
        (effect("envelope", weights=None), "systematics.0.weights: got nothing; expected a value"),
        (effect("envelope", weights=3), "weights: got 3; expected text or a list"),
        (effect("replicas", weights="w[3]"), r"got 1 member in w\[3\]; expected 2 weights or more"),
        (effect("hessian", weights="w[1:8]"), "'hessian': got 7 members; expected pairs, . and − of each"),
        (effect("hessian", confidence=95), "confidence: got 95; expected 68 or 90"),
        (effect("hessian", formula="asymetric"), "formula: got \"asymetric\"; expected 'asymmetric', 'symmetric'"),
        (effect("replicas", about="median"), "about: got \"median\"; expected 'mean' or 'nominal'"),
        (effect("envelope", weights="w[1:3] / v[1:4]"), "expected slices of one length"),
        (effect("envelope", weight="w[1]"), r"unknown key 'weight'; .*did you mean 'weights'\?"),
        ({"name": "x", "effect": "hesian"}, r"effect 'hesian'; .*did you mean 'hessian'\?"),
        (effect("envelope", processes=["sgnal"]), r"process 'sgnal'; .*did you mean 'signal'\?"),
    ],
)
def test_what_is_refused(given, line):
    with pytest.raises(InputError, match=line) as error:
        parse(content(given), "test")
    assert "\n" not in str(error.value)


def test_names_of_eigenvectors_are_parameters():
    each = effect("hessian", parameters="each")
    with pytest.raises(InputError, match="'hessian_2' twice"):
        parse(content(each, {"name": "hessian_2", "effect": "normalisation", "width": 0.1}), "test")
    given = content(each) | {"pseudo_experiment": {"truth": {"hessian_3": 1.0}}}
    parse(given, "test")
    with pytest.raises(InputError, match="parameter 'hessian'; expected a known parameter"):
        parse(given | {"pseudo_experiment": {"truth": {"hessian": 1.0}}}, "test")
    with pytest.raises(InputError, match=r"systematic 'hessian' of effect hessian; .*leave it out"):
        parse(content(each) | {"summary": {}, "learn": {"approach": "augment", "systematics": ["hessian"]}}, "test")


def test_networks_do_not_learn_them(folder):
    others = {"name": "shape", "effect": "weight", "up": "1 + 0.1 * x"}
    given = content(effect("hessian"), others) | {"summary": {}, "channels": [{"name": "SR"}]}
    learning = plan(parse(given | {"learn": {"approach": "augment"}}, "test", folder)).learning
    assert [s.name for s in learning.systematics] == ["shape"]


@pytest.mark.parametrize(
    ("weights", "line"),
    [
        ("w[18:20]", r"process 'signal': got .*w\[19\]"),
        ("v[1:3]", r"got column 'v'; expected a known column"),
    ],
)
def test_a_branch_without_the_entry(folder, tmp_path, weights, line):
    with pytest.raises(InputError, match=line) as error:
        measure(parse(content(effect("envelope", weights=weights)), "test", folder), tmp_path / "run", until="simulate")
    assert "\n" not in str(error.value)
