"""Methods of classification compared on the events of an analysis, at nominal and under its own systematics."""

import tempfile
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from verax import pipeline
from verax.analysis import Analysis, Ensemble, Plan, VariedFiles, load, plan
from verax.compare.methods.classification import CLASSIFIERS, Sample, judge
from verax.compare.methods.trials import OWNER
from verax.data import read_events
from verax.errors import InputError, check_known
from verax.events import Events, concatenate
from verax.learn import balance, fold_of
from verax.learn.folds import is_held_out
from verax.store import Progress, Run, named
from verax.systematics import shift

PARTS = 5
"""Fifths of the events, by their numbers: one to judge on, one to calibrate on, three to learn from."""


@dataclass(frozen=True)
class Trial:
    """One row with one seed.

    Parameters
    ----------
    scores : by condition ("nominal", "tes +1", …) and metric: value and standard error
    seconds : of training and calibration, compilation included; rows of one training share it
    problem : what went wrong, empty when nothing did
    """

    row: str
    seed: int
    scores: Mapping[str, Mapping[str, tuple[float, float]]]
    seconds: float
    problem: str = ""


def compare(
    path: Path,
    folder: Path | None,
    *,
    shift_by: str,
    methods: Sequence[str] | None,
    seeds: int,
    seed: int,
    quick: bool,
    progress: Progress | None,
) -> tuple[Analysis, tuple[Trial, ...]]:
    """Every method, with each seed: other networks, and another fifth of the events to judge on.

    Raises
    ------
    InputError : for a shift other than "none" and "systematic", an unknown method, or an analysis without an ensemble
    """
    if shift_by not in ("none", "systematic"):
        expected = "none or systematic for an analysis"
        raise InputError("--shift", f"'{shift_by}'", expected, "its own systematics are what shifts its events")
    names = methods or tuple(CLASSIFIERS)
    check_known(names, tuple(CLASSIFIERS), "compare methods", "method")
    analysis = load(path)
    if analysis.summary.kind != "classifier":
        raise InputError(
            str(path), f"a summary of kind '{analysis.summary.kind}'", "an analysis that learns a classifier"
        )
    if not isinstance(analysis.learn, Ensemble):
        seen, action = f"'{analysis.learn.epistemic}'", "every method is compared, whatever it says"
        raise InputError(f"{path}: learn.epistemic", seen, "ensemble or bootstrap", action)
    if quick:
        changed = analysis.learn.model_copy(update={"epochs": 10, "members": 3, "max_events": 20_000})
        analysis = analysis.model_copy(update={"learn": changed})
    progress, done = progress or Progress(), list[Trial]()
    with nullcontext(folder) if folder else tempfile.TemporaryDirectory(prefix="verax-") as given:
        place = Path(given)
        made = plan(analysis)
        with Run(place, progress=progress, owner=OWNER, types=named(Trial)) as run:
            pipeline.measure(analysis, place / "events", until="simulate", progress=progress)
            stage = place / "events" / "stages" / "simulate"
            todo = [(name, seed + i) for i in range(seeds) for name in names]
            for k, (name, number) in enumerate(todo):
                label = f"{name} {number} {shift_by}".replace(" ", "-")
                done += run(label, partial(_kept, stage), made, name, number, shift_by)
                progress.step("trials", k + 1, len(todo))
    return analysis, tuple(done)


def _kept(stage: Path, run: Run, folder: Path, made: Plan, name: str, seed: int, shift_by: str) -> tuple[Trial, ...]:
    method = CLASSIFIERS[name]
    sample, conditions = material(made, stage, seed, shift_by)
    started = time.perf_counter()
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode()))
    rows, problem = method.fit(key, sample)
    seconds = time.perf_counter() - started
    found = {row: {c: judge(r, e, sample.label(e)) for c, e in conditions.items()} for row, r in rows.items()}
    return tuple(Trial(row, seed, scores, seconds, problem) for row, scores in found.items())


