"""pyhf as referee of the import: the same log-likelihood at random points, with the seven modifiers."""

import copy
import gzip
import json

import iminuit
import numpy as np
import pyhf
import pytest

from referee import Referee, compare, random_params, values
from verax.errors import InputError
from verax.infer import fit
from verax.model import Data
from verax.workspace import from_pyhf, to_pyhf
from verax.workspace._schema import patched
from workspaces import EXAMPLES, validation

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema:DeprecationWarning")


@pytest.mark.thorough
@pytest.mark.parametrize("name", EXAMPLES)
def test_each_modifier(name):
    compare(EXAMPLES[name])


@pytest.mark.parametrize("normsys", ["code1", "code4"])
@pytest.mark.parametrize(("histosys", "reach"), [("code0", 3.0), ("code2", 1.0), ("code4p", 3.0)])
def test_interpolation_codes(normsys, histosys, reach):
    """Code 2 beyond ±1 is left out: pyhf 0.7 jumps there."""
    compare(EXAMPLES["normsys and histosys"], normsys=normsys, histosys=histosys, reach=reach)


@pytest.mark.thorough
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


@pytest.mark.thorough
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


@pytest.mark.thorough
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


@pytest.mark.thorough
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
