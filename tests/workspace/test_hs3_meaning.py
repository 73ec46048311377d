"""HS3 files that mean something else than the default: read as it is meant, or refused by name; never internal errors.

The right numbers of each variant are those of the standard's text (version 0.2) and of ROOT's writer, by hand.
"""

import copy
import json
import math

import numpy as np
import pytest

from verax.errors import InputError
from verax.infer import fit
from verax.workspace import _hs3 as hs3
from verax.workspace import from_hs3, from_pyhf, likelihoods, notes, to_pyhf

POINT = {"mu": 1.3, "alpha_norm": 0.7, "alpha_shape": -0.6}
EXPECTED = [76.375, 85.810]
AXES = [{"name": "obs_SR", "min": 0, "max": 2, "nbins": 2}]


def base():
    """One channel with a factor, a normsys and a histosys, as ROOT writes it."""
    norm = {"name": "norm", "parameter": "alpha_norm", "type": "normsys", "constraint": "Gauss"}
    shape = {"name": "shape", "parameter": "alpha_shape", "type": "histosys", "constraint": "Gauss"}
    shape["data"] = {"hi": {"contents": [56.0, 50.0]}, "lo": {"contents": [47.0, 60.0]}}
    signal = {"contents": [12.0, 11.0], "errors": [0.0, 0.0]}
    background = {"contents": [50.0, 52.0], "errors": [3.0, 4.0]}
    mu = {"name": "mu", "parameter": "mu", "type": "normfactor"}
    modifiers = [norm | {"data": {"hi": 1.4, "lo": 0.8}}, shape]
    samples = [
        {"name": "sig", "data": signal, "modifiers": [mu]},
        {"name": "bkg", "data": background, "modifiers": modifiers},
    ]
    axes = [{"name": "mu", "min": -5, "max": 10}, *({"name": n, "min": -5, "max": 5} for n in [*POINT][1:])]
    points = [{"name": n, "value": 1.0 if n == "mu" else 0.0} for n in POINT]
    return {
        "metadata": {"hs3_version": "0.2"},
        "distributions": [{"name": "model_SR", "type": "histfactory_dist", "axes": AXES, "samples": samples}],
        "data": [{"name": "d", "type": "binned", "axes": AXES, "contents": [75.0, 60.0]}],
        "likelihoods": [{"name": "L", "distributions": ["model_SR"], "data": ["d"]}],
        "analyses": [{"name": "A", "likelihood": "L", "parameters_of_interest": ["mu"]}],
        "domains": [{"name": "default_domain", "type": "product_domain", "axes": axes}],
        "parameter_points": [{"name": "default_values", "parameters": points}],
    }


def modifiers(spec):
    return spec["distributions"][0]["samples"][1]["modifiers"]


def gaussian(mean, sigma, x="alpha_norm"):
    return {"name": "c", "type": "gaussian_dist", "x": x, "mean": mean, "sigma": sigma}


SHAPE = {"name": "ss", "type": "shapesys", "data": {"vals": [5.0, 6.0]}, "constraint": "Poisson"}
STAT = {"name": "st", "type": "staterror", "constraint": "Gauss"}
NORMAL = {
    "name": "c",
    "type": "multivariate_normal_dist",
    "x": ["f", "g"],
    "mean": [0.5, -0.5],
    "covariances": [[0.5, 0.2], [0.2, 0.3]],
}
DIFFERENCES = {"hi": {"contents": [6.0, -2.0]}, "lo": {"contents": [-3.0, 8.0]}}


def test_the_base_expects_what_the_text_says():
    model, _, poi = from_hs3(base())
    assert poi == "mu"
    np.testing.assert_allclose(model.expected(POINT), EXPECTED, atol=5e-4)


SAME = {
    "ROOT's numbers": lambda x: (modifiers(x)[0].update(interpolation=4), modifiers(x)[1].update(interpolation=4)),
    "words": lambda x: modifiers(x)[1].update(interpolation={"type": "add", "in": "poly6", "out": "poly1"}),
    "the channel's default": lambda x: (
        x["distributions"][0].update(default_interpolation={"type": "mult", "in": "poly6", "out": "exp"}),
        modifiers(x)[1].update(interpolation={"type": "add", "in": "poly6", "out": "poly1"}),
    ),
    "a unit Gaussian by name": lambda x: (
        modifiers(x)[0].update(constraint="c"),
        x["distributions"].append(gaussian(0.0, 1.0)),
    ),
    "a unit Gaussian around a constant": lambda x: (
        modifiers(x)[0].pop("constraint"),
        modifiers(x)[0].update(constraint_name="c"),
        x["distributions"].append(gaussian("nom", 1.0)),
        x["parameter_points"][0]["parameters"].append({"name": "nom", "value": 0.0, "const": True}),
    ),
    "edges in place of a number of bins": lambda x: x["data"][0].update(
        axes=[{"name": "obs_SR", "edges": [0.0, 1.0, 2.0]}]
    ),
}


