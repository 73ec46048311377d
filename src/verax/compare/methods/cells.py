"""A number of a table with its error."""

import math
from dataclasses import dataclass

from verax.report import number, with_error


@dataclass(frozen=True)
class Cell:
    """A value and its standard error; NaN where a method has none."""

    value: float
    error: float

    @property
    def text(self) -> str:
        """Value and error, or a dash."""
        if not math.isfinite(self.value):
            return number(self.value, 2)
        return with_error(self.value, self.error) if self.error > 0 else number(self.value, 3)

    def fixed(self, places: int = 3) -> str:
        """Value and error with fixed decimals, or a dash."""
        known = math.isfinite(self.value) and self.error > 0
        return number(self.value, places) + (f" ± {number(self.error, places)}" if known else "")
