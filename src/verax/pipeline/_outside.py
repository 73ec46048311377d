"""What lies below and above the bins of the summary, or of a variable that is shown."""

from dataclasses import dataclass, field

import numpy as np

from verax.errors import InputError
from verax.events import Events
from verax.templates import Sums, histogram


@dataclass
class Outside:
    """What lies below and above the edges of a number of each event, or is ``missing``: exact sums of weights, and rows."""

    edges: tuple[tuple[float, ...], ...]
    label: str = "events"
    observed: bool = False
    variable: str = ""
    missing: float | None = None
    sums: Sums | None = None
    rows: np.ndarray = field(default_factory=lambda: np.zeros(4, np.int64))
    low: float = np.inf
    high: float = -np.inf

    def add(self, events: Events, score: np.ndarray, channel: np.ndarray) -> None:
        """Take some events."""
        where = np.full(len(score), 4)
        for i, edges in enumerate(self.edges):
            inside = 1 + (score > edges[-1]).astype(np.int64) - (score < edges[0])
            where = np.where(channel == i, inside, where)
        if self.missing is not None:
            where = np.where((where < 4) & (score == np.float32(self.missing)), 3, where)
        chosen, there = where < 4, score[where < 3]
        if len(there):
            self.low, self.high = min(self.low, there.min()), max(self.high, there.max())
        part = histogram(where[chosen], np.asarray(events.weight)[chosen], 4)
        self.sums = part if self.sums is None else self.sums + part
        self.rows += np.bincount(where[chosen], minlength=4)

    def problems(self) -> tuple[str, ...]:
        """A line for each side.

        Raises
        ------
        InputError : when simulated events lie elsewhere, and none between the edges
        """
        assert self.sums is not None
        ends = f"{min(e[0] for e in self.edges):g} … {max(e[-1] for e in self.edges):g}"
        what, key = ("variable", f"figures.{self.variable}") if self.variable else ("summary", "summary.range")
        if self.rows[:3].sum() and not self.rows[1] and not self.observed:
            seen = (
                f"none of {self.rows[:3].sum()} {self.label} in {ends}: the {what} lies in {self.low:g} … {self.high:g}"
            )
            raise InputError(key, seen, "a range, or edges, that hold events", f"correct {key}")
        weight = self.sums.weight.value()
        total = weight.sum() or np.nan
        ways = (
            (0, f"lie below the bins, {ends}, and count in the first one"),
            (2, f"lie above the bins, {ends}, and count in the last one"),
            (3, "have no value, and are left out"),
        )
        return tuple(
            f"{self.rows[k]} of {self.rows.sum()} {self.label} ({weight[k] / total:.2%} by weight) {what}"
            for k, what in ways
            if self.rows[k]
        )
