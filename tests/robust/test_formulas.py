"""Random formulas over columns: refused in one line, or what Python's own arithmetic says."""

import ast
import math

import numpy as np
import pytest

from mutations import limited, misspelt, one_line
from verax.data import expression
from verax.errors import InputError

FEW, MANY = range(2), range(2, 40)
PARTS = [*FEW, *(pytest.param(k, marks=pytest.mark.thorough) for k in MANY)]

COLUMNS = {
    "x": np.array([1.5, -2.0, 0.25, np.nan, 1e300]),
    "n": np.array([-3, 0, 7, 2**31, -(2**62)]),
    "u": np.array([0, 1, 255, 2**63, 2**64 - 1], np.uint64),
    "small": np.array([-128, -1, 0, 1, 127], np.int8),
    "good": np.array([True, False, True, True, False]),
    "label": np.array(["s", "b", "", "s", "\u00e9"], dtype=object),
    "jet.pt": np.array([1.0, 2.0, 3.0, 4.0, 5.0], np.float32),
}
TEXTS = (
    "where(good and x > 0, sqrt(abs(x)) / 2, -n % 7)", "label in ('s', 'c') and not (n <= 2 or u == 0)", "x ** 2 + jet.pt",
    "minimum(n, small) * 3 - 5000000000", "(x > 0) + (n > 0) * 2", "-small ** 2", "floor(x) != ceil(x)", "0 < x <= 3 < n",
)  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_misspelt_formulas_are_refused_or_have_a_value_in_each_row(part):
    refused = 0
    for case in range(150):
        rng = np.random.default_rng([300 + part, case])
        text = misspelt(TEXTS[rng.integers(len(TEXTS))], rng, int(rng.integers(1, 5)))
        try:
            with limited(10.0):
                formula = expression(text)
                value = formula(COLUMNS)
                assert value.shape == (5,), text
                assert value.dtype.kind in "biuf" or formula.text or value.dtype.kind == "O", text
                if not formula.number:
                    assert formula.passed(COLUMNS).dtype == bool
        except InputError as error:
            one_line(error)
            refused += 1
    assert 20 < refused < 150


WHOLE = [k for k, v in COLUMNS.items() if v.dtype.kind in "biu"]


def draw(rng, depth):
    """A formula of whole numbers."""
    if depth == 0 or rng.random() < 0.2:
        return str(rng.choice([*WHOLE, "0", "1", "2", "7", "255", "5000000000", "9223372036854775807"]))
    a, b, c = (draw(rng, depth - 1) for _ in range(3))
    forms = (f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"(-{a})", f"abs({a})", f"({a} % 7)", f"({a} < {b})")
    more = (f"minimum({a}, {b})", f"maximum({a}, {b})", f"where({a} > {b}, {b}, {c})", f"({a} == {b})")
    return str(rng.choice([*forms, *more]))


@pytest.mark.parametrize("part", PARTS)
def test_whole_numbers_are_exactly_those_of_python(part):
    """In each row the same integer, or an error where 64 bits do not hold those of all rows."""
    functions = {"minimum": min, "maximum": max, "abs": abs, "where": lambda c, a, b: a if c else b}
    exact = 0
    for case in range(60):
        text = draw(np.random.default_rng([400 + part, case]), 3)
        code = compile(ast.parse(text, mode="eval"), "", "eval")
        rows = [{k: int(COLUMNS[k][i]) for k in WHOLE} for i in range(5)]
        expected = [int(eval(code, {"__builtins__": {}, **functions}, row)) for row in rows]
        try:
            value = expression(text)(COLUMNS)
        except InputError as error:
            one_line(error)
            continue
        if value.dtype.kind in "biu":
            assert [int(v) for v in value] == expected, text
            exact += 1
        else:
            assert all(math.isclose(v, e, rel_tol=1e-12) for v, e in zip(value, expected, strict=True)), text
    assert exact > 20
