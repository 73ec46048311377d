import jax
import numpy as np
import pytest
from scipy.stats import chi2, poisson

from verax.epistemic import bootstrap_factors

N, MEMBERS = 40_000, 6
KEY = jax.random.key(11)


@pytest.fixture(scope="module")
def identity():
    rng = np.random.default_rng(0)
    return rng.integers(0, 2**32, N, dtype=np.uint32), rng.integers(0, 3, N).astype(np.int32)


@pytest.fixture(scope="module")
def factors(identity):
    return bootstrap_factors(KEY, *identity, members=MEMBERS)


def test_factors_are_poisson_with_mean_one(factors):
    n = factors.size
    values = factors.astype(float)
    assert values.mean() == pytest.approx(1, abs=4 / np.sqrt(n))
    assert values.var() == pytest.approx(1, abs=4 * np.sqrt(3 / n))  # variance of s² is (μ4 − 1)/n = 3/n
    k = np.arange(7)
    observed = np.append(np.bincount(factors.ravel(), minlength=8)[:7], (factors > 6).sum())
    expected = n * np.append(poisson.pmf(k, 1), poisson.sf(6, 1))
    assert chi2.sf(((observed - expected) ** 2 / expected).sum(), 7) > 1e-4


def test_members_and_processes_are_independent(identity, factors):
    correlation = np.corrcoef(factors.astype(float))[np.triu_indices(MEMBERS, 1)]
    assert np.abs(correlation).max() < 4.5 / np.sqrt(N)
    other = bootstrap_factors(KEY, identity[0], (identity[1] + 1) % 3, members=1)[0]
    assert abs(np.corrcoef(other, factors[0])[0, 1]) < 4.5 / np.sqrt(N)
    neighbours = bootstrap_factors(KEY, np.arange(N, dtype=np.uint32), np.zeros(N, np.int32), members=1)[0].astype(
        float
    )
    assert abs(np.corrcoef(neighbours[1:], neighbours[:-1])[0, 1]) < 4.5 / np.sqrt(N)


@pytest.mark.parametrize("size", [1, 333, 7000])
def test_same_event_same_factors_in_any_chunk_order_and_number_of_members(identity, factors, size):
    order = np.random.default_rng(size).permutation(N)[: 5 * size]
    number, process = identity
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        np.testing.assert_array_equal(bootstrap_factors(KEY, number[rows], process[rows], members=2), factors[:2, rows])


def test_more_events_than_a_block(identity, factors):
    number, process = (np.tile(a, 2) for a in identity)
    twice = bootstrap_factors(KEY, number, process, members=2)
    np.testing.assert_array_equal(twice, np.tile(factors[:2], 2))


def test_another_key_gives_other_factors(identity, factors):
    assert (bootstrap_factors(jax.random.key(12), *identity, members=1)[0] != factors[0]).mean() > 0.5


def test_golden_factors():
    # Integers compared with integers: a change here would change every replica ever made.
    seen = bootstrap_factors(jax.random.key(0), np.arange(12, dtype=np.uint32), np.zeros(12, np.int32), members=2)
    assert seen.tolist() == [[0, 0, 0, 0, 2, 1, 3, 1, 3, 0, 1, 3], [1, 1, 2, 1, 0, 2, 1, 0, 1, 1, 1, 0]]