UNVERSIONED = "no version"
SAME[UNVERSIONED] = lambda x: x.pop("metadata")


@pytest.mark.parametrize("change", SAME)
def test_the_same_written_otherwise(change):
    spec = base()
    SAME[change](spec)
    model, data, _ = from_hs3(spec)
    one, same, _ = from_hs3(base())
    np.testing.assert_allclose(model.expected(POINT), EXPECTED, atol=5e-4)
    assert float(model.log_prob(POINT, data)) == float(one.log_prob(POINT, same))
    assert notes(spec) == (
        ["the file does not say its hs3_version: read as version 0.2"] if change == UNVERSIONED else []
    )


REFUSED = {
    "a narrow constraint": (
        lambda x: (modifiers(x)[0].update(constraint_name="c"), x["distributions"].append(gaussian(0.5, 0.3))),
        "'norm' .normsys., constraint: got 'Gauss' and 'c'",
    ),
    "a constraint that does not exist": (lambda x: modifiers(x)[0].update(constraint="no"), "constraint: got 'no'"),
    "a half-open axis": (lambda x: x["domains"][0]["axes"][0].pop("max"), "domain of 'mu': got one end"),
    "differences": (
        lambda x: modifiers(x)[1].update(data=DIFFERENCES),
        "'shape' .histosys.: got contents that may be",
    ),
    "two distributions of one name": (
        lambda x: x["distributions"].append(copy.deepcopy(x["distributions"][0])),
        "distributions: got 'model_SR' twice",
    ),
    "two data sets of one name": (lambda x: x["data"].append(x["data"][0]), "data: got 'd' twice"),
    "other edges": (
        lambda x: x["data"][0].update(axes=[{"name": "obs_SR", "edges": [0, 0.5, 2]}]),
        r"data 'd' .*, axes: got edges \[\[0.0, 0.5, 2.0\]\]",
    ),
    "another number of bins": (
        lambda x: x["data"][0].update(axes=[{"name": "obs_SR", "min": 0, "max": 2, "nbins": 3}]),
        "data 'd' .*, axes",
    ),
    "data of another observable": (
        lambda x: x["data"][0].update(axes=[AXES[0] | {"name": "mass"}]),
        r"data 'd' .*, axes: .* observables \['mass'\]; expected those of the distribution, \['obs_SR'\]",
    ),
    "errors of the data": (
        lambda x: x["data"][0].update(uncertainty={"sigma": [1, 1]}),
        "data 'd' .*key 'uncertainty'",
    ),
    "a later version": (lambda x: x["metadata"].update(hs3_version="1.0"), "hs3_version: got '1.0'"),
    "before 0.2": (lambda x: x.update(distributions={"model_SR": {}}), "distributions: got an object, as before"),
    "shapesys without a constraint": (
        lambda x: modifiers(x).append({k: v for k, v in SHAPE.items() if k != "constraint"}),
        "'ss' .shapesys., constraint: got None",
    ),
    "two analyses": (
        lambda x: x["analyses"].append({"name": "B", "likelihood": "L", "domains": ["default_domain"]}),
        "likelihood 'L': got 2 analyses: A, B",
    ),
    "an analysis of no likelihood": (
        lambda x: x["analyses"][0].update(likelihood="l"),
        "analysis 'A': .* likelihood 'l'; expected a known likelihood",
    ),
    "a prior": (lambda x: x["analyses"][0].update(prior="p"), "analysis 'A': got prior 'p'"),
    "two points, none named": (
        lambda x: x.update(parameter_points=[{"name": n, "parameters": []} for n in "ab"]),
        "parameter_points: got a, b",
    ),
}


