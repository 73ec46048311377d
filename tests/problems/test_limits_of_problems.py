"""Exact limits against published numbers, closed forms, and calculations of this file's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from verax.parameters import Gaussian, Parameter
from verax.problems import Mixture, Pivot, Rotating, information, uncertainty
from verax.problems import _pivot as pivot

EXACT = (14.71, 15.52, 15.65)
CLASSIFIER = (14.97, 19.12, 24.93)
TEN = np.linspace(0, 1, 11)


def recorded(problem, row):
    """A row of numbers in the table of the class's docstring."""
    line = next(line for line in type(problem).__doc__.splitlines() if line.strip().startswith(row))
    return [float(word) for word in line.replace(row, "").split()]


@pytest.fixture(scope="module")
def own_information():
    """Information of benchmark 4 without constraints: derivatives by hand, Gauss–Hermite × Laguerre over background."""
    t, w = np.polynomial.hermite_e.hermegauss(120)
    w = w / w.sum()
    y, v = np.polynomial.laguerre.laggauss(60)
    x0, x1, x2 = np.meshgrid(2 + np.sqrt(5) * t, 3 * t, y / 3, indexing="ij")
    share = w[:, None, None] * w[:, None] * v
    ratio = np.exp(-(x0**2) / 2 - x1**2 / 2 + (x0 - 2) ** 2 / 10 + x1**2 / 18 + x2) * np.sqrt(45) * 2 / 3
    slopes = [50 * ratio, 1000 * (x0 - 2) / 5 * 0.4, 1000 * (1 / 3 - x2), np.full_like(ratio, 100.0)]
    return np.array([[(share * a * b / (50 * ratio + 1000)).sum() for a in slopes] for b in slopes])


@pytest.mark.thorough
@pytest.mark.parametrize("benchmark", range(5))
def test_mixture(benchmark, own_information):
    problem = Mixture(benchmark)
    k = len(problem.parameters)
    exact = problem.information()
    prior = np.diag([0.0] + [float(benchmark >= 3)] * (k - 1))
    np.testing.assert_allclose(exact, own_information[:k, :k] + prior, rtol=2e-4, atol=1e-4 * exact.max())
    limit = problem.uncertainty(exact)
    classifier = problem.uncertainty(problem.counts_information(lambda p: problem.classifier_counts(TEN, p)))
    if benchmark < 3:
        assert limit == pytest.approx(EXACT[benchmark], rel=0.005)
        assert classifier == pytest.approx(CLASSIFIER[benchmark], rel=0.02)
    assert limit == pytest.approx(recorded(problem, "exact likelihood")[benchmark], abs=0.006)
    assert classifier == pytest.approx(recorded(problem, "exact classifier in 10 bins")[benchmark], abs=0.006)


def test_mixture_by_points_is_mixture_by_intervals():
    problem = Mixture(4)
    points = problem.uncertainty(problem.summary_information(problem.classifier, TEN, resolution=1))
    counts = problem.uncertainty(problem.counts_information(lambda p: problem.classifier_counts(TEN, p)))
    assert points == pytest.approx(counts, rel=0.005)


@pytest.fixture(scope="module")
def quarter():
    return Rotating().sample(jax.random.key(5), {"z": Rotating.theta_of(np.pi / 2)}, 50_000)


def test_rotating_ranks(quarter):
    assert Rotating.auc(0.3, 0.3) == pytest.approx(0.978324, abs=1e-6)
    assert Rotating.auc(np.pi / 4, np.pi / 2) == pytest.approx(0.923436, abs=1e-6)
    label = np.asarray(quarter.process) == 0
    for theta, exact in [(0.0, 0.923436), (Rotating.theta_of(np.pi / 2), 0.978324)]:
        score = Rotating().classifier(quarter.x, {"z": theta})
        error = np.sqrt(2 * exact * (1 - exact) / 50_000)  # an upper bound (Birnbaum and Klose)
        assert roc_auc_score(label, score) == pytest.approx(exact, abs=4 * error)


