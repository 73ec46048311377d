"""Rates that are functions of parameters, and penalties on such functions: by hand, by differences, by a known fit."""

import pickle
from dataclasses import replace

import jax
import numpy as np
import pytest

from verax.errors import InputError
from verax.infer import fit, goodness_of_fit
from verax.model import (
    Data,
    JointLikelihood,
    Penalty,
    _exact_hessian,  # its bound is lowered
    binned_likelihood,
    example_templates,
    formula,
)
from verax.run import describe
from verax.workspace import from_pyhf, to_pyhf
from workspaces import MU, sample, workspace

TEXTS = [
    "a * b + 2 * a**2 - b / 3",
    "(1. - a * (0.188) - b * (0.167)) / (0.161)",
    "exp(a) * log(b) + sqrt(a * b) + b**a",
    "where(a > 0.5, a**3, a) + minimum(a, b) - maximum(a, 2 * b) + abs(a - b)",
    "tanh(a) / cosh(b) + sinh(b) + arctan(a * b) + sin(a) - cos(b) + log10(a) + log1p(b) - expm1(a * b)",
    "2 + 0 * a",
    "-a**1 + a**0",
]


@pytest.mark.parametrize("text", TEXTS)
def test_derivatives_of_a_formula_are_those_of_differences(text):
    f, rng, h = formula("f", text), np.random.default_rng(1), 1e-4
    x = rng.uniform(0.6, 1.4, len(f.parameters))

    def at(x):
        return dict(zip(f.parameters, x, strict=True))

    found = f.jet(at(x))
    assert float(found.value) == pytest.approx(float(f(at(x))), rel=1e-14)
    for i, step in enumerate(h * np.eye(len(x))):
        slope = (f(at(x + step)) - f(at(x - step))) / (2 * h)
        assert float(found.slope[i]) == pytest.approx(float(slope), rel=1e-6, abs=1e-7)
        bend = (f.jet(at(x + step)).slope - f.jet(at(x - step)).slope) / (2 * h)
        np.testing.assert_allclose(found.curvature[i], bend, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("floor(a)", "function 'floor'; expected a function with derivatives"),
        ("a > 1", "true or false; expected a number"),
        ("a == 'x'", "text beside 'a'"),
        ("foo(a)", "did you mean"),
        ("__import__('os')", "a known function"),
    ],
)
def test_what_is_no_smooth_function_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        formula("f", text)


def coupling(text="c**2", processes=("signal",), **options):
    factors = {"c": (), "k": ("background",)}
    return binned_likelihood(example_templates(), free=factors, functions={text: processes}, **options)


BENT, COUNTED = "c**2 - 0.1 * k + jes * c", Data(np.array([59.0, 53.0]), np.array([0.0, 0.0, 1.0, 1.0]))


def test_a_coupling_has_the_fit_that_follows_by_hand():
    """λ = c² s + b in one bin: ĉ = √((n − b)/s) and σ(c) = σ(μ) / 2ĉ with σ(μ) = √n / s."""
    one = from_pyhf(workspace({"a": [sample("s", [8.0], MU), sample("b", [50.0])]}, observations={"a": [82.0]}))
    model = replace(
        one.model, normfactor_mask=np.array([[[0.0], [0.0]], [[1.0], [0.0]]]), functions=(formula("sq", "mu**2"),)
    )
    best = fit(model, one.data)
    assert best.status == 0
    assert float(best.params["mu"]) == pytest.approx(2.0, abs=1e-6)
    assert float(best.error[0]) == pytest.approx(np.sqrt(82) / 8 / 4, rel=1e-6)
    assert model.convex_in == ()
    assert model.batched() is None
    with pytest.raises(InputError, match="'sq', a function of parameters"):
        to_pyhf(model, one.data, poi="mu")
    toys = fit(model, replace(one.data, counts=np.array([[82.0], [58.0]]), auxiliary=np.zeros((2, 0))))
    np.testing.assert_allclose(toys.value[:, 0], [2.0, 1.0], atol=1e-5)


