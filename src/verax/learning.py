"""The stage `learn`: which events and systematics a network learns from, and the networks that it keeps."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np

from verax import config, effects
from verax.aware.approach import Approach, approach
from verax.config import Analysis
from verax.data import read_events
from verax.epistemic import bootstrap_factors
from verax.errors import InputError
from verax.events import Events, concatenate
from verax.folder import replacing
from verax.learn import CrossTrained, History, Training, blank, classifier, cross_train, load, save
from verax.parameters import nuisance
from verax.store import Run
from verax.systematics import Systematic, interpolable, interpolate
from verax.systematics.paired import Interpolated


@dataclass(frozen=True)
class Learned:
    """How the networks were trained; the networks themselves are in the stage's folder. Empty for a given summary.

    ``interpolated`` are systematics that are no function that JAX can trace: event by event between θ = ±1 in training.
    """

    histories: tuple[tuple[History, ...], ...] = ()
    rows: int = 0
    interpolated: tuple[str, ...] = ()


def learn(analysis: Analysis, run: Run, folder: Path, table: Any) -> Learned:
    """Train an ensemble per fold, so that each event is scored by networks that never saw it."""
    if analysis.summary.kind != "classifier":
        return Learned()
    options = analysis.learn
    events, systematics = _material(analysis, run, -(-sum(y.rows for y in table.yields) // options.max_events))
    chosen = _approach(analysis, events, systematics)
    replica, start = jax.random.split(run.key("learn"))
    factors = None
    if options.bootstrap:
        factors = bootstrap_factors(replica, events.number, events.process, members=options.members)
    trained = cross_train(
        start,
        chosen.make,
        chosen.loss,
        events,
        training=Training(
            epochs=options.epochs,
            batch=options.batch,
            patience=options.patience,
            learning_rate=options.learning_rate,
            optimizer=chosen.optimizer,
            progress=lambda epoch, epochs, _: run.progress.step("epochs", epoch, epochs),
        ),
        folds=options.folds,
        members=options.members,
        factors=factors,
        weigh=chosen.weigh,
    )
    histories = [h for fold in trained.histories for h in fold]
    finished = chosen.finish(trained.network, events)
    if problem := next((h.problem for h in histories if h.problem), ""):
        _stop(problem, run.folder / "last_good_networks.eqx", finished, all(h.best >= 0 for h in histories))
    save(folder / "networks.eqx", finished)
    between = tuple(s.name for s in systematics if isinstance(s.effect, Interpolated))
    return Learned(trained.histories, len(events), between)


def _stop(problem: str, path: Path, networks: Any, good: bool) -> NoReturn:
    """Keep the networks of the best epochs, if each has one, and say what went wrong."""
    if good:
        with replacing(path) as part:
            save(part, networks)
    kept = f"the last good networks are kept in {path}" if good else "no epoch ended well, so no network is kept"
    raise InputError(
        "learn", problem, "a finite loss", f"{kept}; try a lower learn.learning_rate, or check the weights"
    )


def networks_of(analysis: Analysis, run: Run) -> CrossTrained:
    """The networks that the stage kept."""
    options = analysis.learn
    like = blank(
        tuple(analysis.features),
        width=options.width,
        depth=options.depth,
        missing=effects.missing_of(analysis),
        axes=(options.folds, options.members),
        outputs=options.bins if options.approach == "inferno" else None,
    )
    return CrossTrained(load(run.path("learn") / "networks.eqx", like), options.folds, ())


def _approach(analysis: Analysis, events: Events, systematics: tuple[Systematic, ...]) -> Approach:
    options = analysis.learn
    make = partial(classifier, width=options.width, depth=options.depth, missing=effects.missing_of(analysis))
    return approach(
        options.approach,
        make,
        events,
        analysis.features,
        {f.name: tuple(f.processes) for f in (analysis.poi, *analysis.normalisations)},
        systematics,
        per=options.per,
        strength=options.strength,
        params=options.at,
        bins=options.bins,
        temperature=options.temperature,
    )


def _material(analysis: Analysis, run: Run, stride: int) -> tuple[Events, tuple[Systematic, ...]]:
    """Every ``stride``-th event of the table, and the systematics that the approach acts on, as functions of them.

    Those that are no function that JAX can trace, or samples of their own, are interpolated event by event.
    """
    folds, stage, missing = analysis.learn.folds, run.path("simulate"), effects.missing_of(analysis)
    files = effects.varied_files(analysis)

    def thinned(name: str) -> Events:
        chunks: Iterator[Events] = read_events(stage / name, analysis.chunk)
        return concatenate([e.take(np.flatnonzero(np.asarray(e.number) // folds % stride == 0)) for e in chunks])

    events = thinned("nominal.parquet")
    if analysis.learn.approach == "propagate":
        return events, ()
    wanted = [
        s for s in analysis.systematics if analysis.learn.systematics is None or s.name in analysis.learn.systematics
    ]
    functions = {s.name: s for s in effects.systematics_of(analysis)}
    found: list[Systematic] = []
    for given in wanted:
        if isinstance(given, config.VariedSamples):
            sides = [_replaced(events, thinned(files[given.name, side]), given.name) for side in _sides(given)]
            parameter = nuisance(given.name, given.group)
            events, made = interpolate(
                parameter, events, sides[0], sides[1] if len(sides) > 1 else None, missing=missing
            )
            found.append(made)
        else:
            events, (made,) = interpolable(events, [functions[given.name]], missing=missing)
            found.append(made)
    return events, tuple(found)


def _sides(given: config.VariedSamples) -> tuple[str, ...]:
    return ("up", "down") if given.down else ("up",)


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
