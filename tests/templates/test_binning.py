import itertools

import numpy as np
import pytest

from verax.errors import InputError
from verax.templates import Templates, choose_edges, information
from verax.templates._binning import best_cuts


def make(nominal, variance, channels=("all",), processes=("signal", "b1", "b2")):
    nominal, variance = np.asarray(nominal, float), np.asarray(variance, float)
    bins = nominal.shape[1] // len(channels)
    edges = tuple(tuple(float(e) for e in range(bins + 1)) for _ in channels)
    empty = np.zeros((0, *nominal.shape))
    return Templates(nominal, variance, empty, empty, channels, edges, processes, ())


def random_templates(seed, bins, channels=("all",), events=300):
    rng = np.random.default_rng(seed)
    fine = bins * len(channels)
    shape = np.stack([np.linspace(0.1, 3, fine), np.linspace(3, 0.05, fine), np.linspace(1, 1, fine)])
    counts = rng.poisson(shape / shape.sum(1, keepdims=True) * events)
    weight = np.array([[0.05], [0.7], [0.2]])
    return make(counts * weight, counts * weight**2, channels)


def value(t, cuts, signal=("signal",), min_effective=10.0, max_relative_error=0.3):
    """The objective, written plainly: −inf where a bin does not meet the demands."""
    total = 0.0
    is_signal = np.isin(t.processes, signal)
    largest = np.flatnonzero(~is_signal)[np.argmax(t.nominal[~is_signal].sum(1))]
    for a, b in itertools.pairwise(cuts):
        n, v = t.nominal[:, a:b].sum(1), t.variance[:, a:b].sum(1)
        back, back_v = n[~is_signal].sum(), v[~is_signal].sum()
        if n.sum() <= 0 or np.sqrt(v.sum()) > max_relative_error * n.sum() or back <= 0 or n[largest] <= 0:
            return -np.inf
        if back**2 < 0.999999 * min_effective * back_v or n[largest] ** 2 < 0.999999 * min_effective * v[largest]:
            return -np.inf
        total += max(n[is_signal].sum() ** 2 - v[is_signal].sum(), 0) / (n.sum() + v.sum())
    return total


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("max_bins", [1, 2, 4])
def test_choice_is_the_best_of_all(seed, max_bins):
    t = random_templates(seed, 9)
    every = [(0, *inner, 9) for k in range(max_bins) for inner in itertools.combinations(range(1, 9), k)]
    best = max(value(t, cuts) for cuts in every)
    (edges,) = choose_edges(t, signal=("signal",), max_bins=max_bins, tolerance=0.0)
    assert len(edges) <= max_bins + 1
    assert value(t, [int(e) for e in edges]) == pytest.approx(best, rel=1e-12)


def test_every_bin_meets_the_demands_and_channels_are_chosen_by_themselves():
    t = random_templates(3, 40, ("a", "b"), events=2000)
    edges = choose_edges(t, signal=("signal",), min_effective=30.0, max_relative_error=0.2)
    merged = t.rebin(edges)
    background, spread = merged.nominal[1:].sum(0), merged.variance[1:].sum(0)
    assert (background**2 / spread >= 30).all()
    assert (np.sqrt(merged.variance.sum(0)) / merged.nominal.sum(0) <= 0.2).all()
    alone = make(t.nominal[:, :40], t.variance[:, :40])
    assert choose_edges(alone, signal=("signal",), min_effective=30.0, max_relative_error=0.2)[0] == edges[0]


def test_merging_never_adds_information_and_simulation_statistics_cost():
    t = random_templates(1, 20)
    coarse = t.rebin(((0.0, 5.0, 12.0, 20.0),))
    assert information(coarse, signal=("signal",)).sum() <= information(t, signal=("signal",)).sum()
    without = information(t, signal=("signal",), simulation_statistics=False)
    assert (information(t, signal=("signal",)) <= without).all()


def test_information_of_one_bin_is_the_closed_form():
    t = make([[10.0], [90.0], [0.0]], [[1.0], [24.0], [0.0]])
    assert information(t, signal=("signal",)) == pytest.approx(100 / 125)


def test_tolerance_takes_fewer_bins():
    t = random_templates(2, 60, events=20_000)
    (many,) = choose_edges(t, signal=("signal",), max_bins=15, tolerance=0.0)
    (few,) = choose_edges(t, signal=("signal",), max_bins=15, tolerance=0.02)
    assert len(few) < len(many)
    best = information(t.rebin((many,)), signal=("signal",)).sum()
    assert information(t.rebin((few,)), signal=("signal",)).sum() > 0.96 * best


def test_one_bin_where_nothing_else_is_allowed():
    t = random_templates(0, 10, events=5)
    assert choose_edges(t, signal=("signal",), min_effective=1e6) == ((0.0, 10.0),)


def test_negative_fine_bins_are_merged_away():
    t = random_templates(5, 30, events=3000)
    nominal = np.array(t.nominal)
    nominal[1, -3] = -0.5
    (edges,) = choose_edges(make(nominal, t.variance), signal=("signal",))
    assert (make(nominal, t.variance).rebin((edges,)).nominal > 0).all()


def test_bad_options_are_refused():
    t = random_templates(0, 10)
    with pytest.raises(InputError, match="did you mean 'signal'"):
        choose_edges(t, signal=("signl",))
    with pytest.raises(InputError, match="no process"):
        choose_edges(t, signal=())
    with pytest.raises(InputError, match="max_bins"):
        choose_edges(t, signal=("signal",), max_bins=0)
    with pytest.raises(InputError, match="no expected events"):
        choose_edges(make(np.zeros((3, 4)), np.zeros((3, 4))), signal=("signal",))


def test_a_summary_that_is_the_same_for_all_events_is_refused():
    one = np.zeros((3, 4))
    one[:, 2] = 10.0
    with pytest.raises(InputError, match=r"summary: got all events in one of 4 bins, \[.*\]: a constant output"):
        choose_edges(make(one, one), signal=("signal",))
    assert len(choose_edges(make(one[:, 2:3], one[:, 2:3]), signal=("signal",))[0]) == 2  # a mere count


def test_cuts_of_a_gain_with_one_way():
    gain = np.full((4, 4), -np.inf)
    gain[0, 2], gain[2, 3], gain[0, 3] = 1.0, 1.0, 1.5
    assert best_cuts(gain, 3) == [0, 2, 3]
    assert best_cuts(gain, 1) == [0, 3]