REFUSED |= {
    "constraints that are too few": (
        lambda x: modifiers(x).append(SHAPE | {"constraints": [None]}),
        r"'ss' .shapesys., constraints: got \[None\]; expected a list of 2",
    ),
    "constraints of what has one": (
        lambda x: modifiers(x)[0].update(constraints=[None, None]),
        r"'norm' .normsys., constraints: got .* expected one 'constraint'",
    ),
    "two interpolations": (
        lambda x: (
            modifiers(x).append(modifiers(x)[0] | {"name": "n", "parameter": "alpha_n"}),
            modifiers(x)[0].update(interpolation=1),
        ),
        "'n' .normsys., interpolation: got 'code4', where 'code1' is that of another normsys",
    ),
    "two piecewise linear factors": (
        lambda x: (
            modifiers(x).append(modifiers(x)[0] | {"name": "n", "parameter": "alpha_n"}),
            x["distributions"][0].update(default_interpolation={"type": "add", "in": "poly1", "out": "poly1"}),
        ),
        "sample 'bkg': got 2 piecewise linear normsys, whose sum ROOT takes",
    ),
    "an interpolation of factors for templates": (
        lambda x: x["distributions"][0].update(default_interpolation={"type": "mult", "in": "poly6", "out": "exp"}),
        "'shape' .histosys., interpolation: got {'type': 'mult'",
    ),
    "a function that is not smooth": (lambda x: function(x, "floor(a)"), "formula 'mu': got function 'floor'"),
    "a function of itself": (lambda x: function(x, "1 + mu"), "function 'mu': got itself"),
    "a function that cannot be parsed": (lambda x: function(x, "1 +"), "function 'mu': got invalid syntax"),
    "a function that grows without end": (
        lambda x: (
            function(x, "f9 * f9"),
            x["functions"].extend(
                {"name": f"f{i}", "type": "product", "factors": [f"f{i - 1}"] * 4} for i in range(1, 10)
            ),
        ),
        "function 'mu': got more than 1000 functions in it",
    ),
    "a function of another type": (
        lambda x: (function(x, "a"), x["functions"][0].update(type="interpolation")),
        "function 'mu', type|function 'mu': got type 'interpolation'",
    ),
    "a custom factor that is nothing": (
        lambda x: x["distributions"][0]["samples"][0]["modifiers"].append({"name": "nobody", "type": "custom"}),
        "'nobody' .custom.: got 'nobody', which is no function of the file",
    ),
    "a second constraint": (
        lambda x: (x["likelihoods"][0].update(aux_distributions=["c"]), x["distributions"].append(gaussian(1, 0.2))),
        "auxiliary distribution 'c': got a second constraint of 'alpha_norm'",
    ),
    "a function of what the file does not have": (
        lambda x: function(x, "1 + alpha_nrom"),
        "functions: got parameter 'alpha_nrom'; expected a parameter of the file; did you mean 'alpha_norm'",
    ),
    "a function with a constraint": (
        lambda x: (
            function(x, "1 + alpha_norm"),
            x["distributions"][0]["samples"][0]["modifiers"][0].update(constraint="Gauss"),
        ),
        "'mu' .normfactor., constraint: got 'Gauss' of a function",
    ),
    "a function twice": (
        lambda x: (
            function(x, "1 + alpha_norm"),
            x["distributions"][0]["samples"][0]["modifiers"].append({"name": "mu", "type": "custom"}),
        ),
        "sample 'sig': got function 'mu' twice",
    ),
    "γ of two sets": (
        lambda x: modifiers(x).extend([STAT, STAT | {"name": "other"}]),
        "'other' .staterror., parameters: got 'gamma_stat_SR_bin_0', which is in set 'st'",
    ),
    "a constraint beside those of each bin": (
        lambda x: modifiers(x).append(SHAPE | {"constraints": [None, None]}),
        "'ss' .shapesys., constraint: got 'Poisson' beside 'constraints'",
    ),
    "a second constraint of γ": (
        lambda x: (
            modifiers(x).append(STAT),
            x["likelihoods"][0].update(aux_distributions=["c"]),
            x["distributions"].append(gaussian(1, 0.2, x="gamma_stat_SR_bin_1")),
        ),
        "auxiliary distribution 'c': got a second constraint of 'gamma_stat_SR_bin_1'",
    ),
    "a covariance that is none": (
        lambda x: (
            x["likelihoods"][0].update(aux_distributions=["c"]),
            x["distributions"].append(NORMAL | {"covariances": [[1]]}),
        ),
        "distribution 'c': got 'x', 'mean' and 'covariances' of different sizes",
    ),
    "an auxiliary distribution of another type": (
        lambda x: (
            x["likelihoods"][0].update(aux_distributions=["c"]),
            x["distributions"].append({"name": "c", "type": "lognormal_dist"}),
        ),
        "auxiliary distribution 'c', type: got 'lognormal_dist'",
    ),
    "a constraint around what moves": (
        lambda x: (modifiers(x)[0].update(constraint="c"), x["distributions"].append(gaussian("mu", 1.0))),
        "'norm' .normsys., constraint: got 'c', a gaussian_dist of alpha_norm around mu",
    ),
    "several at once": (
        lambda x: (
            modifiers(x)[0].update(constraint="LogNormal"),
            modifiers(x)[1].update(interpolation=1),
            x["domains"][0]["axes"][0].pop("max"),
        ),
        "got 'LogNormal'; .* 2 more obstacles: 'shape' .histosys.: interpolation 1; domain of 'mu': one end",
    ),
}


