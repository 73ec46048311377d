"""Functions of parameters that are written as text, with derivatives by forward mode.

Each part of an expression carries its value, gradient and second derivatives (Griewank and Walther, Evaluating Derivatives
(2008), chapter 13): of f(u) they are f, f′ ∂u and f″ ∂u ∂uᵀ + f′ ∂∂u; of uv they are uv, u ∂v + v ∂u and
u ∂∂v + v ∂∂u + ∂u ∂vᵀ + ∂v ∂uᵀ.
"""

import ast
import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from verax.arrays import Array, Float, namespace
from verax.errors import InputError, nearest
from verax.expressions import Expression, expression

Unary = Callable[[Any, Any], tuple[Any, Any, Any]]


class Jet(NamedTuple):
    """A value with its derivatives in some parameters: [parameter] and [parameter, parameter]."""

    value: Any
    slope: Any
    curvature: Any

    def __lt__(self, other: Any) -> Any:
        return self.value < _value(other)

    def __le__(self, other: Any) -> Any:
        return self.value <= _value(other)

    def __gt__(self, other: Any) -> Any:
        return self.value > _value(other)

    def __ge__(self, other: Any) -> Any:
        return self.value >= _value(other)

    def __eq__(self, other: object) -> Any:
        return self.value == _value(other)

    def __ne__(self, other: object) -> Any:
        return self.value != _value(other)

    def __mul__(self, other: Any) -> "Jet":
        v = _value(other)
        if not isinstance(other, Jet):
            return Jet(self.value * v, self.slope * v, self.curvature * v)
        cross = self.slope[:, None] * other.slope
        curved = self.value * other.curvature + v * self.curvature + cross + cross.T
        return Jet(self.value * v, self.value * other.slope + v * self.slope, curved)

    def of(self, value: Any, slope: Any, curvature: Any) -> "Jet":
        """Of a function of this: its value and derivatives given."""
        bend = curvature * self.slope[:, None] * self.slope
        return Jet(value, slope * self.slope, bend + slope * self.curvature)


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Jet) else x


_UNARY: dict[str, Unary] = {
    "exp": lambda x, xp: (xp.exp(x),) * 3,
    "expm1": lambda x, xp: (xp.expm1(x), xp.exp(x), xp.exp(x)),
    "log": lambda x, xp: (xp.log(x), 1 / x, -1 / x**2),
    "log1p": lambda x, xp: (xp.log1p(x), 1 / (1 + x), -1 / (1 + x) ** 2),
    "log10": lambda x, xp: (xp.log10(x), 1 / (x * math.log(10)), -1 / (x**2 * math.log(10))),
    "sqrt": lambda x, xp: (xp.sqrt(x), 0.5 / xp.sqrt(x), -0.25 / (x * xp.sqrt(x))),
    "sin": lambda x, xp: (xp.sin(x), xp.cos(x), -xp.sin(x)),
    "cos": lambda x, xp: (xp.cos(x), -xp.sin(x), -xp.cos(x)),
    "sinh": lambda x, xp: (xp.sinh(x), xp.cosh(x), xp.sinh(x)),
    "cosh": lambda x, xp: (xp.cosh(x), xp.sinh(x), xp.cosh(x)),
    "tanh": lambda x, xp: ((t := xp.tanh(x)), 1 - t**2, -2 * t * (1 - t**2)),
    "arctan": lambda x, xp: (xp.arctan(x), 1 / (1 + x**2), -2 * x / (1 + x**2) ** 2),
    "abs": lambda x, xp: (xp.abs(x), xp.sign(x), 0.0 * x),
}
"""Functions of one number with their first and second derivatives."""
_CHOICES = ("where", "minimum", "maximum")
_LOGIC = ("logical_and", "logical_or", "logical_not")


class _Jets:
    """A namespace that computes with jets and numbers, as an expression asks for it by NumPy's names."""

    def __init__(self, xp: Any) -> None:
        self.xp = xp

    def __getattr__(self, name: str) -> Any:
        if name in _LOGIC:
            return getattr(self.xp, name)
        if name in _UNARY:
            return lambda x: x.of(*_UNARY[name](x.value, self.xp)) if isinstance(x, Jet) else getattr(self.xp, name)(x)
        known = (*_UNARY, *_CHOICES)
        raise InputError("formula", f"function '{name}'", "a function with derivatives", nearest(name, known))

    def add(self, a: Any, b: Any) -> Any:
        if isinstance(a, Jet) and isinstance(b, Jet):
            return Jet(*(x + y for x, y in zip(a, b, strict=True)))
        if isinstance(b, Jet):
            a, b = b, a
        return Jet(a.value + b, a.slope, a.curvature) if isinstance(a, Jet) else a + b

    def subtract(self, a: Any, b: Any) -> Any:
        return self.add(a, b * -1.0)

    def multiply(self, a: Any, b: Any) -> Any:
        return b * a if isinstance(b, Jet) else a * b

    def true_divide(self, a: Any, b: Any) -> Any:
        if not isinstance(b, Jet):
            return self.multiply(a, self.xp.true_divide(1.0, b))
        return self.multiply(a, b.of(1 / b.value, -1 / b.value**2, 2 / b.value**3))

    def power(self, a: Any, b: Any) -> Any:
        if isinstance(b, Jet):  # uᵛ = exp(v log u)
            return self.exp(self.multiply(b, self.log(a)))
        if not isinstance(a, Jet):
            return self.xp.power(a, b)
        terms = (1.0, b, b * (b - 1))
        return a.of(*(c * a.value ** (b - k) if c else 0.0 * a.value for k, c in enumerate(terms)))

    def where(self, condition: Any, a: Any, b: Any) -> Any:
        like = next((x for x in (a, b) if isinstance(x, Jet)), None)
        if like is None:
            return self.xp.where(condition, a, b)
        both = zip(_as_jet(a, like), _as_jet(b, like), strict=True)
        return Jet(*(self.xp.where(condition, x, y) for x, y in both))

    def minimum(self, a: Any, b: Any) -> Any:
        return self.where(_value(a) <= _value(b), a, b)

    def maximum(self, a: Any, b: Any) -> Any:
        return self.where(_value(a) >= _value(b), a, b)


