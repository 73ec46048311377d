"""A peak of unknown position: the lowest of many minima, whatever stands beside a data set."""

import iminuit
import jax
import numpy as np
import pytest
from scipy.stats import norm

from likelihoods import realistic
from likelihoods_unbinned import BUMP, Bump, Peak
from verax.infer import fit, interval, sample_toys, significance
from verax.infer._evaluate import bounds
from verax.infer._range import bent
from verax.model import JointLikelihood

MODEL = Bump()
TRUTH = {"s": 12.0, "m": 0.2, "b": 100.0}


@pytest.fixture(scope="module")
def many():
    drawn = sample_toys(jax.random.key(0), MODEL, TRUTH, 70)
    return drawn, fit(MODEL, drawn)


def referee(data) -> float:
    """The lowest minimum that Minuit finds from 19 positions."""
    x = np.asarray(data.place)[np.asarray(data.counts) > 0]

    def nll(s, m, b):
        return s + b - np.log(s * norm.pdf(x, m, BUMP) + b).sum()

    def minimum(m):
        fitter = iminuit.Minuit(nll, 10.0, m, 100.0)
        fitter.errordef, fitter.limits = 0.5, [(0, 200), (0, 1), (1e-6, 1000)]
        return fitter.migrad().fval

    return min(minimum(m) for m in np.linspace(0.05, 0.95, 19))


def test_the_lowest_minimum_is_found(many):
    """Single fits of 16 of these 20 ended elsewhere, up to 8.9 above."""
    drawn, found = many
    above = found.nll[:20] - [referee(drawn[i]) for i in range(20)]
    assert (above > 1e-3).sum() == 0
    assert (found.status == 0).all()


def test_a_fit_does_not_depend_on_its_neighbours(many):
    """22 of these 70 did, by up to 8.9 of −log L: the first data set decided for all."""
    drawn, found = many
    single = [fit(MODEL, drawn[i]) for i in range(70)]
    np.testing.assert_allclose(found.nll, [f.nll for f in single], rtol=0, atol=1e-6)
    backwards = fit(MODEL, drawn[np.arange(70)[::-1]])
    np.testing.assert_allclose(found.nll, backwards.nll[::-1], rtol=0, atol=1e-6)


def test_nor_do_interval_and_significance(many):
    drawn, _ = many
    few = drawn[:5]
    z, ends = significance(MODEL, few, "s").z, interval(MODEL, few, "s")
    assert significance(MODEL, drawn[2], "s").z == pytest.approx(z[2], abs=1e-4)
    one = interval(MODEL, drawn[2], "s")
    assert (one.low, one.high) == pytest.approx((ends.low[2], ends.high[2]), abs=1e-3)


def looked_along(model, **init):
    nominal = np.array([init.get(p.name, p.init) for p in model.parameters])
    free = [i for i, p in enumerate(model.parameters) if p.constraint is None]
    return {model.names[i]: points for i, points in bent(model, nominal, free, bounds(model)).items()}


def test_only_where_minus_log_l_is_not_convex():
    """A strength that rates are linear in has one minimum; a position is seen even where its peak has no events."""
    assert looked_along(Peak()) == looked_along(realistic(systematics=1)) == {}
    assert list(looked_along(MODEL)) == list(looked_along(MODEL, s=0.0)) == ["m"]
    assert list(looked_along(JointLikelihood([realistic(systematics=1), MODEL]))) == ["m"]
    assert looked_along(MODEL)["m"] > 32  # the sharper the peak, the finer
