import jax
import numpy as np
import pytest

from likelihoods import counting, make_templates, realistic
from verax.errors import InputError
from verax.infer import fit, sample_toys
from verax.infer._evaluate import bounds
from verax.infer._linear_algebra import definite, rectified
from verax.infer._quasi_newton import batched_lbfgs
from verax.model import AbstractLikelihood, Data, DataSets, binned_likelihood
from verax.model._batched import batched_likelihood
from verax.results import Status, good


@pytest.mark.parametrize("n", [60.0, 100.0, 137.0, 800.0])
def test_counting_experiment_in_closed_form(n):
    model = counting(20.0, 100.0)
    best = fit(model, Data(np.array([n]), np.array([1.0])))
    assert best.params["mu"] == pytest.approx((n - 100) / 20, rel=1e-6, abs=1e-4 * np.sqrt(n) / 20)
    assert best.error[0] == pytest.approx(np.sqrt(n) / 20, rel=1e-4)
    assert best.status == Status.OK


def test_simulation_statistics_widen_the_error():
    """One bin at its expectation: σ² = (ν + ν²δ²) / s²."""
    model = counting(20.0, 100.0, relative_error=0.07)
    best = fit(model, model.asimov({"mu": 1.0}))
    assert best.error[0] == pytest.approx(np.sqrt(120 + (120 * 0.07) ** 2) / 20, rel=1e-6)


def test_a_batch_is_its_data_sets_one_by_one():
    model = realistic()
    data = sample_toys(jax.random.key(0), model, {"mu": 1.0}, 40)
    together = fit(model, data)
    assert good(together.status).all()
    for i in (0, 17, 39):
        alone = fit(model, Data(data.counts[i], data.auxiliary[i]))
        np.testing.assert_allclose(alone.value, together.value[i], atol=1e-9)
        np.testing.assert_allclose(alone.covariance, together.covariance[i], atol=1e-9)
        assert alone.nll == pytest.approx(together.nll[i], abs=1e-9)


def test_result_is_a_stationary_point_with_the_inverse_hessian():
    model = realistic()
    data = sample_toys(jax.random.key(2), model, {"mu": 2.0}, 1)
    data = Data(data.counts[0], data.auxiliary[0])
    best = fit(model, data)
    with jax.enable_x64(True):
        at = jax.jit(lambda theta: AbstractLikelihood.derivatives(model, theta, data))(best.value)
        gradient, hessian = np.asarray(at.gradient), np.asarray(at.hessian)
    assert 0.5 * gradient @ best.covariance @ gradient < 1e-8
    np.testing.assert_allclose(best.covariance @ hessian, np.eye(6), atol=1e-8)
    assert best.nll == pytest.approx(-float(model.log_prob(best.params, data)), rel=1e-12)
    np.testing.assert_allclose(np.diagonal(best.correlation), 1.0)


def test_fixed_parameters_stay_even_beyond_their_bounds():
    model = realistic()
    best = fit(model, model.asimov({}), fixed={"theta1": 7.0})
    assert best.params["theta1"] == 7.0
    assert not best.covariance[3].any()
    assert best.error[0] > 0


def test_a_parameter_at_its_bound_is_reported():
    model = counting(20.0, 100.0, bounds=(0.0, 10.0))
    best = fit(model, Data(np.array([60.0]), np.array([1.0])))
    assert best.params["mu"] == 0.0
    assert best.status == Status.AT_BOUND


def test_degenerate_parameters_end_with_an_honest_status():
    templates = make_templates([[10.0, 12.0], [50.0, 40.0]])
    model = binned_likelihood(templates, free={"mu": ("signal",), "twin": ("signal",)}, simulation_statistics=False)
    best = fit(model, Data(np.array([70.0, 60.0]), np.zeros(0)))
    assert best.status == Status.NOT_POSITIVE_DEFINITE
    assert np.isnan(best.error).all()
    expected = model.expected(best.params)
    one = binned_likelihood(templates, free={"mu": ("signal",)}, simulation_statistics=False)
    np.testing.assert_allclose(
        expected, one.expected(fit(one, Data(np.array([70.0, 60.0]), np.zeros(0))).params), rtol=1e-4
    )


def test_empty_data_and_negative_expectations_do_not_escape_as_nan():
    model = realistic()
    data = Data(np.zeros(7), model.asimov({}).auxiliary)
    best = fit(model, data)
    assert np.isfinite(best.nll)
    assert np.isfinite(best.value).all()


def test_a_start_far_away_finds_the_same_minimum():
    model = realistic()
    data = model.asimov({"mu": 0.5, "theta0": 1.0})
    far = fit(model, data, init={"mu": 12.0, "norm": 4.0, "theta0": -4.0, "theta1": 4.0})
    assert far.status == Status.OK
    np.testing.assert_allclose(far.value, fit(model, data).value, atol=2e-4)


