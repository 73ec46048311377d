import numpy as np
import pytest

import onoff
from likelihoods import counting, realistic
from verax.errors import InputError
from verax.infer import fit, profile, scan2d


def test_on_off_in_closed_form():
    n, m = 25.0, 16.0
    mu, norm = np.linspace(0.5, 6, 5), np.linspace(0.5, 2, 4)
    found = scan2d(onoff.on_off(), onoff.observed(n, m), ("mu", "norm"), (mu, norm))
    value = onoff.nll(mu[:, None], onoff.B * norm, n, m)
    best = onoff.nll((n - m / 2) / onoff.S, m / 2, n, m)
    np.testing.assert_allclose(found.t, 2 * (value - best), atol=1e-6)
    np.testing.assert_allclose(found.best, [(n - m / 2) / onoff.S, m / 2 / onoff.B], rtol=1e-4)
    assert not found.status.any()


def test_the_lowest_point_over_the_second_is_the_profile_of_the_first():
    model = realistic()
    data = model.asimov({"mu": 0.7, "theta0": 0.5})
    values = np.array([0.2, 0.7, 1.4])
    best = fit(model, data)
    i, j = model.names.index("mu"), model.names.index("theta0")
    along = best.value[j] + best.covariance[i, j] / best.covariance[i, i] * (values - best.value[i])
    second = np.unique(np.concatenate([x + np.linspace(-0.4, 0.4, 17) for x in along]))
    grid = scan2d(model, data, ("mu", "theta0"), (values, second))
    np.testing.assert_allclose(grid.t.min(axis=1), profile(model, data, "mu", values).t, atol=2e-3)
    assert (grid.t.min(axis=1) >= profile(model, data, "mu", values).t - 1e-7).all()


def test_bad_questions():
    model = counting()
    with pytest.raises(InputError, match="two different ones"):
        scan2d(model, model.asimov({}), ("mu", "mu"), (np.ones(1), np.ones(1)))
    with pytest.raises(InputError, match="did you mean 'mu'"):
        scan2d(model, model.asimov({}), ("mu", "muu"), (np.ones(1), np.ones(1)))
