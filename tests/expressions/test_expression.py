"""The language of selections, weights and derived columns: its values, and that it is nothing more."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verax.errors import InputError
from verax.expressions import expression

COLUMNS = {
    "a": np.array([1.0, -2.0, 3.0]),
    "b": np.array([2.0, 0.0, 0.5]),
    "n": np.array([0, 1, 2]),
    "good": np.array([True, False, True]),
    "label": np.array(["s", "b", "s"], dtype=object),
    "jet_pt[0]": np.array([10.0, 20.0, 30.0]),
    "jet.eta": np.array([0.1, 0.2, 0.3]),
}
a, b, n, good = (COLUMNS[name] for name in ("a", "b", "n", "good"))

CASES = {
    "a + b * 2 - 1": a + b * 2 - 1,
    "-a ** 2 % 3": -(a**2) % 3,
    "n ** -1 + n ** 2": np.array([np.inf, 2.0, 4.5]),
    "+a": a,
    "a / b": np.array([0.5, -np.inf, 6.0]),
    "sqrt(a)": np.array([1.0, np.nan, np.sqrt(3)]),
    "log(b)": np.array([np.log(2), -np.inf, np.log(0.5)]),
    "abs(a) > 1": [False, True, True],
    "0 < a <= 3 != b": [True, False, True],
    "a > 0 and b > 1 or n == 1": [True, True, False],
    "(a > 0) & ~(b > 1) | (n == 1)": [False, True, True],
    "not good": ~good,
    "good & (a > 2)": [False, False, True],
    "where(good, a, b)": np.where(good, a, b),
    "where(n >= 1 and good, 1, 0)": [0, 0, 1],
    "arctan2(a, b) + sin(pi * n / 2) + cosh(b)": np.arctan2(a, b) + np.sin(np.pi * n / 2) + np.cosh(b),
    "minimum(a, b) + maximum(a, 1) + exp(-a)": np.minimum(a, b) + np.maximum(a, 1) + np.exp(-a),
    "floor(1.5 * n + 0.5) in (2, 4)": [False, True, False],
    "n not in (0, 2)": [False, True, False],
    "label == 's'": [True, False, True],
    "label != 's' and a < 0": [False, True, False],
    "label in ('b', 'c')": [False, True, False],
    "jet_pt[0] * jet.eta": np.array([1.0, 4.0, 9.0]),
    "2": [2, 2, 2],
    "1e400 * 0": [np.nan] * 3,
    "9 ** 9 ** 9 ** 9": [np.inf] * 3,
    "(a > 0) * b": np.array([2.0, 0.0, 0.5]),
    "isfinite(1 / b)": [True, False, True],
    "True": [True] * 3,
}


@pytest.mark.parametrize("text", CASES)
def test_values(text):
    value = expression(text)(COLUMNS)
    assert isinstance(value, np.ndarray)
    np.testing.assert_allclose(value, CASES[text], rtol=1e-12)


@pytest.mark.parametrize("text", [text for text in CASES if "label" not in text and "9 **" not in text])
def test_jax_gives_the_same(text):
    columns = {name: jnp.asarray(values) for name, values in COLUMNS.items() if name != "label"}
    value = jax.jit(expression(text))(columns)
    np.testing.assert_allclose(value, CASES[text], rtol=1e-6)


def test_derivatives_go_through():
    slope = jax.grad(lambda x: expression("where(x > 0, x ** 2 / y, 0)")({"x": x, "y": 2.0}))(3.0)
    assert slope == pytest.approx(3.0)


def test_names_are_known_before_any_row_is_read():
    e = expression("where(label == 's', a * jet_pt[0], a + pi) > b")
    assert e.names == ("label", "a", "jet_pt[0]", "b")
    assert e.text == ("label",)
    assert expression("1 + 2").names == ()
    assert pickle.loads(pickle.dumps(e))({**COLUMNS}).tolist() == e(COLUMNS).tolist()


def test_large_event_numbers_stay_exact():
    number = np.array([2**60, 2**60 + 1])
    np.testing.assert_array_equal(expression("number == 1152921504606846977")({"number": number}), [False, True])
    np.testing.assert_array_equal(expression("number % 2")({"number": number}), [0, 1])


def test_unknown_columns_name_their_neighbour():
    with pytest.raises(InputError, match=r"expression 'jet_pt\[1\] > 2'.*did you mean 'jet_pt\[0\]'"):
        expression("jet_pt[1] > 2")(COLUMNS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__import__('os').system('true')", "function"),
        ("a.__class__.__mro__()", "function"),
        ("open('x')", "function 'open'"),
        ("sqr(a)", "did you mean 'sqrt'"),
        ("sqrt(a, b)", "1 argument of sqrt"),
        ("where(a > 0, a)", "3 arguments of where"),
        ("sqrt(x=a)", "1 argument of sqrt"),
        ("[x for x in a]", "expected arithmetic"),
        ("lambda: 1", "expected arithmetic"),
        ("a if good else b", "expected arithmetic"),
        ("(a := 1)", "expected arithmetic"),
        ("f'{a}'", "expected arithmetic"),
        ("'text'", "expected arithmetic"),
        ("1j", "expected arithmetic"),
        ("a @ b", "expected arithmetic"),
        ("a // b", "expected arithmetic"),
        ("a << 2", "expected arithmetic"),
        ("a[b]", "the name of a column"),
        ("a[0:1]", "the name of a column"),
        ("sqrt(a)[0]", "the name of a column"),
        ("a is b", "one of < <="),
        ("a in b", "a list of values"),
        ("a in ()", "a list of values"),
        ("label < 's'", "text beside a column"),
        ("a + 1 == 's'", "text beside a column"),
        ("a > 1 & b < 2", "put comparisons in parentheses"),
        ("not a + 1", "put comparisons in parentheses"),
        ("a >", "an expression over columns"),
        ("", "an expression over columns"),
        ("a; b", "an expression over columns"),
        ("a = 1", "an expression over columns"),
        ("import os", "an expression over columns"),
        ("a\x00", "an expression over columns"),
        ("(" * 5000 + "a" + ")" * 5000, "an expression over columns"),
        ("+".join(["a"] * 100_000), "an expression over columns"),
    ],
)
def test_all_else_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        expression(text)


def test_arithmetic_with_text_is_refused():
    with pytest.raises(InputError, match="values it cannot be computed for"):
        expression("label * 2.5 + a")(COLUMNS)


WHOLE = {
    "id": np.array([3_000_000_000, 3_000_000_001, 3_000_000_002], np.uint32),
    "big": np.array([2**53 + 1, 2**53 + 2, 2**64 - 1], np.uint64),
    "n": np.array([0, 1, 2], np.uint8),
    "run": np.array([300_000, 300_001, 300_002], np.int32),
    "x": np.array([1.0, 2.0, 3.0]),
}

EXACT = {
    "id % 2": [0, 1, 0],
    "big % 2": [1, 0, 1],
    "big % 2 == 1": [True, False, True],
    "(big + 1) % 3": [1, 2, 1],
    "n - 3": [-3, -2, -1],
    "-n": [0, -1, -2],
    "run * 100000 + n": [30_000_000_000, 30_000_100_001, 30_000_200_002],
    "id * id % 1000": [0, 1, 4],
    "big * big % 10": [(2**53 + 1) ** 2 % 10, (2**53 + 2) ** 2 % 10, (2**64 - 1) ** 2 % 10],
    "(n > 0) + (n > 1)": [0, 1, 2],
    "floor(big) % 2": [1, 0, 1],
    "abs(n - 1)": [1, 0, 1],
    "where(n > 0, big, 0) % 2": [0, 0, 1],
    "maximum(n - 1, 0)": [0, 0, 1],
    "big == 18446744073709551615": [False, False, True],
    "big - 18446744073709551615 == 0": [False, False, True],
    "n % 0": [np.nan] * 3,
    "1 / n": [np.inf, 1.0, 0.5],
    "sqrt(n)": np.sqrt([0.0, 1.0, 2.0]),
    "exp(n > 0)": np.exp([0.0, 1.0, 1.0]),
    "n ** 2 * 100": [0, 100, 400],
    "5000000000 * 5000000000 * x": 25e18 * np.array([1.0, 2.0, 3.0]),
    "100000000000000000000000000000 * x": 1e29 * np.array([1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize("text", EXACT)
def test_whole_numbers_are_exact_whatever_their_type(text):
    value = expression(text)(WHOLE)
    assert value.dtype != object
    np.testing.assert_allclose(value, EXACT[text], rtol=1e-15, atol=0)


@pytest.mark.parametrize("text", ["5000000000 * 5000000000 * x", "(x > 1) + (x > 2)", "-(x > 1)"])
def test_constants_and_counts_are_the_same_in_jax(text):
    value = expression(text)({"x": jnp.asarray(WHOLE["x"])})
    np.testing.assert_allclose(value, expression(text)({"x": WHOLE["x"]}), rtol=1e-6)


@pytest.mark.parametrize("text", ["big * big", "5000000000 * 5000000000 * n", "5000000000 * 5000000000"])
def test_whole_numbers_never_wrap(text):
    with pytest.raises(InputError, match=r"expected at most 64 bits; multiply by 1\.0"):
        expression(text)(WHOLE)


@pytest.mark.parametrize("digits", [400, 10_000])
def test_a_literal_of_many_digits_is_one_short_line(digits):
    with pytest.raises(InputError, match="digits") as caught:
        expression("1" * digits + " * x")(WHOLE)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["x - 1", "2", "sqrt(x)", "-x", "pi", "x", "n"])
def test_a_selection_is_a_condition(text):
    with pytest.raises(InputError, match=r"selection.*condition"):
        expression(text).passed(WHOLE)


def test_a_selection_may_be_a_column_of_zeros_and_ones():
    flag = {"flag": np.array([0, 1, 1], np.uint8), "bad": np.array([0.0, np.nan, 1.0])}
    assert expression("flag").passed(flag).tolist() == [False, True, True]
    assert expression("flag == 1 and True").passed(flag).tolist() == [False, True, True]
    with pytest.raises(InputError, match="1 values such as nan"):
        expression("bad").passed(flag)
