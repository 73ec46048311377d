"""What lies below and above the bins of the summary."""

from dataclasses import dataclass, field

import numpy as np

from verax.errors import InputError
from verax.events import Events
from verax.templates import Sums, histogram


@dataclass
class Outside:
    """What lies below and above the edges of the summary: exact sums of weights, and rows."""

    edges: tuple[tuple[float, ...], ...]
    label: str = "events"
    observed: bool = False
    sums: Sums | None = None
    rows: np.ndarray = field(default_factory=lambda: np.zeros(3, np.int64))
    low: float = np.inf
    high: float = -np.inf

    def add(self, events: Events, score: np.ndarray, channel: np.ndarray) -> None:
        """Take some events."""
        where = np.full(len(score), 3)
        for i, edges in enumerate(self.edges):
            inside = 1 + (score > edges[-1]).astype(np.int64) - (score < edges[0])
            where = np.where(channel == i, inside, where)
        chosen = where < 3
        if chosen.any():
            self.low, self.high = min(self.low, score[chosen].min()), max(self.high, score[chosen].max())
        part = histogram(where[chosen], np.asarray(events.weight)[chosen], 3)
        self.sums = part if self.sums is None else self.sums + part
        self.rows += np.bincount(where[chosen], minlength=3)

    def problems(self) -> tuple[str, ...]:
        """A line for each side.

        Raises
        ------
        InputError : when no simulated event lies between the edges
        """
        assert self.sums is not None
        ends = f"{min(e[0] for e in self.edges):g} … {max(e[-1] for e in self.edges):g}"
        if self.rows.sum() and not self.rows[1] and not self.observed:
            seen = f"none of {self.rows.sum()} {self.label} in {ends}: the summary lies in {self.low:g} … {self.high:g}"
            raise InputError("summary.range", seen, "a range, or edges, that hold events", "correct summary.range")
        weight = self.sums.weight.value()
        total = weight.sum() or np.nan
        return tuple(
            f"{self.rows[k]} of {self.rows.sum()} {self.label} ({weight[k] / total:.2%} by weight) lie {side} the "
            f"bins, {ends}, and count in the {bin} one"
            for k, side, bin in ((0, "below", "first"), (2, "above", "last"))
            if self.rows[k]
        )