def test_unknown_parameters_are_named():
    with pytest.raises(InputError, match="did you mean 'theta0'"):
        fit(counting_with_theta(), counting_with_theta().asimov({}), fixed={"theta": 0.0})


def counting_with_theta():
    return binned_likelihood(
        make_templates([[5.0], [9.0]], systematics=[("theta0", [[5.0], [10.0]], [[5.0], [8.0]])]),
        free={"mu": ("signal",)},
    )


def test_definite_agrees_with_eigenvalues():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200, 5, 5))
    a = a + a.swapaxes(1, 2) + 4 * np.eye(5)
    expected = np.linalg.eigvalsh(a).min(1) > 0
    assert 20 < expected.sum() < 180
    np.testing.assert_array_equal(definite(a), expected)
    assert definite(rectified(a)).all()


def test_many_data_sets_take_a_faster_way_to_the_same_minima(monkeypatch):
    model = realistic()
    drawn = sample_toys(jax.random.key(3), model, {"mu": 1.5, "theta1": 0.8}, 300)
    fast, exact_at_the_end = fit(model, drawn, covariance=False), fit(model, drawn)
    monkeypatch.setattr("verax.infer._newton.BATCHED_FROM", 10**9)
    exact = fit(model, drawn)
    for quick in (fast, exact_at_the_end):
        np.testing.assert_array_equal(quick.status, exact.status)
        assert abs(quick.nll - exact.nll).max() < 3e-8  # both stop within 1e-8 of the minimum
        assert (abs(quick.value - exact.value) / exact.error).max() < 4e-4  # √(2 · 1e-8) from it, each
    np.testing.assert_allclose(exact_at_the_end.error, exact.error, rtol=1e-3)
    assert fast.edm.max() < 1e-8


@pytest.mark.thorough
def test_the_gradient_of_a_batch_is_that_of_each_data_set():
    model = realistic(bins=(4, 3))
    terms, order, pack, constant = batched_likelihood(model)
    drawn = sample_toys(jax.random.key(4), model, {}, 5)
    rng = np.random.default_rng(4)
    theta = rng.normal(0, 1.2, (5, 6)) + [1.0, 1.0, 0, 0, 0, 0]  # interpolated, extrapolated, and negative rates
    packed = pack(drawn).T
    with jax.enable_x64(True):
        value, slope, even, _ = jax.jit(lambda t, *x: t.value_and_slope(*x))(terms, theta.T[order], packed)
        both = jax.jit(jax.vmap(jax.value_and_grad(lambda t, n, a: -model.log_density(t, Data(n, a)))))
        expected, gradient = both(theta, drawn.counts, drawn.auxiliary)
        jacobian = np.asarray(jax.jit(lambda t, *x: t.whitened_jacobian(*x))(terms, theta.T[order], packed), float)
        exact = jax.jit(jax.vmap(model.derivatives))(theta, Data(drawn.counts, drawn.auxiliary))
        rates = np.asarray(jax.vmap(model.rates)(theta)).sum(1)
    np.testing.assert_allclose(np.asarray(even), np.asarray(exact.even_slope).T[order], rtol=1e-9, atol=1e-8)
    positive = (rates > np.asarray(model.floor)).all(1)
    assert positive.sum() >= 2
    gauss_newton = np.asarray(exact.hessian - exact.rate_curvature)[:, order][:, :, order]
    product = np.einsum("kbl,jbl->lkj", jacobian, jacobian) + np.eye(6) * np.asarray(terms.prior_precision)
    np.testing.assert_allclose(product[positive], gauss_newton[positive], rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(np.asarray(value) + constant(drawn), np.asarray(expected), rtol=1e-11)
    np.testing.assert_allclose(np.asarray(slope), np.asarray(gradient).T[order], rtol=1e-9, atol=1e-8)


@pytest.mark.thorough
def test_fits_leave_a_bound_again_where_the_minimum_lies_inside():
    """From far away many run into a bound of μ or of the normalisation: 5 of these 200 arrived while they had to stay."""
    model, rng = realistic(), np.random.default_rng(1)
    drawn = sample_toys(jax.random.key(0), model, {}, 200)
    data = Data(np.asarray(drawn.counts, float), np.asarray(drawn.auxiliary, float))
    (lower, upper), best = bounds(model), fit(model, data)
    start = np.tile([p.init for p in model.parameters], (200, 1))
    free = [i for i, p in enumerate(model.parameters) if p.constraint is None]
    start[:, free] = rng.uniform(-20, 20, (200, len(free)))
    found = batched_lbfgs(model.batched(), DataSets.of(data), start, np.ones(start.shape, bool), (lower, upper), 1e-9)
    assert found.converged.sum() > 60
    inward = np.where(found.theta == lower, -1, 1) * found.slope > 0
    assert not (found.at_bound & inward)[found.converged].any()
    np.testing.assert_allclose(found.nll[found.converged], best.nll[found.converged], atol=1e-6)
