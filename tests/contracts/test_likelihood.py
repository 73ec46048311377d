"""What every likelihood promises; a new one joins by one line in ``LIKELIHOODS``."""

import jax
import numpy as np
import pytest
from scipy.stats import binom

from likelihoods import counting, make_templates, realistic
from likelihoods_unbinned import Peak
from verax.errors import InputError
from verax.infer import (
    Estimate,
    breakdown,
    campaign,
    cls,
    expected_error,
    fit,
    interval,
    limit,
    profile,
    ranking,
    sample_toys,
    significance,
)
from verax.model import JointLikelihood, binned_likelihood
from verax.results import good
from verax.workspace import from_pyhf
from workspaces import MU, sample, workspace

RANGE = {"name": "mu", "inits": [1.0], "bounds": [[-5.0, 10.0]]}


def combine_convention():
    templates = make_templates(
        [[20.0, 30.0], [100.0, 60.0]],
        variance=[[4.0, 9.0], [25.0, 16.0]],
        systematics=[("jes", [[22.0, 31.0], [104.0, 57.0]], [[18.0, 29.0], [96.0, 63.0]])],
    )
    bounds = {"mu": (-5.0, 10.0)}
    return binned_likelihood(templates, free={"mu": ("signal",)}, bounds=bounds, convention="combine")


def from_a_workspace():
    effects = [("jes", "histosys", {"hi_data": [104.0, 57.0], "lo_data": [96.0, 63.0]})]
    samples = [
        sample("s", [20.0, 30.0], MU),
        sample("b", [100.0, 60.0], *effects, ("u", "shapesys", [5.0, 6.0]), ("e", "staterror", [4.0, 3.0])),
    ]
    return from_pyhf(workspace({"c": samples}, parameters=[RANGE]))[0]


def joint():
    """A peak, and a control region of the same background in two bins."""
    shifted = ([[2.1, 2.9], [52.0, 88.0]], [[1.9, 3.1], [48.0, 92.0]])
    templates = make_templates(
        [[2.0, 3.0], [50.0, 90.0]], variance=[[0.0, 0.0], [4.0, 9.0]], systematics=[("shift", *shifted)]
    )
    free = {"mu": ("signal",), "norm": ("background",)}
    return JointLikelihood([Peak(), binned_likelihood(templates, free=free)])


LIKELIHOODS = {
    "counting": lambda: counting(relative_error=0.05),
    "binned": realistic,
    "binned, Combine's convention": combine_convention,
    "from a workspace": from_a_workspace,
    "unbinned peak over background": Peak,
    "joint binned + unbinned": joint,
}
TRUTH = {"mu": 1.2}


@pytest.fixture(scope="module", params=LIKELIHOODS)
def model(request):
    return LIKELIHOODS[request.param]()


@pytest.fixture(scope="module")
def data(model):
    return sample_toys(jax.random.key(3), model, TRUTH, 1)[0]


def curvature(model, data, params):
    """−∂∂ log L by differences of its values: [parameter, parameter]."""
    at, h = np.array([params.get(p.name, p.init) for p in model.parameters]), 1e-3
    n = len(at)
    unit = h * np.eye(n)
    pairs = (
        unit[:, None, None] * np.array([1, 1, -1, -1])[:, None]
        + unit[None, :, None] * np.array([1, -1, 1, -1])[:, None]
    )
    with jax.enable_x64(True):
        values = jax.jit(jax.vmap(model.log_density, (0, None)))(at + pairs.reshape(-1, n), data)
    return -np.asarray(values).reshape(n, n, 4) @ [1, -1, -1, 1] / (4 * h * h)


def exact_error(model):
    """σ(μ) of the information: of the expected data, by differences."""
    return float(np.sqrt(np.linalg.inv(curvature(model, model.asimov(TRUTH), TRUTH))[0, 0]))


def test_asimov_data_are_fitted_by_the_parameters_that_made_them(model):
    shifts = zip(model.parameters, [0.3, -0.1, 0.2, -0.2, 0.2, 0.1], strict=False)
    truth = {p.name: p.init + shift for p, shift in shifts}
    best = fit(model, model.asimov(truth))
    assert best.status == 0
    for name, value in truth.items():
        assert best.params[name] == pytest.approx(value, abs=2e-4 * best.error[model.names.index(name)] + 1e-9)


@pytest.mark.thorough
def test_the_score_vanishes_on_average(model):
    """E[∂ log L/∂θ] = 0 at the truth: so it is for every normalised density, profiling γ apart."""
    n = 4000
    drawn = sample_toys(jax.random.key(5), model, TRUTH, n)
    with jax.enable_x64(True):
        theta = np.asarray(model.vector(TRUTH))
        score = jax.jit(jax.vmap(jax.grad(model.log_density), (None, drawn.axes)))(theta, drawn)
        score = np.asarray(score)
    pull = score.mean(0) / (score.std(0) / np.sqrt(n))
    assert abs(pull).max() < 4.5


def test_errors_are_those_of_the_information(model):
    """Fit, expected error, both breakdowns: all give the σ of the expected data; parts add to the total."""
    expected, sigma = model.asimov(TRUTH), exact_error(model)
    best = fit(model, expected)
    assert best.error[model.names.index("mu")] == pytest.approx(sigma, rel=2e-4)
    assert expected_error(model, "mu", TRUTH) == pytest.approx(sigma, rel=2e-4)
    shifted = {row.name: row.impact for row in breakdown(model, expected, "mu").rows}
    assert shifted["total"] == pytest.approx(sigma, rel=2e-4)
    assert np.hypot(shifted["statistical"], shifted["systematics"]) == pytest.approx(sigma, rel=2e-3)
    frozen = {row.name: row.impact for row in breakdown(model, expected, "mu", method="freeze").rows}
    assert frozen["total"] == pytest.approx(sigma, rel=2e-4)
    assert set(frozen) == set(shifted)


