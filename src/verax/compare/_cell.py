"""Numbers of a table: the spread over seeds, and a value with its error."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from verax.report import number, with_error


def spread(values: Iterable[float]) -> tuple[float, float]:
    """Median, and half the distance of the 16 and 84 % quantiles.

    >>> spread([0.0, 25.0, 50.0, 75.0, 100.0])
    (50.0, 34.0)
    """
    found = np.asarray(list(values), np.float64)
    low, high = np.quantile(found, [0.16, 0.84])
    return float(np.median(found)), float((high - low) / 2)


@dataclass(frozen=True)
class Cell:
    """A value and its standard error; NaN where a method has none."""

    value: float = math.nan
    error: float = math.nan

    @property
    def text(self) -> str:
        """Value and error to two digits of it; three decimals without an error, or a dash.

        >>> Cell(0.9512, 0.0123).text, Cell(0.5).text, Cell().text
        ('0.951 ± 0.012', '0.500', '–')
        """
        if not math.isfinite(self.value):
            return number(self.value, 2)
        return with_error(self.value, self.error) if self.error > 0 else number(self.value, 3)

    def fixed(self, places: int = 3) -> str:
        """Value and error with fixed decimals, or a dash."""
        known = math.isfinite(self.value) and self.error > 0
        return number(self.value, places) + (f" ± {number(self.error, places)}" if known else "")

    @property
    def short(self) -> str:
        """The value to three significant digits; a dash for NaN.

        >>> Cell(0.01234).short, Cell(98765.0).short
        ('0.0123', '1e5')
        """
        if not math.isfinite(self.value) or self.value == 0:
            return number(self.value, 2)
        if abs(self.value) >= 1e4:
            return f"{self.value:.0e}".replace("e+0", "e").replace("e+", "e")
        return number(self.value, max(0, 2 - math.floor(math.log10(abs(self.value)))))


def misses(cells: Iterable[tuple[str, Cell]], level: float) -> list[tuple[str, str]]:
    """Cells whose coverage is off by more than 3 standard errors: ("under" or "over", their names and values).

    >>> misses([("a", Cell(0.85, 0.01)), ("b", Cell(0.91, 0.01))], 0.9)
    [('under', 'a (0.850)')]
    """
    found: dict[str, list[str]] = {"under": [], "over": []}
    for name, cell in cells:
        if cell.error > 0 and abs(cell.value - level) > 3 * cell.error:
            found["under" if cell.value < level else "over"].append(f"{name} ({number(cell.value, 3)})")
    return [(how, ", ".join(names)) for how, names in found.items() if names]
