import jax
import numpy as np
import pytest
from scipy.special import gammaln, xlogy
from scipy.stats import chi2, kstest, norm

from likelihoods import counting, make_templates, realistic
from verax.errors import InputError
from verax.infer import goodness_of_fit, sample_toys
from verax.model import Data, binned_likelihood
from verax.parameters import Parameter, Poisson


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
