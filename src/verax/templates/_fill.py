"""Templates from chunks of events: nominal, up and down histograms, additive over chunks and the same bits for any cut.

Fill once in fine bins, choose the final edges from them (:func:`verax.templates.choose_edges`), and merge with
``Templates.rebin``: events are read, shifted and scored a single time.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from verax.arrays import Array, Int
from verax.errors import InputError, check_known
from verax.events import Events
from verax.parameters import Parameter
from verax.run import map_chunks

from ._histogram import ExactSum, exact_sum, find_bins, squares
from ._templates import Templates
from ._weight_set import Reweighted

if TYPE_CHECKING:
    from verax.systematics import Systematic

Summary: TypeAlias = Callable[[Events], tuple[Array, Array]]
"""Score and channel of each event, from its columns; channel −1 is "not selected". It must not look at the weights, nor
at other events. Pure host code, or JAX."""


@dataclass(frozen=True)
class Varied:
    """A systematic given as simulated samples of its own.

    Parameters
    ----------
    parameter : θ, +1 for ``up`` and −1 for ``down``
    processes : those that the samples replace; all others stay nominal
    up, down : chunks of events; without ``down`` it is the mirror image of ``up``
    """

    parameter: Parameter
    processes: tuple[str, ...]
    up: Iterable[Events]
    down: Iterable[Events] | None = None


@dataclass(frozen=True)
class TemplateSums:
    """Exact sums of some events: Σw of nominal and of each variation, Σw² of nominal; ``+`` merges two samples.

    ``variations`` holds (up, down) of each systematic; down is None where it is the mirror image of up.
    """

    nominal: ExactSum
    square: ExactSum
    variations: tuple[tuple[ExactSum, ExactSum | None], ...] = ()

    def __add__(self, other: "TemplateSums") -> "TemplateSums":
        pairs = zip(self.variations, other.variations, strict=True)
        variations = tuple((a + c, None if b is None or d is None else b + d) for (a, b), (c, d) in pairs)
        return TemplateSums(self.nominal + other.nominal, self.square + other.square, variations)


@dataclass(frozen=True)
class Binning:
    """Where a score lands: the edges of each channel, whose bins lie one after another, and the processes."""

    edges: tuple[tuple[float, ...], ...]
    channels: tuple[str, ...]
    processes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.channels):
            raise InputError("edges", f"those of {len(self.edges)} channels", f"{len(self.channels)}: {self.channels}")
        for channel, edges in zip(self.channels, self.edges, strict=True):
            if len(edges) < 2 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
                expected = "two or more finite numbers, each larger than the one before"
                raise InputError(f"edges of channel '{channel}'", f"{edges}", expected)

    @property
    def bins(self) -> int:
        """Number of bins in all channels."""
        return sum(len(edges) - 1 for edges in self.edges)

    @property
    def cells(self) -> int:
        """Number of bins of all processes."""
        return self.bins * len(self.processes)

    def cell(self, events: Events, score: Array, channel: Array) -> Int[np.ndarray, " event"]:
        """Index into the flattened [process, bin] of each event, −1 where it is not selected.

        A score outside the edges goes to the first or the last bin, so that no expected event is lost.

        Raises
        ------
        InputError : when score and channel are not one number each per event, for NaN scores, an unknown channel
            number, or a process that the templates do not have
        """
        score, channel = np.asarray(score), np.asarray(channel)
        for name, values in {"score": score, "channel": channel}.items():
            if values.shape != (len(events),):
                raise InputError(f"summary's {name}", f"shape {values.shape}", f"({len(events)},): one value per event")
        if len(channel) and not (channel.min() >= -1 and channel.max() < len(self.channels)):
            seen = f"{channel.min()} … {channel.max()}"
            raise InputError("summary's channel", seen, f"−1 (not selected) … {len(self.channels) - 1}")
        check_known(events.processes, self.processes, "templates", "process")
        process = np.asarray([self.processes.index(p) for p in events.processes], np.int64)[np.asarray(events.process)]
        out = np.full(len(score), -1, np.int64)
        start = 0
        for i, edges in enumerate(self.edges):
            if len(self.channels) == 1 and (channel == 0).all():
                return process * self.bins + find_bins(score, np.asarray(edges))
            rows = np.flatnonzero(channel == i)
            out[rows] = process[rows] * self.bins + start + find_bins(score[rows], np.asarray(edges))
            start += len(edges) - 1
        return out

    def sum(self, cell: Int[np.ndarray, " event"], weight: Array) -> ExactSum:
        """Exact Σw in each cell, without the events that are not selected."""
        weight = np.asarray(weight, np.float32)
        if len(cell) and cell.min() < 0:
            cell, weight = cell[cell >= 0], weight[cell >= 0]
        return exact_sum(cell, weight, self.cells)


Aim: TypeAlias = tuple[Summary, Binning]
"""A summary, and where its scores land."""


@dataclass(frozen=True)
class Filling:
    """One of several things to be histogrammed.

    Parameters
    ----------
    summary : ``events → (score, channel)``; must pickle if an executor uses processes
    edges : of each channel; scores outside go to the first or the last bin
    channels : names of the channels that the summary numbers
    """

    summary: Summary
    edges: Sequence[Sequence[float]]
    channels: Sequence[str] = ("all",)


def templates(
    summary: Summary,
    source: Iterable[Events],
    systematics: "Sequence[Systematic | Varied | Reweighted]",
    edges: Sequence[Sequence[float]],
    *,
    channels: Sequence[str] = ("all",),
    processes: Sequence[str] | None = None,
    executor: Executor | None = None,
) -> Templates:
    """Histograms of the nominal events and of each systematic at θ = ±1, from chunks of events.

    The result has the same bits for any chunks and any executor: sums are exact, and an event's shift and score depend
    on no other event (for a summary of which this is true).

    Parameters
    ----------
    summary : ``events → (score, channel)``; must pickle if ``executor`` uses processes
    source : chunks of nominal events
    systematics : effects on the nominal events, samples of their own, or members of a set of weights; a one-sided
        effect, or a sample without ``down``, is mirrored: down = 2 nominal − up
    edges : of each channel; scores outside go to the first or the last bin
    channels : names of the channels that the summary numbers
    processes : those of the templates, by default those of the first chunk

    Raises
    ------
    InputError : for an empty source, edges that do not increase, unknown processes, NaN scores, infinite weights
    """
    filling = Filling(summary, edges, channels)
    return templates_of([filling], source, systematics, processes=processes, executor=executor)[0]


def templates_of(
    fillings: Sequence[Filling],
    source: Iterable[Events],
    systematics: "Sequence[Systematic | Varied | Reweighted]",
    *,
    processes: Sequence[str] | None = None,
    executor: Executor | None = None,
) -> tuple[Templates, ...]:
    """Fill several summaries in one pass over the events, each shifted once; each as :func:`templates` alone would.

    Parameters
    ----------
    fillings : what is histogrammed
    source : chunks of nominal events
    systematics : as in :func:`templates`
    processes : those of the templates, by default those of the first chunk
    executor : as in :func:`templates`

    Raises
    ------
    InputError : as :func:`templates`
    """
    chunks = iter(source)
    first = next(chunks, None)
    if first is None:
        raise InputError("templates", "a source without events", "at least one chunk")
    known = tuple(first.processes if processes is None else processes)
    aims = tuple(
        (f.summary, Binning(tuple(tuple(float(e) for e in one) for one in f.edges), tuple(f.channels), known))
        for f in fillings
    )
    effects = tuple(s for s in systematics if not isinstance(s, Varied))
    rows = min(-(-max(len(first), 1) // 1024) * 1024, 65536)
    function = partial(fill, aims=aims, systematics=effects, rows=rows)
    sums = reduce(_added, map_chunks(function, itertools.chain([first], chunks), executor=executor))
    samples = [s for s in systematics if isinstance(s, Varied)]
    own = [_own_samples(s, aims, executor) for s in samples]
    return tuple(
        _assemble(sums[i], systematics, [one[i] for one in own], binning) for i, (_, binning) in enumerate(aims)
    )


def fill(
    events: Events,
    *,
    aims: Sequence[Aim],
    systematics: "Sequence[Systematic | Reweighted]",
    rows: int = 65536,
) -> tuple[TemplateSums, ...]:
    """The sums of one chunk: pure, so that chunks can go anywhere in any order.

    ``rows`` is the fixed length to which pieces of the chunk are filled up for compiled effects.
    """
    pieces = [events.take(np.arange(a, min(a + rows, len(events)))) for a in range(0, max(len(events), 1), rows)]
    return reduce(_added, (_fill_piece(piece, aims, systematics, rows) for piece in pieces))


def _added(some: tuple[TemplateSums, ...], more: tuple[TemplateSums, ...]) -> tuple[TemplateSums, ...]:
    return tuple(a + b for a, b in zip(some, more, strict=True))


def _fill_piece(
    events: Events, aims: Sequence[Aim], systematics: "Sequence[Systematic | Reweighted]", rows: int
) -> tuple[TemplateSums, ...]:
    from ._moved import moved

    cells = [binning.cell(events, *summary(events)) for summary, binning in aims]
    x = np.asarray(events.x)

    def sums(cells: Sequence[np.ndarray], weight: Array) -> list[ExactSum]:
        return [binning.sum(cell, weight) for cell, (_, binning) in zip(cells, aims, strict=True)]

    def vary(systematic: "Systematic | Reweighted", theta: float) -> list[ExactSum]:
        if isinstance(systematic, Reweighted):
            new_x, new_weight = x, systematic.weight(events)
        else:
            new_x, new_weight = moved(events, systematic, theta, rows)
        if len(bad := np.flatnonzero(~np.isfinite(new_weight))):
            process = events.processes[int(np.asarray(events.process)[bad[0]])]
            where = f"systematic '{systematic.parameter.name}' at θ = {theta:+g}, process '{process}'"
            raise InputError(where, f"{len(bad)} weights that are NaN or infinite", "finite ones", "is a divisor zero?")
        if new_x is x or _same(new_x, x):  # only weights changed: events stay in their bins
            return sums(cells, new_weight)
        there = replace(events, x=new_x, weight=new_weight)
        return sums([binning.cell(there, *summary(there)) for summary, binning in aims], new_weight)

    nominal, square = (sums(cells, weight) for weight in (events.weight, squares(np.asarray(events.weight))))
    sides = [(vary(s, 1.0), None if s.one_sided else vary(s, -1.0)) for s in systematics]
    return tuple(
        TemplateSums(nominal[i], square[i], tuple((up[i], None if down is None else down[i]) for up, down in sides))
        for i in range(len(aims))
    )


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """True when two arrays have the same bits, NaN included."""
    return a.dtype == b.dtype and a.shape == b.shape and bool(np.array_equal(a.view(np.uint8), b.view(np.uint8)))


def _own_samples(
    varied: Varied, aims: Sequence[Aim], executor: Executor | None
) -> list[tuple[ExactSum, ExactSum | None]]:
    """The sums of a systematic's own samples, up and down, of each summary."""
    check_known(varied.processes, aims[0][1].processes, f"samples of '{varied.parameter.name}'", "process")
    function = partial(fill, aims=aims, systematics=())

    def side(name: str, chunks: Iterable[Events]) -> list[ExactSum]:
        parts = list(map_chunks(function, chunks, executor=executor))
        if not parts:
            raise InputError(f"samples of '{varied.parameter.name}'", f"no events for {name}", "at least one chunk")
        return [sums.nominal for sums in reduce(_added, parts)]

    up = side("up", varied.up)
    down = [None] * len(aims) if varied.down is None else side("down", varied.down)
    return list(zip(up, down, strict=True))