@pytest.mark.thorough
def test_profile_interval_and_significance_are_of_one_likelihood(model, data):
    best = fit(model, data)

    def t(mu):
        return 2 * (fit(model, data, fixed={"mu": mu}).nll - best.nll)

    found = interval(model, data, "mu")
    assert found.status <= 1
    assert t(float(found.high)) == pytest.approx(1.0, abs=2e-3)
    assert t(float(found.low)) == pytest.approx(1.0, abs=2e-3)
    values = np.array([0.5, float(found.high)])
    scan = profile(model, data, "mu", values)
    assert scan.t == pytest.approx([t(v) for v in values], abs=2e-4)
    z = significance(model, data, "mu")
    assert z.z == pytest.approx(np.sqrt(t(0.0)), abs=1e-4)


@pytest.mark.thorough
def test_limits_are_where_cls_falls_to_five_per_cent(model, data):
    found = limit(model, data, "mu")
    assert found.status <= 1
    assert cls(model, data, "mu", np.array([float(found.observed)])).observed[0] == pytest.approx(0.05, abs=1e-4)
    assert (np.diff(found.expected) > 0).all()


def test_rankings_are_refits(model, data):
    if len(model.names) == 1:
        pytest.skip("nothing else to rank")
    table, best = ranking(model, data, "mu"), fit(model, data)
    for k, name in enumerate(table.names):
        moved = best.params[name] + best.error[model.names.index(name)]
        there = fit(model, data, fixed={name: moved})
        change = there.params["mu"] - best.params["mu"]
        assert table.up[k] == pytest.approx(change, abs=2e-4 * best.error[model.names.index("mu")])


@pytest.mark.thorough
def test_a_batch_is_its_data_sets_one_by_one(model):
    drawn = sample_toys(jax.random.key(7), model, TRUTH, 3)
    together, alone = fit(model, drawn), [fit(model, drawn[i]) for i in range(3)]
    assert together.nll == pytest.approx([float(f.nll) for f in alone], abs=1e-7)
    ends = interval(model, drawn, "mu")
    assert ends.low == pytest.approx([float(interval(model, drawn[i], "mu").low) for i in range(3)], abs=1e-5)


@pytest.mark.thorough
def test_intervals_cover(model):
    """Of 600 toys; the width is that of the information."""
    n = 600
    found = campaign(jax.random.key(11), model, TRUTH, n, Estimate("mu"))
    _, sigma, low, high = found.values[good(found.status)].T
    assert found.failed <= 0.01 * n
    covered = int(((low <= TRUTH["mu"]) & (TRUTH["mu"] <= high)).sum())
    assert binom.ppf(1e-4, len(low), 0.67) <= covered <= binom.ppf(1 - 1e-4, len(low), 0.70)
    assert np.median(sigma) == pytest.approx(exact_error(model), rel=0.05)


@pytest.mark.thorough
def test_every_verb_holds_what_is_fixed(model, data):
    """A parameter fixed where it was fitted: as with bounds that have no width."""
    others = [n for n in model.names if n != "mu"]
    if not others:
        pytest.skip("no other parameter")
    at = {others[0]: fit(model, data).params[others[0]] + 0.1}
    held = fit(model, data, fixed=at)
    assert held.params[others[0]] == at[others[0]]
    found = interval(model, data, "mu", fixed=at)
    there = [2 * (fit(model, data, fixed={**at, "mu": float(x)}).nll - held.nll) for x in (found.low, found.high)]
    assert there == pytest.approx([1.0, 1.0], abs=2e-3)
    zero = fit(model, data, fixed={**at, "mu": 0.0}).nll
    assert significance(model, data, "mu", fixed=at).q0 == pytest.approx(2 * (zero - held.nll), abs=1e-4)
    assert profile(model, data, "mu", np.zeros(1), fixed=at).t[0] == pytest.approx(2 * (zero - held.nll), abs=1e-4)
    for method in ("shifted-observables", "freeze"):
        rows = breakdown(model, data, "mu", method=method, fixed=at).rows
        assert rows[0].impact == pytest.approx(float(held.error[model.names.index("mu")]), rel=1e-4)
    assert others[0] not in ranking(model, data, "mu", fixed=at).names
    upper = limit(model, data, "mu", fixed=at)
    again = cls(model, data, "mu", np.array([float(upper.observed)]), fixed=at)
    assert again.observed[0] == pytest.approx(0.05, abs=1e-4)
    for refused in (interval, significance, limit, ranking, breakdown):
        with pytest.raises(InputError, match="fixed at"):
            refused(model, data, "mu", fixed={"mu": 1.0})


def test_values_do_not_depend_on_the_flags_of_the_caller(model):
    data = model.asimov({"mu": 1.1})
    assert not jax.config.jax_enable_x64
    plain = model.log_prob({"mu": 0.7}, data)
    assert plain.dtype == np.float64
    with jax.enable_x64(True):
        assert float(model.log_prob({"mu": 0.7}, data)) == float(plain)


@pytest.mark.thorough
def test_unknown_parameters_are_named(model):
    with pytest.raises(InputError, match="did you mean 'mu'"):
        model.log_prob({"muu": 1.0}, model.asimov({}))
