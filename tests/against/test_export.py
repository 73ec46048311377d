"""What is written is read by pyhf, by cabinetry and by verax itself, and is the same likelihood for all of them."""

import cabinetry
import numpy as np
import pyhf
import pytest
import yaml

from likelihoods import make_templates
from referee import compare, random_params, rounding, values
from verax.analysis import embedded
from verax.errors import InputError
from verax.model import Data, binned_likelihood, code0, code1, hold
from verax.parameters import Gaussian, Parameter, nuisance
from verax.workspace import from_pyhf, to_pyhf
from workspaces import EXAMPLES

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def made(systematics, *, factors=None, channels=("SR", "CR"), variance=None, events=50.2):
    """A likelihood of two channels; ``systematics`` are names, or (name, factor of each process) of normalisations."""
    nominal = np.array([[5.3, 6.1, 3.7], [events, 60.4, 40.9]])
    varied = []
    for k, entry in enumerate(systematics):
        name, scale = entry if isinstance(entry, tuple) else (entry, None)
        if scale is None:
            slope = 0.01 * (k + 1) * np.array([[1.0, -2.0, 0.5], [0.4, 0.3, -1.0]])
            varied.append((nuisance(name, name), nominal * (1 + slope), nominal * (1 - 0.8 * slope)))
        else:
            scale = np.array(scale)[:, None]
            varied.append((nuisance(name, name), nominal * scale, nominal / scale))
    templates = make_templates(
        nominal, variance=0.3 * nominal if variance is None else variance, systematics=varied, bins=(2, 1)
    )
    templates = type(templates)(
        *(getattr(templates, k) for k in ("nominal", "variance", "up", "down")),
        channels,
        templates.edges,
        templates.processes,
        templates.systematics,
    )
    return binned_likelihood(templates, free=factors or {"mu": ("signal",), "k": ("background",)})


def check(model, *, data=None, constant=0.0):
    """The same log L in pyhf, in cabinetry, and read back, at random points; returns what was written."""
    data = model.asimov({"mu": 1.2}) if data is None else data
    spec = to_pyhf(model, data, poi="mu")
    again, same, referee = compare(spec)  # verax against pyhf
    theirs, counts = cabinetry.model_utils.model_and_data(spec)
    np.testing.assert_array_equal(counts, referee.data)
    rng = np.random.default_rng(4)
    points = [random_params(model, rng) for _ in range(4)]
    ours, read = values(model, data, points)[0], values(again, same, points)
    np.testing.assert_allclose(ours + constant, read[0], rtol=1e-12, atol=rounding(data))
    for params, gamma, value in zip(points, read[1], read[0], strict=True):
        vector = referee.vector(again, params, gamma)
        assert float(theirs.logpdf(vector, counts)[0]) == pytest.approx(value, rel=1e-12, abs=rounding(data))
    assert [p.bounds for p in again.parameters] == [p.bounds for p in model.parameters]
    assert [p.init for p in again.parameters] == [p.init for p in model.parameters]
    return spec


@pytest.mark.thorough
@pytest.mark.parametrize("file", ["example.yaml", "higgsml.yaml"])
def test_the_names_of_each_analysis_that_is_shipped(file):
    """Its parameter of interest, free factors and systematics, normalisations as such, on templates of their own."""
    analysis = yaml.safe_load(embedded(file))
    signal = analysis["poi"]["processes"]
    normalisations = [s for s in analysis["systematics"] if s["effect"] == "normalisation"]
    factors = {f["name"]: ("signal" if f["processes"] == signal else "background",) for f in analysis["normalisations"]}
    given = []
    for s in analysis["systematics"]:
        acts = [set(signal) & set(s.get("processes", ())), set(s.get("processes", ())) - set(signal)]
        given.append((s["name"], [1 + s["width"] * bool(a) for a in acts]) if s in normalisations else s["name"])
    spec = check(made(given, factors={analysis["poi"]["name"]: ("signal",), **factors}))
    kinds = {}
    for m in (m for c in spec["channels"] for s in c["samples"] for m in s["modifiers"]):
        kinds.setdefault(m["name"], set()).add(m["type"])
    assert "lumi" in {s["name"] for s in normalisations}
    assert all(kinds[s["name"]] == {"normsys"} for s in normalisations)


