"""Jackknife+ and CV+ intervals against their definition, and the published widths of the classic example."""

import math

import numpy as np
import pytest

from verax.conformal import jackknife
from verax.errors import InputError

RNG = np.random.default_rng(1)
RESIDUAL, PREDICTION = RNG.exponential(size=40), RNG.normal(size=(7, 40))


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_plus_is_its_definition(level):
    result = jackknife(RESIDUAL, PREDICTION, level=level)
    k = math.ceil(round(41 * level, 9))
    np.testing.assert_array_equal(result.high, np.sort(PREDICTION + RESIDUAL, axis=1)[:, k - 1])
    np.testing.assert_array_equal(result.low, np.sort(PREDICTION - RESIDUAL, axis=1)[:, 40 - k])


def test_folds_are_the_models_of_their_points():
    model = np.arange(40) % 4
    few = jackknife(RESIDUAL, PREDICTION[:, :4], model=model, level=0.9)
    all_of_them = jackknife(RESIDUAL, PREDICTION[:, :4][:, model], level=0.9)
    np.testing.assert_array_equal(few.low, all_of_them.low)
    np.testing.assert_array_equal(few.high, all_of_them.high)


def test_minmax_holds_plus_and_base_is_around_the_value():
    plus, minmax, base = (jackknife(RESIDUAL, PREDICTION, level=0.9, method=m) for m in ("plus", "minmax", "base"))
    assert (minmax.low <= plus.low).all()
    assert (minmax.high >= plus.high).all()
    np.testing.assert_allclose(base.high - base.value, base.value - base.low)


def test_integer_weights_are_repeated_points():
    count = RNG.integers(1, 4, 40)
    weighted = jackknife(RESIDUAL, PREDICTION, level=0.9, weight=count.astype(float))
    repeated = jackknife(np.repeat(RESIDUAL, count), np.repeat(PREDICTION, count, axis=1), level=0.9)
    # the new point weighs Σw²/Σw = 2.3 instead of 1: at most a rank more
    assert (weighted.high >= repeated.high).all()
    ordered = np.sort(np.repeat(PREDICTION + RESIDUAL, count, axis=1), axis=1)
    k = math.ceil(0.9 * (count.sum() + (count**2).sum() / count.sum()))
    np.testing.assert_array_equal(weighted.high, ordered[:, k - 1])


def test_too_few_points_and_bad_models():
    assert np.isinf(jackknife(RESIDUAL[:5], PREDICTION[:, :5], level=0.9).high).all()
    with pytest.raises(InputError, match="2 models for 40 points"):
        jackknife(RESIDUAL, PREDICTION[:, :2], level=0.9)
    with pytest.raises(InputError, match="did you mean 'minmax'"):
        jackknife(RESIDUAL, PREDICTION, level=0.9, method="min")
