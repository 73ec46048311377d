"""HS3 written by hand for the same models as pyhf's JSON: the same log-likelihood, and clear words for the rest."""

import copy
import json
import re

import jax
import numpy as np
import pytest

from verax.cli import main
from verax.errors import InputError
from verax.workspace import from_hs3, from_pyhf
from verax.workspace._hs3 import is_hs3
from workspaces import EXAMPLES, as_hs3

READ = [
    "normfactor in one channel",
    "normsys and histosys",
    "shapesys",
    "staterror",
    "staterror of some samples",
    "staterror and shapesys",
]


@pytest.mark.thorough
@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("name", READ)
def test_the_same_likelihood_as_the_workspace(name, relative):
    spec = EXAMPLES[name]
    hs3 = as_hs3(spec, relative=relative)
    assert is_hs3(hs3)
    assert not is_hs3(spec)
    one, data, poi = from_pyhf(spec)
    two, again, same = from_hs3(hs3, shape_errors="relative" if relative else "absolute")
    assert poi == same == "mu"
    assert one.names == tuple(re.sub(r"gamma_(\w+)_bin_(\d+)", r"\1[\2]", n) for n in two.names)  # HS3 names each
    np.testing.assert_array_equal(data.counts, again.counts)
    rng = np.random.default_rng(3)
    for _ in range(2):
        theta = np.array([p.init for p in one.parameters]) + rng.uniform(-0.4, 0.4, len(one.parameters))
        with jax.enable_x64(True):
            values = [float(m.log_density(theta, d)) for m, d in ((one, data), (two, again))]
        assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_settings_come_from_points_and_domains():
    hs3 = as_hs3(EXAMPLES["normfactor in one channel"], relative=True)
    hs3["domains"][0]["axes"].append({"name": "k", "min": 0.2, "max": 3.0})
    hs3["parameter_points"][0]["parameters"] = [
        {"name": "mu", "value": 2.0},
        {"name": "k", "value": 1.5, "const": True},
    ]
    model, _, _ = from_hs3(hs3)
    found = {p.name: p for p in model.parameters}
    assert (found["mu"].init, found["mu"].bounds) == (2.0, (0.0, 10.0))
    assert found["k"].bounds == (1.5, 1.5)


def broken(name, change):
    hs3 = copy.deepcopy(as_hs3(EXAMPLES[name], relative=True))
    change(hs3)
    return hs3


def first(hs3):
    return hs3["distributions"][0]["samples"][1]["modifiers"][0]


BROKEN = [
    ("shapesys", lambda x: None, "may be relative or absolute"),
    ("staterror", lambda x: first(x).update(constraint="Poisson"), "modifier 'st' .staterror., constraint"),
    ("staterror", lambda x: first(x).pop("constraint"), "constraint: got None, which .* bin_constraint='gauss'"),
    ("normsys and histosys", lambda x: first(x).update(constraint="LogNormal"), "'LogNormal'"),
    ("normsys and histosys", lambda x: first(x).update(interpolation="lim"), "'lim'"),
    ("normsys and histosys", lambda x: first(x).update(type="normsis"), "did you mean 'normsys'"),
    ("staterror", lambda x: x["distributions"][0].update(type="gaussian_dist"), "'gaussian_dist'"),
    ("staterror", lambda x: x.pop("data"), "no list 'data'"),
    (
        "staterror",
        lambda x: x["likelihoods"].insert(0, {"name": "other"}),
        "likelihood 'other', distributions: got None",
    ),
    ("staterror", lambda x: x["data"][0].update(type="unbinned"), "'binned'"),
    ("staterror", lambda x: x["data"][0].update(contents=[1.0]), "3, one for each bin"),
]


@pytest.mark.parametrize(("name", "change", "message"), BROKEN)
def test_what_cannot_be_read_is_reported(name, change, message):
    with pytest.raises(InputError, match=message) as error:
        from_hs3(broken(name, change))
    assert "\n" not in str(error.value)


def test_the_command_line_reads_it_too(tmp_path, capsys):
    """The same answer for both files; what only the user knows is asked for by its option."""
    spec = EXAMPLES["normsys and histosys"]
    (tmp_path / "pyhf.json").write_text(json.dumps(spec))
    (tmp_path / "hs3.json").write_text(json.dumps(as_hs3(spec, relative=True)))
    answers = []
    for name in ("pyhf.json", "hs3.json"):
        with pytest.raises(SystemExit, match="0"):
            main(["fit", str(tmp_path / name), "--poi", "mu", "--json"])
        answers.append(json.loads(capsys.readouterr().out)["parameters"]["mu"])
    assert answers[1] == pytest.approx(answers[0], abs=1e-6)
    (tmp_path / "shapes.json").write_text(json.dumps(as_hs3(EXAMPLES["shapesys"], relative=True)))
    with pytest.raises(SystemExit, match="2"):
        main(["gof", str(tmp_path / "shapes.json")])
    assert "shape" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["staterror and shapesys", "shapesys"])
def test_bins_are_masked_as_in_the_workspace(name):
    spec = EXAMPLES[name]
    hs3 = as_hs3(spec, relative=False)
    options = {"shape_errors": "absolute"} if "shapesys" in name else {}
    channel = hs3["distributions"][0]["name"]
    one = from_hs3(hs3, mask={channel: [0]}, **options)
    other = from_pyhf(spec, mask={channel.removeprefix("model_"): [0]})
    assert one.data.counts.tolist() == other.data.counts.tolist()
    assert len(one.data.counts) == sum(len(o["data"]) for o in spec["observations"]) - 1
    value = {"mu": 1.3}
    assert float(one.model.log_prob(value, one.data)) == pytest.approx(float(other.model.log_prob(value, other.data)))
