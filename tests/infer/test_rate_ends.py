"""The likelihood ends where a rate does: impossible data are infinite, negative rates a bound, both reported."""

import jax
import numpy as np
import pytest

from verax.errors import InputError
from verax.infer import cls, fit, interval, limit, profile, ranking, sample_toys, significance
from verax.results import Status
from verax.workspace import from_pyhf
from workspaces import MU, sample, workspace

RANGE = {"name": "mu", "inits": [1.0], "bounds": [[-10.0, 10.0]]}


def made(samples, data, *parameters):
    spec = workspace({"c": samples}, parameters=[RANGE, *parameters], observations={"c": data})
    model, observed, _ = from_pyhf(spec)
    return model, observed


def test_data_that_the_background_cannot_give_are_infinitely_significant():
    model, data = made([sample("s", [2.0], MU), sample("b", [0.0])], [3.0])
    found = significance(model, data, "mu")
    assert found.z == np.inf
    assert found.p_value == 0.0
    assert found.status == Status.NOT_FINITE
    assert model.log_prob({"mu": 0.0}, data) == -np.inf
    assert fit(model, data).params["mu"] == pytest.approx(1.5, abs=1e-6)


def test_a_rate_does_not_fall_below_zero():
    """s = 5, b = 1, no event: −log L falls until the rate is gone, at μ = −.2."""
    model, data = made([sample("s", [5.0], MU), sample("b", [1.0])], [0.0])
    best = fit(model, data)
    assert best.status == Status.AT_BOUND
    assert best.params["mu"] == pytest.approx(-0.2, abs=1e-4)
    assert best.nll == pytest.approx(0.0, abs=1e-5)
    assert profile(model, data, "mu", np.array([-0.3])).t[0] == np.inf
    assert model.log_prob({"mu": -0.3}, data) == -np.inf


@pytest.mark.thorough
def test_the_end_of_a_rate_is_an_end_of_the_interval():
    """By a dense scan of both parameters within the region where both rates are positive."""
    model, data = made(
        [sample("s", [5.0, 1.0], MU), sample("b", [1.0, 2.0], ("a", "normsys", {"lo": 0.8, "hi": 1.2}))], [0.0, 3.0]
    )
    mu, a = np.meshgrid(np.linspace(-0.3, 0.1, 801), np.linspace(-4, 4, 801), indexing="ij")
    factor = np.asarray([float(model.expected({"mu": 0.0, "a": x})[0]) for x in a[0]])
    rates = np.stack([5 * mu + factor, mu + 2 * factor])
    with np.errstate(invalid="ignore", divide="ignore"):
        nll = rates.sum(0) - 3 * np.log(rates[1]) + 0.5 * a**2
    nll[(rates < 0).any(0)] = np.inf
    t = 2 * (nll.min(1) - nll.min())
    inside = mu[t <= 1.0, 0]
    found = interval(model, data, "mu")
    assert found.low == pytest.approx(inside.min(), abs=1e-3)
    assert found.low == pytest.approx(-0.248, abs=1e-3)
    assert found.high == pytest.approx(inside.max(), abs=1e-3)


@pytest.mark.thorough
def test_many_data_sets_end_there_too():
    """Batches go another way down, and come to the same end, with the same status."""
    model, data = made(
        [sample("s", [5.0, 1.0], MU), sample("b", [1.0, 2.0], ("a", "normsys", {"lo": 0.8, "hi": 1.2}))], [0.0, 3.0]
    )
    many = type(data)(np.tile(data.counts, (64, 1)), np.tile(data.auxiliary, (64, 1)))
    one, all_of_them = fit(model, data), fit(model, many, covariance=False)
    np.testing.assert_allclose(all_of_them.nll, one.nll, atol=1e-6)
    assert (all_of_them.status == one.status).all()


@pytest.mark.thorough
def test_a_negative_signal_with_errors_of_its_own():
    """The error of γ counts for a signal below zero as for one above: −log L by a dense scan of γ."""
    samples = [sample("s", [5.0, 5.0], MU, ("e", "staterror", [1.0, 1.0])), sample("b", [4.0, 20.0])]
    model, data = made(samples, [0.0, 15.0])
    gamma, constants = np.linspace(0.0, 3.0, 30001), []
    for mu in (-0.6, -0.2, 0.4):
        value = 0.0
        for b, n in ((4.0, 0.0), (20.0, 15.0)):
            mean = gamma * mu * 5.0 + b
            with np.errstate(invalid="ignore", divide="ignore"):
                each = mean - n * np.log(mean) + 0.5 * ((gamma - 1) / 0.2) ** 2
            value += np.nanmin(np.where(mean > 0, each, np.nan))
        constants.append(value + float(model.log_prob({"mu": mu}, data)))
    np.testing.assert_allclose(constants, constants[0], atol=1e-4)


