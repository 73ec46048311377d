"""Expressions of the analysis file over columns: selections, weights, derived columns. Nothing else is executed.

Python's syntax for arithmetic, comparisons (chained, ``in`` a list), ``& | ~`` or ``and or not`` between conditions,
the functions of :data:`FUNCTIONS`, ``pi``, and text in ``==``, ``!=`` and ``in``. Names are columns; ``jet_pt[0]`` and
``jet.pt`` are names, too, and so is a number over the elements of a list, ``sum(jet_pt > 30)`` (``_lists.py``).
Of objects there are ``deltaphi(phi1, phi2)``, ``deltaR(eta1, phi1, eta2, phi2)`` and the invariant ``mass(pt1, eta1, phi1,
m1, pt2, eta2, phi2, m2)``.

Whole numbers stay whole and exact: sums, differences, products and remainders of integer columns (of any width, signed
or not) are those of arithmetic, and an error where 64 bits do not hold them. Conditions count as 0 and 1.
"""

import ast
import functools
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from verax.arrays import namespace
from verax.errors import InputError, check_known, nearest

from ._kinematics import KINEMATICS
from ._whole import Value, alike, call, compute, fitting, floating

Columns: TypeAlias = Mapping[str, Any]
Node: TypeAlias = Callable[[Columns, Any], Value]

FUNCTIONS: dict[str, tuple[str, int]] = {
    **{name: (name, 1) for name in ("sqrt", "exp", "log", "log10", "log1p", "expm1", "abs", "sign", "floor", "ceil")},
    **{name: (name, 1) for name in ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh")},
    **{name: (name, 1) for name in ("isnan", "isfinite")},
    **{name: (name, 2) for name in ("arctan2", "hypot", "minimum", "maximum")},
    "where": ("where", 3),
    **{name: (name, arity) for name, (_, arity) in KINEMATICS.items()},
}
"""Functions by name: NumPy's (and JAX's) name, or that in ``KINEMATICS``, and the number of arguments."""

CONSTANTS = {"pi": float(np.pi)}

FUNCTIONS_OF_LISTS = ("len", "sum", "max", "min")
"""Of an expression of lists; ``max`` and ``min`` may have a second argument, for empty lists."""

ELEMENT = r"\[(?P<index>\d+)(,\s*(?P<default>-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?))?\]"
"""The element of a list, and a number where there is none."""

_NAME = re.compile(rf"[^\W\d]\w*(\.\w+)*({ELEMENT})?")

_ARITHMETIC = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "true_divide",
    ast.Mod: "mod",
}
_LOGIC = {ast.BitAnd: "logical_and", ast.BitOr: "logical_or", ast.And: "logical_and", ast.Or: "logical_or"}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@dataclass(frozen=True)
class Expression:
    """A function of columns, made from text by :func:`expression`.

    Parameters
    ----------
    source : the text
    names : columns that it reads, in order of appearance
    text : those of them that it compares with text
    number : it is arithmetic, not a condition
    """

    source: str
    names: tuple[str, ...]
    text: tuple[str, ...]
    evaluate: Node = field(repr=False, compare=False)
    number: bool = False

    def __call__(self, columns: Columns) -> Any:
        """The value in each row: NumPy in, NumPy out; JAX arrays and tracers in, JAX out.

        Division by zero and the like give infinities or NaN, to be counted afterwards (see
        :func:`verax.data.check_values`), without a warning.

        Raises
        ------
        InputError : for a name that is no column, with the nearest one; for arithmetic with text
        """
        check_known(self.names, columns, f"expression '{_short(self.source)}'", "column")
        xp: Any = namespace(*(columns[name] for name in self.names))
        try:
            with np.errstate(all="ignore"):
                value = fitting(self.evaluate(columns, xp), xp)
        except OverflowError as error:
            where = f"expression '{_short(self.source)}'"
            raise InputError(where, str(error), "at most 64 bits", "multiply by 1.0 for a float") from error
        except (TypeError, ValueError) as error:
            message = str(error).splitlines()[0]
            raise InputError(
                f"expression '{_short(self.source)}'", f"values it cannot be computed for ({message})", "numbers"
            ) from error
        rows = next((np.shape(values) for values in columns.values()), ())
        return xp.array(xp.broadcast_to(value, rows)) if np.shape(value) != rows else value

    def passed(self, columns: Columns) -> np.ndarray:
        """Find which rows pass, for an expression that is a condition: true or false, or a column of zeros and ones.

        Parameters
        ----------
        columns : values by name

        Raises
        ------
        InputError : for numbers other than 0 and 1, and as a call does
        """
        if self.number:
            where, action = f"selection '{_short(self.source)}'", "compare it with something"
            raise InputError(where, "a number", "a condition, true or false in each row", action)
        value = np.asarray(self(columns))
        if value.dtype != bool:
            other = value[~((value == 0) | (value == 1))]
            if other.size:
                where, seen = f"selection '{_short(self.source)}'", f"{other.size} values such as {other[0]}"
                raise InputError(where, seen, "a condition, or 0 and 1 only", "compare it with something")
        return np.asarray(value, bool)

    def __reduce__(self) -> tuple[Callable[[str], "Expression"], tuple[str]]:
        """Sent to another process as its text."""
        return expression, (self.source,)


