from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear import GRID, NOISE, PHI, TAU, Known, Line, design, exact, moments, regression
from scipy.stats import multivariate_normal

from verax.aleatoric import GaussianNLL, mean_variance
from verax.epistemic import laplace
from verax.epistemic._curvature import Surface, curvature_of
from verax.epistemic._power_likelihood import weights
from verax.errors import InputError
from verax.events import Events
from verax.learn import CrossEntropy, classifier, predict, start_from
from verax.results import Status

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def events():
    return regression()


small = partial(classifier, width=4, depth=1)


def laplace_at(network, *args, **options):
    """Around a network that is trained already."""
    return laplace(KEY, start_from(network), *args, training=None, **options)


def line():
    return Line(jnp.asarray([3.0, -2.0, 1.0]))


@pytest.mark.parametrize("curvature", ["gauss-newton", "hessian"])
def test_is_exact_for_a_linear_gaussian_model(events, curvature):
    mean, precision = exact(events)
    found = laplace_at(line(), Known(), events, which="all", curvature=curvature, precision=TAU)
    assert found.status == Status.OK
    np.testing.assert_allclose(found.mode, mean, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(precision), rtol=1e-9)
    assert found.offset < 1e-9
    assert found.observations == 60
    np.testing.assert_allclose(found.network.weight, mean, rtol=1e-6)


def test_members_have_the_exact_predictive_variance(events):
    mean, precision = exact(events)
    found = laplace_at(line(), Known(), events, which="all", precision=TAU)
    p = predict(found.members(jax.random.key(1), 10_000), GRID, moments=moments)
    variance = np.einsum("ij,jk,ik->i", PHI, np.linalg.inv(precision), PHI)
    np.testing.assert_allclose(p.epistemic, variance, rtol=0.05)  # 3.5 standard errors of 10,000 draws
    np.testing.assert_allclose(p.mean, PHI @ mean, atol=4 * np.sqrt(variance.max() / 10_000))
    np.testing.assert_allclose(p.aleatoric, NOISE**2, rtol=1e-6)


def test_evidence_is_that_of_the_marginal_gaussian(events):
    # y ~ N(0, σ² + Φ Φᵀ/τ); the loss leaves out the constants of the likelihood.
    found = laplace_at(line(), Known(), events, which="all", precision=None)
    phi, y = design(events), np.asarray(events.column("y"), np.float64)

    def log_evidence(tau):
        constant = 30 * np.log(2 * np.pi * NOISE**2)
        return multivariate_normal(np.zeros(60), NOISE**2 * np.eye(60) + phi @ phi.T / tau).logpdf(y) + constant

    assert found.log_evidence == pytest.approx(log_evidence(found.precision), rel=1e-5)
    for factor in (0.8, 1.25):
        assert log_evidence(found.precision) > log_evidence(factor * found.precision)
    fixed = laplace_at(line(), Known(), events, which="all", precision=TAU)
    assert fixed.log_evidence == pytest.approx(log_evidence(TAU), rel=1e-5)


def test_an_event_twice_is_an_event_of_weight_two(events):
    counts = np.where(np.arange(60) < 20, 2.0, 1.0)
    _, precision = exact(events, counts)
    twice = events.take(np.concatenate([np.arange(20), np.arange(60)]))
    for sample in (twice, regression(weight=counts)):
        found = laplace_at(line(), Known(), sample, which="all", precision=TAU, power="counts", batch=32)
        np.testing.assert_allclose(found.covariance, np.linalg.inv(precision), rtol=1e-6)
    effective = laplace_at(line(), Known(), regression(weight=7 * counts), which="all", precision=TAU)
    n = 80**2 / (20 * 4 + 40)
    assert effective.observations == pytest.approx(n)
    scaled = exact(events, counts * n / 80)[1]
    np.testing.assert_allclose(effective.covariance, np.linalg.inv(scaled), rtol=1e-6)


@pytest.fixture(scope="module")
def two_classes():
    rng = np.random.default_rng(1)
    table = regression(n=300)
    process = (rng.random(300) < 1 / (1 + np.exp(-np.asarray(table.column("x0"))))).astype(np.int32)
    return Events(table.x, table.weight, process, table.number, table.columns, ("b", "s"))


