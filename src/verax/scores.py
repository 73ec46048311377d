"""The number per event that is histogrammed: a network's score, a column, or a callable of the user's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from verax import effects, sources
from verax.config import Analysis
from verax.errors import InputError
from verax.events import Events
from verax.learn import CrossTrained, blank, load, score
from verax.store import Run


def networks_of(analysis: Analysis, run: Run) -> CrossTrained:
    """The networks that the stage `learn` kept."""
    options = analysis.learn
    like = blank(
        tuple(analysis.features),
        width=options.width,
        depth=options.depth,
        missing=effects.missing_of(analysis),
        axes=(options.folds, options.members),
    )
    return CrossTrained(load(run.path("learn") / "networks.eqx", like), options.folds, ())


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
            return Summary(NetworkScore(networks_of(analysis, run)), channels)
        case "column":
            return Summary(ColumnScore(str(analysis.summary.column)), channels)
        case _:
            function = effects.function_of(analysis, analysis.summary.function)
            return Summary(FunctionScore(function, tuple(analysis.features)), channels)
