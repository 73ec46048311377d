"""What a question about uncertainty is answered with: one small frozen type each."""

import enum
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypeAlias

import numpy as np

from verax.arrays import Bool, Float, Int

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


class Status(enum.IntEnum):
    """How a fit, or an interval made of fits, ended. Anything but OK and AT_BOUND is a failure."""

    OK = 0
    AT_BOUND = 1
    MAX_STEPS = 2
    NOT_POSITIVE_DEFINITE = 3
    NOT_FINITE = 4
    END_NOT_FOUND = 5


def good(status: Int[np.ndarray, "*batch"]) -> Bool[np.ndarray, "*batch"]:
    """True where the status is no failure."""
    return np.asarray(np.asarray(status) <= Status.AT_BOUND)


Shown: TypeAlias = tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]
"""A line, and a table: headings and rows."""


class Brief:
    """Base of results that show themselves in a few lines, and in a notebook as a table; all else is in their fields."""

    MOST = 25
    """Rows that are shown."""

    def _shown(self) -> Shown:
        raise NotImplementedError

    def __repr__(self) -> str:
        line, columns, rows = self._shown()
        table = [columns, *rows[: self.MOST]] if rows else []
        widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in table]
        return "\n".join([line, *(f"  {text}".rstrip() for text in lines), *self._more(rows)])

    def _repr_html_(self) -> str:
        line, columns, rows = self._shown()
        head = "".join(f"<th>{escape(c)}</th>" for c in columns)
        inner = [[escape(cell).replace("  ", "&emsp;") for cell in row] for row in rows[: self.MOST]]
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in inner)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
        return f"<p>{escape(line)}</p>{table}" + "".join(f"<p>{escape(text)}</p>" for text in self._more(rows))

    def _more(self, rows: Sequence[tuple[str, ...]]) -> list[str]:
        return [f"  … and {len(rows) - self.MOST} more"] if len(rows) > self.MOST else []


def ended(status: Int[np.ndarray, "*batch"]) -> str:
    """Say in words how fits ended, many of them with their numbers.

    >>> ended(np.array(0)), ended(np.array([0, 5, 0]))
    ('OK', '2 OK, 1 END_NOT_FOUND')
    """
    found = Counter(np.asarray(status).ravel().tolist())
    words = [(n, Status(int(k)).name) for k, n in sorted(found.items())]
    return words[0][1] if np.ndim(status) == 0 else ", ".join(f"{n} {word}" for n, word in words)


@dataclass(frozen=True, repr=False)
class Interval(Brief):
    """Confidence interval of one parameter, or a batch of them.

    ``value`` is the point estimate, ``low`` and ``high`` the ends at ``level``, ``status`` a :class:`Status` each.
    """

    name: str
    level: float
    value: Float[np.ndarray, "*batch"]
    low: Float[np.ndarray, "*batch"]
    high: Float[np.ndarray, "*batch"]
    status: Int[np.ndarray, "*batch"]

    def _shown(self) -> Shown:
        if np.ndim(self.value) == 0:
            return f"{self.name} = {with_ends(self)} ({self.level:.4g} interval, {ended(self.status)})", (), ()
        width = np.median(self.width[good(self.status)]) if good(self.status).any() else math.nan
        line = f"{self.name}: {len(self.value)} intervals of level {self.level:.4g}, median width {width:.4g}"
        return f"{line}; {ended(self.status)}", (), ()

    @property
    def width(self) -> Float[np.ndarray, "*batch"]:
        """High − low, in units of the parameter."""
        return np.asarray(self.high - self.low)

    @property
    def up(self) -> Float[np.ndarray, "*batch"]:
        """Distance from the estimate to the upper end (positive)."""
        return np.asarray(self.high - self.value)

    @property
    def down(self) -> Float[np.ndarray, "*batch"]:
        """Distance from the lower end to the estimate (positive)."""
        return np.asarray(self.value - self.low)