def all_kinds():
    """γ of a part, factors of cells, shapes, and functions of each kind of parameter on two processes."""
    shape = ("n", "histosys", {"hi_data": [55.0, 57.0], "lo_data": [44.0, 61.0]})
    signal = sample("s", [9.0, 6.0], MU, ("n", "normsys", {"hi": 1.2, "lo": 0.7}), ("e", "shapesys", [4.0, 2.0]))
    background = sample("b", [50.0, 60.0], shape, ("f", "shapefactor", None), ("k", "normfactor", None))
    found = from_pyhf(workspace({"a": [signal, background], "z": [sample("b", [20.0]), sample("s", [3.0], MU)]}))
    own = np.zeros((2, 2, 2))
    own[0, 0, :], own[1, :, 1] = 1.0, 1.0
    functions = (formula("first", "mu**2 + 0.1 * k * n"), formula("second", "exp(0.1 * n) + f_0 / k"))
    names = {"f[0]": "f_0", "f[1]": "f_1"}
    parameters = tuple(replace(p, name=names.get(p.name, p.name)) for p in found.model.parameters)
    mask = np.concatenate([np.asarray(found.model.normfactor_mask), own])
    return replace(found.model, parameters=parameters, normfactor_mask=mask, functions=functions), found.data


@pytest.mark.parametrize(
    "make",
    [
        all_kinds,
        lambda: (coupling(BENT), COUNTED),
    ],
)
def test_exact_derivatives_are_those_of_differences_and_of_jax(make):
    model, data = make()
    penalty = Penalty(
        (formula("x", f"{model.names[0]} * {model.names[1]}"), formula("y", model.names[2])),
        (0.5, 0.1),
        ((0.3, 0.1), (0.1, 0.2)),
    )
    model = replace(model, penalties=(penalty,))
    theta = np.array([p.init for p in model.parameters]) + np.random.default_rng(2).uniform(0.05, 0.3, len(model.names))
    at, h = model.derivatives(theta, data), 1e-5
    assert float(at.nll) == pytest.approx(-float(model.log_density(theta, data)), rel=1e-13)
    for i, step in enumerate(h * np.eye(len(theta))):
        above, below = (model.derivatives(theta + s * step, data) for s in (1, -1))
        assert float(at.gradient[i]) == pytest.approx(float(above.nll - below.nll) / (2 * h), rel=1e-5, abs=1e-5)
        np.testing.assert_allclose(at.hessian[i], (above.gradient - below.gradient) / (2 * h), rtol=1e-5, atol=1e-4)
    with jax.enable_x64(True):
        compiled = jax.jit(lambda m, t, d: m.derivatives(t, d))(model, theta, data)
    for name in ("nll", "gradient", "hessian", "rate_curvature", "scale"):
        np.testing.assert_allclose(getattr(compiled, name), getattr(at, name), rtol=1e-9, atol=1e-9)
    slopes = np.asarray(model.gamma_slopes(theta, data))
    for i, step in enumerate(h * np.eye(len(theta))):
        both = [
            np.asarray(model.profiled(dict(zip(model.names, theta + s * step, strict=True)), data)) for s in (1, -1)
        ]
        np.testing.assert_allclose(slopes[:, i], (both[0] - both[1]) / (2 * h), atol=1e-6)


@pytest.mark.thorough
def test_functions_go_with_widths_that_follow_the_rates():
    """Combine's convention, whose derivatives are those of JAX: the gradient is that of differences."""
    model, h = coupling(BENT, convention="combine"), 1e-5
    with jax.enable_x64(True):
        theta = jax.numpy.asarray([1.1, 1.05, 0.1, 0.2])
        at = model.derivatives(theta, COUNTED)
        for i, step in enumerate(h * np.eye(4)):
            above, below = (float(model.log_density(theta + s * step, COUNTED)) for s in (1, -1))
            assert float(at.gradient[i]) == pytest.approx((below - above) / (2 * h), rel=1e-6)


def test_a_parameter_acts_where_its_functions_do():
    model, _ = all_kinds()
    acts = dict(zip(model.names, model.regions.acts.T.tolist(), strict=True))
    assert acts["k"] == [True, True]
    assert acts["f_0"] == [True, True]
    assert acts["f_1"] == [True, False]


