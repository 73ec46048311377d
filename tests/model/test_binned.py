import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likelihoods import make_templates, realistic
from verax.errors import InputError
from verax.model import Data, Templates, binned_likelihood
from verax.model.likelihood import AbstractLikelihood
from verax.parameters import nuisance


@pytest.mark.parametrize(
    "model",
    [realistic(), realistic(bins=(3, 3)), realistic(systematics=0), realistic(simulation_statistics=False)],
    ids=["unequal channels", "equal channels", "no systematics", "no simulation statistics"],
)
def test_derivatives_by_hand_are_those_by_autodiff(model):
    rng = np.random.default_rng(3)
    mean = model.asimov({})
    data = Data(rng.poisson(mean.counts).astype(float), mean.auxiliary + 0.1 * rng.normal(size=mean.auxiliary.shape))
    with jax.enable_x64(True):
        theta = jnp.asarray([0.8, 1.1, *rng.normal(0, 1.2, len(model.names) - 2)])
        own = jax.jit(lambda t: model.derivatives(t, data))(theta)
        auto = jax.jit(lambda t: AbstractLikelihood.derivatives(model, t, data))(theta)
        np.testing.assert_allclose(own.nll, auto.nll, rtol=1e-12)
        np.testing.assert_allclose(own.gradient, auto.gradient, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(own.hessian, auto.hessian, rtol=1e-9, atol=1e-8)
        assert np.linalg.eigvalsh(own.hessian - own.bending).min() > 0


def test_templates_are_reproduced_at_one_sigma():
    nominal = np.array([[5.0, 6.0], [40.0, 30.0]])
    up, down = nominal * [[1.1, 1.3], [1.2, 0.9]], nominal * [[0.8, 0.9], [0.7, 1.0]]
    model = binned_likelihood(make_templates(nominal, systematics=[("jes", up, down)]), free={"mu": ("signal",)})
    np.testing.assert_allclose(model.expected_by_process({"jes": 1.0}), up, rtol=1e-13)
    np.testing.assert_allclose(model.expected_by_process({"jes": -1.0}), down, rtol=1e-13)
    np.testing.assert_allclose(model.expected({"mu": 0.0}), nominal[1], rtol=1e-13)


def test_a_pure_normalisation_has_no_shape():
    nominal = np.array([[5.0, 6.0], [40.0, 30.0]])
    systematics = [("luminosity", nominal * 1.017, nominal * 0.983)]
    model = binned_likelihood(make_templates(nominal, systematics=systematics), free={"mu": ("signal",)})
    assert not model.odd.any()
    assert not model.even.any()
    np.testing.assert_allclose(np.exp(model.log_up), 1.017)


def test_yields_that_allow_no_factor_stay_shapes():
    nominal = np.array([[0.0, 0.0], [40.0, 30.0], [1.0, -3.0]])
    up = np.array([[1.0, 2.0], [-50.0, 3.0], [1.0, 2.0]])
    model = binned_likelihood(make_templates(nominal, systematics=[("odd", up, nominal)]), free={"mu": ("signal",)})
    assert not model.log_up.any()
    np.testing.assert_allclose(model.expected_by_process({"odd": 1.0}), up, atol=1e-12)
    with jax.enable_x64(True):
        at = model.derivatives(model.vector({"odd": 2.0}), model.asimov({}))
        assert all(np.isfinite(x).all() for x in (at.nll, at.gradient, at.hessian))


def test_expected_spread_of_counts_and_global_observables():
    model = realistic()
    params = {"mu": 1.5, "theta0": -0.5}
    draws = [model.sample(k, params) for k in jax.random.split(jax.random.key(1), 2)]
    assert not np.array_equal(draws[0].counts, draws[1].counts)
    spread = model.spread(params, model.asimov(params))
    np.testing.assert_allclose(spread.counts, np.sqrt(model.expected(params)))
    np.testing.assert_allclose(spread.auxiliary, [1, 1, 1, 1, *model.width])


def test_simulation_statistics_can_be_frozen():
    model = realistic()
    data = model.asimov({})
    data = Data(data.counts + 20, data.auxiliary)
    frozen, same = model.freeze_simulation({}, data)
    gamma = model.profiled({}, data)
    assert (gamma > 1).all()
    np.testing.assert_allclose(frozen.profiled({}, same), gamma, rtol=1e-12)
    slower = [float(frozen.log_prob({"mu": m}, same)) - float(model.log_prob({"mu": m}, data)) for m in (1.0, 1.5)]
    assert slower[1] < slower[0]  # with γ fixed the likelihood falls faster


def test_templates_can_be_traced():
    """INFERNO differentiates the curvature of the likelihood through the templates."""

    def curvature(scale):
        nominal = jnp.array([[5.0, 6.0], [40.0, 30.0]]) * scale
        bins = (("bin",), ((0.0, 1.0, 2.0),), ("signal", "background"), (nuisance("jes", ""),))
        variation = jnp.array([[[1.1, 1.2], [1.0, 1.3]]])
        templates = Templates(nominal, nominal / 10, nominal * variation, nominal / variation, *bins)
        model = binned_likelihood(templates, free={"mu": ("signal",)})
        theta = model.vector({})
        return model.derivatives(theta, model.asimov({})).hessian[0, 0]

    with jax.enable_x64(True):
        slope = jax.jit(jax.grad(curvature))(1.0)
        step = (jax.jit(curvature)(1 + 1e-5) - jax.jit(curvature)(1 - 1e-5)) / 2e-5
    assert float(slope) == pytest.approx(float(step), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"free": {"mu": ("signl",)}}, "did you mean 'signal'"),
        ({"bounds": {"muu": (0.0, 1.0)}}, "did you mean 'mu'"),
        ({"free": {"jes": ("signal",)}}, "'jes' twice"),
    ],
)
def test_bad_requests(change, message):
    nominal = np.ones((2, 2))
    templates = make_templates(nominal, systematics=[("jes", nominal, nominal)])
    with pytest.raises(InputError, match=message):
        binned_likelihood(templates, **{"free": {"mu": ("signal",)}, **change})


@pytest.mark.parametrize(
    ("nominal", "variance", "message"),
    [
        ([[1.0, 0.0]], [[1.0, 0.0]], "bin 1: seen 0 expected events"),
        ([[1.0, np.nan]], [[1.0, 1.0]], "NaN or infinite"),
        ([[1.0, 1.0]], [[1.0, -1.0]], "variance"),
    ],
)
def test_bad_templates(nominal, variance, message):
    with pytest.raises(InputError, match=message):
        binned_likelihood(make_templates(nominal, variance=variance), free={"mu": ("signal",)})


@pytest.mark.parametrize(
    ("counts", "auxiliary", "message"),
    [([1.0], [1.0] * 3, "1 per data set"), ([1.0, -1.0], [1.0] * 3, "not negative"), ([1.0, 1.0], [0.0], "observables"),
     ([1.0, np.nan], [1.0] * 3, "NaN")],
)  # fmt: skip
def test_bad_data(counts, auxiliary, message):
    nominal = np.ones((2, 2))
    templates = make_templates(nominal, systematics=[("jes", nominal, nominal)])
    model = binned_likelihood(templates, free={"mu": ("signal",)})
    with pytest.raises(InputError, match=message):
        model.check(Data(np.array(counts), np.array(auxiliary)))
