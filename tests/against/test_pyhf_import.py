"""pyhf as referee of the import: the same log-likelihood at random points, with the seven modifiers."""

import copy
import gzip
import json

import numpy as np
import pyhf
import pytest

from verax.model import from_pyhf, to_pyhf
from verax.model.interpolate import code0, code1, code2, code4, code4p
from verax.model.likelihood import Data

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema:DeprecationWarning")

CODES = {"code0": code0, "code1": code1, "code2": code2, "code4": code4, "code4p": code4p}


class Referee:
    """pyhf's view of a workspace; γ that we profile are handed over as we found them."""

    def __init__(self, spec, *, normsys="code4", histosys="code4p", measurement=None, poi=None):
        options = {"normsys": {"interpcode": normsys}, "histosys": {"interpcode": histosys}}
        self.workspace = pyhf.Workspace(spec)
        name = {} if poi is None else {"poi_name": poi}
        self.model = self.workspace.model(measurement_name=measurement, modifier_settings=options, **name)
        self.data = np.asarray(self.workspace.data(self.model))
        self.names = self.model.config.par_names

    def vector(self, ours, params, gamma):
        """Parameters in pyhf's order: ours by name, γ from the profile, else the initial value (fixed bins)."""
        pars = dict(zip(self.names, self.model.config.suggested_init(), strict=True))
        pars.update({name: value for name, value in params.items() if name in pars})
        fixed = dict(zip(self.names, self.model.config.suggested_fixed(), strict=True))
        for m in ours.modifiers:
            if m.first >= 0:
                continue
            family = [x.channel for x in ours.modifiers if x.name == m.name]
            channels = sorted(set(family), key=lambda c: ours.channels[c])
            bins = np.concatenate([np.flatnonzero(ours.layout.channel == c) for c in channels])
            for j, b in enumerate(bins):
                if not fixed[f"{m.name}[{j}]"]:
                    pars[f"{m.name}[{j}]"] = gamma[b]
        return np.array([pars[n] for n in self.names])

    def log_prob(self, ours, params, gamma):
        return float(self.model.logpdf(self.vector(ours, params, gamma), self.data)[0])


def random_params(model, rng, *, reach=1.5):
    """A value for each parameter that may move, within its bounds."""
    params = {}
    for p in model.parameters:
        low, high = p.bounds
        if p.constraint is None or p.init != 0:
            low, high = max(low, 0.3 * p.init), min(high, 2.0 * p.init + 0.2)
        else:
            low, high = max(low, -reach), min(high, reach)
        params[p.name] = p.init if p.bounds[0] == p.bounds[1] else float(rng.uniform(low, high))
    return params


def compare(spec, *, points=5, normsys="code4", histosys="code4p", reach=1.5, **which):
    model, data, _ = from_pyhf(spec, normsys=CODES[normsys], histosys=CODES[histosys], **which)
    referee = Referee(spec, normsys=normsys, histosys=histosys, **which)
    rng = np.random.default_rng(5)
    ours, theirs = [], []
    for _ in range(points):
        params = random_params(model, rng, reach=reach)
        gamma = model.profiled(params, data) if model.simulation_statistics else None
        ours.append(float(model.log_prob(params, data)))
        theirs.append(referee.log_prob(model, params, gamma))
    assert np.isfinite(theirs).all()
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    free = {p.name for p in model.parameters}
    profiled = {m.name for m in model.modifiers if m.first < 0}
    assert {n for n in referee.names if n.split("[")[0] not in profiled} == free
    return model, data, referee


def sample(name, data, *modifiers):
    return {"name": name, "data": data, "modifiers": [{"name": n, "type": t, "data": d} for n, t, d in modifiers]}


def workspace(channels, *, parameters=(), poi="mu", observations=None):
    """A workspace from {channel: [samples]}; observed are the rounded nominal counts, and a few more."""
    observations = observations or {
        c: [round(sum(x) + 2.0) for x in zip(*(s["data"] for s in samples), strict=True)]
        for c, samples in channels.items()
    }
    return {
        "version": "1.0.0",
        "channels": [{"name": c, "samples": list(samples)} for c, samples in channels.items()],
        "observations": [{"name": c, "data": list(d)} for c, d in observations.items()],
        "measurements": [{"name": "m", "config": {"poi": poi, "parameters": list(parameters)}}],
    }


