"""The number per event that is histogrammed: a network's score, a column, or a callable of the user's."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from verax import own_code
from verax.analysis import Channels, Filling, FunctionScore, Learning, Named, Own, Reading, Tried, files
from verax.aware import softmax
from verax.errors import InputError
from verax.events import Events
from verax.learn import CrossTrained, score
from verax.learning import networks_of
from verax.store import Run
from verax.summarise import Sums, histogram
from verax.systematics import limited


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


def summary_of(filling: Filling, learning: Learning | None, run: Run) -> Summary:
    """The summary that is histogrammed: the networks' own score where no other is given."""
    if filling.score is not None:
        return Summary(filling.score, filling.selections)
    assert learning is not None
    networks = networks_of(learning, run)
    score = BinScore(networks, learning.options.temperature) if learning.sorts else NetworkScore(networks)
    return Summary(score, filling.selections)


# ----------------------------------------------------------------------------------------------- the user's functions


def try_functions(reading: Reading, events: Events) -> None:
    """Call each function of the user's on some events, and hold it to what the analysis says of it.

    Raises
    ------
    InputError : with the systematic and the function, where it fails, is not the identity at θ = 0, changes columns that
        it does not name, or where a score depends on the other events
    """
    columns = reading.columns
    again = {*(c for c, _ in columns.moving), *(columns.layout.recomputed if columns.layout else ())}
    for effect in reading.effects:
        _try_effect(effect, events, again)
    if reading.score is not None:
        where = f"summary.function '{reading.score.name}'"
        score = FunctionScore(reading.score, columns.features)
        events = jax.tree.map(_read_only, events)
        half = events.take(np.arange(-(-len(events) // 2)))
        whole, part = (_called(reading.score, where, score, e) for e in (events, half))
        spread = float(np.ptp(whole[np.isfinite(whole)])) if np.isfinite(whole).any() else 0.0
        if not np.allclose(whole[: len(half)], part, rtol=1e-3, atol=1e-3 * spread, equal_nan=True):
            seen = "scores that are others when fewer events are given"
            raise InputError(
                where, seen, "a score that depends on its event alone", "take out means, ranks and the like"
            )


def _try_effect(effect: Tried, events: Events, again: set[str]) -> None:
    where = f"systematic '{effect.name}', function '{effect.function.name}'"
    events = jax.tree.map(_read_only, events)
    for theta in (0.0, 1.0, -1.0):
        moved = _called(effect.function, where, effect.function, events, theta)
        if not isinstance(moved, Events) or (moved.columns, len(moved)) != (events.columns, len(events)):
            seen = f"{len(moved)} events of {len(events)}" if isinstance(moved, Events) else type(moved).__name__
            raise InputError(where, seen, "all events with their columns, (Events, θ) → Events")
        moved = limited(events, moved, effect.processes)
        looked_at = [c for c in events.columns if c not in again]
        changed = [c for c in looked_at if not _same(moved.column(c), events.column(c), exact=theta != 0)]
        changed += [] if _same(moved.weight, events.weight, exact=theta != 0) else ["weight"]
        changed += [w for w in ("process", "number") if not np.array_equal(getattr(moved, w), getattr(events, w))]
        if theta == 0 and changed:
            raise InputError(where, f"a change of {', '.join(changed)} at θ = 0", "the same events at θ = 0")
        if others := [c for c in changed if c not in effect.changes]:
            seen = f"a change of {', '.join(others)} at θ = {theta:+g}"
            action = "name all that it changes under `changes`"
            raise InputError(where, seen, f"changes of {', '.join(effect.changes)} only", action)


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


def _called(own: Own, where: str, function: Any, *arguments: Any) -> Any:
    with own_code.watched(own.place):
        try:
            return function(*arguments)
        except InputError:
            raise
        except Exception as error:
            seen = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(
                where, seen, "a function that can be called on events", "see the key's description"
            ) from error


def undeclared(reading: Reading, folder: Path) -> list[str]:
    """A line on the files that a function of the user's opens, or names, though `inputs` does not."""
    known, base, lines = [Path(p) for p in files(reading)], reading.base.resolve(), []
    functions = [*(e.function for e in reading.effects), *([reading.score] if reading.score else [])]
    for function in functions:
        found = own_code.undeclared(function.place, base, known, folder, texts=isinstance(function, Named))
        if found:
            told = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
            lines.append(f"function '{function.name}' uses {told}, which `inputs` does not name: changes go unseen")
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
