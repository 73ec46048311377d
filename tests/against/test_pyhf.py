"""pyhf and iminuit as referees: the exported workspace is the same likelihood, and its fit the same fit."""

import iminuit
import jax
import numpy as np
import pyhf
import pytest

from likelihoods import realistic
from verax.infer import fit, interval, sample_toys
from verax.model import Data
from verax.workspace import to_pyhf

# pyhf 0.7.6 still uses a part of jsonschema that is announced to go away
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema:DeprecationWarning")


class Exported:
    """A model, one pseudo-experiment, and pyhf's view of both."""

    def __init__(self):
        self.model = realistic()
        drawn = sample_toys(jax.random.key(8), self.model, {"mu": 1.3, "theta0": 0.7}, 1)
        auxiliary = drawn.auxiliary[0].copy()
        auxiliary[4:] = 1.0  # pyhf knows no other value for staterror
        self.data = Data(drawn.counts[0], auxiliary)
        self.workspace = pyhf.Workspace(to_pyhf(self.model, self.data, poi="mu"))
        self.pyhf = self.workspace.model()
        self.observed = np.asarray(self.workspace.data(self.pyhf))

    def vector(self, params, gamma):
        pars = np.array(self.pyhf.config.suggested_init())
        for name, value in params.items():
            pars[self.pyhf.config.par_slice(name)] = value
        first = 0
        for channel in self.model.channels:
            where = self.pyhf.config.par_slice(f"staterror_{channel}")
            pars[where] = gamma[first : first + where.stop - where.start]
            first += where.stop - where.start
        return pars

    def log_prob(self, params, gamma):
        return float(self.pyhf.logpdf(self.vector(params, gamma), self.observed)[0])


@pytest.fixture(scope="module")
def case():
    return Exported()


@pytest.fixture(scope="module")
def minuit(case):
    pars = np.array(case.pyhf.config.suggested_init())
    fitter = iminuit.Minuit(lambda x: -float(case.pyhf.logpdf(x, case.observed)[0]), pars)
    fitter.limits = case.pyhf.config.suggested_bounds()
    fitter.errordef, fitter.tol, fitter.strategy = 0.5, 1e-3, 2
    fitter.migrad()
    fitter.hesse()
    assert fitter.valid
    return fitter


def random_params(model, rng):
    values = [rng.uniform(0.2, 2.5), rng.uniform(0.6, 1.5), *rng.normal(0, 1.3, len(model.names) - 2)]
    return dict(zip(model.names, values, strict=True))


@pytest.mark.thorough
def test_log_likelihood_at_random_points(case):
    """Values, hence differences, agree to 1e-10 relative; γ̂ is where pyhf's likelihood is largest."""
    rng = np.random.default_rng(0)
    ours, theirs = [], []
    for _ in range(100):
        params = random_params(case.model, rng)
        gamma = case.model.profiled(params, case.data)
        ours.append(float(case.model.log_prob(params, case.data)))
        theirs.append(case.log_prob(params, gamma))
        for factor in (1 - 1e-3, 1 + 1e-3):
            assert case.log_prob(params, gamma * factor) < theirs[-1]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-10)


def test_expected_events(case):
    rng = np.random.default_rng(1)
    for _ in range(10):
        params = random_params(case.model, rng)
        theirs = case.pyhf.expected_actualdata(case.vector(params, np.ones(7)))
        np.testing.assert_allclose(case.model.expected(params), theirs, rtol=1e-12)


def test_fit_against_minuit(case, minuit):
    best = fit(case.model, case.data)
    index = case.pyhf.config.par_slice("mu").start
    assert abs(best.params["mu"] - minuit.values[index]) < 1e-3 * best.error[0]
    assert best.error[0] == pytest.approx(minuit.errors[index], rel=0.01)
    assert best.nll <= minuit.fval + 1e-6
    for name in case.model.names:
        i, j = case.model.names.index(name), case.pyhf.config.par_slice(name).start
        assert abs(best.value[i] - minuit.values[j]) < 0.01 * best.error[i]
        assert best.error[i] == pytest.approx(minuit.errors[j], rel=0.01)


def test_interval_against_minos(case, minuit):
    index = case.pyhf.config.par_slice("mu").start
    minuit.minos(index, cl=0.6827)
    error = minuit.merrors[minuit.parameters[index]]
    found = interval(case.model, case.data, "mu")
    assert found.up == pytest.approx(error.upper, rel=0.01)
    assert found.down == pytest.approx(-error.lower, rel=0.01)


def test_workspace_holds_what_was_asked(case):
    assert case.pyhf.config.poi_name == "mu"
    assert case.workspace.data(case.pyhf, include_auxdata=False) == case.data.counts.tolist()
    config = case.workspace.get_measurement()["config"]
    auxiliary = {p["name"]: p.get("auxdata") for p in config["parameters"]}
    assert auxiliary["theta0"] == [case.data.auxiliary[0]]