@pytest.mark.parametrize("change", REFUSED)
def test_what_would_be_another_likelihood_is_refused(change):
    spec = base()
    REFUSED[change][0](spec)
    with pytest.raises(InputError, match=REFUSED[change][1]) as error:
        from_hs3(spec, shape_errors="absolute")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


READ = {
    "linear normsys": (lambda x: modifiers(x)[0].update(interpolation=0), [77.163, 86.737], None),
    "linear histosys": (lambda x: modifiers(x)[1].update(interpolation="lin"), [76.506, 86.074], None),
    "the channel's interpolation": (
        lambda x: x["distributions"][0].update(default_interpolation={"type": "add", "in": "poly1", "out": None}),
        [77.296, 87.004],
        None,
    ),
    "a narrow and shifted constraint": (
        lambda x: (modifiers(x)[0].update(constraint="c"), x["distributions"].append(gaussian(0.5, 0.3))),
        EXPECTED,
        -11.437443,
    ),
    "an auxiliary Gaussian of a factor": (
        lambda x: (
            x["likelihoods"][0].update(aux_distributions=["c"]),
            x["distributions"].append(gaussian(1.0, 0.2, x="mu")),
        ),
        EXPECTED,
        -12.664194 - 0.5 * (0.3 / 0.2) ** 2 - np.log(0.2 * np.sqrt(2 * np.pi)),
    ),
    "an auxiliary Gaussian of a function": (
        lambda x: (
            x["likelihoods"][0].update(aux_distributions=["c"]),
            x["distributions"].append(gaussian(2.0, 0.2, x="f")),
            x.update(
                functions=[
                    {"name": "f", "type": "product", "factors": ["mu", 2, "g"]},
                    {"name": "g", "type": "sum", "summands": ["alpha_norm"]},
                ]
            ),
        ),
        EXPECTED,
        -12.664194 - 0.5 * ((1.3 * 2 * 0.7 - 2) / 0.2) ** 2 - np.log(0.2 * np.sqrt(2 * np.pi)),
    ),
    "a multivariate normal of functions": (
        lambda x: (
            x["likelihoods"][0].update(aux_distributions=["c"]),
            x["distributions"].append(NORMAL),
            x.update(
                functions=[
                    {"name": "f", "type": "generic_function", "expression": "2*mu - 1."},
                    {"name": "g", "type": "generic_function", "expression": "f * alpha_norm"},
                ]
            ),
        ),
        EXPECTED,
        -12.664194
        - 0.5 * np.array([1.1, 1.62]) @ np.linalg.solve([[0.5, 0.2], [0.2, 0.3]], [1.1, 1.62])
        - 0.5 * np.log((2 * np.pi) ** 2 * (0.5 * 0.3 - 0.2**2)),
    ),
    "a constant factor with a constraint": (
        lambda x: (
            modifiers(x).append({"name": "Lumi", "parameter": "Lumi", "type": "normfactor", "constraint_name": "c"}),
            x["distributions"].append(gaussian(1.0, 0.02, x="Lumi")),
            x["parameter_points"][0]["parameters"].append({"name": "Lumi", "value": 1.0, "const": True}),
        ),
        EXPECTED,
        -12.664194,
    ),
    "γ that are free": (
        lambda x: modifiers(x).append(SHAPE | {"constraint": None, "constraints": [None, None]}), EXPECTED, -12.664194
    ),
}  # fmt: skip
"""Ways to mean another likelihood, its expectations at :data:`POINT` and, where a constraint changes, log L there."""


