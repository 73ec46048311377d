import math

import numpy as np
import pytest

from verax.errors import InputError
from verax.templates import exact_sum, find_bins, histogram

CELLS = 12


def draw(seed: int, n: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    weight = np.clip(rng.lognormal(0, spread, n), 1e-18, 1e18) * rng.choice([1, -1], n, p=[0.8, 0.2])
    weight[::50] = 0
    return rng.integers(0, CELLS, n), weight.astype(np.float32)


def fsum(cell, weight):
    return np.array([math.fsum(weight[cell == c].astype(np.float64)) for c in range(CELLS)])


@pytest.mark.parametrize("spread", [0.0, 1.0, 8.0, 25.0])
def test_sums_are_those_of_fsum(spread):
    cell, weight = draw(1, 5000, spread)
    sums = histogram(cell, weight, CELLS)
    np.testing.assert_array_equal(sums.weight.value(), fsum(cell, weight))
    np.testing.assert_array_equal(sums.square.value(), fsum(cell, weight * weight))


@pytest.mark.parametrize("spread", [0.0, 1.0, 8.0])
@pytest.mark.parametrize("pieces", [2, 17, 400])
def test_same_bits_for_any_chunks_in_any_order(spread, pieces):
    cell, weight = draw(2, 3000, spread)
    whole = histogram(cell, weight, CELLS)
    order = np.random.default_rng(pieces).permutation(3000)
    parts = [histogram(cell[rows], weight[rows], CELLS) for rows in np.array_split(order, pieces)]
    while len(parts) > 1:  # merged as a tree, not as a chain
        parts = [sum(parts[i + 1 : i + 3], parts[i]) for i in range(0, len(parts), 3)]
    np.testing.assert_array_equal(parts[0].weight.value(), whole.weight.value())
    np.testing.assert_array_equal(parts[0].square.value(), whole.square.value())


def test_plain_float_sums_do_depend_on_the_order():
    # The check above can fail: this is what it guards against.
    cell, weight = draw(2, 3000, 8.0)
    order = np.random.default_rng(0).permutation(3000)
    plain = np.bincount(cell, weight, CELLS)
    assert (plain != np.bincount(cell[order], weight[order], CELLS)).any()


@pytest.mark.parametrize(
    "values",
    [
        [3.4e38, -3.4e38, 1e-45],
        [1e-45, -1e-45, 2e-45],
        [-1e-30, 1e30],
        [0.0, -0.0],
        [1.0, 2**-24, -1.0],
        [-5.0, -(2.0**-100)],
    ],
)
def test_extreme_numbers(values):
    weight = np.array(values, np.float32)
    cell = np.zeros(len(values), np.int64)
    assert exact_sum(cell, weight, 2).value().tolist() == [math.fsum(weight.astype(np.float64)), 0.0]


def test_empty_and_incompatible():
    assert exact_sum(np.zeros(0, int), np.zeros(0, np.float32), 3).value().tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="cells"):
        exact_sum(np.zeros(1, int), np.ones(1, np.float32), 3) + exact_sum(np.zeros(1, int), np.ones(1, np.float32), 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_counted(bad):
    with pytest.raises(InputError, match="2 NaN or infinite"):
        exact_sum(np.zeros(3, int), np.array([1, bad, bad], np.float32), 1)


@pytest.mark.parametrize("edges", [np.linspace(0, 1, 401), np.linspace(-3.3, 0.7, 24), np.array([0, 0.2, 0.9, 1.0])])
def test_bins_are_those_of_a_search(edges):
    rng = np.random.default_rng(3)
    values = np.concatenate(
        [rng.uniform(-4, 2, 2000), edges, np.nextafter(edges, -9), np.nextafter(edges, 9), [np.inf]]
    )
    expected = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    np.testing.assert_array_equal(find_bins(values, edges), expected)
    narrow = values.astype(np.float32)
    expected = np.clip(np.searchsorted(edges, narrow.astype(np.float64), side="right") - 1, 0, len(edges) - 2)
    np.testing.assert_array_equal(find_bins(narrow, edges), expected)


def test_nan_scores_are_refused():
    with pytest.raises(InputError, match="1 NaN"):
        find_bins(np.array([0.1, np.nan]), np.array([0.0, 1.0]))
