"""The stage `learn`: which events and systematics a network learns from, and the networks that it keeps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from verax.analysis import HEADS, Learning, VariedFiles
from verax.approaches import approach
from verax.data import read_events
from verax.errors import InputError
from verax.events import Events, concatenate
from verax.learn import CrossTrained, History, blank, classifier, load, save
from verax.run import Run, replacing
from verax.systematics import Interpolated, Systematic, interpolable, interpolate, together


@dataclass(frozen=True)
class Kept:
    """What the file of a stage's networks must be read with: their shape, and what their outputs are."""

    features: tuple[str, ...]
    missing: float | None
    width: int
    depth: int
    folds: int
    members: int
    head: str
    bins: int | None
    """That the networks sort events into; None where they give a probability."""
    temperature: float


@dataclass(frozen=True)
class Learned:
    """How the networks were trained; the networks themselves are in the stage's folder. Empty for a given summary.

    ``interpolated`` are systematics that are no function that JAX can trace: event by event between θ = ±1 in training.
    ``ended`` are status and problem of the posterior, or of the ensemble, of each fold, ``notes`` of all of them.
    """

    histories: tuple[tuple[History, ...], ...] = ()
    rows: int = 0
    interpolated: tuple[str, ...] = ()
    ended: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    kept: Kept | None = None
    material: tuple[str, ...] = ()
    """Checksums of the events that they learnt from."""

    def warnings(self) -> list[str]:
        """Posteriors that did not converge, or have another problem."""
        ends = [("" if status == "OK" else f" ended with status {status}", line) for status, line in self.ended]
        return [f"networks of fold {i + 1}{status}: {line}" for i, (status, line) in enumerate(ends) if line]


def learn(run: Run, folder: Path, learning: Learning | None, table: Any) -> Learned:
    """Learn networks of each fold, so that each event is scored by networks that never saw it."""
    if learning is None:
        return Learned()
    options = learning.options
    events, found = _material(learning, run, stride_of(learning, table))
    systematics = together(found, learning.parameters)
    head = HEADS[options.head]
    make = partial(classifier, width=options.width, depth=options.depth, missing=learning.missing, outputs=head.outputs)
    chosen = approach(
        options.approach,
        make,
        events,
        learning.features,
        learning.free,
        systematics,
        per=options.per,
        strength=options.strength,
        params=options.at,
        bins=options.bins,
        temperature=options.temperature,
    )
    if options.head != "classifier":
        background = tuple(p for p in events.processes if p not in learning.signal)
        chosen = replace(chosen, loss=head.loss(background, learning.signal), moments=head.moments)
    if options.announced:
        run.progress.note(f"learn: {options.announced}")
    trained, posteriors = options.cross_train(learning.key, chosen, events, run.progress.step)
    histories = [h for fold in trained.histories for h in fold]
    finished = chosen.finish(trained.network, events)
    if problem := next((h.problem for h in histories if h.problem), ""):
        _stop(problem, run.folder / "last_good_networks.eqx", finished, all(h.best >= 0 for h in histories))
    save(folder / "networks.eqx", finished)
    between = tuple(s.name for s in found if isinstance(s.effect, Interpolated))
    ended = tuple((posterior.status.name, posterior.problem) for posterior in posteriors)
    notes = tuple(dict.fromkeys(note for posterior in posteriors for note in posterior.notes))
    return Learned(
        trained.histories, len(events), between, ended, notes, kept(learning), tuple(read_from(learning, table))
    )


def stride_of(learning: Learning, table: Any) -> int:
    """Every how many events of a fold one is learnt from."""
    return int(-(-sum(y.rows for y in table.yields) // learning.options.max_events))


def _stop(problem: str, path: Path, networks: Any, good: bool) -> NoReturn:
    """Keep the networks of the best epochs, if each has one, and say what went wrong."""
    if good:
        with replacing(path) as part:
            save(part, networks)
    kept = f"the last good networks are kept in {path}" if good else "no epoch ended well, so no network is kept"
    raise InputError(
        "learn", problem, "a finite loss", f"{kept}; try a lower learn.learning_rate, or check the weights"
    )


def read_from(learning: Learning | None, table: Any) -> list[str]:
    """Checksums of what networks learn from: they depend on the content of these events alone.

    Networks that know nothing of systematics read their features, weights, processes and numbers; others all columns,
    and the samples of the systematics that they are aware of.
    """
    if learning is None:
        return []
    varied = [s for s in learning.systematics if isinstance(s, VariedFiles)]
    files = ["nominal.parquet", *(file for s in varied for file in (s.up, s.down) if file)]
    aware = learning.options.approach != "propagate"
    return [table.contents[file] for file in files] if aware else [table.material]


def kept(learning: Learning) -> Kept:
    """What the networks of this learning are read with."""
    o, bins = learning.options, learning.options.bins if learning.sorts else None
    shape = (o.width, o.depth, o.folds, o.members)
    return Kept(learning.features, learning.missing, *shape, o.head, bins, o.temperature)


def networks_in(folder: Path, kept: Kept) -> CrossTrained:
    """The networks that the stage kept in its folder."""
    like = blank(
        kept.features,
        width=kept.width,
        depth=kept.depth,
        missing=kept.missing,
        axes=(kept.folds, kept.members),
        outputs=HEADS[kept.head].outputs if kept.bins is None else kept.bins,
    )
    return CrossTrained(load(folder / "networks.eqx", like), kept.folds, ())


def _material(learning: Learning, run: Run, stride: int) -> tuple[Events, tuple[Systematic, ...]]:
    """Every ``stride``-th event of the table, and the systematics that the approach acts on, as functions of them.

    Those that are no function that JAX can trace, or samples of their own, are interpolated event by event.
    """
    folds, stage, missing = learning.options.folds, run.path("simulate"), learning.missing

    def thinned(name: str) -> Events:
        chunks: Iterator[Events] = read_events(stage / name, learning.chunk)
        return concatenate([e.take(np.flatnonzero(np.asarray(e.number) // folds % stride == 0)) for e in chunks])

    events, found = thinned("nominal.parquet"), list[Systematic]()
    for given in learning.systematics:
        if isinstance(given, VariedFiles):
            up, down = (_replaced(events, thinned(f), given.name) if f else None for f in (given.up, given.down))
            assert up is not None
            events, made = interpolate(given.parameter, events, up, down, missing=missing)
        else:
            events, (made,) = interpolable(events, [given], missing=missing)
        found.append(made)
    return events, tuple(found)


def _replaced(events: Events, varied: Events, name: str) -> Events:
    """The events, those of the varied sample's processes replaced by it: the same events in the same order."""
    process, number = np.asarray(events.process), np.asarray(events.number)
    rows = np.flatnonzero(np.isin(process, np.unique(np.asarray(varied.process))))
    same = len(rows) == len(varied) and np.array_equal(number[rows], np.asarray(varied.number))
    if not same or not np.array_equal(process[rows], np.asarray(varied.process)):
        raise InputError(
            f"systematic '{name}'",
            f"a sample of {len(varied)} events that are not the {len(rows)} nominal ones",
            "the same events in the same order, to interpolate each",
            "leave it out of learn.systematics: its templates are filled all the same",
        )
    x, weight = np.array(events.x), np.array(events.weight)
    x[rows[:, None], np.asarray(events.index(varied.columns))] = np.asarray(varied.x)
    weight[rows] = np.asarray(varied.weight)
    return Events(x, weight, events.process, events.number, events.columns, events.processes)