@dataclass(frozen=True)
class Predictive:
    """Mean and the two parts of the variance of a prediction, by the law of total variance.

    ``aleatoric`` = E_w[Var(y|x, w)], ``epistemic`` = Var_w(E[y|x, w]) over members w; both are variances. Over M
    members the latter is a sum of squares divided by M: in the mean (M − 1)/M of the truth where members are independent.
    """

    mean: Float[np.ndarray, "*event"]
    aleatoric: Float[np.ndarray, "*event"]
    epistemic: Float[np.ndarray, "*event"]

    @property
    def total(self) -> Float[np.ndarray, "*event"]:
        """Var(y|x): the sum of both parts."""
        return np.asarray(self.aleatoric + self.epistemic)


@dataclass(frozen=True)
class Coverage:
    """Fraction of intervals that hold the truth, always beside their width.

    Parameters
    ----------
    level : nominal coverage
    fraction, error : measured coverage and its binomial standard error at the nominal level
    width, width_error : median width of the intervals, and its standard error
    n : intervals that count
    failed : intervals left out because their status is a failure
    """

    level: float
    fraction: float
    error: float
    width: float
    width_error: float
    n: int
    failed: int

    @property
    def pull(self) -> float:
        """(fraction − level) / error."""
        return (self.fraction - self.level) / self.error if self.error > 0 else float("nan")


MISSING = "–"


def decimals(error: float, digits: int = 2) -> int:
    """Count the decimals that show ``digits`` significant digits of ``error`` (never below zero).

    >>> decimals(0.254), decimals(0.0999), decimals(31.2), decimals(0.254, 3)
    (2, 2, 0, 3)
    """
    if not math.isfinite(error) or error == 0:
        return 2
    places = digits - 1 - math.floor(math.log10(abs(error)))
    rounded = round(abs(error), places)  # 0.0999 rounds to 0.10, which has one decimal less
    return max(digits - 1 - math.floor(math.log10(rounded)), 0)


def number(value: float, places: int, *, sign: bool = False) -> str:
    """Write a value with fixed decimals, a true minus sign, and a dash for NaN.

    >>> number(-0.256, 2), number(0.004, 2, sign=True), number(float("nan"), 2)
    ('−0.26', '+0.00', '–')
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:{'+' if sign else ''},.{places}f}".replace(",", "\N{THIN SPACE}")
    if not sign and text.strip("-0.") == "":
        text = text.lstrip("-")
    return text.replace("-", "−")


def with_error(value: float, error: float) -> str:
    r"""Write ``value ± error`` with two significant digits of the error.

    >>> with_error(1.0042, 0.254), with_error(12345.6, 123.4)
    ('1.00 ± 0.25', '12\u2009346 ± 123')
    """
    if not math.isfinite(error):
        return number(value, 3)
    places = decimals(error)
    return f"{number(value, places)} ± {number(error, places)}"


def with_ends(interval: Interval) -> str:
    """Write ``value +up −down`` of one interval; ``value ± error`` for equal ends. An end that was not found is named.

    >>> one = lambda x: np.asarray(x)
    >>> with_ends(Interval("mu", 0.68, one(1.0), one(0.757), one(1.27), one(0)))
    '1.00 +0.27 −0.24'
    >>> with_ends(Interval("mu", 0.68, one(20.0), one(19.971), one(20.0), one(5)))  # END_NOT_FOUND: the bound
    '20.000 −0.029, upper end not found'
    """
    value, up, down = float(interval.value), float(interval.up), float(interval.down)
    finite = [abs(e) for e in (up, down) if math.isfinite(e) and e != 0]
    places = decimals(min(finite)) if finite else 2
    plus, minus = number(up, places), number(down, places)
    if int(interval.status) == Status.END_NOT_FOUND:
        ends = {"upper": (up, f"+{plus}"), "lower": (down, f"−{minus}")}
        none = [side for side, (size, _) in ends.items() if not size > 0] or ["an"]
        shown = [f" {text}" for size, text in ends.values() if size > 0]
        missing = f"{' and '.join(none)} end{'s' * (len(none) > 1)} not found"
        return f"{number(value, places)}{''.join(shown)}, {missing}{': the bound' * (none == ['an'])}"
    tail = f"± {plus}" if plus == minus else f"+{plus} −{minus}"
    return f"{number(value, places)} {tail}"
