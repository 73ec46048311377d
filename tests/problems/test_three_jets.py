import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.stats import chi2, kstest

from verax.errors import InputError
from verax.problems import ThreeJets
from verax.problems._three_jets import integral

CUT = 0.05
PROBLEM = ThreeJets(CUT)
N = 100_000


def matrix_element(a, b):
    return ((1 - a) ** 2 + (1 - b) ** 2) / (a * b)


@pytest.fixture(scope="module")
def x():
    return np.asarray(jax.jit(lambda key: PROBLEM.nominal(key, N))(jax.random.key(21)).x, float)


@pytest.mark.parametrize(("cut", "value"), [(0.01, 27.940636884), (0.05, 8.647683106), (0.1, 3.687504681)])
def test_integral(cut, value):
    assert integral(cut) == pytest.approx(value, abs=1e-8)
    numerical, _ = dblquad(matrix_element, cut, 1 - 2 * cut, cut, lambda a: 1 - cut - a, epsabs=1e-9)
    assert integral(cut) == pytest.approx(numerical, abs=1e-7)


def test_entropy():
    total = PROBLEM.yields[0] * 3 * np.pi / (2 * 0.118) / 10_000

    def surprise(a, b):
        p = matrix_element(a, b) / total
        return -p * np.log(p)

    numerical, _ = dblquad(surprise, CUT, 1 - 2 * CUT, CUT, lambda a: 1 - CUT - a, epsabs=1e-9)
    assert PROBLEM.entropy() == pytest.approx(numerical, abs=1e-8)


def test_entropy_of_a_sample(x):
    values = -np.asarray(PROBLEM.log_density(x, {}))[0]
    assert np.isfinite(values).all()
    assert values.mean() == pytest.approx(PROBLEM.entropy(), abs=4 * values.std() / np.sqrt(N))


def test_all_masses_are_above_the_cut(x):
    masses = np.column_stack([1 - x, x.sum(axis=1) - 1])
    assert masses.min() > CUT - 1e-6
    assert np.isneginf(PROBLEM.log_density(np.array([[0.99, 0.5], [0.2, 0.2]]), {})).all()


def test_sample_follows_the_density(x):
    """χ² in cells of the (ln(1 − x1), ln(1 − x2)) plane, and Kolmogorov–Smirnov in x1 and in the gluon's energy."""
    points, volume = PROBLEM.quadrature({}, 10)
    with jax.enable_x64(True):
        density = np.exp(np.asarray(PROBLEM.log_density(jnp.asarray(points), {}))[0]) * volume
    edges = np.linspace(np.log(CUT) - 1e-6, np.log(1 - 2 * CUT) + 1e-6, 13)
    expected, _, _ = np.histogram2d(*np.log(1 - points).T, bins=(edges, edges), weights=density * N)
    observed, _, _ = np.histogram2d(*np.log(1 - x).T, bins=(edges, edges))
    filled = expected > 20
    statistic = np.sum((observed - expected)[filled] ** 2 / expected[filled])
    assert chi2.sf(statistic, filled.sum() - 1) > 1e-3
    for project in (lambda x: x[:, 0], lambda x: x[:, 1], lambda x: 2 - x.sum(axis=1)):
        order = np.argsort(project(points))
        grid, cumulative = project(points)[order], np.cumsum(density[order])
        test = kstest(project(x), lambda v, grid=grid, cumulative=cumulative: np.interp(v, grid, cumulative))
        assert test.pvalue > 1e-3


def test_the_count_measures_the_coupling():
    assert PROBLEM.yields[0] == pytest.approx(10_000 * 2 * 0.118 / (3 * np.pi) * 8.647683106)
    found = PROBLEM.uncertainty(PROBLEM.information())
    assert found == pytest.approx(0.118 / np.sqrt(PROBLEM.yields[0]), rel=1e-9)


def test_no_phase_space():
    with pytest.raises(InputError, match=r"cut 0.4; expected a scaled mass above 0 and below 1/3"):
        ThreeJets(0.4)