@pytest.mark.parametrize("change", READ)
def test_what_means_another_likelihood_is_read_as_it_is_meant(change):
    spec = base()
    make, expected, log_prob = READ[change]
    make(spec)
    model, data, _ = from_hs3(spec, shape_errors="absolute")
    np.testing.assert_allclose(model.expected(POINT), expected, atol=5e-4)
    if log_prob is not None:
        assert float(model.log_prob(POINT, data)) == pytest.approx(log_prob, abs=2e-6)


def function(spec, text):
    """Let the factor mu be a function."""
    spec.update(functions=[{"name": "mu", "type": "generic_function", "expression": text}])


def test_a_factor_may_be_a_function():
    """(1 + a²) of the signal 12, 11, beside 49.775, 71.510 of the background (EXPECTED less 1.3 times the signal)."""
    spec = base()
    function(spec, "1 + a^2")
    spec["analyses"][0]["parameters_of_interest"] = ["a"]
    spec["domains"][0]["axes"].append({"name": "a", "min": 0, "max": 3})
    model, _, poi = from_hs3(spec)
    assert (poi, model.names) == ("a", ("a", "alpha_norm", "alpha_shape"))
    background = np.array(EXPECTED) - 1.3 * np.array([12.0, 11.0])
    at = {"a": 0.5, "alpha_norm": 0.7, "alpha_shape": -0.6}
    np.testing.assert_allclose(model.expected(at), background + 1.25 * np.array([12.0, 11.0]), atol=5e-4)
    assert {p.name: p.bounds for p in model.parameters}["a"] == (0, 3)
    spec["analyses"][0]["parameters_of_interest"] = ["mu"]
    with pytest.raises(InputError, match="parameter of interest: got parameter 'mu'"):
        from_hs3(spec)


def test_gammas_may_be_constant_each_and_below_a_threshold():
    """Of errors 3/50 = 0.06 and 4/52; ROOT holds what is below the channel's threshold."""
    spec = base()
    modifiers(spec).append({k: v for k, v in STAT.items() if k != "constraint"})
    spec["distributions"][0]["staterror"] = {"relThreshold": 0.07, "constraint_type": "Gauss"}
    spec["domains"][0]["axes"] += [{"name": f"gamma_stat_SR_bin_{b}", "min": 0.0, "max": 1.3} for b in (0, 1)]
    found = {p.name: p for p in from_hs3(spec).model.parameters}
    assert [found[f"gamma_stat_SR_bin_{b}"].fixed for b in (0, 1)] == [True, False]
    assert found["gamma_stat_SR_bin_1"].constraint.width == pytest.approx(4 / 52)
    spec["distributions"][0]["staterror"] = {"constraint_type": "Poisson"}
    points = [{"name": f"gamma_stat_SR_bin_{b}", "value": 1.0, "const": b == 1} for b in (0, 1)]
    spec["parameter_points"][0]["parameters"] += points
    found = {p.name: p for p in from_hs3(spec).model.parameters}
    assert [found[f"gamma_stat_SR_bin_{b}"].fixed for b in (0, 1)] == [False, True]
    assert found["gamma_stat_SR_bin_0"].constraint.tau == pytest.approx((50 / 3) ** 2)


@pytest.mark.parametrize("bounds", [False, True])
def test_poisson_staterror_is_a_count_of_simulated_events(bounds):
    """log L of γ profiled in closed form, and of explicit γ: P(τ; τγ) with τ = (Σ nominal)² / Σ errors², of two samples."""
    spec = base()
    for s in spec["distributions"][0]["samples"]:
        s["modifiers"].append(STAT | {"constraint": "Poisson"})
    spec["distributions"][0]["samples"][0]["data"]["errors"] = [1.0, 2.0]
    if bounds:
        spec["domains"][0]["axes"] += [{"name": f"gamma_stat_SR_bin_{b}", "min": 0.0, "max": 2.0} for b in (0, 1)]
    model, data, _ = from_hs3(spec)
    tau = np.array([62.0**2 / 10, 63.0**2 / 20])
    rate, n = np.array([76.37472822, 85.81011746]), np.array([75.0, 60.0])
    gamma = (n + tau) / (rate + tau)
    gammaln = np.vectorize(math.lgamma)
    terms = n * np.log(gamma * rate) - gamma * rate - gammaln(n + 1)
    terms += tau * np.log(tau * gamma) - tau * gamma - gammaln(tau + 1)
    normal = -0.5 * (0.7**2 + 0.6**2) - np.log(2 * np.pi)
    values = POINT | ({f"gamma_stat_SR_bin_{b}": gamma[b] for b in (0, 1)} if bounds else {})
    assert len(model.names) == (5 if bounds else 3)
    assert float(model.log_prob(values, data)) == pytest.approx(terms.sum() + normal, abs=1e-6)


