import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom, norm, poisson

from verax.errors import InputError
from verax.problems import OnOff
from verax.results import Status

PROBLEM = OnOff()
SMALL = OnOff(5.0, 8.0, 2.0)
rng = np.random.default_rng(31)


def test_events_fill_the_two_regions():
    params = {"mu": 2.0, "nu": -1.0}
    events = PROBLEM.sample(jax.random.key(0), params, 7)
    region, weight = np.asarray(events.column("region")), np.asarray(events.weight, float)
    background = 70 - np.sqrt(70)
    assert weight[region == 0].sum() == pytest.approx(2 * 15 + background, rel=1e-6)
    assert weight[region == 1].sum() == pytest.approx(background, rel=1e-6)


def test_expected_uncertainty():
    for s, b, tau in [(15.0, 70.0, 1.0), (5.0, 8.0, 2.0)]:
        assert OnOff(s, b, tau).uncertainty() == pytest.approx(np.sqrt(s + b + b / tau) / s, rel=1e-12)


@pytest.mark.parametrize(("n", "m", "mu"), [(100.0, 60.0, 0.0), (75.0, 80.0, 1.3), (0.0, 3.0, 0.4), (12.0, 0.0, 0.5)])
def test_profile_against_a_numerical_one(n, m, mu):
    def nll(mu, b):
        return -poisson.logpmf(n, mu * 15 + b) - poisson.logpmf(m, b)

    def profiled(mu, lowest=1e-9):
        return minimize_scalar(lambda b: nll(mu, b), bounds=(lowest, 300), method="bounded", options={"xatol": 1e-10})

    found = profiled(mu)
    assert PROBLEM.background(mu, n, m) == pytest.approx(found.x, abs=1e-4)
    best = min(profiled(x).fun for x in [max((n - m) / 15, 0.0), 0.0])  # a boundary at 0, as in q̃ for n < m
    assert PROBLEM.t(mu, n, m, lowest=0.0) == pytest.approx(2 * (found.fun - best), abs=1e-6)


def test_published_significances():
    """Cousins, Linnemann, Tucker (physics/0702156), table 1, first column: n_on = 4, n_off = 5, τ = 5."""
    problem = OnOff(1.0, 1.0, 5.0)
    assert norm.isf(problem.p_binomial(4, 5)) == pytest.approx(1.66, abs=0.005)
    assert np.sqrt(problem.q0(4, 5)) == pytest.approx(1.95, abs=0.005)


def test_binomial_p_values():
    n, m = np.arange(12.0)[:, None], np.arange(9.0)
    np.testing.assert_allclose(SMALL.p_binomial(n, m), binom.sf(n - 1, n + m, 1 / 3), rtol=1e-9)
    assert (SMALL.q0(np.array([3.0, 9.0]), np.full(2, 6.0)) == [0, SMALL.t(0, 9.0, 6.0)]).all()


def test_exact_p_values_are_those_of_toys():
    n, m, size = 16.0, 15.0, 200_000
    for mu in (0.5, 2.5):
        b = SMALL.background(mu, n, m)
        x, y = rng.poisson(mu * 5 + b, size), rng.poisson(2 * b, size)
        fraction = np.mean(SMALL.t(mu, x, y, lowest=0.0) >= SMALL.t(mu, n, m, lowest=0.0) - 1e-9)
        error = np.sqrt(fraction * (1 - fraction) / size)
        assert SMALL.p_value(mu, n, m) == pytest.approx(fraction, abs=4 * error)
    mu, b0 = 3.0, SMALL.background(0.0, n, m)
    b1 = SMALL.background(mu, n, m)
    tails = []
    for at, b in ((mu, b1), (0.0, b0)):
        x, y = rng.poisson(at * 5 + b, size), rng.poisson(2 * b, size)
        tails.append(np.mean(SMALL.q_tilde(mu, x, y) >= SMALL.q_tilde(mu, n, m) - 1e-9))
    error = np.sqrt(sum((1 - f) / (f * size) for f in tails)) * tails[0] / tails[1]
    assert SMALL.cls(mu, n, m) == pytest.approx(tails[0] / tails[1], abs=4 * error)


def test_probabilities_sum_to_one():
    for mu, b in [(0.0, 0.0), (1.0, 8.0), (20.0, 3.0)]:
        assert SMALL.probability(mu, b, *SMALL.counts(mu, b)).sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.thorough
def test_intervals_over_all_backgrounds_cover_exactly():
    """Coverage summed over all counts, at backgrounds on the grid: at least the level, and not by far."""
    grid, level, mu = np.array([4.0, 8.0, 12.0]), 0.9, 1.0
    for truth in (4.0, 8.0):
        n, m = SMALL.counts(mu, truth)
        chance = SMALL.probability(mu, truth, n, m)
        likely = chance > 2e-4
        pairs = zip(n[likely], m[likely], strict=True)
        inside = [SMALL.p_value(mu, x, y, backgrounds=grid) > 1 - level for x, y in pairs]
        missing = chance[~likely].sum()
        covered = chance[likely][inside].sum()
        assert missing < 0.02
        assert level <= covered + missing
        assert covered < 0.97


def test_interval():
    n, m = 20.0, 16.0
    found = SMALL.neyman(n, m, np.linspace(0, 8, 161))
    assert found.status == Status.OK
    assert found.low < found.value < found.high
    for end, outside in ((found.low, -0.05), (found.high, 0.05)):
        assert SMALL.p_value(float(end), n, m) > 1 - 0.6827 >= SMALL.p_value(float(end) + outside, n, m)
    # with many events it is the interval of the asymptotic likelihood ratio
    many = OnOff(150.0, 400.0, 2.0)
    wide = many.neyman(550.0, 800.0, np.linspace(0.75, 1.25, 41))
    assert wide.width / 2 == pytest.approx(many.uncertainty(), abs=0.0125)  # half a step at either end
    assert SMALL.neyman(n, m, np.linspace(0, 1, 6)).status == Status.END_NOT_FOUND
    assert SMALL.neyman(n, m, np.array([50.0])).status == Status.END_NOT_FOUND


def test_bad_input():
    with pytest.raises(InputError, match="below zero"):
        SMALL.neyman(1, 1, np.array([-1.0]))
    with pytest.raises(InputError, match="tau = 0"):
        OnOff(1.0, 1.0, 0.0)