def own_rotating(edges, z, at):
    """Poisson counts of u = x·(cos z, sin z), with the derivative in θ of ±cos(z_true − z) by hand."""
    u = np.log(edges[1:-1] / (1 - edges[1:-1])) * 0.49 / 2
    u = np.concatenate([[-np.inf], u, [np.inf]])
    mean, slope = np.cos(at - z), -np.sin(at - z) * 0.5
    share = [np.diff(norm.cdf(u, sign * mean, 0.7)) for sign in (1, -1)]
    moved = [-sign * slope * np.diff(norm.pdf(u, sign * mean, 0.7)) for sign in (1, -1)]
    total = 500 * share[0] + 50_000 * share[1]
    slopes = np.stack([500 * share[0], 500 * moved[0] + 50_000 * moved[1]])
    return np.sqrt(np.linalg.inv((slopes / total) @ slopes.T + np.diag([0, 1]))[0, 0])


@pytest.mark.parametrize(("z", "name"), [(np.pi / 4, "π/4"), (np.pi / 2, "π/2")])
@pytest.mark.parametrize("bins", [10, 100])
def test_rotating_bins(z, name, bins):
    problem, edges = Rotating(), np.linspace(0, 1, bins + 1)
    for at, written in zip((np.pi / 4, np.pi / 2), recorded(problem, f"f(x; {name}), {bins} bins"), strict=True):
        params = {"z": Rotating.theta_of(at)}
        found = problem.counts_information(lambda p: problem.classifier_counts(edges, p, z=z), params)
        assert problem.uncertainty(found) == pytest.approx(own_rotating(edges, z, at), rel=1e-8)
        assert problem.uncertainty(found) == pytest.approx(written, abs=6e-6)


def test_rotating_against_its_known_values():
    problem = Rotating()
    for at in (0.0, Rotating.theta_of(np.pi / 2)):
        assert problem.uncertainty(problem.information({"z": at})) == pytest.approx(0.0675, abs=1e-4)
    for bins, value, tolerance in [(10, 0.0875, 0.01), (100, 0.0688, 0.001)]:
        edges = np.linspace(0, 1, bins + 1)
        found = problem.summary_information(problem.classifier, edges, resolution=4)
        assert problem.uncertainty(found) == pytest.approx(value, rel=tolerance + 1e-3)
    # ever finer bins of the true angle's classifier leave nothing out
    assert own_rotating(np.linspace(0, 1, 20_001), 0.0, 0.0) == pytest.approx(
        problem.uncertainty(problem.information()), rel=1e-4
    )


@pytest.mark.thorough
def test_pivot():
    problem = Pivot()
    assert problem.bayes_loss() == pytest.approx(0.4486, abs=2e-4)
    assert problem.pivotal_loss() == pytest.approx(0.5818, abs=2e-4)
    one_dimension = quad(lambda x: norm.pdf(x) * np.log1p(np.exp(x - 0.5)), -12, 12)[0]
    assert problem.pivotal_loss() == pytest.approx(one_dimension, abs=1e-9)
    assert pytest.approx(1.41894, abs=1e-5) == pivot.ENTROPY
    # the loss of the best classifier, on events whose z is drawn from its prior
    n = 100_000
    events = problem.sample(
        jax.random.key(8), {"z": jnp.clip(jax.random.normal(jax.random.key(9), (2 * n,)), -5, 5)}, n
    )
    log_density = np.asarray(problem.marginal_log_density(events.x), float)
    sign = np.where(np.asarray(events.process) == 0, 1, -1)
    loss = -np.log(expit(sign * (log_density[0] - log_density[1])))
    assert loss.mean() == pytest.approx(problem.bayes_loss(), abs=4 * loss.std() / np.sqrt(2 * n))


def test_uncertainty_without_information_is_infinite():
    parameters = (Parameter("mu"), Parameter("b"), Parameter("c", constraint=Gaussian()))
    counts, slope = np.array([10.0, 0.0]), np.array([[5.0, 0.0], [0.0, 0.0], [2.0, 0.0]])
    found = information(counts, slope, parameters)
    assert uncertainty(found, parameters) == pytest.approx(np.sqrt((10 + 4) / 25))
    assert uncertainty(found, parameters, "b") == np.inf
    twins = information(counts, np.array([[5.0, 0.0], [5.0, 0.0], [0.0, 0.0]]), parameters)
    assert uncertainty(twins, parameters) == np.inf
