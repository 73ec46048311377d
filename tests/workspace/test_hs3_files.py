"""Public files in HS3, kept outside of the project: likelihoods as by other programs or by hand, or what is in the way."""

import json
import math

import numpy as np
import pytest

from verax import questions
from verax.errors import InputError
from verax.infer import fit
from verax.workspace import from_hs3, from_pyhf

POINT = {"mu": 1.3, "alpha_norm": 0.7, "alpha_shape": -0.6}
EXPECTED = [76.375, 85.810]
"""Of the variants' base."""


@pytest.mark.thorough
def test_files_of_others(shared):
    """pyhs3's examples: the same as their pyhf twins, where Lumi is constant; the bounds of γ tell of absolute errors."""
    for name in ("correlated", "uncorrelated"):
        stem = shared / "hs3" / f"simplemodel_{name}-background"
        one = from_hs3(f"{stem}_hs3.json", likelihood="simPdf_obsData")
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
    ("name", "options", "expected", "log_prob"),
    [
        ("e_constraint_name_nonstd", {}, EXPECTED, -11.437443),
        ("h3_aux", {}, EXPECTED, -13.098694),
        ("interp_int0_histosys", {}, [76.506, 86.074], None),
        ("interp_int0_normsys", {}, [77.163, 86.737], None),
        ("q2_staterror_some_const", {}, EXPECTED, None),
        ("root640", {}, None, None),
    ],
)
def test_variants_that_mean_another_likelihood(name, options, expected, log_prob, shared):
    model, data, _ = from_hs3(shared / "hs3" / "variants" / f"{name}.json", **options)
    if expected is not None:
        np.testing.assert_allclose(model.expected(POINT)[:2], expected, atol=5e-4)
    if log_prob is not None:
        assert float(model.log_prob(POINT, data)) == pytest.approx(log_prob, abs=2e-6)
    found = {p.name: p for p in model.parameters}
    if name == "q2_staterror_some_const":
        assert [found[f"gamma_{b}"].fixed for b in (0, 1)] == [True, False]
    if name == "root640":
        assert found["gamma_stat_SR_bin_0"].constraint.tau == pytest.approx((50 / 3) ** 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("d_shapesys_constraints_gauss", "'ss' .shapesys., constraint: got 'g0C', a gaussian_dist of nom_g0 around g0"),
        ("dupdist", "'model_SR' twice"),
    ],
)
def test_variants_that_are_refused(name, message, shared):
    with pytest.raises(InputError, match=message):
        from_hs3(shared / "hs3" / "variants" / f"{name}.json", shape_errors="absolute")


def test_named_constraints_of_each_bin(shared):
    """Normal densities of γ around global observables at 1, of width 0.1: by hand at γ = 1.05 and 1."""
    spec = json.loads((shared / "hs3" / "variants" / "d_shapesys_constraints_gauss.json").read_text())
    spec["parameter_points"][0]["parameters"] += [{"name": f"nom_g{b}", "value": 1.0, "const": True} for b in (0, 1)]
    model, data, _ = from_hs3(spec)
    assert [p.constraint.width for p in model.parameters if p.name in ("g0", "g1")] == [0.1, 0.1]
    value = float(model.log_prob(POINT, data))
    assert value == pytest.approx(-12.664194 - 2 * np.log(0.1 * np.sqrt(2 * np.pi)), abs=2e-6)
    background = EXPECTED[0] - 1.3 * 12
    change = 75 * np.log(1 + 0.05 * background / EXPECTED[0]) - 0.05 * background - 0.5 * (0.05 / 0.1) ** 2
    assert float(model.log_prob(POINT | {"g0": 1.05}, data)) == pytest.approx(value + change, abs=1e-3)


def test_pyhs3_and_root_say_the_same(shared):
    """log L by pyhs3 0.4.2 of both likelihoods of its examples, at the parameters that it was asked at."""
    at = {"mu": 1.3, "alpha_correlated_bkg_uncertainty": -0.6, "uncorr_bkguncrt_0": 1.03, "uncorr_bkguncrt_1": 0.95}
    known = {"correlated": (-7.407445, -11.091410), "uncorrelated": (-13.030815, -16.819626)}
    for name, values in known.items():
        for likelihood, value in zip(("simPdf_asimovData", "simPdf_obsData"), values, strict=True):
            file = shared / "hs3" / f"simplemodel_{name}-background_hs3.json"
            model, data, _ = from_hs3(file, likelihood=likelihood)
            here = {k: x for k, x in at.items() if k in model.names}
            assert float(model.log_prob(here, data)) == pytest.approx(value, abs=1e-6)