def test_no_toys_are_drawn_at_a_negative_rate():
    model, _ = made([sample("s", [5.0], MU), sample("b", [1.0])], [0.0])
    with pytest.raises(InputError, match=r"channel 'c', bin 0: got -0.5 expected events; expected no negative rate"):
        sample_toys(jax.random.key(0), model, {"mu": -0.3}, 10)


@pytest.mark.thorough
def test_data_that_no_parameters_give_have_a_status_and_no_number():
    """The free factor cannot rise above 1e-9, so 30 events are impossible at all values of μ."""
    k = {"name": "k", "inits": [0.0], "bounds": [[0.0, 1e-15]]}
    spec = workspace(
        {"c": [sample("s", [0.0, 5.0], MU), sample("b", [10.0, 10.0], ("k", "normfactor", None))]},
        parameters=[RANGE, k],
        observations={"c": [30.0, 10.0]},
    )
    model, data, _ = from_pyhf(spec)
    assert fit(model, data).status == Status.NOT_FINITE
    assert np.isnan(profile(model, data, "mu", np.array([1.0])).t[0])
    assert interval(model, data, "mu").status >= Status.NOT_FINITE


def test_pulls_are_measured_from_the_global_observables():
    """Initial values at the best fit do not make pulls vanish; an observed 1.0 is where its pull is counted from."""
    effect = ("a", "normsys", {"lo": 0.9, "hi": 1.1})
    alpha = {"name": "a", "inits": [0.9], "bounds": [[-5.0, 5.0]], "auxdata": [1.0]}
    model, data = made([sample("s", [10.0], MU), sample("b", [100.0], effect)], [120.0], alpha)
    best = fit(model, data)
    assert ranking(model, data, "mu").pull[0] == pytest.approx(best.params["a"] - 1.0, abs=1e-12)


def test_limits_from_expected_data_at_the_end_of_a_rate():
    """Without signal nothing is left in the first bin: its Asimov data are 0 events, and CLs is a number."""
    effect = ("h", "histosys", {"lo_data": [12.0, 21.0], "hi_data": [0.0, 19.0]})
    model, data = made([sample("s", [4.0, 6.0], MU), sample("b", [6.0, 20.0], effect)], [0.0, 14.0])
    found, tested = limit(model, data, "mu"), cls(model, data, "mu", np.array([1.0]))
    assert found.status == 0
    assert np.isfinite([found.observed, *found.expected]).all()
    assert (np.diff(found.expected) > 0.05).all()
    assert cls(model, data, "mu", np.array([float(found.observed)])).observed[0] == pytest.approx(0.05, abs=1e-4)
    assert tested.status[0] == 0


def test_no_number_without_a_status_where_data_are_impossible():
    """Three events where the background gives none: q̃ is infinite, CLs is no number, and both say so."""
    model, data = made([sample("s", [2.0], MU), sample("b", [0.0])], [3.0])
    tested = cls(model, data, "mu", np.array([1.0]))
    assert np.isfinite(tested.observed[0]) or tested.status[0] == Status.NOT_FINITE


def padded(modifiers=()):
    """A bin without any expectation, and one with background that moves."""
    return [sample("s", [0.0, 4.0], MU), sample("b", [0.0, 5.0], ("g", "normsys", {"lo": 0.8, "hi": 1.2}), *modifiers)]


def test_empty_bins_change_no_limit():
    """As ordinary as padding: limits with and without the empty bin are the same, and Asimov data can be fitted."""
    model, data = made(padded(), [0.0, 4.0])
    alone = [sample("s", [4.0], MU), sample("b", [5.0], ("g", "normsys", {"lo": 0.8, "hi": 1.2}))]
    one, two = limit(model, data, "mu"), limit(*made(alone, [4.0]), "mu")
    assert one.status == two.status == 0
    np.testing.assert_allclose([one.observed, *one.expected], [two.observed, *two.expected], rtol=1e-5)
    assert one.observed == pytest.approx(1.283, abs=1e-3)
    asimov = model.asimov({"mu": 0.0})
    assert asimov.counts[0] == 0.0
    assert fit(model, asimov).params["mu"] == pytest.approx(0.0, abs=1e-4)


@pytest.mark.thorough
def test_limits_without_background_in_a_bin():
    """Asymptotic and by toys: .486 and .607 where CLs was 1 everywhere."""
    effect = ("g", "normsys", {"lo": 0.8, "hi": 1.2})
    model, data = made([sample("s", [3.0, 4.0], MU), sample("b", [0.0, 5.0], effect)], [0.0, 4.0])
    assert limit(model, data, "mu").observed == pytest.approx(0.486, abs=1e-3)
    found = limit(model, data, "mu", method="toys", key=jax.random.key(1), n_toys=400)
    assert abs(found.observed - 0.607) < 4 * max(float(found.observed_error), 0.02)
    assert found.status == 0