MU = ("mu", "normfactor", None)
LUMI = {"name": "lumi", "inits": [1.1], "bounds": [[0.5, 1.5]], "auxdata": [1.05], "sigmas": [0.03]}
EXAMPLES = {
    "normfactor": workspace({"a": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("k", "normfactor", None))]}),
    "normfactor in one channel": workspace(
        {
            "a": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("k", "normfactor", None))],
            "c": [sample("b", [70.0, 30.0, 20.0]), sample("s", [1.0, 2.0, 3.0], MU, ("k", "normfactor", None))],
        }
    ),
    "lumi": workspace(
        {"a": [sample("s", [5.0, 6.0], MU, ("lumi", "lumi", None)), sample("b", [50.0, 60.0])]}, parameters=[LUMI]
    ),
    "normsys and histosys": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0], MU, ("n", "normsys", {"hi": 1.2, "lo": 0.7})),
                sample("b", [50.0, 60.0], ("n", "histosys", {"hi_data": [55.0, 57.0], "lo_data": [44.0, 61.0]})),
            ],
            "c": [
                sample("b", [70.0], ("n", "normsys", {"hi": 0.9, "lo": 1.2}), ("o", "normsys", {"hi": 1.0, "lo": 1.0}))
            ],
        }
    ),
    "shapefactor": workspace(
        {
            "a": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("f", "shapefactor", None))],
            "c": [sample("b", [70.0, 40.0], ("f", "shapefactor", None))],
        }
    ),
    "shapesys": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0, 2.0, 1.0], MU),
                sample("b", [50.0, 60.0, 20.0, 0.0], ("e", "shapesys", [5.0, 3.0, 0.0, 2.0])),
            ],
        }
    ),
    "two shapesys": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0], MU, ("d", "shapesys", [1.0, 0.5])),
                sample("b", [50.0, 60.0], ("e", "shapesys", [5.0, 3.0])),
            ],
        }
    ),
    "staterror": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0, 1.0], MU, ("st", "staterror", [0.5, 0.4, 0.0])),
                sample("b", [50.0, 60.0, 3.0], ("st", "staterror", [5.0, 3.0, 0.0])),
            ],
        }
    ),
    "staterror of some samples": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0, 4.0], MU),
                sample("b", [50.0, 60.0, 0.0], ("st", "staterror", [5.0, 3.0, 1.0])),
                sample(
                    "o",
                    [10.0, 9.0, 0.0],
                    ("st", "staterror", [2.0, 1.0, 1.0]),
                    ("x", "normsys", {"hi": 1.2, "lo": 0.7}),
                ),
            ],
        }
    ),
    "staterror across channels": workspace(
        {
            "z": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("st", "staterror", [5.0, 3.0]))],
            "a": [sample("b", [20.0], ("st", "staterror", [1.5]))],
        }
    ),
    "staterror and shapesys": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0], MU, ("st", "staterror", [0.5, 0.4])),
                sample("b", [50.0, 60.0], ("st", "staterror", [5.0, 3.0]), ("e", "shapesys", [4.0, 2.0])),
            ],
        }
    ),
    "staterror with settings": workspace(
        {"a": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("st", "staterror", [5.0, 3.0]))]},
        parameters=[{"name": "st", "auxdata": [0.9, 1.2], "sigmas": [0.2, 0.3]}],
    ),
    "staterror with bounds": workspace(
        {"a": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("st", "staterror", [5.0, 0.0]))]},
        parameters=[{"name": "st", "bounds": [[0.5, 1.5], [0.5, 1.5]], "inits": [0.9, 1.0]}],
    ),
    "fixed": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0], MU, ("n", "normsys", {"hi": 1.2, "lo": 0.7})),
                sample("b", [50.0, 60.0], ("st", "staterror", [5.0, 3.0]), ("k", "normfactor", None)),
            ]
        },
        parameters=[
            {"name": "n", "inits": [0.5], "auxdata": [0.3], "fixed": True},
            {"name": "st", "fixed": True},
            {"name": "k", "inits": [1.3], "bounds": [[0.0, 5.0]]},
        ],
    ),
    "everything": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0], MU, ("lumi", "lumi", None), ("n", "normsys", {"hi": 1.2, "lo": 0.7})),
                sample(
                    "b",
                    [50.0, 60.0],
                    ("n", "histosys", {"hi_data": [55.0, 57.0], "lo_data": [44.0, 61.0]}),
                    ("f", "shapefactor", None),
                    ("e", "shapesys", [4.0, 2.0]),
                    ("st", "staterror", [5.0, 3.0]),
                ),
                sample("o", [9.0, 3.0], ("st", "staterror", [2.0, 1.0]), ("lumi", "lumi", None)),
            ],
            "Z": [sample("b", [20.0, 30.0, 40.0], ("f", "shapefactor", None), ("k", "normfactor", None))],
        },
        parameters=[LUMI],
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_modifier(name):
    compare(EXAMPLES[name])