def material(made: Plan, stage: Path, seed: int, shift_by: str) -> tuple[Sample, dict[str, Events]]:
    """What a seed learns from, and the events that it is judged on in each condition; training weights on all.

    Events are those in some channel. Where there are more than the analysis trains on, they are thinned evenly.
    """
    learning, signal = made.learning, made.histograms.signal
    assert learning is not None
    options = learning.options
    assert isinstance(options, Ensemble)
    whole = concatenate(list(read_events(stage / "nominal.parquet", learning.chunk)))
    stride = -(-len(whole) // options.max_events)

    def kept(events: Events, part: int) -> Events:
        chosen = (fold_of(events.number, PARTS) == part) & (np.asarray(events.number) // PARTS % stride == 0)
        return events.take(np.flatnonzero(chosen))

    def selected(events: Events) -> Events:
        return events.take(np.flatnonzero(made.histograms.selections(events) >= 0))

    judged, held = kept(whole, seed % PARTS), kept(whole, (seed + 1) % PARTS)
    rest = concatenate([kept(whole, (seed + i) % PARTS) for i in range(2, PARTS)])
    rest, held = selected(rest), selected(held)
    stop = is_held_out(rest.number, 0.2)
    sample = Sample(
        _balanced(rest.take(np.flatnonzero(~stop)), signal),
        _balanced(rest.take(np.flatnonzero(stop)), signal),
        _balanced(held, signal),
        signal,
        learning.features,
        options,
        learning.missing,
    )
    nominal = selected(judged)
    factor = _factors(nominal, signal)
    conditions = {"nominal": _scaled(nominal, factor, signal)}
    if shift_by == "systematic":
        for name, moved in _moved(made, stage, judged, partial(kept, part=seed % PARTS)).items():
            conditions[name] = _scaled(selected(moved), factor, signal)
    return sample, conditions


def _moved(made: Plan, stage: Path, judged: Events, kept: Any) -> dict[str, Events]:
    """The judged events at ±1 of each systematic; a varied sample stands for the events of its processes."""
    found = {}
    for given in made.systematics:
        if not isinstance(given, VariedFiles):
            for sign, theta in (("+1", 1.0), ("−1", -1.0)):
                found[f"{given.name} {sign}"] = jax.tree.map(np.asarray, shift(judged, [given], {given.name: theta}))
            continue
        for sign, file in (("+1", given.up), ("−1", given.down)):
            if file:
                varied = kept(concatenate(list(read_events(stage / file, made.histograms.chunk))))
                others = ~np.isin(np.asarray(judged.process), np.unique(np.asarray(varied.process)))
                left = judged.take(np.flatnonzero(others))
                x = np.asarray(left.features(varied.columns))  # a varied sample has what it was read for
                left = Events(x, left.weight, left.process, left.number, varied.columns, left.processes)
                found[f"{given.name} {sign}"] = concatenate([left, varied])
    return found


def _balanced(events: Events, signal: Sequence[str]) -> Events:
    weight = np.asarray(balance(events, signal), np.float32)
    return Events(events.x, weight, events.process, events.number, events.columns, events.processes)


def _factors(events: Events, signal: Sequence[str]) -> tuple[float, float]:
    """What scales background and signal to equal sums, with mean weight one."""
    is_signal, weight = np.asarray(events.is_process(signal)), np.asarray(events.weight, np.float64)
    balanced = balance(events, signal)
    first, second = (float(balanced[m].sum() / weight[m].sum()) for m in (~is_signal, is_signal))
    return first, second


def _scaled(events: Events, factor: tuple[float, float], signal: Sequence[str]) -> Events:
    by_class = np.where(np.asarray(events.is_process(signal)), factor[1], factor[0])
    weight = np.asarray(np.asarray(events.weight, np.float64) * by_class, np.float32)
    return Events(events.x, weight, events.process, events.number, events.columns, events.processes)
