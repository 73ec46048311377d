"""What every maker of intervals or sets promises; a new one joins by one line in ``INTERVAL_MAKERS``."""

import copy
import pickle

import numpy as np
import pytest
from guarantees import INTERVAL_MAKERS

from verax.errors import InputError

RNG = np.random.default_rng(31)


def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
    """y = 2x with a spread that grows with |x|."""
    x = RNG.normal(size=(n, 1))
    return x, 2 * x[:, 0] + (0.5 + np.abs(x[:, 0])) * RNG.normal(size=n)


X, Y = draw(80)
NEW, TRUTH = draw(2000)
FEW = NEW[:25]
SIGNED = RNG.uniform(0.5, 1.5, 80) * np.where(RNG.random(80) < 0.1, -1, 1)

pytestmark = pytest.mark.parametrize("maker", INTERVAL_MAKERS.values(), ids=INTERVAL_MAKERS)


def same(maker, one, two, rtol=1e-9):
    for a, b in zip(maker.ask(one, FEW), maker.ask(two, FEW), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12)


@pytest.mark.thorough
def test_it_covers(maker):
    """Of 80 calibration events and 2,000 new ones; the jackknives have the level of a good model, not a theorem's."""
    held = np.mean([maker.inside(maker(*draw(80)), NEW, TRUTH).mean() for _ in range(20)])
    spread = np.sqrt(0.16 * (1 / 80 + 1 / 2000) / 20 + 0.16 / 2000)  # all use the same new events
    assert held > 0.8 - 4 * spread
    if not maker.classes:  # few classes: sets of one are too large or too small
        assert held < 0.8 + 1 / 81 + 4 * spread + 0.03 * maker.leaves_out


def test_a_higher_level_makes_sets_that_hold_the_others(maker):
    (low, high), (lower, higher) = (maker.ask(maker(X, Y, level=level), NEW) for level in (0.6, 0.95))
    assert (lower <= low).all()
    assert (higher >= high).all()
    assert (higher > high).any()
    for level in (0, 1, 90, np.nan):
        with pytest.raises(InputError, match="level"):
            maker.ask(maker(X, Y, level=level), FEW)


def test_negative_weights_are_refused_until_a_word_says_what_they_mean(maker):
    with pytest.raises(InputError, match=f"{(SIGNED < 0).sum()} negative weights of 80.*choose negative='signed'"):
        maker.ask(maker(X, Y, SIGNED), FEW)
    low, high = maker.ask(maker(X, Y, SIGNED, negative="signed"), FEW)
    assert (low <= high).all()
    same(maker, maker(X, Y, SIGNED, negative="abs"), maker(X, Y, np.abs(SIGNED)))
    with pytest.raises(InputError, match="known: error, signed, abs"):
        maker.ask(maker(X, Y, SIGNED, negative="ignore"), FEW)


@pytest.mark.parametrize("bad", [np.zeros(80), -np.ones(80), np.full(80, np.nan), np.full(80, np.inf), np.ones(3)])
def test_weights_of_no_use_are_refused(maker, bad):
    with pytest.raises(InputError):
        maker(X, Y, bad, negative="signed")


def test_one_event_says_nothing_or_is_refused(maker):
    if maker.leaves_out:
        with pytest.raises(InputError, match="1 folds of 1 points"):
            maker(X[:1], Y[:1])
        return
    low, high = maker.ask(maker(X[:1], Y[:1]), FEW)
    assert (low == (-1 if maker.classes else -np.inf)).all()
    assert (high == (1 if maker.classes else np.inf)).all()
    assert maker.ask(maker(X, Y), NEW[:1])[0].shape[0] == 1


def test_values_that_are_not_there_are_refused(maker):
    hole = np.where(np.arange(80) == 7, np.nan, 1.0)
    for y, weight in ((hole * Y, None), (Y, hole)):
        with pytest.raises(InputError):
            maker(X, y, weight)


def test_new_calibration_events_replace_the_old_ones(maker):
    model = maker(X, Y)
    before = maker.ask(model, FEW)
    maker.calibrate(model, X, 100 * Y)
    same(maker, model, maker(X, 100 * Y), rtol=0)
    maker.calibrate(model, X, Y)
    for a, b in zip(maker.ask(model, FEW), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_caller_may_change_his_arrays_afterwards(maker):
    x, y, weight = X.copy(), Y.copy(), np.abs(SIGNED)
    model = maker(x, y, weight)
    before = maker.ask(model, FEW)
    x[:], y[:], weight[:] = 0, 0, 0
    for a, b in zip(maker.ask(model, FEW), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_make_the_same_intervals(maker, copied):
    model = maker(X, Y)
    same(maker, copied(model), model, rtol=0)
    maker.calibrate(copied(model), X, 100 * Y)
    same(maker, model, maker(X, Y), rtol=0)


def test_the_order_of_events_means_nothing(maker):
    order = RNG.permutation(80)
    same(maker, maker(X[order], Y[order]), maker(X, Y))
    one, two = (maker(X[i], Y[i], SIGNED[i], negative="signed") for i in (slice(None), order))
    same(maker, one, two)


def test_weights_count_events_in_any_unit(maker):
    count = RNG.integers(0, 3, 80).astype(float)
    weighted = maker(X, Y, count)
    same(maker, maker(X, Y, 0.25 * count), weighted)
    same(maker, maker(X, Y, np.full(80, 7.0)), maker(X, Y))
    if not maker.leaves_out:  # an event of weight zero is not there
        there = count > 0
        same(maker, maker(X[there], Y[there], count[there]), weighted)
