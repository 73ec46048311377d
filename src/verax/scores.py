"""The number per event that is histogrammed: a network's score, a column, or a callable of the user's."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from verax import config, effects, own_code, sources
from verax.aware import softmax
from verax.config import Analysis
from verax.errors import InputError
from verax.events import Events
from verax.learn import CrossTrained, score
from verax.learning import networks_of
from verax.store import Run
from verax.summarise import Sums, fine_edges, histogram
from verax.systematics import limited


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


# ----------------------------------------------------------------------------------------------- the user's functions


def try_functions(analysis: Analysis, events: Events) -> None:
    """Call each function that the analysis names on some events, and hold it to what it says.

    Raises
    ------
    InputError : with the systematic and the function, where it fails, is not the identity at θ = 0, changes columns that
        it does not name, or where a score depends on the other events
    """
    for given in analysis.systematics:
        if isinstance(given, config.FunctionEffect):
            _try_effect(analysis, given, events)
    if analysis.summary.kind == "function":
        given_function = analysis.summary.function
        score = FunctionScore(effects.function_of(analysis, given_function), tuple(analysis.features))
        where = f"summary.function '{_name(given_function)}'"
        events = jax.tree.map(_read_only, events)
        half = events.take(np.arange(-(-len(events) // 2)))
        whole, part = (_called(analysis, given_function, where, score, e) for e in (events, half))
        spread = float(np.ptp(whole[np.isfinite(whole)])) if np.isfinite(whole).any() else 0.0
        if not np.allclose(whole[: len(half)], part, rtol=1e-3, atol=1e-3 * spread, equal_nan=True):
            seen = "scores that are others when fewer events are given"
            raise InputError(
                where, seen, "a score that depends on its event alone", "take out means, ranks and the like"
            )


def _try_effect(analysis: Analysis, given: config.FunctionEffect, events: Events) -> None:
    function, where = effects.function_of(analysis, given.function), f"systematic '{given.name}'"
    where += f", function '{_name(given.function)}'"
    layout = effects.layout_of(analysis)
    again = {*(c for c, _ in effects.moving(analysis)), *(layout.recomputed if layout else ())}
    events = jax.tree.map(_read_only, events)
    for theta in (0.0, 1.0, -1.0):
        moved = _called(analysis, given.function, where, function, events, theta)
        if not isinstance(moved, Events) or (moved.columns, len(moved)) != (events.columns, len(events)):
            seen = f"{len(moved)} events of {len(events)}" if isinstance(moved, Events) else type(moved).__name__
            raise InputError(where, seen, "all events with their columns, (Events, θ) → Events")
        moved = limited(events, moved, tuple(given.processes or ()))
        looked_at = [c for c in events.columns if c not in again]
        changed = [c for c in looked_at if not _same(moved.column(c), events.column(c), exact=theta != 0)]
        changed += [] if _same(moved.weight, events.weight, exact=theta != 0) else ["weight"]
        changed += [w for w in ("process", "number") if not np.array_equal(getattr(moved, w), getattr(events, w))]
        if theta == 0 and changed:
            raise InputError(where, f"a change of {', '.join(changed)} at θ = 0", "the same events at θ = 0")
        if others := [c for c in changed if c not in given.changes]:
            seen = f"a change of {', '.join(others)} at θ = {theta:+g}"
            action = "name all that it changes under `changes`"
            raise InputError(where, seen, f"changes of {', '.join(given.changes)} only", action)


def _read_only(values: Any) -> np.ndarray:
    """A copy that no function changes in place, which would change the nominal events."""
    copy = np.array(values)
    copy.setflags(write=False)
    return copy


def _same(varied: Any, nominal: Any, *, exact: bool) -> bool:
    """Equal values, to the last bit or up to the rounding of a few operations."""
    a, b = np.asarray(varied), np.asarray(nominal)
    scale = float(np.max(np.abs(b), initial=0, where=np.isfinite(b)))
    return np.array_equal(a, b, equal_nan=True) or (
        not exact and np.allclose(a, b, rtol=1e-5, atol=1e-6 * scale, equal_nan=True)
    )


def _called(analysis: Analysis, given: Any, where: str, function: Any, *arguments: Any) -> Any:
    with own_code.watched(effects.place_of_function(analysis, given)):
        try:
            return function(*arguments)
        except InputError as error:
            if "function" in error.where:
                raise
            raise InputError(f"{where}: {error.where}", error.got, error.expected, error.action) from error
        except Exception as error:
            seen = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(
                where, seen, "a function that can be called on events", "see the key's description"
            ) from error


def _name(function: Any) -> str:
    return function if isinstance(function, str) else str(getattr(function, "__name__", type(function).__name__))


def undeclared(analysis: Analysis, folder: Path) -> list[str]:
    """A line on the files that a function of the user's opens, or names, though `inputs` does not."""
    known, base, lines = [Path(p) for p in sources.files(analysis)], analysis.base.resolve(), []
    functions: list[config.Function | None] = [
        s.function for s in analysis.systematics if isinstance(s, config.FunctionEffect)
    ]
    functions += [analysis.summary.function] if analysis.summary.kind == "function" else []
    for function in functions:
        place = effects.place_of_function(analysis, function)
        files = own_code.undeclared(place, base, known, folder, texts=isinstance(function, str))
        if files:
            told = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
            lines.append(f"function '{_name(function)}' uses {told}, which `inputs` does not name: changes go unseen")
    return list(dict.fromkeys(lines))


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


def fine_edges_of(analysis: Analysis) -> tuple[float, ...]:
    """Fine bins of the summary, whose edges may be chosen: equal ones of its range, or those that events are sorted into."""
    if analysis.sorts:
        return fine_edges(analysis.learn.bins, 0.0, float(analysis.learn.bins))
    return fine_edges(analysis.binning.fine_bins, *analysis.summary.range)
