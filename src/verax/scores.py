"""The number per event that is histogrammed: a network's score, a column, or a callable of the user's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from verax import effects, sources
from verax.aware import softmax
from verax.config import Analysis
from verax.errors import InputError
from verax.events import Events
from verax.learn import CrossTrained, score
from verax.learning import networks_of
from verax.store import Run
from verax.summarise import fine_edges


@dataclass(frozen=True)
class Summary:
    """The summary of events: a score, and the channel that an event belongs to (−1: none)."""

    score: Any
    channel: sources.Channels

    def __call__(self, events: Events) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.score(events), np.float64), self.channel(events)


@dataclass(frozen=True)
class NetworkScore:
    """Mean probability of the networks that never saw the event."""

    networks: CrossTrained

    def __call__(self, events: Events) -> np.ndarray:
        return score(self.networks, events).mean


@dataclass(frozen=True)
class BinScore:
    """The bin that the networks that never saw the event sort it into, on average: its number and a half."""

    networks: CrossTrained
    temperature: float

    def __call__(self, events: Events) -> np.ndarray:
        shares = score(self.networks, events, moments=softmax(self.temperature)).mean
        return np.asarray(shares.argmax(axis=1) + 0.5)


@dataclass(frozen=True)
class ColumnScore:
    """One column."""

    column: str

    def __call__(self, events: Events) -> np.ndarray:
        return np.asarray(events.column(self.column))


@dataclass(frozen=True)
class FunctionScore:
    """A user's own callable on the features' array."""

    function: Any
    features: tuple[str, ...]

    def __call__(self, events: Events) -> np.ndarray:
        x = np.asarray(events.features(self.features))
        found = np.asarray(self.function(x))
        if found.shape != (len(x),):
            raise InputError("summary.function", f"output of shape {found.shape}", f"({len(x)},), a score per event")
        return found


def summary_of(analysis: Analysis, run: Run) -> Summary:
    """The summary that the analysis asks for."""
    channels = sources.Channels(tuple(c.select for c in analysis.channels))
    match analysis.summary.kind:
        case "classifier":
            networks = networks_of(analysis, run)
            return Summary(
                BinScore(networks, analysis.learn.temperature) if analysis.sorts else NetworkScore(networks), channels
            )
        case "column":
            return Summary(ColumnScore(str(analysis.summary.column)), channels)
        case _:
            function = effects.function_of(analysis, analysis.summary.function)
            return Summary(FunctionScore(function, tuple(analysis.features)), channels)


def fine_edges_of(analysis: Analysis) -> tuple[float, ...]:
    """Fine bins of the summary, whose edges may be chosen: equal ones of its range, or those that events are sorted into."""
    if analysis.sorts:
        return fine_edges(analysis.learn.bins, 0.0, float(analysis.learn.bins))
    return fine_edges(analysis.binning.fine_bins, *analysis.summary.range)
