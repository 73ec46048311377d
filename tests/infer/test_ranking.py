import importlib

import numpy as np
import pytest

from likelihoods import realistic
from verax.errors import InputError
from verax.infer import fit, ranking
from verax.model import Data


@pytest.fixture(scope="module")
def case():
    model = realistic()
    data = model.asimov({"mu": 1.2})
    data = Data(data.counts + np.array([9.0, -7, 3, 5, -4, 8, -2]), data.auxiliary)
    return model, data, ranking(model, data, "mu"), fit(model, data)


def test_impacts_are_refits(case):
    model, data, ranked, best = case
    for k, name in enumerate(ranked.names):
        i = model.names.index(name)
        for sign, change in ((1, ranked.up[k]), (-1, ranked.down[k])):
            held = fit(model, data, fixed={name: best.value[i] + sign * best.error[i]})
            assert change == pytest.approx(held.params["mu"] - best.params["mu"], abs=3e-4 * best.error[0])


def test_impacts_follow_the_correlation(case):
    """To first order the post-fit impact is the correlation times σ."""
    _, _, ranked, best = case
    expected = best.correlation[0, 1:] * best.error[0]
    np.testing.assert_allclose(0.5 * (ranked.up - ranked.down), expected, atol=0.05 * best.error[0])


def test_pulls(case):
    _, _, ranked, best = case
    assert ranked.names == ("norm", "theta0", "theta1", "theta2", "theta3")
    assert ranked.groups[1] == "experiment/leptons"
    np.testing.assert_allclose(ranked.pull[1:], best.value[2:])
    np.testing.assert_allclose(ranked.pull_error[1:], best.error[2:])
    assert (ranked.pull_error[1:] < 1).all()
    assert np.isnan([ranked.pull[0], ranked.prefit_up[0], ranked.prefit_down[0]]).all()
    assert (abs(ranked.prefit_up[1:]) >= abs(ranked.up[1:]) - 1e-6).all()
    assert (ranked.status == 0).all()


def test_bad_requests(case):
    model, data, *_ = case
    with pytest.raises(InputError, match="did you mean 'mu'"):
        ranking(model, data, "muu")
    with pytest.raises(InputError, match="one data set"):
        ranking(model, Data(data.counts[None], data.auxiliary[None]), "mu")


def test_many_refits_at_once_are_the_same(case, monkeypatch):
    """By batched L-BFGS, in which each fit has another parameter fixed, as large models are ranked."""
    model, data, ranked, best = case
    newton, evaluate = (importlib.import_module(f"verax.infer.{name}") for name in ("_newton", "_evaluate"))
    monkeypatch.setattr(evaluate, "FEW_FITS", 0)
    monkeypatch.setattr(newton, "BATCHED_FROM", 8)
    batched, used = newton._quasi_newton, []
    monkeypatch.setattr(newton, "_quasi_newton", lambda *a: used.append(found := batched(*a)) or found)
    at_once = ranking(model, data, "mu", best=best)
    assert used
    assert all(found.converged.all() for found in used)
    for name in ("up", "down", "prefit_up", "prefit_down"):
        np.testing.assert_allclose(getattr(at_once, name), getattr(ranked, name), atol=3e-4 * best.error[0])
