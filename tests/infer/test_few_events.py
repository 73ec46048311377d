"""Asymptotic answers of few events against exact ones, and the number of events that says which is which."""

import jax
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm, poisson

from likelihoods import counting, make_templates
from verax.errors import InputError
from verax.infer import FEW, effective_events, goodness_of_fit, limit, sample_toys, significance
from verax.model import Data, binned_likelihood
from verax.workspace import from_pyhf
from workspaces import sample, workspace


def known(signal, background):
    """Bins whose background is known exactly."""
    return binned_likelihood(
        make_templates([signal, background], bins=(len(signal),)), free={"mu": ("signal",)}, simulation_statistics=False
    )


def asymptotic_errors(b):
    """z less its exact value where that is 1 to 5.5, and CLs limits over exact ones, for counts within 2σ of b."""
    model, counts = known([1.0], [b]), np.arange(int(b + 12 * np.sqrt(b) + 20))
    exact = norm.isf(poisson.sf(counts - 1, b))
    excess = counts[(exact > 1) & (exact < 5.5)]
    data = Data(excess[:, None].astype(float), np.zeros((len(excess), 0)))
    z = significance(model, data, "mu").z - norm.isf(poisson.sf(excess - 1, b))
    usual = counts[(poisson.cdf(counts, b) > 0.023) & (poisson.sf(counts - 1, b) > 0.023)]
    found = limit(model, Data(usual[:, None].astype(float), np.zeros((len(usual), 0))), "mu").observed
    ends = [brentq(lambda mu, n=n: poisson.cdf(n, mu + b) / poisson.cdf(n, b) - 0.05, 1e-6, 99) for n in usual]
    return z, found / ends - 1


def test_what_is_said_of_few_events_is_so():
    """The numbers of the module's first lines, and that both shrink like 1/√b."""
    for b, z, low, high in [(1.0, 0.21, -0.22, -0.11), (FEW, 0.093, -0.081, -0.046), (4 * FEW, 0.05, -0.041, -0.025)]:
        found, ratio = asymptotic_errors(b)
        assert 0.5 * z < found.min() <= found.max() < z
        assert low - 0.002 < ratio.min() < ratio.max() < high + 0.002


@pytest.mark.parametrize(
    ("signal", "background", "events"),
    [([5.0], [3.0], 3.0), ([5.0], [0.5], 0.5), ([1.0, 4.0], [10.0, 40.0], 50.0)],
    ids=["counting", "few", "two bins of one purity"],
)
def test_events_of_a_counting_experiment_are_its_background(signal, background, events):
    model, data = known(signal, background), Data(np.array(background), np.zeros(0))
    assert effective_events(model, data, {"mu": 0.0}, "mu", 1.0) == pytest.approx(events, rel=1e-12)
    assert float(limit(model, data, "mu").events) == pytest.approx(events, rel=1e-9)
    assert float(significance(model, data, "mu").events) == pytest.approx(events, rel=1e-6)


def test_a_bin_without_background_counts_its_signal_and_one_that_tells_nothing_does_not_count():
    """3 events where no background is decide, whatever lies elsewhere; a pure bin where nothing is expected does not."""
    model = known([3.0, 1.0], [0.0, 1000.0])
    data = model.asimov({"mu": 0.0})
    assert effective_events(model, data, {"mu": 0.0}, "mu", 1.0) == pytest.approx(3.0, rel=0.1)
    model = known([1e-3, 30.0], [1e-9, 1000.0])
    assert effective_events(model, model.asimov({"mu": 0.0}), {"mu": 0.0}, "mu", 1.0) > 800


def test_what_no_event_tells_apart_rests_on_none():
    """One value, and both sides of an even effect; a hair beside them there are the events of the bin again."""
    model, data = known([5.0], [3.0]), Data(np.array([3.0]), np.zeros(0))
    assert effective_events(model, data, {"mu": 1.0}, "mu", 1.0) == 0.0
    assert effective_events(model, data, {"mu": 1.0}, "mu", 1.001) == pytest.approx(8.0, rel=1e-3)
    channels = {"c": [sample("b", [100.0], ("a", "normsys", {"hi": 1.2, "lo": 1.2}))]}
    even, asimov, *_ = from_pyhf(workspace(channels, poi="a", observations={"c": [100.0]}))
    assert effective_events(even, asimov, {"a": -1.0}, "a", 1.0) == 0.0
    assert effective_events(even, asimov, {"a": 0.0}, "a", 1.0) == pytest.approx(100.0, rel=1e-6)


def test_events_are_those_of_the_fit_and_the_same_in_a_batch():
    """Another bin measures the background to be half of what was assumed."""
    templates = make_templates([[5.0, 0.0], [30.0, 300.0]])
    model = binned_likelihood(templates, free={"mu": ("signal",), "k": ("background",)}, simulation_statistics=False)
    data = Data(np.array([15.0, 150.0]), np.zeros(0))
    one = limit(model, data, "mu")
    assert float(one.events) == pytest.approx(15.0, rel=1e-6)
    many = limit(model, Data(np.tile(data.counts, (2, 1)), np.zeros((2, 0))), "mu")
    np.testing.assert_allclose(many.events, float(one.events), rtol=1e-6)


def test_the_error_of_an_asymptotic_p_value_is_that_seen_in_toys():
    """20 bins of half an event, of 1 and of 20: a normalisation is fitted."""
    for nu, low, high in [(0.5, 0.1, 0.25), (1.0, 0.15, 0.35), (20.0, 0.0, 0.03)]:
        templates = make_templates([np.full(20, nu)], bins=(20,))
        model = binned_likelihood(templates, free={"mu": ("signal",)}, simulation_statistics=False)
        found = goodness_of_fit(model, sample_toys(jax.random.key(31), model, {}, 1000))
        rank = (found.statistic >= found.statistic[:100, None] - 1e-6).mean(1)
        seen = abs(rank - found.p_value[:100]).max()
        assert low < seen < high
        assert np.median(found.p_error) == pytest.approx(seen, abs=0.08)


def test_bad_questions():
    model = counting()
    data = model.asimov({})
    with pytest.raises(InputError, match="did you mean 'mu'"):
        effective_events(model, data, {}, "muu", 1.0)
    with pytest.raises(InputError, match="finite"):
        effective_events(model, data, {}, "mu", float("nan"))
    with pytest.raises(InputError, match="one data set"):
        effective_events(model, Data(data.counts[None], data.auxiliary[None]), {}, "mu", 1.0)
