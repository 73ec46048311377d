"""Counting what is not finite."""

import numpy as np
import pytest

from verax.data import check_values
from verax.errors import InputError

COLUMNS = {
    "x": np.array([1.0, np.nan, 3.0, np.nan]),
    "n": np.arange(4),
    "weight": np.array([1.0, np.inf, -np.inf, np.nan]),
}


def test_rows_are_refused_with_their_counts():
    message = (
        "sample 'w': got NaN in 2 of 4 rows of column 'x'; NaN or infinity in 3 of 4 rows of column 'weight'; "
        "expected finite numbers; repair the input, or set nonfinite: drop"
    )
    with pytest.raises(InputError) as caught:
        check_values(COLUMNS, where="sample 'w'")
    assert str(caught.value) == message


def test_rows_are_dropped_and_counted():
    mask, counts = check_values(COLUMNS, "drop")
    np.testing.assert_array_equal(mask, [True, False, False, False])
    assert counts == {"x": 2, "weight": 3}


def test_good_rows_pass():
    mask, counts = check_values({"x": np.ones(3, np.float32)})
    assert mask.all()
    assert counts == {}
    assert check_values({})[0].shape == (0,)