def test_the_bounds_of_gamma_tell_whether_errors_are_relative():
    """1 + 5σ, as ROOT writes them; an option that contradicts them is refused."""
    spec = base()
    modifiers(spec).append(dict(SHAPE))
    axes = spec["domains"][0]["axes"]
    axes += [{"name": f"gamma_ss_bin_{b}", "min": 0.0, "max": 1 + 5 * e} for b, e in enumerate((5 / 50, 6 / 52))]
    tau = [p.constraint.tau for p in from_hs3(spec).model.parameters if p.name.startswith("gamma")]
    np.testing.assert_allclose(tau, [100.0, (52 / 6) ** 2])
    with pytest.raises(InputError, match=r"got relative errors, though the bounds of γ are 1 \+ 5σ of absolute"):
        from_hs3(spec, shape_errors="relative")
    modifiers(spec)[-1]["data"] = {"vals": [0.1, 6 / 52]}
    tau = [p.constraint.tau for p in from_hs3(spec).model.parameters if p.name.startswith("gamma")]
    np.testing.assert_allclose(tau, [100.0, (52 / 6) ** 2])


def test_a_file_that_root_wrote_means_what_root_means():
    """Errors are relative, staterror without a constraint is Poisson, shapesys without one Gaussian."""
    spec = base()
    modifiers(spec).extend([SHAPE | {"data": {"vals": [0.1, 0.1]}, "constraint": None}])
    spec["parameter_points"][0]["parameters"].append({"name": "gamma_ss_bin_0", "value": 1.0, "const": False})
    spec["parameter_points"][0]["parameters"].append({"name": "gamma_ss_bin_1", "value": 1.0, "const": True})
    with pytest.raises(InputError, match="bin_constraint='gauss' or bin_constraint='poisson'"):
        from_hs3(spec, shape_errors="relative")
    asked = from_hs3(spec, shape_errors="relative", bin_constraint="poisson").model.parameters
    assert {p.name: p for p in asked}["gamma_ss_bin_0"].constraint.tau == pytest.approx(100.0)
    spec["metadata"]["packages"] = [{"name": "ROOT", "version": "6.36.00"}]
    found = {p.name: p for p in from_hs3(spec).model.parameters}
    assert found["gamma_ss_bin_0"].constraint.width == pytest.approx(0.1)


def test_names_that_root_gives_where_the_file_says_none():
    spec = base()
    for m in modifiers(spec):
        del m["parameter"]
    assert from_hs3(spec).model.names == ("mu", "alpha_norm", "alpha_shape")
    modifiers(spec)[0]["name"] = "syst"
    for part in (spec["domains"][0]["axes"], spec["parameter_points"][0]["parameters"]):
        part[1]["name"] = "syst"  # a writer that names the parameter so
    assert from_hs3(spec).model.names == ("mu", "syst", "alpha_shape")


def test_a_name_is_that_of_a_likelihood_or_of_an_analysis():
    spec = base()
    spec["likelihoods"].insert(0, spec["likelihoods"][0] | {"name": "L_asimovData", "data": ["toy"]})
    spec["data"].append(spec["data"][0] | {"name": "toy", "contents": [62.0, 63.0]})
    assert likelihoods(spec) == ("L", "L_asimovData")
    assert from_hs3(spec).data.counts.tolist() == [75.0, 60.0]
    assert from_hs3(spec, likelihood="L_asimovData").data.counts.tolist() == [62.0, 63.0]
    spec["analyses"].append({"name": "B", "likelihood": "L", "parameters_of_interest": ["alpha_norm"]})
    assert [from_hs3(spec, likelihood=n).poi for n in ("A", "B")] == ["mu", "alpha_norm"]
    with pytest.raises(InputError, match=r"likelihood or analysis 'AA'.*known: "):
        from_hs3(spec, likelihood="AA")


def two_channels(first, second):
    spec = base()
    modifiers(spec).append(first)
    other = copy.deepcopy(spec["distributions"][0])
    other["name"], other["samples"][1]["modifiers"][-1] = "model_CR", second
    spec["distributions"].append(other)
    spec["data"].append({"name": "e", "type": "binned", "axes": AXES, "contents": [70.0, 65.0]})
    spec["likelihoods"][0].update(distributions=["model_SR", "model_CR"], data=["d", "e"])
    return spec