def _assemble(
    sums: TemplateSums,
    systematics: "Sequence[Systematic | Varied | Reweighted]",
    own: Sequence[tuple[ExactSum, ExactSum | None]],
    binning: Binning,
) -> Templates:
    """Float64 templates from exact sums, variations in the order in which they were given."""
    from verax.systematics import Normalisation

    shape = (len(binning.processes), binning.bins)
    nominal = sums.nominal.value().reshape(shape)
    effects, samples = iter(sums.variations), iter(own)
    up, down = np.empty((len(systematics), *shape)), np.empty((len(systematics), *shape))
    for i, systematic in enumerate(systematics):
        if isinstance(systematic, Varied):
            plus, minus = next(samples)
            chosen = np.isin(binning.processes, systematic.processes)[:, None]
        else:
            plus, minus = next(effects)
            chosen = np.asarray(True)
        up[i] = np.where(chosen, plus.value().reshape(shape), nominal)
        down[i] = 2 * nominal - up[i] if minus is None else np.where(chosen, minus.value().reshape(shape), nominal)
        effect = getattr(systematic, "effect", None)
        if isinstance(effect, Normalisation):  # events' weights are float32: a factor has no shape, not even rounding's
            acts = np.isin(binning.processes, effect.processes or binning.processes)
            factor = np.where(acts, 1 + effect.width, 1.0)[:, None]
            up[i], down[i] = nominal * factor, nominal / factor
    parameters = tuple(s.parameter for s in systematics)
    square = sums.square.value().reshape(shape)
    return Templates(nominal, square, up, down, binning.channels, binning.edges, binning.processes, parameters)


def fine_edges(bins: int = 400, low: float = 0.0, high: float = 1.0) -> tuple[float, ...]:
    """Equal bins to fill first, of which :func:`verax.templates.choose_edges` keeps the best edges."""
    return tuple(float(e) for e in np.linspace(low, high, bins + 1))
