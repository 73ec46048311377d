import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verax.errors import InputError
from verax.events import concatenate, fold_number, make_events


@pytest.fixture
def events():
    return make_events(
        {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([4.0, 5.0, 6.0])},
        weight=np.array([1.0, -0.5, 2.0]),
        process=np.array([0, 1, 1]),
        number=np.array([10, 11, 12]),
        processes=("signal", "background"),
    )


def test_columns_by_name(events):
    assert np.array_equal(events.column("b"), [4, 5, 6])
    assert np.array_equal(events.features(["b", "a"]), [[4, 1], [5, 2], [6, 3]])


def test_unknown_column_names_the_nearest(events):
    with pytest.raises(InputError, match="did you mean 'b'"):
        events.column("bb")


def test_replace_and_reweight_leave_the_rest(events):
    changed = events.replace({"a": np.zeros(3, np.float32)}).reweight(2.0)
    assert np.array_equal(changed.x, [[0, 4], [0, 5], [0, 6]])
    assert np.array_equal(changed.weight, [2, -1, 4])
    assert np.array_equal(events.column("a"), [1, 2, 3])


def test_events_pass_through_jit_and_grad(events):
    def total(theta):
        moved = events.replace({"a": events.column("a") * theta})
        return jnp.sum(moved.column("a") * moved.weight)

    assert float(jax.jit(jax.grad(total))(1.0)) == pytest.approx(1 * 1 - 0.5 * 2 + 2 * 3)


def test_take_by_mask_and_concatenate_are_inverse(events):
    mask = np.array([True, False, False])
    parts = [events.take(mask), events.take(~mask)]
    joined = concatenate(parts)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(joined), jax.tree.leaves(events), strict=True))


def test_is_process(events):
    assert np.array_equal(events.is_process(["background"]), [False, True, True])
    with pytest.raises(InputError, match="process 'signl'"):
        events.is_process(["signl"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight": np.ones(2)},
        {"process": np.array([0, 1, 2])},
        {"process": np.array([-1, 0, 0])},
        {"number": np.arange(4)},
    ],
)
def test_wrong_lengths_and_processes_are_refused(wrong):
    with pytest.raises(InputError):
        make_events({"a": np.zeros(3)}, processes=("s", "b"), **wrong)


class Column:
    """A column of a table of any kind: all that it offers is an array."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


def test_columns_of_tables_are_taken_and_what_is_missing_there_is_nan():
    found = make_events(
        {"a": Column([1.0, None, 3.0]), "b": [1, 2, 3]}, weight=Column([1, 2, 3]), number=Column([5, 6, 7])
    )
    np.testing.assert_array_equal(found.x, [[1, 1], [np.nan, 2], [3, 3]])
    np.testing.assert_array_equal(found.weight, [1, 2, 3])
    assert found.number.tolist() == [5, 6, 7]
    large = [2**60 + 1, 2**60 + 2]
    assert np.array_equal(fold_number(Column(np.array(large, object))), fold_number(np.array(large)))


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [
        (np.array(["a", "b"]), r"text of shape \(2,\)"),
        (["1.5", "2"], r"text of shape \(2,\)"),
        (Column(np.array(["1", 2.0], object)), r"text of shape \(2,\)"),
        (np.array(["2026-01-01", "2026-01-02"], "datetime64[D]"), r"times of shape \(2,\)"),
        (np.array([1j, 2]), r"complex numbers of shape \(2,\)"),
        (np.ma.masked_array([1.0, 2.0], [False, True]), "masked values"),
        ([[1.0], [1.0, 2.0]], r"a list \(.*inhomogeneous"),
        (Column(np.array([object(), 1.0], object)), r"a Column \("),
        (np.ones((2, 2)), r"float64 of shape \(2, 2\)"),
        (3.0, r"float64 of shape \(\)"),
    ],
)
def test_what_are_no_numbers_is_refused_in_one_line(wrong, seen):
    """A NumPy error, a lost mask, or days since 1970 before."""
    for name, call in {
        "column 'a'": lambda: make_events({"a": wrong}),
        "weights": lambda: make_events({"a": np.ones(2)}, weight=wrong),
        "process index": lambda: make_events({"a": np.ones(2)}, process=wrong),
        "event number": lambda: make_events({"a": np.ones(2)}, number=wrong),
    }.items():
        with pytest.raises(InputError, match=f"{name}: got {seen}") as error:
            call()
        assert "\n" not in str(error.value)


def test_half_a_process_is_refused():
    """It was the process below, and one of 2³² the first."""
    with pytest.raises(InputError, match="process index: got 1 of 2 that are not whole"):
        make_events({"a": np.ones(2)}, process=np.array([0.0, 0.7]))
    with pytest.raises(InputError, match="process index: got 0 … 4294967296"):
        make_events({"a": np.ones(2)}, process=np.array([0, 2**32]))


def test_fold_number_is_the_identity_below_32_bits_and_spreads_above():
    small = np.array([0, 1, 2**32 - 1], np.uint64)
    assert np.array_equal(fold_number(small), small)
    # Same low half, 20,000 different high halves: as 32-bit hashes, about 20000²/2/2³² = 0.05 of them collide.
    wide = (np.arange(1, 20_001, dtype=np.uint64) << np.uint64(32)) + np.uint64(7)
    assert len(np.unique(fold_number(wide))) > 19_990


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1.5])
def test_event_numbers_are_whole(wrong):
    with pytest.raises(InputError, match="event number: got 1 of 3 that are not whole"):
        fold_number(np.array([1.0, wrong, 2.0]))


@pytest.mark.parametrize(
    ("columns", "weight", "line"),
    [
        (
            {"x": np.array([1.0, -1e40])},
            None,
            r"column 'x': .* -1e\+40 in 1 of 2 rows; expected numbers up to 3.4e\+38",
        ),
        (
            {"x": np.ones(2)},
            np.array([1e20, 1.0]),
            r"weights: .* 1e\+20 in 1 of 2 rows; expected numbers up to 1.8e\+19",
        ),
    ],
)
def test_numbers_that_float32_does_not_hold_are_refused(columns, weight, line):
    with pytest.raises(InputError, match=line):
        make_events(columns, weight=weight)
    assert (
        np.isnan(np.asarray(make_events({"x": np.array([np.nan, 1.0])}).x)).sum() == 1
    )  # said where values are checked


def test_values_that_float32_does_not_tell_apart_are_refused():
    x = 1e8 + np.random.default_rng(1).normal(size=1000)
    with pytest.raises(InputError, match=r"column 'x': got 1000 distinct values of which float32 keeps \d;"):
        make_events({"x": x})
    assert len(make_events({"x": x}, exact=False)) == 1000
    assert len(np.unique(make_events({"x": x - 1e8}).x)) > 900