def test_errors_of_the_simulation_belong_to_their_channel():
    """Without parameters; with those of another channel they would be one, which a workspace cannot say."""
    own = [STAT | {"parameters": [f"g{c}0", f"g{c}1"]} for c in "ab"]
    one, two = (from_hs3(two_channels(*pair)) for pair in ((STAT, STAT), own))
    assert len(one.model.width) == 4
    np.testing.assert_allclose(one.model.width, [0.06, 4 / 52, 0.06, 4 / 52])
    assert float(one.model.log_prob(POINT, one.data)) == float(two.model.log_prob(POINT, two.data))
    shared = STAT | {"parameters": ["g0", "g1"]}
    with pytest.raises(InputError, match="'g0' …, which act in distribution 'model_SR' too"):
        from_hs3(two_channels(shared, shared))


@pytest.mark.thorough
def test_gamma_of_shapesys_have_roots_names():
    """Their values, bounds and constness count, though the modifier lists no parameters."""
    spec = base()
    modifiers(spec).append(SHAPE)
    names = [f"gamma_ss_bin_{b}" for b in range(2)]
    spec["domains"][0]["axes"] += [{"name": n, "min": 0.0, "max": 1.5} for n in names]
    spec["parameter_points"][0]["parameters"] += [{"name": n, "value": 1.1, "const": True} for n in names]
    model, data, _ = from_hs3(spec, shape_errors="absolute")
    found = {p.name: (p.init, p.bounds) for p in model.parameters}
    assert found["gamma_ss_bin_0"] == found["gamma_ss_bin_1"] == (1.1, (1.1, 1.1))
    for p in spec["parameter_points"][0]["parameters"][3:]:
        p["const"] = False
    model, data, _ = from_hs3(spec, shape_errors="absolute")
    assert {p.name: p.bounds for p in model.parameters}["gamma_ss_bin_1"] == (0.0, 1.5)
    assert fit(model, data).status == 0
    spec["domains"][0]["axes"].pop()
    with pytest.raises(InputError, match="parameters 'ss': got domains of 1 of 2 bins"):
        from_hs3(spec, shape_errors="absolute")


def test_the_analysis_says_domains_and_initial_values():
    spec = base()
    spec["domains"].append({"name": "mine", "type": "product_domain", "axes": [{"name": "mu", "min": 0, "max": 1}]})
    held = [{"name": "mu", "value": 0.5}, {"name": "alpha_norm", "value": 1.0, "const": True}]
    spec["parameter_points"].append({"name": "held", "parameters": held})
    plain = {p.name: p for p in from_hs3(spec).model.parameters}
    assert (plain["mu"].init, plain["mu"].bounds) == (1.0, (-5.0, 10.0))
    for words in ({"domains": ["mine"], "init": "held"}, {"parameter_domain": "mine", "parameter_init": "held"}):
        spec["analyses"][0] = base()["analyses"][0] | words
        found = {p.name: p for p in from_hs3(spec).model.parameters}
        assert (found["mu"].init, found["mu"].bounds) == (0.5, (0.0, 1.0))
        assert found["alpha_norm"].bounds == (1.0, 1.0)
        assert found["alpha_shape"].bounds == (-5.0, 5.0)
    spec["analyses"][0]["parameter_init"] = "heldd"
    with pytest.raises(InputError, match="did you mean 'held'"):
        from_hs3(spec)


def places(node, here=()):
    yield here
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(child, (*here, key))


def mutations(spec):
    """Each node dropped, replaced by what it may not be, negative, given twice, or with a key that nobody knows."""
    wrong = {"null": None, "text": "text", "NaN": float("nan"), "list": [], "object": {}, "true": True, "large": 1e400}
    for path in [*places(spec)][1:]:
        *way, last = path

        def changed(change, way=way, last=last):
            made = copy.deepcopy(spec)
            node = made
            for key in way:
                node = node[key]
            change(node, last)
            return made

        value = spec
        for key in path:
            value = value[key]
        yield path, "drop", changed(lambda node, key: node.pop(key))
        for kind, other in wrong.items():
            if type(other) is not type(value):
                yield path, kind, changed(lambda node, key, other=other: node.__setitem__(key, other))
        if isinstance(value, (int, float)):
            yield path, "negative", changed(lambda node, key: node.__setitem__(key, -node[key] - 1))
        if isinstance(value, dict):
            yield path, "unknown key", changed(lambda node, key: node[key].update(nobody=1))
        if isinstance(last, int):
            yield path, "twice", changed(lambda node, key: node.append(node[key]))


