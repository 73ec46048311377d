"""pyhf as referee of the import: the same log-likelihood at random points, with the seven modifiers."""

import copy
import gzip
import json

import iminuit
import jax
import numpy as np
import pyhf
import pytest

from verax.errors import InputError
from verax.infer import fit
from verax.model import from_pyhf, to_pyhf
from verax.model.interpolate import code0, code1, code2, code4, code4p
from verax.model.likelihood import Data
from verax.model.schema import patched
from workspaces import EXAMPLES, validation

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


@jax.jit
def _values(model, data, theta):
    def one(vector):
        params = dict(zip(model.names, vector, strict=True))
        return model.log_density(vector, data), model.profiled(params, data)

    return jax.vmap(one)(theta)


def values(model, data, points):
    """Log L and γ̂ at some points, in one compiled pass."""
    with jax.enable_x64(True):
        theta = np.array([[params[name] for name in model.names] for params in points])
        return tuple(np.asarray(x) for x in _values(model, data, theta))


def compare(spec, *, points=5, normsys="code4", histosys="code4p", reach=1.5, **which):
    model, data, _ = from_pyhf(spec, normsys=CODES[normsys], histosys=CODES[histosys], **which)
    referee = Referee(spec, normsys=normsys, histosys=histosys, **which)
    rng = np.random.default_rng(5)
    points = [random_params(model, rng, reach=reach) for _ in range(points)]
    ours, gammas = values(model, data, points)
    theirs = [referee.log_prob(model, params, gamma) for params, gamma in zip(points, gammas, strict=True)]
    assert np.isfinite(theirs).all()
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    free = {p.name for p in model.parameters}
    profiled = {m.name for m in model.modifiers if m.first < 0}
    assert {n for n in referee.names if n.split("[")[0] not in profiled} == free
    return model, data, referee


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
    points = [random_params(model, rng)]
    assert values(again, same, points)[0] == pytest.approx(values(model, data, points)[0], rel=1e-13)


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


@pytest.mark.parametrize("name", ["example_bkgonly", "xmlimport_input_bkg"])
def test_validation_workspaces(shared, name):
    spec = json.loads((shared / "workspaces/pyhf_validation" / f"{name}.json").read_text())
    for measurement in spec["measurements"]:
        compare(spec, measurement=measurement["name"])


def test_validation_setups(shared):
    setups = validation(shared / "workspaces/pyhf_validation")
    assert len(setups) == 14
    for spec in setups.values():
        compare(spec)


def test_a_patch_set_as_pyhf_applies_it(shared):
    folder = shared / "workspaces/pyhf_validation"
    spec, patchset = (json.loads((folder / f"example_{x}.json").read_text()) for x in ("bkgonly", "patchset"))
    theirs = dict(pyhf.PatchSet(patchset).apply(spec, "patch_channel1_signal_syst1"))
    assert patched(spec, patchset, name="patch_channel1_signal_syst1") == theirs != spec
    other = json.loads((folder / "xmlimport_input_bkg.json").read_text())
    with pytest.raises(InputError, match="another workspace"):
        patched(other, patchset)


FITTED = ["staterror of some samples", "staterror and shapesys", "lumi", "normfactor in one channel"]


@pytest.mark.parametrize("name", FITTED)
def test_fits_against_minuit(name):
    against_minuit(EXAMPLES[name])


@pytest.mark.parametrize("name", ["2bin_2channel_example1", "2bin_2channel_coupledshapefactor", "2bin_statex"])
def test_validation_fits_against_minuit(shared, name):
    against_minuit(validation(shared / "workspaces/pyhf_validation")[name])


def against_minuit(spec):
    """The same minimum, or a lower one, and the same error of the signal strength."""
    model, data, poi = from_pyhf(spec)
    referee = Referee(spec)
    best = fit(model, data)
    config = referee.model.config
    fitter = iminuit.Minuit(
        lambda x: -float(referee.model.logpdf(x, referee.data)[0]), np.array(config.suggested_init())
    )
    fitter.limits, fitter.fixed = config.suggested_bounds(), config.suggested_fixed()
    fitter.errordef, fitter.tol, fitter.strategy = 0.5, 1e-3, 2
    fitter.migrad()
    assert fitter.valid
    fitter.limits = [
        (None, None)
    ] * fitter.npar  # Minuit's errors of parameters with limits are not those of the Hessian
    fitter.hesse()
    i, k = model.names.index(poi), config.poi_index
    assert float(best.nll) <= fitter.fval + 1e-5
    if best.status != 0:
        assert min(abs(best.value[i] - np.array(model.parameters[i].bounds))) < 1e-6
        return
    assert abs(best.value[i] - fitter.values[k]) < 0.01 * best.error[i]
    assert best.error[i] == pytest.approx(fitter.errors[k], rel=0.01)


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
