import jax
import numpy as np
import pytest
from scipy.special import gammaln, xlogy
from scipy.stats import chi2, kstest, norm, poisson

from likelihoods import counting, make_templates, realistic
from verax.errors import InputError
from verax.infer import goodness_of_fit, sample_toys
from verax.model import Data, binned_likelihood
from verax.parameters import Parameter, Poisson
from verax.workspace import edit, from_pyhf
from workspaces import sample, workspace


def test_saturated_likelihood_is_the_product_of_its_largest_terms():
    model = realistic()
    drawn = sample_toys(jax.random.key(1), model, {}, 3)
    poisson = drawn.counts - xlogy(drawn.counts, drawn.counts) + gammaln(drawn.counts + 1)
    constraints = -4 * norm.logpdf(0) - norm.logpdf(0, scale=model.width).sum()
    np.testing.assert_allclose(model.saturated(drawn), poisson.sum(1) + constraints, rtol=1e-12)


def test_saturated_likelihood_of_a_poisson_constraint():
    parameter = Parameter("lumi", "lumi", 1.0, (0.1, 5.0), Poisson(40.0))
    templates = make_templates([[5.0], [9.0]], systematics=[(parameter, [[6.0], [10.0]], [[4.0], [8.0]])])
    model = binned_likelihood(templates, free={"mu": ("signal",)}, simulation_statistics=False)
    data = Data(np.array([12.0]), np.array([37.0]))
    expected = -(12 * np.log(12) - 12 - gammaln(13)) - (37 * np.log(37) - 37 - gammaln(38))
    assert float(model.saturated(data)) == pytest.approx(expected, rel=1e-12)


def test_known_rates_give_the_deviance():
    """No parameter moves the second channel, and mu fits the first exactly."""
    model = binned_likelihood(
        make_templates([[10.0, 0.0], [50.0, 40.0]]), free={"mu": ("signal",)}, simulation_statistics=False
    )
    found = goodness_of_fit(model, Data(np.array([63.0, 52.0]), np.zeros(0)))
    deviance = 2 * (40 - 52 + 52 * np.log(52 / 40))
    assert float(found.statistic) == pytest.approx(deviance, abs=1e-6)
    assert found.ndf == 1
    assert float(found.p_value) == pytest.approx(chi2.sf(deviance, 1), rel=1e-5)


@pytest.mark.thorough
def test_toys_follow_chi2_where_counts_are_large_and_say_so():
    model = realistic()
    drawn = sample_toys(jax.random.key(2), model, {}, 400)
    many = goodness_of_fit(model, drawn)
    assert many.ndf == 5
    assert kstest(many.p_value, "uniform").pvalue > 1e-3
    one = goodness_of_fit(model, Data(drawn.counts[0], drawn.auxiliary[0]), key=jax.random.key(3), n_toys=400)
    assert one.failed == 0
    assert one.p_toys == pytest.approx(float(one.p_value), abs=4 * one.p_toys_error + 0.02)
    assert float(one.statistic) == pytest.approx(many.statistic[0], abs=1e-6)


def test_toys_need_a_key():
    model = counting()
    with pytest.raises(InputError, match="key"):
        goodness_of_fit(model, model.asimov({}), n_toys=10)


def two_channels(*, shared):
    """Channels with a free factor, a systematic, γ of either kind; the systematic of both is the same one, or not."""
    channels = {
        name: [
            sample("s", [60.0, 4.0], (f"k_{name}", "normfactor", None)),
            sample(
                "b",
                [50.0, 40.0],
                ("h" if shared else f"h_{name}", "histosys", {"hi_data": [55.0, 38.0], "lo_data": [44.0, 43.0]}),
                *errors,
            ),
        ]
        for name, errors in (
            ("A", [("stat", "staterror", [3.0, 2.0])]),
            ("B", [("own", "shapesys", [4.0, 5.0]), ("n", "normsys", {"hi": 1.1, "lo": 0.9})]),
        )
    }
    return workspace(channels, poi="", observations={"A": [120.0, 31.0], "B": [95.0, 60.0]})