@pytest.mark.thorough
def test_last_layer_is_logistic_regression_on_the_hidden_units(two_classes):
    network = classifier(jax.random.key(2), two_classes, ("x0", "x1"), width=6, depth=1)
    found = laplace_at(network, CrossEntropy(("s",)), two_classes, precision=0.5)
    assert found.status == Status.OK
    hidden = jax.vmap(lambda x: jax.nn.relu(network.layers[0](network.standardise(x))))
    phi = np.column_stack([np.asarray(hidden(two_classes.features(("x0", "x1"))), np.float64), np.ones(300)])
    p = 1 / (1 + np.exp(-phi @ found.mode))
    gradient = phi.T @ (p - np.asarray(two_classes.process)) + 0.5 * found.mode
    np.testing.assert_allclose(gradient, 0, atol=1e-3)
    precision = (phi * (p * (1 - p))[:, None]).T @ phi + 0.5 * np.eye(7)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(precision), rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(found.network.layers[0].weight, network.layers[0].weight)
    members = found.members(jax.random.key(3), 5)
    assert members.layers[1].weight.shape == (5, 1, 6)
    assert members.layers[0].weight.shape == (5, 6, 2)


@pytest.mark.thorough
def test_gauss_newton_is_the_hessian_less_the_curvature_of_the_network(two_classes):
    # ∇² Σ ℓ(f) = Σ ℓ'' ∇f ∇fᵀ + Σ ℓ' ∇²f, the last term by itself here.
    network = classifier(jax.random.key(2), two_classes, ("x0", "x1"), width=3, depth=1)
    table, held = jax.tree.map(jnp.asarray, two_classes), weights(network)
    surfaces = [
        Surface(CrossEntropy(("s",)), table, network, None, curvature, 128) for curvature in ("gauss-newton", "hessian")
    ]
    gauss, full = (np.asarray(curvature_of(s, held.vector)[2], np.float64) for s in surfaces)
    x = two_classes.features(("x0", "x1"))
    slope = jax.nn.sigmoid(jax.vmap(network)(x)) - table.process
    rest = np.asarray(jax.hessian(lambda v: jnp.sum(slope * jax.vmap(held.network(v))(x)))(held.vector))
    np.testing.assert_allclose(gauss + rest, full, atol=1e-4 * np.abs(full).max())
    assert np.abs(rest).max() > 0.01 * np.abs(full).max()
    assert np.linalg.eigvalsh(gauss).min() > -1e-4


@pytest.mark.thorough
def test_linearised_members_have_the_variance_of_the_linear_model(two_classes):
    # Outputs f + J·δ with δ ~ N(0, Σ): variance J Σ Jᵀ, with J by finite differences here.
    network = classifier(jax.random.key(2), two_classes, ("x0", "x1"), width=3, depth=1)
    found = laplace_at(network, CrossEntropy(("s",)), two_classes, which="all", precision=1.0, steps=3)
    held = weights(found.network)
    with jax.enable_x64(True):
        mode = jnp.asarray(found.mode)
        said = jax.jit(lambda v: jax.vmap(held.network(v))(GRID))
        slopes = np.stack([(said(mode + d) - said(mode - d)) / 2e-4 for d in 1e-4 * np.eye(13)], axis=1)
    variance = np.einsum("ij,jk,ik->i", slopes, found.covariance, slopes)
    p = predict(found.members(jax.random.key(4), 8000), GRID, moments=moments)
    np.testing.assert_allclose(p.epistemic, variance, rtol=5 * np.sqrt(2 / 8000))
    np.testing.assert_allclose(
        p.mean, said(jnp.asarray(found.mode, jnp.float32)), atol=4 * np.sqrt(variance.max() / 8000)
    )
    assert found.members(jax.random.key(4), 2).features == ("x0", "x1")


