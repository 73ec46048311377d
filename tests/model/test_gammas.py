"""γ of single bins after a fit, against a fit in which they are held."""

import numpy as np
import pytest

from verax.infer import fit
from verax.model import Data, fitted_gammas
from verax.workspace import from_pyhf
from workspaces import MU, sample, workspace


def measured():
    background = [("st", "staterror", [6.0, 7.0]), ("n", "normsys", {"hi": 1.1, "lo": 0.9})]
    own = [("sh", "shapesys", [5.0, 4.0])]
    channels = {
        "SR": [sample("s", [12.0, 0.0], MU), sample("b", [100.0, 60.0], *background), sample("c", [30.0, 20.0], *own)]
    }
    return from_pyhf(workspace(channels, observations={"SR": [151.0, 75.0]}))


@pytest.mark.parametrize("bins", [{"st": "staterror"}, {"sh": "shapesys"}])
def test_errors_and_impacts_are_those_of_fits_with_one_held(bins):
    """σ from the curvature of −log L along one γ; the change of μ where it is held at γ̂ ± σ (linear to 5 %)."""
    (name, kind) = next(iter(bins.items()))
    modifiers = {"staterror": [(name, kind, [6.0, 7.0])], "shapesys": [(name, kind, [5.0, 4.0])]}[kind]
    norm = ("n", "normsys", {"hi": 1.1, "lo": 0.9})
    spec = workspace(
        {"SR": [sample("s", [12.0, 0.0], MU), sample("b", [100.0, 60.0], norm, *modifiers)]},
        observations={"SR": [121.0, 63.0]},
    )
    model, data, _ = from_pyhf(spec)
    best = fit(model, data)
    found = fitted_gammas(model, data, best)
    assert found.names == ("γ SR[0]", "γ SR[1]")
    for b, (value, error) in enumerate(zip(found.value, found.error, strict=True)):
        held = {sign: held_at(model, data, best, b, value + sign * error) for sign in (-1, 0, 1)}
        assert held[0].nll == pytest.approx(0.0, abs=1e-6)
        rise = 0.5 * (held[1].nll + held[-1].nll)
        assert rise == pytest.approx(0.5, rel=0.05)
        change = 0.5 * (held[1].params["mu"] - held[-1].params["mu"])
        expected = found.covariance[b, best.names.index("mu")] / error
        assert change == pytest.approx(expected, rel=0.05, abs=1e-3)


class Held:
    def __init__(self, nll, params):
        self.nll, self.params = nll, params


def held_at(model, data, best, b, value):
    """The fit with γ of bin b known, −log L less the best, the constraint term of γ put back by hand."""
    which = np.arange(model.width.size) == b
    known, same = model.freeze_profiled(best.params, data, which)
    n = model.n_constraints
    auxiliary = np.array(same.auxiliary)
    auxiliary[n + b] = value
    at = fit(known, Data(same.counts, auxiliary))
    observed, tau, width = data.auxiliary[n + b], float(model.tau[b]), float(model.width[b])

    def constraint(gamma):
        return tau * gamma - observed * np.log(gamma) if tau > 0 else 0.5 * ((gamma - observed) / width) ** 2

    def full(result, gamma, data_of, model_of):
        return -float(model_of.log_prob(result.params, data_of)) + constraint(gamma)

    best_gamma = float(model.profiled(best.params, data)[b])
    reference, there = model.freeze_profiled(best.params, data, which)
    least = fit(reference, there)
    return Held(
        full(at, value, Data(same.counts, auxiliary), known) - full(least, best_gamma, there, reference), at.params
    )


def test_each_kind_is_named_and_poisson_ones_are_in_units_of_gamma():
    model, data, _ = measured()
    best = fit(model, data)
    found = fitted_gammas(model, data, best)
    assert (found.value > 0.5).all()
    assert found.observed == pytest.approx(1.0)
    assert (found.error < found.prior * 1.001).all()
    assert len(found.groups) == len(found.names)
