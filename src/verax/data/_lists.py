"""Columns made of lists: one element of each, or a number over all elements.

======================  =============================================================================================
column                  value in a row
======================  =============================================================================================
``jets_pt[0]``          the first element; NaN where the list is shorter
``jets_pt[0, -999]``    the same with a value for rows where it is shorter
``len(jets_pt)``        number of elements
``sum(jets_pt > 30)``   sum of an expression of the elements (conditions count as 0 and 1), 0 for an empty list
``max(jets_pt)``        the largest, ``min`` the smallest; NaN for an empty list, or the second argument
======================  =============================================================================================

Inside the parentheses stands an expression of lists of equal length and of plain columns, which count for each element:
``min(deltaR(jets_eta, jets_phi, lep_eta, lep_phi), 99)``.
"""

import ast
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from verax.errors import InputError
from verax.expressions import ELEMENT, FUNCTIONS_OF_LISTS, Expression, expression

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_ELEMENT = re.compile(rf"(?P<branch>.+){ELEMENT}")


@dataclass(frozen=True)
class Lists:
    """A list of numbers in each row: ``values`` of all lists one after another, and how many each has."""

    values: Array
    counts: Array

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True)
class Element:
    """``jets_pt[0]``, with a default or without."""

    branch: str
    index: int
    default: float | None

    @property
    def branches(self) -> tuple[str, ...]:
        """Columns of the file that it is made of."""
        return (self.branch,)

    def __call__(self, columns: Mapping[str, Array | Lists], where: str) -> Array:
        """The element of each row."""
        lists = columns[self.branch]
        if not isinstance(lists, Lists):
            seen = f"'{self.branch}[{self.index}]' of one number per event"
            raise InputError(f"{where}, column '{self.branch}'", seen, "a list", f"write '{self.branch}'")
        long = lists.counts > self.index
        at = (np.cumsum(lists.counts) - lists.counts + self.index)[long]
        return _filled(lists.values[at], long, self.default)


@dataclass(frozen=True)
class Over:
    """``len``, ``sum``, ``max`` or ``min`` over an expression of lists."""

    function: str
    inside: Expression
    default: float | None

    @property
    def branches(self) -> tuple[str, ...]:
        """Columns of the file that it is made of."""
        parts = [(made.branches if (made := quantity(n)) else (n,)) for n in self.inside.names]
        return tuple(dict.fromkeys(branch for some in parts for branch in some))

    def __call__(self, columns: Mapping[str, Array | Lists], where: str) -> Array:
        """The number of each row."""
        read = {n: made(columns, where) if (made := quantity(n)) else columns[n] for n in self.inside.names}
        lists = {n: values for n, values in read.items() if isinstance(values, Lists)}
        where = f"{where}, '{self.function}({self.inside.source})'"
        if not lists:
            action = {"max": "maximum(a, b) is the larger of two columns", "min": "minimum(a, b) is the smaller"}
            seen = f"no list in {', '.join(read)}"
            raise InputError(where, seen, "a list in each row", action.get(self.function, ""))
        (first, some), *others = lists.items()
        counts = some.counts
        for name, other in others:
            if not np.array_equal(counts, other.counts):
                row = int(np.flatnonzero(counts != other.counts)[0])
                seen = f"{counts[row]} elements of '{first}' beside {other.counts[row]} of '{name}'"
                raise InputError(where, seen, "lists of one length", "select elements of one kind of object")
        if self.function == "len":
            return counts
        flat = {n: v.values if isinstance(v, Lists) else np.repeat(v, counts) for n, v in read.items()}
        values = self.inside(flat)
        if self.function == "sum":
            return _sums(values, counts)
        has = counts > 0
        reduce = np.maximum if self.function == "max" else np.minimum
        starts = (np.cumsum(counts) - counts)[has]
        best = reduce.reduceat(values * 1 if values.dtype == bool else values, starts) if len(starts) else values[:0]
        return _filled(best, has, self.default)


def _sums(values: Array, counts: Array) -> Array:
    """The sum of each list: of whole numbers exactly, of others from the first element on, in float64."""
    row = np.repeat(np.arange(len(counts)), counts)
    if values.dtype.kind == "f":
        return np.bincount(row, weights=values, minlength=len(counts))
    sums = np.zeros(len(counts), np.int64)
    np.add.at(sums, row, values.astype(np.int64))
    return sums


def _filled(values: Array, there: Array, default: float | None) -> Array:
    """The values where they are ``there``, the default (NaN without one) elsewhere."""
    if there.all():
        return values
    other = np.nan if default is None else default
    kind = values.dtype if values.dtype.kind == "f" else np.result_type(values.dtype, type(other))
    found = np.full(len(there), other, kind)
    found[there] = values
    return found


@functools.cache
def quantity(name: str) -> Element | Over | None:
    """What a column is made of, by its name; None for one that stands in the file.

    >>> quantity("jets_pt[0, -999]"), quantity("met")
    (Element(branch='jets_pt', index=0, default=-999), None)
    >>> quantity("sum(jets_pt * (abs(jets_eta) < 2.5))").branches
    ('jets_pt', 'jets_eta')
    """
    if match := _ELEMENT.fullmatch(name):
        default = match["default"]
        return Element(match["branch"], int(match["index"]), None if default is None else _number(default))
    try:
        body = ast.parse(name.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(body, ast.Call) or ast.unparse(body.func) not in FUNCTIONS_OF_LISTS:
        return None
    expression(name)  # which says what is wrong with the arguments
    function, (inside, *more) = ast.unparse(body.func), body.args
    return Over(function, expression(ast.unparse(inside)), _number(ast.unparse(more[0])) if more else None)


def made_of(name: str) -> tuple[str, ...]:
    """Name the columns of files that a column is made of.

    Parameters
    ----------
    name : of a column

    >>> made_of("max(jets_pt, 0)"), made_of("jets_pt[1]"), made_of("met")
    (('jets_pt',), ('jets_pt',), ('met',))
    """
    made = quantity(name)
    return made.branches if made else (name,)


def _number(text: str) -> float:
    """Whole numbers stay whole."""
    return int(text) if text.lstrip("-").isdigit() else float(text)
