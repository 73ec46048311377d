"""Models with two valleys: every answer is that of the lower one, by dense scans and by a referee with many starts."""

import sys

import jax
import numpy as np
import pytest

from valley_models import Referee, random_workspace
from verax.infer import (
    breakdown,
    cls,
    fit,
    interval,
    limit,
    profile,
    ranking,
    sample_toys,
    scan2d,
    significance,
)
from verax.infer._evaluate import bounds
from verax.infer._newton import minimise
from verax.model import Data, DataSets
from verax.results import Status
from verax.workspace import from_pyhf
from workspaces import MU, sample, validation, workspace

RANGE = {"name": "mu", "inits": [1.0], "bounds": [[-10.0, 10.0]]}


def histosys(name, down, up):
    return (name, "histosys", {"hi_data": up, "lo_data": down})


def normsys(name, down, up):
    return (name, "normsys", {"hi": up, "lo": down})


def made(channels, data, parameters=(RANGE,)):
    model, observed, _ = from_pyhf(workspace(channels, parameters=parameters, observations=data))
    return model, observed


def one_bin(effect):
    return made({"c": [sample("s", [10.0], MU), sample("b", [100.0], effect)]}, {"c": [130.0]})


def same_histosys():
    return one_bin(histosys("h", [120.0], [120.0]))


def same_normsys():
    return one_bin(normsys("h", 1.2, 1.2))


def with_control_region():
    channels = {
        "SR": [
            sample("s", [10.0, 20.0], MU),
            sample("b", [80.0, 60.0], normsys("gen", 1.15, 1.15), normsys("x", 0.95, 1.05)),
        ],
        "CR": [sample("b", [500.0], normsys("x", 0.95, 1.05))],
    }
    return made(channels, {"SR": [98.0, 85.0], "CR": [505.0]})


def unequal_sides():
    effect = histosys("h", [116.9, 118.5], [125.2, 119.8])
    return made({"c": [sample("s", [18.5, 18.6], MU), sample("b", [102.0, 102.4], effect)]}, {"c": [139.0, 149.0]})


@pytest.mark.parametrize(
    ("make", "z"),
    [(same_histosys, 1.309), (same_normsys, 1.295), (with_control_region, 1.834), (unequal_sides, 2.177)],
)
def test_significance_is_that_of_the_lower_valley(make, z):
    """From dense scans of the nuisance parameters."""
    model, data = make()
    found = significance(model, data, "mu")
    assert found.status == 0
    assert found.z == pytest.approx(z, abs=1e-3)


def test_no_saddle_is_a_minimum():
    """At h = 0 the gradient vanishes, the curvature is negative: t(0) = 1.714 at h = ±1.147, the low end .712."""
    model, data = same_histosys()
    conditional = fit(model, data, fixed={"mu": 0.0})
    assert conditional.status == 0
    assert abs(conditional.params["h"]) == pytest.approx(1.147, abs=1e-3)
    assert profile(model, data, "mu", np.array([0.0])).t[0] == pytest.approx(1.714, abs=1e-3)
    assert interval(model, data, "mu").low == pytest.approx(0.712, abs=1e-3)


def test_a_global_fit_leaves_the_saddle():
    channels = {
        "c": [sample("b", [100.0], histosys("h", [120.0], [120.0]))],
        "d": [sample("t", [100.0], ("k", "normfactor", None))],
    }
    k = {"name": "k", "inits": [1.0], "bounds": [[0.0, 10.0]]}
    model, data, _ = from_pyhf(workspace(channels, parameters=[k], poi="k", observations={"c": [130.0], "d": [100.0]}))
    best = fit(model, data)
    assert best.status == 0
    assert 2 * best.nll == pytest.approx(16.70, abs=0.01)
    assert abs(best.params["h"]) == pytest.approx(1.147, abs=1e-3)


def test_a_saddle_that_no_other_start_leaves_is_reported(monkeypatch):
    """Without further attempts the status says that the point is no minimum, with and without covariances."""
    monkeypatch.setattr("verax.infer._newton.VALLEY_ROUNDS", 0)
    model, data = same_histosys()
    start = np.array([[0.0, 0.0]])
    for covariance in (True, False):
        there = minimise(
            model, DataSets.of(data), start, np.array([[False, True]]), covariance=covariance, batched=False
        )
        assert there.theta[0, 1] == 0.0
        assert there.status[0] == 2


def test_the_median_limit_is_that_of_the_lower_valley():
    assert limit(*with_control_region(), "mu").expected[2] == pytest.approx(1.333, abs=1e-3)


def test_one_parameter_in_two_channels(shared):
    """pyhf's own validation model: at μ = 1.05 the lower minimum is at h = −.47, and the limit is 1.319, not 1.050."""
    model, data, _ = from_pyhf(validation(shared / "workspaces" / "pyhf_validation")["2bin_2channel_coupledhisto"])
    assert profile(model, data, "mu", np.array([1.05])).t[0] == pytest.approx(2.050, abs=1e-3)
    found = limit(model, data, "mu")
    assert found.observed == pytest.approx(1.319, abs=1e-3)
    assert found.expected[2] == pytest.approx(0.979, abs=1e-3)


def test_background_only_fit_of_unequal_sides():
    effect = histosys("h", [40.8, 76.1], [40.0, 67.5])
    model, data = made({"c": [sample("s", [11.2, 16.9], MU), sample("b", [56.8, 93.2], effect)]}, {"c": [35.0, 73.0]})
    conditional = fit(model, data, fixed={"mu": 0.0})
    assert 2 * conditional.nll == pytest.approx(14.989, abs=1e-3)
    assert conditional.params["h"] == pytest.approx(-1.19, abs=0.01)