def test_a_penalty_by_hand():
    """Counts of 100 and 120 with factors a and b, and (a − b)/0.05 normal: the fit is that of weighted squares."""
    spec = workspace(
        {"x": [sample("p", [1e6], ("a", "normfactor", None))], "y": [sample("q", [1e6], ("b", "normfactor", None))]},
        observations={"x": [1.000e6], "y": [1.004e6]}, poi="a",
    )  # fmt: skip
    one, sigma = from_pyhf(spec), 1e-3
    penalty = Penalty((formula("kink", "a - b"),), (0.0,), ((sigma**2,),))
    model = replace(one.model, penalties=(penalty,))
    best = fit(model, one.data)
    covariance = np.diag([1e-6, 1e-6]) + 0.0
    precision = np.linalg.inv(covariance) + np.array([[1, -1], [-1, 1]]) / sigma**2
    expected = np.linalg.solve(precision, np.linalg.inv(covariance) @ [1.0, 1.004])
    np.testing.assert_allclose(best.value, expected, atol=2e-5)
    np.testing.assert_allclose(best.covariance, np.linalg.inv(precision), rtol=5e-3)
    value = {"a": 1.0, "b": 1.002}
    normal = -0.5 * (2e-3 / sigma) ** 2 - np.log(sigma * np.sqrt(2 * np.pi))
    assert model.log_prob(value, one.data) - one.model.log_prob(value, one.data) == pytest.approx(normal, rel=1e-9)
    joint = JointLikelihood([model, replace(model, channels=("v", "w"))])
    both = joint.join([one.data, one.data])
    assert joint.log_prob(value, both) == pytest.approx(2 * one.model.log_prob(value, one.data) + normal, rel=1e-12)
    found = goodness_of_fit(model, one.data)
    residual = float(best.value[0] - best.value[1])
    assert found.channels.shared == pytest.approx((residual / sigma) ** 2, rel=1e-6)
    assert float(found.statistic) == pytest.approx(
        float(found.channels.statistic.sum()) + found.channels.shared, rel=1e-9
    )


def test_a_penalty_that_is_none_is_refused():
    f = formula("f", "a")
    with pytest.raises(InputError, match="symmetric, positive definite"):
        Penalty((f, f), (0.0, 0.0), ((1.0, 2.0), (2.0, 1.0)))
    with pytest.raises(InputError, match="1 means; expected 2 of each"):
        Penalty((f, f), (0.0,), ((1.0, 0.0), (0.0, 1.0)))
    with pytest.raises(InputError, match=r"function 'd': got parameter 'd'"):
        coupling("d")


@pytest.mark.parametrize(
    ("text", "processes", "linear"),
    [
        ("2 * c + k / 3", ("signal",), True),
        ("c**2", ("signal",), False),
        ("c * (1 - c)", ("signal",), False),
        ("exp(jes) * c", ("signal",), True),
        ("k", ("background",), None),
    ],
)
def test_rates_are_linear_in_a_parameter_where_its_functions_are(text, processes, linear):
    """So that fits need not look for other minima along it; a factor beside a function of itself is not linear."""
    names = coupling(text, processes).convex_in
    assert ("c" in names) == (linear is not False)
    assert ("k" in names) == (linear is not None)


def test_models_are_told_apart_by_the_text_of_their_functions():
    """As folders of toys and stages tell them, and other processes are sent them."""
    one, same, other = (coupling(text) for text in ("c**2", "c**2", "c**3"))
    assert describe(one) == describe(same) != describe(other)
    sent = pickle.loads(pickle.dumps(one.functions))
    assert sent == one.functions
    assert float(sent[0]({"c": 3.0})) == 9.0


def test_many_factors_have_the_derivatives_of_few(monkeypatch):
    """Products without two of the factors, by division: with factors of zero, none, one and two in a process."""
    names = [f"k{i}" for i in range(6)]
    samples = [
        sample("s", [9.0], *((n, "normfactor", None) for n in names[:4])),
        sample("b", [30.0], *((n, "normfactor", None) for n in names[2:])),
    ]
    model, data, _ = from_pyhf(workspace({"a": samples}, poi="k0"))
    for values in ([1.3, 0.7, 1.1, 0.9, 1.2, 0.8], [1.3, 0.0, 1.1, 0.9, 1.2, 0.8], [0.0, 0.0, 1.1, 0.9, 1.2, 0.0]):
        theta = np.array([dict(zip(names, values, strict=True))[n] for n in model.names])
        monkeypatch.setattr(_exact_hessian, "FEW_FACTORS", 16)
        few = model.derivatives(theta, data).hessian
        monkeypatch.setattr(_exact_hessian, "FEW_FACTORS", 0)
        np.testing.assert_allclose(model.derivatives(theta, data).hessian, few, rtol=1e-13, atol=1e-13)
