"""The stage `summarise`: templates of each variation in bins that are chosen from them."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

import numpy as np

from verax.analysis import Arranged, Channels, Histograms, Learning, Treatment, VariedFiles
from verax.data import read_events
from verax.errors import InputError
from verax.events import Events
from verax.run import Run
from verax.templates import (
    Filling,
    Pruned,
    Templates,
    Varied,
    choose_edges,
    combine,
    combined,
    correlate,
    decorrelate,
    members,
    prune,
    restrict,
    select,
    smooth,
    symmetrise,
    templates_of,
)

from ._agreement import Overlap, compare, sampled
from ._displays import Displayed, Shown, aligned
from ._learn import Learned
from ._outside import Outside
from ._simulate import Table
from ._summary import summary_of


@dataclass(frozen=True)
class Summarised:
    """Templates in the final bins, observed counts (NaN in blind bins), and what a careful analyst would want to know."""

    templates: Templates
    observed: np.ndarray | None
    problems: tuple[str, ...]
    treated: tuple[str, ...] = ()
    compared: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    """Of each feature, simulated and observed median, largest distance of the distributions and its p-value."""
    displayed: tuple[Displayed, ...] = ()
    """The variables that are shown beside the summary."""


def summarise(
    run: Run,
    folder: Path,
    histograms: Histograms,
    treatment: Treatment,
    arrangement: tuple[Arranged, ...],
    learning: Learning | None,
    table: Table,
    learned: Learned,
) -> Summarised:
    """Fill fine templates of events in one pass, choose bins, and merge into them; take histograms in files as they are."""
    parts = list[Summarised]()
    if histograms.channels:
        parts.append(_of_events(run, histograms, learning, table))
    if table.stored is not None:
        named, found = {p.name: p for p in histograms.stored}, table.stored
        parameters = tuple(named[p.name] for p in found.templates.systematics)
        hidden = _unseen(histograms.hidden[len(histograms.channels) :], found.templates.edges)
        observed = None if found.observed is None else np.where(hidden, np.nan, found.observed)
        parts.append(Summarised(replace(found.templates, systematics=parameters), observed, ()))
    given = reduce(combine, (p.templates for p in parts))
    unseen = [np.full(p.templates.nominal.shape[1], np.nan) for p in parts]
    counts = np.concatenate([n if p.observed is None else p.observed for n, p in zip(unseen, parts, strict=True)])
    final, changes = treat(treatment, given, arrangement)
    problems = [*(line for p in parts for line in p.problems), *final.problems()]
    displayed = []
    for one in parts[0].displayed:  # treated as a whole, so that each channel that a treatment names is there
        whole = reduce(combine, (one.templates, *(p.templates for p in parts[1:])))
        own = select(treat(treatment, whole, arrangement)[0], one.templates.channels)
        displayed.append(replace(one, templates=aligned(own, final)))
    seen = None if np.isnan(counts).all() else counts
    return Summarised(final, seen, tuple(problems), changes, parts[0].compared, tuple(displayed))


def _of_events(run: Run, histograms: Histograms, learning: Learning | None, table: Table) -> Summarised:
    """Templates and counts of the channels that are made of events, before their treatment."""
    summary, stage = summary_of(histograms, learning, run), run.path("simulate")
    total = sum(y.rows for y in table.yields)
    edges = [given or histograms.fine for given in histograms.edges]

    def read(file: str) -> Iterator[Events]:
        return read_events(stage / file, histograms.chunk)

    whole = all(e[0] <= histograms.fine[0] and e[-1] >= histograms.fine[-1] for e in edges)
    given = None if histograms.score is None and whole else Outside(tuple(edges))
    selected = zip(histograms.channels, histograms.selections.selections, strict=True)
    overlap = Overlap(tuple((name, select) for name, select in selected if select))

    beside = Shown(histograms.variables, histograms.channels, histograms.selections, observed=False)

    def told() -> Iterator[Events]:
        done = 0
        for events in read("nominal.parquet"):
            yield events
            overlap.add(events)
            if given:
                given.add(events, *summary(events))
            beside.add(events)
            done += len(events)
            run.progress.step("events histogrammed", done, total)

    filled, *others = templates_of(
        [Filling(summary, edges, histograms.channels), *beside.fillings()],
        told(),
        [
            Varied(s.parameter, s.processes, read(s.up), read(s.down) if s.down else None)
            if isinstance(s, VariedFiles)
            else s
            for s in members(histograms.systematics)
        ],
        processes=histograms.processes,
        executor=run.executor,
    )
    problems = [*overlap.problems(), *(given.problems() if given else ())]
    final = _edges(histograms, filled)
    merged = combined(filled.rebin(final), histograms.systematics)
    observed, compared = None, dict[str, tuple[float, float, float, float]]()
    hidden = histograms.hidden[: len(histograms.channels)]
    looked_at = Channels(histograms.selections.selections, tuple(h is False for h in hidden))
    real_beside = Shown(histograms.variables, histograms.channels, looked_at, observed=True)
    counts: list[np.ndarray] = []
    if table.observed is not None and any(h is not True for h in hidden):
        fillings = [Filling(summary, final, merged.channels), *real_beside.fillings()]
        seen = templates_of(fillings, read("observed.parquet"), (), processes=("observed",))
        observed, *counts = (np.asarray(one.nominal)[0] for one in seen)
        observed = np.where(_unseen(hidden, final), np.nan, observed)
    if table.observed is not None and any(looked_at.kept):
        data = Outside(final, "observed events", observed=True)
        for events in read("observed.parquet"):
            data.add(events, summary(events)[0], looked_at(events))
            real_beside.add(events)
        problems += data.problems()
        numbers = {"nominal.parquet": total, "observed.parquet": table.observed}
        simulated, real = (sampled(histograms.features, looked_at, read(f), n) for f, n in numbers.items())
        compared = compare(histograms.features, simulated, real)
    displayed = []
    for i, (variable, one) in enumerate(zip(histograms.variables, others, strict=True)):
        unseen = np.repeat([h is not False for h in hidden], len(variable.edges) - 1)
        seen_of = np.where(unseen, np.nan, counts[i]) if counts else None
        raw = combined(one, histograms.systematics)
        displayed.append(Displayed(variable.column, raw, seen_of, (*beside.notes(i), *real_beside.notes(i))))
    return Summarised(merged, observed, tuple(problems), (), compared, tuple(displayed))


def _edges(histograms: Histograms, filled: Templates) -> tuple[tuple[float, ...], ...]:
    """The edges of all channels of events: given ones, or those that are best for the signal."""
    if None not in histograms.edges and not histograms.signal:
        return tuple(edges for edges in histograms.edges if edges is not None)
    if not histograms.signal:
        name = histograms.channels[histograms.edges.index(None)]
        raise InputError(f"channel '{name}'", "no events of the signal, to choose bins for", "edges", "give its edges")
    chosen = choose_edges(
        filled,
        signal=histograms.signal,
        max_bins=histograms.max_bins,
        min_effective=histograms.min_effective,
        max_relative_error=histograms.max_relative_error,
        most=histograms.most,
    )
    return tuple(given or new for given, new in zip(histograms.edges, chosen, strict=True))


def _unseen(hidden: tuple[bool | tuple[int, ...], ...], edges: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """Which bins of the channels, one after another, stay blind."""
    masks = []
    for h, bins in zip(hidden, (np.arange(len(e) - 1) for e in edges), strict=True):
        if isinstance(h, tuple) and max(h) >= len(bins):
            raise InputError("blind", f"bins {list(h)} of a channel", f"bins from 0 to {len(bins) - 1}")
        masks.append(np.isin(bins, h) if isinstance(h, tuple) else np.full(len(bins), h))
    return np.concatenate(masks)


def treat(
    options: Treatment, given: Templates, arrangement: tuple[Arranged, ...] = ()
) -> tuple[Templates, tuple[str, ...]]:
    """Variations symmetrised, smoothed, given to parameters and pruned, in this order, and a line on each change."""
    said = []
    for one in arrangement:
        if one.channels is not None:
            given = restrict(given, one.name, channels=one.channels)
            said.append(f"{one.name}: acts in {', '.join(one.channels)} only")
    for name, method in options.symmetrise.items():
        given, halves = symmetrise(given, name, method)
        largest = max((h.size for h in halves), default=0.0)
        said.append(f"{name}: symmetrised ({method}); bins move by up to {largest:.2%}")
    if options.smooth:
        given, sides = smooth(given, options.smooth)
        for name in options.smooth:
            moved = [s for s in sides if s.systematic == name]
            most = max((s.size for s in moved), default=0.0)
            said.append(f"{name}: {len(moved)} variations smoothed; bins move by up to {most:.2%}")
    given, lines = arrange(given, arrangement)
    said += lines
    gone: tuple[Pruned, ...] = ()
    if options.prune.shape or options.prune.normalisation:
        given, gone = prune(given, shape=options.prune.shape, normalisation=options.prune.normalisation)
    for p in gone:
        where = f", {p.process} in {p.channel}" if p.process else ""
        said.append(f"{p.systematic}{where}: {p.effect} pruned ({p.size:.2%})")
    return given, tuple(said)


def arrange(given: Templates, arrangement: tuple[Arranged, ...]) -> tuple[Templates, list[str]]:
    """Give the variations to the parameters of the fit, and say which moves what."""
    said, moves, free = [], dict[str, list[str]](), set[str]()
    for one in arrangement:
        before = {p.name for p in given.systematics} - {one.name}
        if one.by:
            by = [each if isinstance(each, str) else dict(each) for each in one.by]
            given = decorrelate(given, one.name, by, rho=one.rho)
        made = [p.name for p in given.systematics if p.name not in before]
        if one.by:
            said.append(f"{one.name}: {len(made)} parameters, {', '.join(made)}; correlation of the parts {one.rho:g}")
        for name in made:
            parameter = one.parameter + name.removeprefix(one.name)
            moves.setdefault(parameter, []).append(name)
            free |= {parameter} if one.free else set()
    for parameter, names in moves.items():
        if names != [parameter]:
            given = correlate(given, names, parameter)
            said.append(f"{parameter}: moves {', '.join(names)}")
    if free:
        without = tuple(replace(p, constraint=None) if p.name in free else p for p in given.systematics)
        given, said = (
            replace(given, systematics=without),
            [*said, *(f"{name}: without a prior" for name in sorted(free))],
        )
    return given, said
