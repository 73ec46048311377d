"""Few fits by NumPy give what the compiled program gives: −log L, parameters, ends, significance and limit."""

import sys

import numpy as np
import pytest

from likelihoods import realistic
from verax.errors import InputError
from verax.infer import breakdown, fit, goodness_of_fit, interval, limit, profile, ranking, significance
from verax.infer._evaluate import few
from verax.model import DataSets, code0, code1, code2
from verax.workspace import from_pyhf
from workspaces import EXAMPLES, MU, sample, workspace


def a_bin_of_zero_rate():
    """The second bin expects nothing unless there is signal, and sees nothing: the rate of a fit below zero ends there."""
    samples = [sample("s", [5.0, 4.0], MU), sample("b", [50.0, 0.0], ("n", "normsys", {"hi": 1.1, "lo": 0.9}))]
    bounds = {"name": "mu", "inits": [1.0], "bounds": [[-5.0, 10.0]]}
    return from_pyhf(workspace({"c": samples}, parameters=[bounds], observations={"c": [45.0, 0.0]}))


def codes(shape, factor):
    effects = [
        ("h", "histosys", {"hi_data": [104.0, 57.0, 41.0], "lo_data": [97.0, 61.0, 38.0]}),
        ("n", "normsys", {"hi": 1.1, "lo": 0.95}),
    ]
    samples = [sample("s", [20.0, 30.0, 5.0], MU), sample("b", [100.0, 60.0, 40.0], *effects)]
    return from_pyhf(workspace({"c": samples}, observations={"c": [131, 80, 41]}), histosys=shape, normsys=factor)


def simulation():
    model = realistic()
    counts = np.round(np.asarray(model.expected({"mu": 1.3})) + 3.0)
    return model, type(data := model.asimov({}))(counts, data.auxiliary), "mu"


CASES = {
    "gamma of all processes": simulation,
    "codes 0 and 1": lambda: codes(code0, code1),
    "code 2": lambda: codes(code2, code1),
    "zero rate": a_bin_of_zero_rate,
    **{
        name: (lambda name=name: from_pyhf(EXAMPLES[name]))
        for name in ("shapesys", "staterror of some samples", "everything")
    },
}


def answers(model, data, poi):
    best = fit(model, data)
    ends = interval(model, data, poi, best=best)
    z = significance(model, data, poi, best=best)
    upper = limit(model, data, poi)
    return best, ends, z, upper


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "shapesys" else pytest.mark.thorough) for name in CASES]
)
def test_numpy_and_the_compiled_program_agree(name, monkeypatch):
    model, data, poi = CASES[name]()
    assert few(model, DataSets.of(data))
    best, ends, z, upper = answers(model, data, poi)
    monkeypatch.setattr(sys.modules[few.__module__], "FEW_FITS", 0)
    assert not few(model, DataSets.of(data))
    compiled, its_ends, its_z, its_upper = answers(model, data, poi)
    sigma = compiled.error[model.names.index(poi)]
    assert best.status == compiled.status
    assert best.nll == pytest.approx(float(compiled.nll), rel=1e-10)
    scale = np.where(compiled.error > 0, compiled.error, 1.0)
    np.testing.assert_allclose((best.value - compiled.value) / scale, 0.0, atol=1e-6)
    np.testing.assert_allclose(best.error, compiled.error, rtol=1e-6)
    assert (ends.status, z.status, upper.status) == (its_ends.status, its_z.status, its_upper.status)
    for a, b in ((ends.low, its_ends.low), (ends.high, its_ends.high), (upper.observed, its_upper.observed)):
        assert a == pytest.approx(float(b), abs=1e-6 * sigma)
    np.testing.assert_allclose(upper.expected, its_upper.expected, atol=1e-6 * sigma)
    assert z.z == pytest.approx(float(its_z.z), abs=1e-6)


@pytest.mark.parametrize("name", ["gamma of all processes", "staterror of some samples"])
def test_a_best_fit_that_is_known_changes_no_answer(name):
    model, data, poi = CASES[name]()
    best = fit(model, data)
    before = best.value.copy()
    for question in (interval, significance, ranking):
        with_it, without = question(model, data, poi, best=best), question(model, data, poi)
        np.testing.assert_equal(vars(with_it), vars(without))  # to the last bit; NaN, of toys that are none, is NaN
    values = np.array([0.5, 1.5])
    assert profile(model, data, poi, values, best=best).t.tolist() == profile(model, data, poi, values).t.tolist()
    assert breakdown(model, data, poi, best=best).rows == breakdown(model, data, poi).rows
    known, found = goodness_of_fit(model, data, best=best), goodness_of_fit(model, data)
    assert (known.statistic, known.p_error, known.status) == (found.statistic, found.p_error, found.status)
    assert (best.value == before).all()


def test_a_best_fit_of_another_model_is_refused():
    model, data, poi = simulation()
    other = from_pyhf(EXAMPLES["shapesys"])
    best = fit(other.model, other.data)
    for question in (interval, significance, breakdown, ranking):
        with pytest.raises(InputError, match=r"a fit of 1 data sets with .* parameters"):
            question(model, data, poi, best=best)


def test_a_best_fit_of_other_data_or_with_others_fixed_is_refused():
    model, data, poi = simulation()
    other = type(data)(data.counts + 20.0, data.auxiliary)
    name = next(n for n in model.names if n != poi)
    best = fit(model, data)
    wrong = {
        "other data": (fit(model, other), None),
        "other parameters fixed": (best, {name: best.params[name] + 1.0}),
        "other parameters fixed ": (fit(model, data, fixed={name: best.params[name] + 0.5}), None),
        "without covariance": (fit(model, data, covariance=False), None),
    }
    for got, (known, fixed) in wrong.items():
        for question in (interval, significance, breakdown, ranking):
            with pytest.raises(InputError, match=got.strip()):
                question(model, data, poi, best=known, fixed=fixed)