def test_channels_that_share_no_parameter_are_fits_of_their_own():
    spec = two_channels(shared=False)
    model, data, _ = from_pyhf(spec)
    found = goodness_of_fit(model, data).channels
    assert found.names == ("A", "B")
    for i, gone in enumerate(("B", "A")):
        alone = goodness_of_fit(*from_pyhf(edit.drop(spec, channels=[gone]))[:2])
        assert found.statistic[i] == pytest.approx(float(alone.statistic), abs=1e-8)
        assert found.ndf[i] == alone.ndf == 1
        assert found.p_value[i] == pytest.approx(float(alone.p_value), rel=1e-7)
    assert found.shared == 0.0
    assert np.isnan(found.p_toys).all()


def test_channels_that_share_a_parameter_add_up_and_have_no_chi2():
    model, data, _ = from_pyhf(two_channels(shared=True))
    whole = goodness_of_fit(model, data)
    found = whole.channels
    assert found.shared > 0.01
    assert found.statistic.sum() + found.shared == pytest.approx(float(whole.statistic), abs=1e-9)
    assert np.isnan(found.ndf).all()
    assert np.isnan(found.p_value).all()


@pytest.mark.parametrize("convention", ["histfactory", "combine"])
def test_parts_are_the_density(convention):
    """Away from the minimum too, whatever the convention: their sum is −log L above the saturated model's."""
    model, data, _ = from_pyhf(two_channels(shared=True), convention=convention)
    params = {"k_A": 1.4, "h": 0.7, "n": -0.4}
    observed, constraint = model.excess(np.array([params.get(n, 1.0) for n in model.names]), data)
    above = float(model.saturated(data)) + float(model.log_prob(params, data))
    assert observed.sum() + constraint.sum() == pytest.approx(-above, abs=1e-10)


@pytest.mark.thorough
def test_toys_say_which_channel_does_not_fit():
    """Where channels share no parameter the fraction of toys is χ²'s, as for the whole."""
    spec = two_channels(shared=False)
    model, data, _ = from_pyhf(spec)
    found = goodness_of_fit(model, data, key=jax.random.key(5), n_toys=1000)
    assert found.p_toys == pytest.approx(float(found.p_value), abs=4 * found.p_toys_error + 0.02)
    error = found.channels.p_toys_error
    assert (abs(found.channels.p_toys - found.channels.p_value) < 4 * error + 0.02).all()


@pytest.mark.thorough
def test_toys_of_few_events_are_exact_sums_and_none_fails():
    """Rates of .5 and .8 known, 2 and 0 seen: P(D ≥ d) over all counts, of the whole and of each channel."""
    rates, counts = np.array([0.5, 0.8]), np.array([2.0, 0.0])
    templates = make_templates([[1.0, 1.0], rates], bins=(1, 1))
    model = binned_likelihood(templates, free={"mu": ("signal",)}, simulation_statistics=False)
    data = Data(counts, np.zeros(0))
    found = goodness_of_fit(model, data, fixed={"mu": 0.0}, key=jax.random.key(9), n_toys=2000)
    n = np.arange(30)
    each = [(2 * (nu - n + xlogy(n, n / nu)), poisson.pmf(n, nu)) for nu in rates]
    seen = [d[int(k)] for (d, _), k in zip(each, counts, strict=True)]
    alone = [p[d >= x - 1e-9].sum() for (d, p), x in zip(each, seen, strict=True)]
    whole = np.add.outer(each[0][0], each[1][0]) >= sum(seen) - 1e-9
    exact = np.outer(each[0][1], each[1][1])[whole].sum()
    assert found.failed == 0
    assert found.p_toys == pytest.approx(exact, abs=4 * found.p_toys_error)
    np.testing.assert_allclose(found.channels.statistic, seen, atol=1e-9)
    assert (abs(found.channels.p_toys - alone) < 4 * found.channels.p_toys_error).all()
    assert abs(float(found.p_value) - exact) > 4 * found.p_toys_error


@pytest.mark.thorough
def test_no_toy_of_half_an_event_a_bin_fails():
    templates = make_templates([np.full(20, 0.3), np.full(20, 0.5)], bins=(20,))
    model = binned_likelihood(templates, free={"mu": ("signal",)}, simulation_statistics=False)
    data = Data(np.tile([1.0, 0.0], 10), np.zeros(0))
    assert goodness_of_fit(model, data, key=jax.random.key(3), n_toys=1000).failed == 0