def _as_jet(x: Any, like: Jet) -> Jet:
    return x if isinstance(x, Jet) else Jet(x + 0.0 * like.value, 0.0 * like.slope, 0.0 * like.curvature)


@dataclass(frozen=True)
class Formula:
    """A function of parameters, made from text by :func:`formula`.

    Parameters
    ----------
    name : what it is called
    text : of the expression
    """

    name: str
    text: str

    @functools.cached_property
    def expression(self) -> Expression:
        """The text, parsed."""
        return expression(self.text)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that it is of."""
        return self.expression.names

    def is_linear(self, name: str) -> bool:
        """Whether it is known to be linear in one parameter, for any values of the others."""
        return _degree(ast.parse(self.text.strip(), mode="eval").body, name) < 2

    def __call__(self, values: Mapping[str, Any]) -> Float[Array, ""]:
        """The value at ``values`` of its parameters."""
        xp = namespace(*(values[n] for n in self.parameters))
        with np.errstate(all="ignore"):
            return xp.asarray(self.expression.evaluate(values, xp), np.float64 if xp is np else None)

    def jet(self, values: Mapping[str, Any]) -> Jet:
        """The value with its derivatives in :attr:`parameters`, in their order."""
        xp = namespace(*(values[n] for n in self.parameters))
        one, zero = xp.eye(len(self.parameters)), xp.zeros((len(self.parameters),) * 2)
        own = {n: Jet(values[n] * 1.0, one[i], zero) for i, n in enumerate(self.parameters)}
        with np.errstate(all="ignore"):
            found = self.expression.evaluate(own, _Jets(xp))
        constant = Jet(xp.asarray(0.0), zero[:, 0] if len(zero) else zero.sum(0), zero)
        return Jet(*(xp.asarray(x) for x in _as_jet(found, constant)))


def _degree(node: ast.AST, name: str) -> int:
    """Degree of an expression in a parameter: 0, 1, or 2 for all else."""
    match node:
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return int(ast.unparse(node) == name)
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            return max(_degree(node.left, name), _degree(node.right, name))
        case ast.BinOp(op=ast.Mult()):
            return min(_degree(node.left, name) + _degree(node.right, name), 2)
        case ast.BinOp(op=ast.Div()) if not _degree(node.right, name):
            return _degree(node.left, name)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            return _degree(node.operand, name)
    return 2 if any(_degree(child, name) for child in ast.iter_child_nodes(node)) else 0


def formula(name: str, text: str) -> Formula:
    """Make a function of parameters from text, in the language of :func:`verax.expressions.expression`.

    Parameters
    ----------
    name : what it is called
    text : arithmetic of parameters by name, with functions that have derivatives

    Raises
    ------
    InputError : for what is not understood, a condition instead of a number, comparisons with text, and functions that are
        not smooth, as ``floor``

    >>> yukawa = formula("kappa squared", "c**2 * (1 + 0.1 * c)")  # an effective coupling, as in arXiv:1307.1347
    >>> float(yukawa({"c": 2.0})), yukawa.jet({"c": np.float64(2.0)}).slope.round(6).tolist()
    (4.8, [5.2])
    """
    made = Formula(name, text)
    parsed = made.expression
    where = f"formula '{name}'"
    if parsed.text:
        raise InputError(where, f"text beside '{parsed.text[0]}'", "parameters, which are numbers")
    somewhere = {n: np.float64(0.7 + 0.1 * i) for i, n in enumerate(parsed.names)}
    try:
        made.jet(somewhere)
    except InputError as error:
        raise InputError(where, error.got, error.expected, error.action) from None
    with np.errstate(all="ignore"):  # it need be no number there
        found = parsed.evaluate(somewhere, np)
    if isinstance(found, bool | np.bool_):
        raise InputError(where, f"'{text}', which is true or false", "a number")
    return made
