"""Arithmetic of expressions: whole numbers exactly, whatever the columns' types, and floating point for all else."""

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ._kinematics import KINEMATICS

Value: TypeAlias = Any

_EXACT: dict[str, tuple[Callable[[Any, Any], Any], Callable[[int, int], int]]] = {
    "add": (operator.add, operator.add),
    "subtract": (operator.sub, operator.add),
    "multiply": (operator.mul, operator.mul),
    "mod": (operator.mod, max),
}
"""Operations on whole numbers, and how large their results are for operands of some size."""


def is_whole(value: Value) -> bool:
    """True for integers and truth values of Python, NumPy and JAX, and for arrays of Python integers of any size."""
    if isinstance(value, int):
        return True
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return kind in ("b", "i", "u") or (kind == "O" and all(isinstance(v, int) for v in value.flat[:1]))


def whole(value: Value) -> Value:
    """Whole numbers of NumPy as int64, or as Python's integers where that does not hold them."""
    if isinstance(value, int):
        return int(value)
    if value.dtype == object:
        return value if _size(value) >= 2**63 else value.astype(np.int64)
    return value.astype(object if value.dtype == np.uint64 and _size(value) >= 2**63 else np.int64)


def floating(value: Value, xp: Any) -> Value:
    """A value to compute with in floating point: NumPy's short integers would become short floats."""
    if isinstance(value, int):
        return float(value) if abs(value) >= 2**31 else value
    if xp is np and is_whole(value):
        return whole(value).astype(np.float64)
    return value


def _size(value: Value) -> int:
    """The largest magnitude of whole numbers."""
    if isinstance(value, int):
        return abs(value)
    return max(abs(int(value.max())), abs(int(value.min()))) if value.size else 0


def alike(a: Value, b: Value, xp: Any) -> tuple[Value, Value]:
    """Two operands as whole numbers where both are, else in floating point."""
    if is_whole(a) and is_whole(b) and (xp is np or (isinstance(a, int) and isinstance(b, int))):
        return whole(a), whole(b)
    return floating(a, xp), floating(b, xp)


def compute(name: str, a: Value, b: Value, xp: Any) -> Value:
    """Sum, difference, product, quotient or remainder; whole numbers exactly, and never wrapped, where NumPy computes."""
    exactly = is_whole(a) and is_whole(b)
    a, b = alike(a, b, xp)
    if not exactly or name == "true_divide" or (name == "mod" and xp is np and not np.all(b)):  # n % 0 is NaN
        return getattr(xp, name)(*(floating(v, xp) * 1.0 if exactly else v for v in (a, b)))
    if xp is not np and not (isinstance(a, int) and isinstance(b, int)):
        return getattr(xp, name)(a * 1, b * 1)  # truth values count
    exact, size = _EXACT[name]
    if isinstance(a, int) and isinstance(b, int):
        return exact(a, b)
    if max(_size(a), _size(b), size(_size(a), _size(b))) < 2**63:
        return getattr(np, name)(a, b)
    return whole(np.asarray(exact(_objects(a), _objects(b)), object))


def _objects(value: Value) -> Value:
    return value if isinstance(value, int) else value.astype(object)


def call(name: str, arguments: list[Value], xp: Any) -> Value:
    """A known function."""
    if name in ("abs", "floor", "ceil") and xp is np and is_whole(arguments[0]):
        value = whole(arguments[0])
        if name == "abs":
            value = abs(value if _size(value) < 2**63 else _objects(value))
        return value
    first, last = arguments[:-2], arguments[-2:]
    if name in ("minimum", "maximum", "where"):
        if not all(isinstance(v, bool) or getattr(v, "dtype", "") == "bool" for v in last):
            last = list(alike(last[0], last[1], xp))
        if any(isinstance(v, int) and abs(v) >= 2**63 for v in last):
            last = [np.asarray(v, object) for v in last]
        return getattr(xp, name)(*first, *last)
    if name in KINEMATICS:
        return KINEMATICS[name][0](xp, *(floating(v, xp) * 1.0 for v in arguments))
    return getattr(xp, name)(*(floating(v, xp) for v in arguments))


def fitting(value: Value, xp: Any) -> Value:
    """A result in 64 bits.

    Raises
    ------
    OverflowError : for a whole number that they do not hold
    """
    if isinstance(value, bool) or not (isinstance(value, int) or getattr(value, "dtype", "") == "object"):
        return value
    if isinstance(value, int) and xp is not np:
        return floating(value, xp)
    if not is_whole(value):
        return value
    value = np.asarray(value, object)
    low, high = (int(f(value)) if value.size else 0 for f in (np.min, np.max))
    if low >= -(2**63) and high < 2**63:
        return value.astype(np.int64)
    if low >= 0 and high < 2**64:
        return value.astype(np.uint64)
    raise OverflowError(f"whole numbers as large as {float(max(-low, high)):.3g}")