def log_poisson(n, rate):
    return float(np.sum(n * np.log(rate) - rate - np.vectorize(math.lgamma)(np.asarray(n) + 1.0)))


@pytest.mark.parametrize(
    ("name", "constraint", "width"),
    [
        ("histfactory_hl", None, [0.05, 0.1]),
        ("rf515_hfJSON", "poisson", [0.05, 0.1]),
        ("paper_histfactory", "gauss", [0.05, 0.1]),
        ("sample_staterror_shapesys_HS3", "poisson", [0.125**0.5 / 20, (0.25 + 0.13**2) ** 0.5 / 13]),
    ],
)
def test_files_of_others_by_hand(name, constraint, width, shared):
    """log L at the initial values, γ of staterror at γ̂: counts, constraints of γ, three unit Gaussians or Poisson errors."""
    path, sample = shared / "hs3" / f"{name}.json", name.startswith("sample")
    options = {"shape_errors": "absolute"} if sample else {}
    if constraint is not None:
        with pytest.raises(InputError, match="bin_constraint='gauss' or bin_constraint='poisson'"):
            from_hs3(path, **options)
    model, data, poi = from_hs3(path, bin_constraint=constraint, **options)
    assert poi == "mu"
    gamma, width = np.asarray(model.profiled({}, data)), np.array(width)
    background = np.array([20.0, 13.0] if sample else [100.0, 100.0])
    signal, n = (np.array(x) for x in (([3, 2], [22, 15]) if sample else ([20, 10], [122, 112])))
    expected = log_poisson(n, signal + gamma * background)
    if constraint == "gauss":
        expected -= float((0.5 * ((gamma - 1) / width) ** 2 + np.log(width * np.sqrt(2 * np.pi))).sum())
    else:
        expected += log_poisson(width**-2, gamma * width**-2)
    errors = (np.array([12.0, 7.0]) / [3.4, 1.2]) ** 2
    expected += log_poisson(errors, errors) if sample else -1.5 * np.log(2 * np.pi)
    assert float(model.log_prob({}, data)) == pytest.approx(expected, abs=1e-6)


ATLAS = {1: (1.10766, 0.15253), 2: (1.02381, 0.14998), 3: (1.06679, 0.15157), 4: (0.97430, 0.13316)}
"""ROOT's fit of the four parameters of interest: values and errors."""


@pytest.mark.thorough
def test_a_public_likelihood_of_atlas_has_roots_fit(shared):
    """All of its 10,000 modifiers, custom factors, and a multivariate normal of functions; within 2 % of σ."""
    free = ["!dPhi*_mu", "!alpha_EG*", "!gamma_stat_reg_4l_SF*"]
    found = questions.answer("fit", str(shared / "hs3" / "atlas_ttz_dphi.hs3.json.gz"), fixed=["*", *free])
    assert found.content["status"] == "OK"
    for i, (value, error) in ATLAS.items():
        name = f"dPhi_ttbar_Z_Bin_00{i}_mu"
        assert found.content["parameters"][name] == pytest.approx(value, abs=0.02 * error)
        assert found.content["errors"][name] == pytest.approx(error, rel=0.02)
    assert found.warnings == [
        "parameter of interest 'dPhi_ttbar_Z_Bin_001_mu', the first of 4: "
        "dPhi_ttbar_Z_Bin_002_mu, dPhi_ttbar_Z_Bin_003_mu, dPhi_ttbar_Z_Bin_004_mu",
        "measurement 'simPdf_obsData', the default; --measurement takes another one: simPdf_asimovData",
    ]


OBSTACLES = {
    "unbinned/unbinned_mixture_extended": ["'model_channel1'", "'mixture_dist'", "'observed_channel'", "'unbinned'"],
    "rf501_simultaneouspdf": [
        "no list 'data'",
        "no list 'likelihoods'",
        "'mixture_dist'",
        "'gaussian_dist'",
        "'px_ctl'",
    ],
    "combine_long_exercise_part1_nosys": [
        "'product_dist'",
        "'poisson_dist'",
        "'CMS::process_normalization'",
        "'unbinned'",
    ],
    "nondefault_points_domains": ["no list 'distributions'", "no list 'data'", "no list 'likelihoods'"],
    "unbinned/binned_gauss": ["'model_channel', type: got 'gaussian_dist'; expected 'histfactory_dist'"],
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_is_no_histfactory_is_refused_with_all_that_is_in_the_way(name, shared):
    with pytest.raises(InputError) as error:
        from_hs3(shared / "hs3" / f"{name}.json")
    assert all(part in str(error.value) for part in OBSTACLES[name]), str(error.value)
    assert "\n" not in str(error.value)
