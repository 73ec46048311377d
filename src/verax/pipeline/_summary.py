"""The number per event that is histogrammed: a network's score, or what the analysis gives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verax.analysis import HEADS, Channels, Histograms, Learning
from verax.approaches import softmax
from verax.events import Events
from verax.learn import CrossTrained, Moments, score
from verax.run import Run

from ._learn import Kept, kept, networks_in


@dataclass(frozen=True)
class Summary:
    """The summary of events: a score, and the channel that an event belongs to (−1: none)."""

    score: Any
    channel: Channels

    def __call__(self, events: Events) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.score(events), np.float64), self.channel(events)


@dataclass(frozen=True)
class NetworkScore:
    """Mean probability of the networks that never saw the event."""

    networks: CrossTrained
    moments: Moments

    def __call__(self, events: Events) -> np.ndarray:
        return self.values(events)

    def values(self, events: Events) -> np.ndarray:
        """What the networks of an event's fold give."""
        return score(self.networks, events, moments=self.moments).mean

    def of(self, values: np.ndarray) -> np.ndarray:
        """The score that such values, or means of them, make."""
        return values


@dataclass(frozen=True)
class BinScore:
    """The bin that the networks that never saw the event sort it into, on average: its number and a half."""

    networks: CrossTrained
    temperature: float

    def __call__(self, events: Events) -> np.ndarray:
        return self.of(self.values(events))

    def values(self, events: Events) -> np.ndarray:
        """What the networks of an event's fold give: its shares in the bins."""
        return score(self.networks, events, moments=softmax(self.temperature)).mean

    def of(self, values: np.ndarray) -> np.ndarray:
        """The score that such values, or means of them, make."""
        return np.asarray(values.argmax(axis=1) + 0.5)


def summary_of(histograms: Histograms, learning: Learning | None, run: Run) -> Summary:
    """The summary that is histogrammed: the networks' own score where no other is given."""
    if histograms.score is not None:
        return Summary(histograms.score, histograms.selections)
    assert learning is not None
    return Summary(score_of(learning, run), histograms.selections)


def score_of(learning: Learning, run: Run) -> NetworkScore | BinScore:
    """The score of the networks that the stage kept."""
    return score_by(run.path("learn"), kept(learning))


def score_by(folder: Path, kept: Kept) -> NetworkScore | BinScore:
    """The score of the networks in a stage's folder."""
    networks = networks_in(folder, kept)
    if kept.bins is not None:
        return BinScore(networks, kept.temperature)
    return NetworkScore(networks, HEADS[kept.head].moments)