@pytest.mark.parametrize("normsys", ["code1", "code4"])
@pytest.mark.parametrize(("histosys", "reach"), [("code0", 3.0), ("code2", 1.0), ("code4p", 3.0)])
def test_interpolation_codes(normsys, histosys, reach):
    """Code 2 beyond ±1 is left out: pyhf 0.7 jumps there."""
    compare(EXAMPLES["normsys and histosys"], normsys=normsys, histosys=histosys, reach=reach)


@pytest.mark.parametrize("name", EXAMPLES)
def test_there_and_back(name):
    """Written out again it is the same likelihood in pyhf, at points where nothing is profiled."""
    spec = EXAMPLES[name]
    model, data, poi = from_pyhf(spec)
    before, after = Referee(spec), Referee(to_pyhf(model, data, poi=poi))
    rng = np.random.default_rng(2)
    for _ in range(5):
        params = random_params(model, rng)
        gamma = rng.uniform(0.8, 1.2, len(data.counts))
        ours = before.log_prob(model, params, gamma), after.log_prob(model, params, gamma)
        assert ours[0] == pytest.approx(ours[1], rel=1e-12)
    assert before.model.config.poi_name == after.model.config.poi_name
    again, same, _ = from_pyhf(to_pyhf(model, data, poi=poi))
    params = random_params(model, rng)
    assert float(again.log_prob(params, same)) == pytest.approx(float(model.log_prob(params, data)), rel=1e-13)


def test_settings_of_the_measurement():
    model, data, poi = from_pyhf(EXAMPLES["fixed"])
    found = {p.name: p for p in model.parameters}
    assert poi == "mu"
    assert found["mu"].bounds == (0.0, 10.0)
    assert found["k"].init == 1.3
    assert found["k"].bounds == (0.0, 5.0)
    assert found["n"].bounds == (0.5, 0.5)
    assert found["st[0]"].bounds == (1.0, 1.0)
    np.testing.assert_array_equal(data.auxiliary, [0.3, 1.0, 1.0])


FILES = ["2-bin_1-channel", "example_bkgonly", "xmlimport_input_bkg"]


@pytest.mark.parametrize("name", FILES)
def test_validation_workspaces(shared, name):
    spec = json.loads((shared / "workspaces/pyhf_validation" / f"{name}.json").read_text())
    for measurement in spec["measurements"]:
        compare(spec, measurement=measurement["name"])


@pytest.mark.parametrize("name", ["med_5x20_30np", "med_5x20_30np_staterror"])
def test_medium_workspaces(shared, name):
    compare(json.loads((shared / "workspaces/synthetic" / f"{name}.json").read_text()), points=3)


def test_the_tutorial(shared):
    compare(json.loads((shared / "workspaces/tutorial/bkg_only.json").read_text()), points=3)


def test_the_large_workspace(shared):
    packed = (shared / "workspaces/synthetic/big_20x50_100np.json.gz").read_bytes()
    compare(json.loads(gzip.decompress(packed)), points=2)


def test_a_global_observable_shifts_the_likelihood():
    """The data's global observables are the measurement's, and can be others."""
    spec = copy.deepcopy(EXAMPLES["lumi"])
    model, data, _ = from_pyhf(spec)
    moved = Data(data.counts, data.auxiliary + 0.01)
    spec["measurements"][0]["config"]["parameters"][0]["auxdata"] = [1.06]
    params = {"mu": 1.2, "lumi": 1.0}
    assert float(model.log_prob(params, moved)) == pytest.approx(Referee(spec).log_prob(model, params, None), rel=1e-13)