def whole():
    spec = two_channels(STAT | {"parameters": ["g0", "g1"]}, SHAPE)
    spec["analyses"][0] |= {"domains": ["default_domain"], "init": "default_values"}
    spec["distributions"].append(gaussian(0, 1))
    modifiers(spec)[0]["constraint"] = "c"
    spec["distributions"][0]["staterror"] = {"relThreshold": 0.01, "constraint_type": "Gauss"}
    spec["distributions"][0]["samples"][0]["modifiers"].append({"name": "f", "type": "custom"})
    spec["functions"] = [
        {"name": "f", "type": "generic_function", "expression": "1 + 0.1*g"},
        {"name": "g", "type": "product", "factors": ["alpha_norm", 2.0]},
    ]
    spec["distributions"].append(NORMAL)
    spec["likelihoods"][0]["aux_distributions"] = ["c", "r"]
    spec["distributions"][-1] = NORMAL | {"name": "r"}
    return spec


@pytest.mark.thorough
def test_a_broken_file_is_one_line_and_never_an_internal_error():
    """Thousands of ways, up to where the arrays are filled; none that is of the wrong type is read."""
    counted = {}
    for path, kind, spec in mutations(json.loads(json.dumps(whole()))):
        try:
            hs3.read_hs3(spec, None, None, "absolute", None)
        except InputError as error:
            counted.setdefault(kind, []).append(str(error))
            continue
        except Exception as error:
            pytest.fail(f"{path}, {kind}: {error!r}")
        free = path[0] in ("metadata", "functions", "misc") or path[:2] == ("distributions", 2)  # not a channel
        assert kind in ("drop", "negative", "twice", "list", "object", "null") or free, (path, kind)
    lines = [line for told in counted.values() for line in told]
    assert len(lines) > 1000
    assert not [line for line in lines if "\n" in line or len(line) > 500]
    assert len(counted["NaN"]) > 100
    assert len(counted["unknown key"]) > 30


TO_PYHF = {
    "Poisson staterror": (STAT | {"constraint": "Poisson"}, "modifier 'st' .staterror.: got another constraint"),
    "Gaussian shapesys": (SHAPE | {"constraint": "Gauss"}, "modifier 'ss' .shapesys.: got another constraint"),
    "free shapesys": (
        SHAPE | {"constraint": None, "constraints": [None, None]},
        "modifier 'ss' .shapesys.: got constraint None of 'gamma_ss_bin_0'",
    ),
}


@pytest.mark.parametrize("change", TO_PYHF)
def test_what_a_workspace_cannot_say_is_not_written_as_one(change):
    spec, (modifier, message) = base(), TO_PYHF[change]
    modifiers(spec).append(modifier)
    model, data, poi = from_hs3(spec, shape_errors="absolute")
    with pytest.raises(InputError, match=message):
        to_pyhf(model, data, poi=poi)
    again = from_pyhf(to_pyhf(*from_hs3(base())[:2], poi="mu"))
    assert float(again.model.log_prob(POINT, again.data)) == pytest.approx(-12.664194, abs=2e-6)


@pytest.mark.parametrize("const", [False, True])
def test_a_gamma_without_error_is_known(const):
    """It is held at 1; its constraint is a constant as in pyhf, and none where the file holds it as ROOT does."""
    spec, plain = base(), base()
    modifiers(spec).append(SHAPE | {"data": {"vals": [5.0, 0.0]}})
    points = [{"name": f"gamma_ss_bin_{b}", "value": 1.0, "const": const and b == 1} for b in (0, 1)]
    spec["parameter_points"][0]["parameters"] += points
    spec["domains"][0]["axes"] += [{"name": f"gamma_ss_bin_{b}", "min": 0.0, "max": 2.0} for b in (0, 1)]
    model, data, _ = from_hs3(spec, shape_errors="absolute")
    assert {p.name: p.fixed for p in model.parameters if "ss" in p.name} == {
        "gamma_ss_bin_0": False,
        "gamma_ss_bin_1": True,
    }
    without, same, _ = from_hs3(plain)
    own = 100 * np.log(100) - 100 - math.lgamma(101)
    expected = float(without.log_prob(POINT, same)) + own - (not const)
    assert float(model.log_prob(POINT, data)) == pytest.approx(expected, abs=1e-9)
