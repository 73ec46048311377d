import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from likelihoods import make_templates, realistic
from verax.errors import InputError
from verax.infer import fit, sample_toys
from verax.model import AbstractLikelihood, Data, binned_likelihood
from verax.parameters import nuisance
from verax.templates import Templates
from verax.workspace import to_pyhf


@pytest.mark.thorough
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
        assert np.linalg.eigvalsh(own.hessian - own.rate_curvature).min() > 0


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


@pytest.mark.thorough
def test_yields_that_allow_no_factor_stay_shapes():
    nominal = np.array([[0.0, 0.0], [40.0, 30.0], [1.0, -3.0]])
    up = np.array([[1.0, 2.0], [-50.0, 3.0], [1.0, 2.0]])
    model = binned_likelihood(make_templates(nominal, systematics=[("odd", up, nominal)]), free={"mu": ("signal",)})
    assert not model.log_up.any()
    np.testing.assert_allclose(model.expected_by_process({"odd": 1.0}), up, atol=1e-12)
    with jax.enable_x64(True):
        at = model.derivatives(model.vector({"odd": 2.0}), model.asimov({}))
        assert all(np.isfinite(x).all() for x in (at.nll, at.gradient, at.hessian))


@pytest.mark.thorough
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
    frozen, same = model.freeze_profiled({}, data)
    gamma = model.profiled({}, data)
    assert (gamma > 1).all()
    np.testing.assert_allclose(frozen.profiled({}, same), gamma, rtol=1e-12)
    slower = [float(frozen.log_prob({"mu": m}, same)) - float(model.log_prob({"mu": m}, data)) for m in (1.0, 1.5)]
    assert slower[1] < slower[0]  # with γ fixed the likelihood falls faster


@pytest.mark.thorough
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
        ([[1.0, 0.0]], [[1.0, 0.0]], "bin 1: got 0 expected events"),
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


class TestErrorsThatFollowTheNormalisations:
    """One bin, n ~ Poisson(r s + b + x e(r)), x ~ N(0, 1): e(r) = √((r e_s)² + e_b²), as CMS Combine has it."""

    signal, background, errors, observed = 30.0, 20.0, (6.0, 4.0), 70.0

    def model(self, convention):
        templates = make_templates([[self.signal], [self.background]], variance=np.square(self.errors)[:, None])
        return binned_likelihood(templates, free={"r": ("signal",)}, convention=convention)

    def nll(self, r, *, follows):
        """Minimised over x on its own; the total's error, or the nominal relative one."""
        total = r * self.signal + self.background
        if follows:
            error = np.hypot(r * self.errors[0], self.errors[1])
        else:
            error = total * np.hypot(*self.errors) / (self.signal + self.background)

        def of(x):
            return -stats.norm.logpdf(x) + total + x * error - self.observed * np.log(max(total + x * error, 1e-9))

        return optimize.minimize_scalar(of, bounds=(-8, 8), method="bounded", options={"xatol": 1e-10}).fun

    @pytest.mark.parametrize("convention", ["histfactory", "combine"])
    def test_twice_the_difference(self, convention):
        model = self.model(convention)
        data = Data(np.array([self.observed]), np.ones(1))
        value = {r: -float(model.log_prob({"r": r}, data)) for r in (0.0, 0.5, 1.0, 2.0)}
        for r in (0.0, 0.5, 2.0):
            expected = [self.nll(x, follows=convention == "combine") for x in (r, 1.0)]
            assert value[r] - value[1.0] == pytest.approx(expected[0] - expected[1], abs=1e-7)

    def test_at_nominal_both_are_the_same(self):
        data = Data(np.array([self.observed]), np.array([1.1]))
        same = [float(self.model(c).log_prob({"r": 1.0}, data)) for c in ("histfactory", "combine")]
        assert same[0] == pytest.approx(same[1], rel=1e-13)

    def test_pseudo_experiments_are_those_of_the_pull(self):
        """At r = 2 a true pull of 1 moves the count by e(2), and the global observable by its own width."""
        model = self.model("combine")
        error = np.hypot(2 * self.errors[0], self.errors[1])
        mean = model.asimov({"r": 2.0}, np.array([1 + error / 80]))
        assert mean.counts == pytest.approx(80 + error)
        assert mean.auxiliary == pytest.approx(1 + model.width)
        best = fit(model, mean)
        assert best.status == 0
        assert best.params["r"] == pytest.approx(2.0, abs=1e-3)
        draws = sample_toys(jax.random.key(4), model, {"r": 2.0}, 2000)
        assert draws.auxiliary.std() == pytest.approx(float(model.width[0]), rel=5 / np.sqrt(4000))

    def test_unknown_convention(self):
        with pytest.raises(InputError, match="did you mean 'combine'"):
            self.model("combin")
        with pytest.raises(InputError, match="'histfactory'"):
            to_pyhf(self.model("combine"), Data(np.ones(1), np.ones(1)), poi="r")