@pytest.mark.thorough
def test_fishers_matrix_is_gauss_and_newtons_where_the_targets_are_the_networks_own():
    """Targets μ ± σ, half an event each, have the mean and the variance that the network says."""
    events = regression(n=50)
    network = mean_variance(jax.random.key(5), events, features=("x0", "x1"), target="y", make=small)
    said = np.asarray(jax.vmap(network)(events.features(("x0", "x1"))), np.float64)
    two = events.take(np.tile(np.arange(50), 2))
    mean, sigma = said[:, 0], np.exp(said[:, 1])
    own = two.replace({"y": jnp.asarray(np.concatenate([mean - sigma, mean + sigma]), jnp.float32)})
    own = Events(own.x, np.full(100, 0.5, np.float32), own.process, own.number, own.columns, own.processes)
    gauss, fisher, wild = (
        np.asarray(curvature_of(Surface(GaussianNLL("y"), e, network, None, curvature, 64), weights(network).vector)[2])
        for e, curvature in ((own, "gauss-newton"), (events, "fisher"), (events, "gauss-newton"))
    )
    np.testing.assert_allclose(fisher, gauss, atol=1e-4 * np.abs(fisher).max())
    assert np.linalg.eigvalsh(fisher).min() > -1e-5 * np.abs(fisher).max()
    assert np.linalg.eigvalsh(wild).min() < -1e-3 * np.abs(wild).max()  # what it is for: a Gaussian's σ is free


def test_failures_are_statuses(events, two_classes):
    far = laplace_at(line(), Known(), events, which="all", precision=TAU, steps=0)
    assert far.status == Status.MAX_STEPS
    assert "widths from the mode after 0 Newton steps" in far.problem
    broken = laplace_at(line(), Known(), events.replace({"y": jnp.full(60, jnp.nan)}), which="all", precision=TAU)
    assert broken.status == Status.NOT_FINITE
    with pytest.raises(InputError, match="not finite"):
        broken.members(jax.random.key(0), 2)
    # Negative weights where x0 is large: along that direction the likelihood has no maximum.
    weight = np.where(np.asarray(events.column("x0")) > 1.2, -1.5, 1.0)
    signed = laplace_at(line(), Known(), regression(weight=weight), which="all", precision=1e-3)
    assert signed.status == Status.NOT_POSITIVE_DEFINITE
    assert "of 3 directions" in signed.problem
    assert np.linalg.eigvalsh(signed.covariance).max() == pytest.approx(1e3, rel=1e-6)


@pytest.mark.parametrize("n", [1, 30])
def test_a_prior_that_events_do_not_tell_is_a_status(n):
    """Targets of zero: the evidence grows with τ for ever."""
    table = regression(n=60).take(np.arange(n)).replace({"y": jnp.zeros(n)})
    found = laplace_at(line(), Known(), table, which="all", precision=None)
    assert found.status == Status.AT_BOUND
    assert "no prior precision has the largest evidence: 1e+06" in found.problem
    assert laplace_at(line(), Known(), table, which="all", precision=TAU).status == Status.OK
    assert laplace_at(line(), Known(), regression(), which="all", precision=None).status == Status.OK


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"which": "lst"}, "did you mean 'last'"),
        ({"curvature": "hesian"}, "did you mean 'hessian'"),
        ({"curvature": "fisher"}, "loss without Fisher matrix, Known"),
        ({"precision": -1.0}, "positive number"),
        ({"steps": -1}, "at least 0 steps"),
        ({}, "no eqx.nn.Linear"),
    ],
)
def test_bad_input_is_told(events, options, message):
    with pytest.raises(InputError, match=message):
        laplace_at(line(), Known(), events, **options)


class Straight(eqx.Module):
    """A loss that is linear in what the network says, as the negative of a log-density."""

    def __call__(self, network, events, key):
        return -jnp.mean(events.weight * jax.vmap(network)(events.features(("x0", "x1"))))


def test_a_loss_that_does_not_bend_in_the_outputs_needs_the_hessian(events):
    with pytest.raises(InputError, match="curvature='hessian'"):
        laplace_at(line(), Straight(), events, which="all", precision=1.0)


def test_a_matrix_that_is_too_large_is_refused(events):
    wide = classifier(jax.random.key(0), events, ("x0", "x1"), width=200, depth=2)
    with pytest.raises(InputError, match="which='last'"):
        laplace_at(wide, Known(), events, which="all")