def expression(text: str) -> Expression:
    """Parse an expression once, to be evaluated on many chunks.

    Parameters
    ----------
    text : of the expression

    Raises
    ------
    InputError : for anything outside the language above, with the part that is not understood

    >>> e = expression("where(n_jets >= 2 and abs(eta) < 2.5, weight / 2, 0)")
    >>> e.names
    ('n_jets', 'eta', 'weight')
    >>> e({"n_jets": np.array([2, 1]), "eta": np.array([-1.0, 0.0]), "weight": np.array([3.0, 3.0])})
    array([1.5, 0. ])
    """
    parser = _Parser(str(text))
    try:
        tree = ast.parse(parser.source.strip(), mode="eval")
        node = parser.build(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        where = f" at column {error.offset}" if isinstance(error, SyntaxError) else ""
        seen = f"{error.args[0]}{where}"
        raise InputError(f"expression '{_short(str(text))}'", seen, "an expression over columns") from error
    return Expression(parser.source, tuple(parser.names), tuple(parser.text), node, _is_number(tree.body))


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:80]} … {text[-20:]}"


class _Parser:
    """Syntax tree → nested functions; collects the columns on its way."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.names: dict[str, None] = {}
        self.text: dict[str, None] = {}

    def build(self, node: ast.AST) -> Node:
        match node:
            case ast.Constant(value=bool() | int() | float() as value):
                return _constant(value)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self.name(node)
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                return self.logic(node, type(node.op), [node.left, node.right])
            case ast.BoolOp():
                return self.logic(node, type(node.op), node.values)
            case ast.UnaryOp(op=ast.Not() | ast.Invert()):
                condition = self.condition(node.operand, node)
                return lambda columns, xp: xp.logical_not(condition(columns, xp))
            case ast.UnaryOp(op=ast.USub()):
                operand = self.build(node.operand)
                return lambda columns, xp: compute("subtract", 0, operand(columns, xp), xp)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.build(node.operand)
            case ast.BinOp(op=ast.Pow()):
                base, power = self.build(node.left), self.build(node.right)
                return lambda columns, xp: xp.power(
                    floating(base(columns, xp), xp) * 1.0, floating(power(columns, xp), xp)
                )
            case ast.BinOp() if type(node.op) in _ARITHMETIC:
                left, right, name = self.build(node.left), self.build(node.right), _ARITHMETIC[type(node.op)]
                return lambda columns, xp: compute(name, left(columns, xp), right(columns, xp), xp)
            case ast.Compare():
                return self.comparison(node)
            case ast.Call():
                return self.call(node)
        raise self.refuse(node, "arithmetic, comparisons, and/or/not and the known functions")

    def name(self, node: ast.AST) -> Node:
        name = ast.unparse(node).replace("[(", "[").replace(")]", "]")
        if name in CONSTANTS:
            return _constant(CONSTANTS[name])
        if not _NAME.fullmatch(name):
            raise self.refuse(node, "the name of a column, or one element of a list such as jet_pt[0]")
        self.names.setdefault(name)
        return lambda columns, xp: columns[name]

    def call(self, node: ast.Call) -> Node:
        name = ast.unparse(node.func)
        if name in FUNCTIONS_OF_LISTS:
            return self.over_lists(node, name)
        if name not in FUNCTIONS:
            known = (*FUNCTIONS, *FUNCTIONS_OF_LISTS)
            raise self.refuse(node, "a known function", nearest(name, known), f"function '{name}'")
        actual, arity = FUNCTIONS[name]
        if len(node.args) != arity or node.keywords:
            raise self.refuse(node, f"{arity} argument{'s' if arity > 1 else ''} of {name}")
        if name == "where":
            first = self.condition(node.args[0], node)
            arguments = [first, *(self.build(argument) for argument in node.args[1:])]
        else:
            arguments = [self.build(argument) for argument in node.args]
        return lambda columns, xp: call(actual, [argument(columns, xp) for argument in arguments], xp)

    def over_lists(self, node: ast.Call, name: str) -> Node:
        """A number over the elements of lists is a column of this name, made when the file is read."""
        most = 2 if name in ("max", "min") else 1
        if node.keywords or not 1 <= len(node.args) <= most:
            raise self.refuse(node, f"one argument of {name}" + (", and a number for empty lists" if most > 1 else ""))
        inside = expression(ast.unparse(node.args[0]))
        if not inside.names or (name == "len" and inside.names != (inside.source,)):
            expected, action = ("a list", "sum(jets_pt > 30) counts elements") if name == "len" else ("lists", "")
            raise self.refuse(node, f"{name} of {expected}", action)
        if node.args[1:] and not re.fullmatch(ELEMENT, f"[0, {ast.unparse(node.args[1])}]"):
            action = f"{name}imum(a, b) takes two columns"
            raise self.refuse(node, f"a number for empty lists as second argument of {name}", action)
        column = ast.unparse(node)
        self.names.setdefault(column)
        return lambda columns, xp: columns[column]

    def logic(self, node: ast.AST, kind: type[ast.AST], operands: list[ast.expr]) -> Node:
        return _joined(_LOGIC[kind], [self.condition(operand, node) for operand in operands])

    def condition(self, node: ast.AST, parent: ast.AST) -> Node:
        """A part that is true or false; numbers are refused, for in ``a > 1 & b < 2`` Python joins ``1 & b`` first."""
        arithmetic = isinstance(node, ast.BinOp) and not isinstance(node.op, ast.BitAnd | ast.BitOr)
        number = isinstance(node, ast.Constant) and not isinstance(node.value, bool)
        if number or arithmetic:
            action = f"put comparisons in parentheses around '{ast.unparse(parent)}'"
            raise self.refuse(node, "a condition beside and, or, not, &, |, ~", action)
        return self.build(node)

    def comparison(self, node: ast.Compare) -> Node:
        chain = zip([node.left, *node.comparators], node.ops, node.comparators, strict=False)
        return _joined("logical_and", [self.pair(node, left, op, right) for left, op, right in chain])

    def pair(self, node: ast.AST, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Node:
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.Tuple | ast.List | ast.Set) or not right.elts:
                raise self.refuse(right, "a list of values, such as (1, 2)")
            inside = _joined("logical_or", [self.pair(node, left, ast.Eq(), element) for element in right.elts])
            return inside if isinstance(op, ast.In) else lambda columns, xp: xp.logical_not(inside(columns, xp))
        if type(op) not in _COMPARISONS:
            raise self.refuse(node, "one of < <= > >= == != in")
        compare = _COMPARISONS[type(op)]
        if _is_text(left) or _is_text(right):
            column, text = (right, left) if _is_text(left) else (left, right)
            if not isinstance(op, ast.Eq | ast.NotEq) or not isinstance(column, ast.Name | ast.Attribute):
                raise self.refuse(node, "text beside a column, with ==, != or in")
            self.text.setdefault(ast.unparse(column))
            value = text.value  # type: ignore[attr-defined]
            read = self.build(column)
            return lambda columns, xp: np.asarray(compare(np.asarray(read(columns, xp)), value), bool)
        first, second = self.build(left), self.build(right)
        return lambda columns, xp: compare(*alike(first(columns, xp), second(columns, xp), xp))

    def refuse(self, node: ast.AST, expected: str, action: str = "", seen: str = "") -> InputError:
        seen = seen or f"'{_short(ast.unparse(node))}'"
        return InputError(f"expression '{_short(self.source)}'", seen, expected, action)


def _joined(name: str, parts: list[Node]) -> Node:
    """Conditions joined by a logical function, from the left."""
    return lambda columns, xp: functools.reduce(getattr(xp, name), [part(columns, xp) for part in parts])


def _constant(value: float) -> Node:
    if isinstance(value, int) and abs(value) >= 10**308:
        raise ValueError(f"a whole number of {len(str(value))} digits")
    return lambda columns, xp: value


def _is_number(node: ast.AST) -> bool:
    """True for what can only be a number, not a condition."""
    match node:
        case ast.Constant(value=value):
            return not isinstance(value, bool)
        case ast.BinOp(op=op):
            return not isinstance(op, ast.BitAnd | ast.BitOr)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name not in ("isnan", "isfinite", "where")
    return isinstance(node, ast.Name) and node.id in CONSTANTS


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