@pytest.fixture(scope="module", params=range(6))
def judged(request):
    """A random model, the referee, and how to ask both for the least −log L at some μ."""
    spec = random_workspace(np.random.default_rng([7, request.param]), 2, 3)
    model, data, _ = from_pyhf(spec)
    return model, data, Referee(spec, seed=request.param)


@pytest.mark.thorough
def test_every_question_meets_the_lower_valley(judged):
    """Two channels, three systematics; the referee has 50 starts, and its likelihood judges our points as well."""
    model, data, referee = judged
    order = [model.names.index(f"a{k}") for k in range(3)]

    def least(mu):
        ours = fit(model, data, fixed={} if mu is None else {"mu": mu})
        value = float(referee.nll(ours.value[0], ours.value[order]))
        found = referee.least(mu)[0]
        assert value < found + 1e-6
        return min(value, found)

    best, found = least(None), interval(model, data, "mu")
    assert fit(model, data).nll == pytest.approx(best, abs=1e-6)
    assert abs(significance(model, data, "mu").z) == pytest.approx(np.sqrt(max(2 * (least(0.0) - best), 0)), abs=1e-3)
    for end in (found.low, found.high):
        assert np.sqrt(2 * (least(float(end)) - best)) == pytest.approx(1.0, abs=1e-3)
    grid = np.linspace(float(found.low), float(found.high), 4)
    for mu, t in zip(grid, profile(model, data, "mu", grid).t, strict=True):
        assert t == pytest.approx(2 * (least(float(mu)) - best), abs=1e-4)


@pytest.mark.thorough
def test_toys_meet_the_lower_valley(judged):
    """Many data sets go another way down; here four of 64, best fits and those without signal."""
    model, data, referee = judged
    drawn = sample_toys(jax.random.key(5), model, fit(model, data).params, 64)
    order = [model.names.index(f"a{k}") for k in range(3)]
    columns = np.argsort(np.argsort(order))
    for mu, fixed in ((None, {}), (0.0, {"mu": 0.0})):
        many = fit(model, drawn, fixed=fixed, covariance=False)
        assert (many.status <= 1).all()
        for k in range(4):
            referee.counts, referee.auxiliary = np.asarray(drawn.counts[k]), np.asarray(drawn.auxiliary[k])[columns]
            assert many.nll[k] < referee.least(mu)[0] + 1e-4


@pytest.mark.parametrize(
    ("number", "shape", "fixed"), [(7034, (1, 3), {}), (147, (1, 4), {}), (5034, (2, 3), {"mu": 0.0})]
)
def test_a_fit_finds_its_way_along_the_ends_of_rates(number, shape, fixed):
    """Best fits that press rates of empty bins against zero: none of many starts of the referee is lower."""
    spec = random_workspace(np.random.default_rng([20, number]), *shape)
    model, data, _ = from_pyhf(spec)
    referee = Referee(spec, seed=number)
    found = fit(model, data, fixed=fixed)
    assert found.status <= Status.AT_BOUND
    at = np.array([found.params[name] for name in ("mu", *(f"a{k}" for k in range(referee.n)))])
    assert referee.nll(at[0], at[1:]) == pytest.approx(found.nll, abs=1e-4)
    assert found.nll < referee.least(fixed.get("mu"))[0] + 1e-5


def test_breakdown_ranking_contours_and_tests_meet_it():
    """Where h must be ±1.147, μ = 0 is 1.309 σ away in each question that profiles h."""
    model, data = same_histosys()
    frozen = breakdown(model, data, "mu", method="freeze").rows
    total = next(row for row in frozen if row.name == "total")
    assert total.down == pytest.approx(3.0 - 0.7124, abs=2e-3)
    moved = ranking(model, data, "mu")
    # h held at ±σ̂ needs less signal: both sides agree, as the sides of its template do
    assert moved.up[0] == pytest.approx(moved.down[0], abs=1e-6)
    contour = scan2d(model, data, ("mu", "h"), (np.array([0.0]), np.array([-1.147, 0.0, 1.147])))
    t = np.ravel(contour.t)
    assert t[0] == pytest.approx(1.714, abs=2e-3)
    assert t[1] == pytest.approx(8.213, abs=2e-3)
    tested = cls(model, data, "mu", np.array([1.0]))
    best, at = fit(model, data).nll, fit(model, data, fixed={"mu": 1.0}).nll
    assert tested.q[0] == pytest.approx(0.0 if 3.0 > 1.0 else 2 * (at - best), abs=1e-9)


def test_an_ordinary_model_is_not_searched_twice(monkeypatch):
    """The test for another valley is silent where up and down go opposite ways: no fit is tried again."""
    calls = []
    module = sys.modules[minimise.__module__]
    nearest = module._newton
    monkeypatch.setattr(module, "_newton", lambda *a: calls.append(1) or nearest(*a))
    model, data = one_bin(histosys("h", [110.0], [90.0]))
    start = np.array([[1.0, 0.0]])
    minimise(model, DataSets.of(data), start, np.ones((1, 2), bool), limits=bounds(model))
    assert len(calls) == 1


@pytest.mark.thorough
def test_the_answer_does_not_depend_on_the_batch():
    model, _ = unequal_sides()
    drawn = sample_toys(jax.random.key(2), model, {"mu": 1.0}, 70)
    together = fit(model, drawn, covariance=False)
    part = fit(model, Data(drawn.counts[:64], drawn.auxiliary[:64]), covariance=False)
    np.testing.assert_array_equal(together.value[:64], part.value)