NAMES = ["lumi", "theory/top", "jet energy scale", "staterror_SR", "signal", "SR", "x[0]", "μ_R"]


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_systematic(name):
    """Those that mean something else in a workspace, or are taken there."""
    check(made([name, "other"]))


@pytest.mark.thorough
def test_any_name_of_a_factor_and_of_channels():
    check(made(["n"], factors={"mu": ("signal",), "lumi": ("background",)}))
    check(made(["staterror_low_x", "n"], channels=("low/x", "low_x")))
    check(made(["n"], channels=("signal region", "CR: Z → ℓℓ")))


def test_a_bin_of_many_events():
    """3·10⁵ of them: log L is the difference of terms of 10⁶, and agrees to their rounding."""
    check(made(["lumi", "n"], events=3e5))


def test_a_normalisation_has_no_shape():
    spec = to_pyhf(model := made([("norm", [1.0, 1.028])]), model.asimov({}), poi="mu")
    assert {m["type"] for c in spec["channels"] for s in c["samples"] for m in s["modifiers"]} == {
        "normfactor",
        "normsys",
        "staterror",
    }


def test_simulation_without_errors():
    """A channel without errors has no staterror; a bin without one, beside others, has a constraint that is constant."""
    none = check(made(["n"], variance=np.zeros((2, 3))))
    assert "staterror" not in str(none)
    partly = np.array([[0.3, 0.0, 0.0], [2.0, 0.0, 0.0]])
    spec = check(made(["n"], variance=partly), constant=-0.5 * np.log(2 * np.pi))
    assert "staterror_CR" not in str(spec)


def test_held_parameters_and_bounds():
    model = hold(made(["lumi", "n"]), {"k": 1.3, "lumi": 0.5})
    spec = check(model)
    held = {p["name"] for p in spec["measurements"][0]["config"]["parameters"] if p.get("fixed")}
    assert held == {"k", "lumi"}


def changed(model, index, **changes):
    parameter = Parameter(**({k: getattr(model.parameters[index], k) for k in ("name", "init", "bounds")} | changes))
    parameters = (*model.parameters[:index], parameter, *model.parameters[index + 1 :])
    return type(model)(**{k: getattr(model, k) for k in model.__dataclass_fields__} | {"parameters": parameters})


@pytest.mark.thorough
def test_what_a_workspace_cannot_say_is_refused_by_name():
    model = made(["n"])
    data = model.asimov({})
    wide = {"constraint": Gaussian(2.0)}
    for other, message in (
        (changed(model, 2, constraint=Gaussian(), bounds=(-np.inf, np.inf)), r"'n': got bounds \[-inf, inf\]"),
        (changed(model, 2, **wide), "'n': got constraint Gaussian.width=2.0.; expected a Gaussian of width 1"),
        (changed(model, 1, **wide), "'k': got a normalisation factor with a constraint; expected the name 'lumi'"),
    ):
        observed = other.asimov({})
        with pytest.raises(InputError, match=message):
            to_pyhf(other, observed, poi="mu")
    with pytest.raises(InputError, match="got a batch"):
        to_pyhf(model, Data(data.counts[None], data.auxiliary[None]), poi="mu")
    with pytest.raises(InputError, match="NaN"):
        to_pyhf(model, Data(data.counts * np.nan, data.auxiliary), poi="mu")
    known, observed = model.freeze_profiled({}, Data(data.counts + 5, data.auxiliary))
    with pytest.raises(InputError, match=r"channel 'SR', bin 0: got γ known to be 1.0"):
        to_pyhf(known, observed, poi="mu")
    for code in ({"normsys": code1}, {"histosys": code0}):
        model, data, poi = from_pyhf(EXAMPLES["normsys and histosys"], **code)
        with pytest.raises(InputError, match=r"interpolation 'code[01]'; expected 'code4p?'"):
            to_pyhf(model, data, poi=poi)


def test_the_validity_of_what_is_written(tmp_path):
    """pyhf's own schema, on what goes to the file."""
    spec = to_pyhf(model := made(["lumi", "n"]), model.asimov({}), poi="mu")
    pyhf.schema.validate(spec, "workspace.json")
