"""Whether channels overlap, and whether data look like their simulation, feature by feature."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import kolmogorov

from verax.analysis import Channels, passed
from verax.events import Events
from verax.templates import histogram


class Overlap:
    """How many events pass the selections of two channels, though they count in the first only."""

    def __init__(self, selections: tuple[tuple[str, str], ...]) -> None:
        self.selections = selections
        self.pairs = list(itertools.combinations(range(len(selections)), 2))
        self.rows = np.zeros(len(self.pairs), np.int64)
        self.sums = histogram(np.zeros(0, np.int64), np.zeros(0, np.float32), max(len(self.pairs), 1))

    def add(self, events: Events) -> None:
        """Take some events."""
        if not self.pairs:
            return
        inside = [passed(text, events) for _, text in self.selections]
        for k, (i, j) in enumerate(self.pairs):
            weight = np.asarray(events.weight)[inside[i] & inside[j]]
            self.rows[k] += len(weight)
            self.sums += histogram(np.full(len(weight), k), weight, len(self.pairs))

    def problems(self) -> tuple[str, ...]:
        """A line for each pair."""
        weight, names = self.sums.weight.value(), [name for name, _ in self.selections]
        return tuple(
            f"channels '{names[i]}' and '{names[j]}' overlap: {self.rows[k]} rows ({weight[k]:.4g} events) pass both and "
            f"count in '{names[i]}'"
            for k, (i, j) in enumerate(self.pairs)
            if self.rows[k]
        )


SAMPLED = 200_000
"""Rows, at most, of the comparison of features."""


def sampled(
    features: Sequence[str], channels: Channels, chunks: Iterator[Events], rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features and weights of every so many-th row, where some channel selects it."""
    stride, start = -(-max(rows, 1) // SAMPLED), 0
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for events in chunks:
        some = events.take(np.arange(-start % stride, len(events), stride))
        start += len(events)
        some = some.take(np.flatnonzero(channels(some) >= 0))
        parts.append((np.asarray(some.features(features)), np.asarray(some.weight, np.float64)))
    x, weight = zip(*parts, strict=True)
    return np.concatenate(x), np.concatenate(weight)


def compare(
    features: Sequence[str], simulated: tuple[np.ndarray, np.ndarray], observed: tuple[np.ndarray, np.ndarray]
) -> dict[str, tuple[float, float, float, float]]:
    """Kolmogorov and Smirnov's test of each feature, data against weighted simulation.

    Both medians, the largest distance D of the two cumulative distributions, and its asymptotic p-value with the
    effective number of simulated events; it knows nothing of systematics.
    """
    (x, weight), (y, one) = simulated, observed
    if not len(y) or not len(x) or not weight.sum() > 0:
        return {}
    effective = weight.sum() ** 2 / (weight**2).sum()
    n = effective * len(y) / (effective + len(y))
    found = {}
    for i, name in enumerate(features):
        a, b = np.argsort(x[:, i], kind="stable"), np.argsort(y[:, i], kind="stable")
        at = np.concatenate([x[a, i], y[b, i]])
        share = [
            np.concatenate([[0.0], np.cumsum(w) / w.sum()])[np.searchsorted(v, at, side="right")]
            for v, w in ((x[a, i], weight[a]), (y[b, i], one[b]))
        ]
        distance = float(abs(share[0] - share[1]).max())
        middle = int(np.argmax(share[0][: len(x)] >= 0.5))
        medians = float(x[a[middle], i]), float(np.median(y[:, i]))
        found[name] = (*medians, distance, float(kolmogorov(distance * n**0.5)))
    return found
