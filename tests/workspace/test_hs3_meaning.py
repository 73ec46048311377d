"""HS3 files that mean something else than the default: read as it is meant, or refused by name; never internal errors.

The right numbers of each variant are those of the standard's text (version 0.2) and of ROOT's writer, by hand.
"""

import copy
import json

import numpy as np
import pytest

from verax.errors import InputError
from verax.infer import fit
from verax.workspace import _hs3 as hs3
from verax.workspace import from_hs3, from_pyhf

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


@pytest.mark.parametrize("change", SAME)
def test_the_same_written_otherwise(change):
    spec = base()
    SAME[change](spec)
    model, data, _ = from_hs3(spec)
    one, same, _ = from_hs3(base())
    np.testing.assert_allclose(model.expected(POINT), EXPECTED, atol=5e-4)
    assert float(model.log_prob(POINT, data)) == float(one.log_prob(POINT, same))


REFUSED = {
    "linear normsys": (lambda x: modifiers(x)[0].update(interpolation=0), "norm. .normsys., interpolation: got 0"),
    "linear histosys": (lambda x: modifiers(x)[1].update(interpolation=0), "'shape' .histosys., interpolation: got 0"),
    "the channel's interpolation": (
        lambda x: x["distributions"][0].update(default_interpolation={"type": "add", "in": "poly1", "out": None}),
        "'norm' .normsys., interpolation: got {'type': 'add'.*1 more obstacles: 1 × .histosys., interpolation",
    ),
    "constraints of each bin": (
        lambda x: modifiers(x).append(SHAPE | {"constraints": [None, None]}),
        r"'ss' .shapesys., constraints: got \[None, None\]",
    ),
    "a narrow constraint": (
        lambda x: (modifiers(x)[0].update(constraint_name="c"), x["distributions"].append(gaussian(0.5, 0.3))),
        "'norm' .normsys., constraint: got 'Gauss' and 'c'",
    ),
    "a narrow constraint alone": (
        lambda x: (modifiers(x)[0].update(constraint="c"), x["distributions"].append(gaussian(0.0, 0.3))),
        "'norm' .normsys., constraint: got 'c'; expected 'Gauss'",
    ),
    "a shifted constraint": (
        lambda x: (modifiers(x)[0].update(constraint="c"), x["distributions"].append(gaussian(0.5, 1.0))),
        "'norm' .normsys., constraint: got 'c'",
    ),
    "a constraint that does not exist": (lambda x: modifiers(x)[0].update(constraint="no"), "constraint: got 'no'"),
    "a half-open axis": (lambda x: x["domains"][0]["axes"][0].pop("max"), "domain of 'mu': got one end"),
    "a function as a factor": (
        lambda x: x.update(functions=[{"name": "mu", "type": "generic_function", "expression": "1 + a"}]),
        "'mu' .normfactor., parameter: got 'mu', a generic_function",
    ),
    "a threshold of the channel": (
        lambda x: x["distributions"][0].update(staterror={"relThreshold": 0.05, "constraint_type": "Poisson"}),
        "distribution 'model_SR', staterror: got {'relThreshold'",
    ),
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
    "no version": (lambda x: x.pop("metadata"), "hs3_version: got None"),
    "before 0.2": (lambda x: x.update(distributions={"model_SR": {}}), "distributions: got an object, as before"),
    "shapesys without a constraint": (
        lambda x: modifiers(x).append({k: v for k, v in SHAPE.items() if k != "constraint"}),
        "'ss' .shapesys., constraint: got None",
    ),
    "γ that are some constant": (
        lambda x: (
            modifiers(x).append(STAT | {"parameters": ["g0", "g1"]}),
            x["parameter_points"][0]["parameters"].extend(
                [{"name": "g0", "value": 1.0, "const": True}, {"name": "g1", "value": 1.0}]
            ),
        ),
        "parameters 'g': got some constant, some not",
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
    "auxiliary distributions": (
        lambda x: (x["likelihoods"][0].update(aux_distributions=["c"]), x["distributions"].append(gaussian(1, 0.2))),
        "likelihood 'L': got auxiliary distributions",
    ),
    "two points, none named": (
        lambda x: x.update(parameter_points=[{"name": n, "parameters": []} for n in "ab"]),
        "parameter_points: got a, b",
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
    assert found["ss[0]"] == found["ss[1]"] == (1.1, (1.1, 1.1))
    for p in spec["parameter_points"][0]["parameters"][3:]:
        p["const"] = False
    model, data, _ = from_hs3(spec, shape_errors="absolute")
    assert {p.name: p.bounds for p in model.parameters}["ss[1]"] == (0.0, 1.5)
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
    return spec


@pytest.mark.thorough
def test_a_broken_file_is_one_line_and_never_an_internal_error():
    """Thousands of ways, up to where the arrays are filled; none that is of the wrong type is read."""
    counted = {}
    for path, kind, spec in mutations(json.loads(json.dumps(whole()))):
        try:
            hs3.hs3_to_pyhf(spec, shape_errors="absolute")
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


@pytest.mark.thorough
def test_files_of_others(shared):
    """pyhs3's examples: the same as their pyhf twins, where Lumi is constant."""
    for name in ("correlated", "uncorrelated"):
        stem = shared / "hs3" / f"simplemodel_{name}-background"
        one = from_hs3(f"{stem}_hs3.json", likelihood="simPdf_obsData", shape_errors="absolute")
        two = from_pyhf(f"{stem}_hifa.json")
        assert list(one.data.counts) == list(two.data.counts)
        least = [float(fit(x.model, x.data, fixed={"mu": 0.5}).nll) for x in (one, two)]
        assert least[0] == pytest.approx(least[1], abs=1e-6)


@pytest.mark.parametrize("name", ["base", "i_analysis_domain", "i_init_point_const", "stat_noparams_2ch"])
def test_variants_that_are_read(name, shared):
    model, _, _ = from_hs3(shared / "hs3" / "variants" / f"{name}.json")
    np.testing.assert_allclose(model.expected(POINT)[:2], EXPECTED, atol=5e-4)
    found = {p.name: p for p in model.parameters}
    assert found["mu"].bounds == ((0, 1) if name == "i_analysis_domain" else (-5, 10))
    assert (found["alpha_norm"].init, found["alpha_norm"].fixed) == ((1, True) if "init" in name else (0, False))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("d_shapesys_constraints_gauss", "'ss' .shapesys., constraints"),
        ("dupdist", "'model_SR' twice"),
        ("e_constraint_name_nonstd", "'norm' .normsys., constraint"),
        ("h3_aux", "auxiliary distributions"),
        ("interp_int0_histosys", "'shape' .histosys., interpolation: got 0"),
        ("interp_int0_normsys", "'norm' .normsys., interpolation: got 0"),
        ("q2_staterror_some_const", "some constant, some not"),
        ("root640", "'staterror' .staterror., constraint: got None"),
    ],
)
def test_variants_that_are_refused(name, message, shared):
    with pytest.raises(InputError, match=message):
        from_hs3(shared / "hs3" / "variants" / f"{name}.json", shape_errors="absolute")
