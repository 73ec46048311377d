"""Methods of classification compared on the events of an analysis, at nominal and under its own systematics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from verax import pipeline
from verax.analysis import Analysis, Ensemble, Plan, VariedFiles, plan
from verax.data import read_events
from verax.errors import InputError
from verax.events import Events, concatenate
from verax.learn import balance, fold_of, is_held_out
from verax.report import COLOURS, Section, Style
from verax.run import Progress
from verax.systematics import shift
from verax.templates import WeightSet

from ._cell import Cell
from ._classification_tables import (
    SETS,
    ConditionScores,
    all_cells,
    classification_table,
    classification_warnings,
    shift_table,
)
from ._classifiers import CLASSIFIERS, LEVEL, Sample, class_factors, scaled_by, trials_of
from ._comparison import Comparison, Job, Trial
from ._forest import Panel, forest

PARTS = 5
"""Fifths of the events, by their numbers: one to judge on, one to calibrate on, three to learn from."""

QUICK = {"epochs": 10, "members": 3, "max_events": 20_000}
QUICK_NOTE = "A quick look: few events, short trainings. Not to judge by."

TEXT = (
    "Signal against background, by networks of the analysis' own settings; a fifth of the events is judged on, a fifth "
    "calibrates. A guarantee is for events distributed as those that calibrate; under a systematic no row has one. "
    "Held-out events stop trainings: how these fluctuate moves all members alike, and is not in the spread."
)
CAPTION = "Filled: nominal; open: each systematic of the analysis at ±1. Dashed: what the sets say."
SHIFTED = "systematics at ±1"
PANELS = (
    *(Panel(metric, {metric: COLOURS[0]}) for metric in ("log loss", "ECE")),
    Panel(f"{SETS} sets: coverage", {"coverage": COLOURS[0]}, {"coverage": LEVEL}),
)


@dataclass(frozen=True)
class ClassificationComparison(Comparison[ConditionScores]):
    """Every method on the events of an analysis: with each seed other networks, and another fifth to judge on.

    Parameters
    ----------
    analysis : whose events, features, options of training and systematics are used
    shift : "none", or "systematic": judge at ±1 of each systematic as well
    note : what a reader must know
    """

    analysis: Analysis
    shift: str = "none"
    note: str = ""

    kind = "method"
    names = tuple(CLASSIFIERS)
    lead = (", on the events of the analysis",)

    @property
    def title(self) -> str:
        return self.analysis.title

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"shift": self.shift, "learn": self.analysis.learn.model_dump(mode="json")}

    def jobs(
        self, folder: Path, names: Sequence[str], seeds: Sequence[int], progress: Progress
    ) -> list[Job[ConditionScores]]:
        pipeline.measure(self.analysis, folder / "events", until="simulate", progress=progress)
        stage, parts = folder / "events" / "stages" / "simulate", plan(self.analysis)

        def make(name: str, seed: int) -> tuple[Trial[ConditionScores], ...]:
            return trials_of(name, seed, *training_sample(parts, stage, seed, self.shift), self.title)

        inputs = (self.title, parts)
        return [
            Job(f"{name} {seed} {self.shift}", inputs, partial(make, name, seed)) for seed in seeds for name in names
        ]

    def sections(self, trials: Sequence[Trial[ConditionScores]]) -> list[Section]:
        tables, conditions = [classification_table(trials, self.title)], list(trials[0].result)
        if len(conditions) > 1:
            tables += [shift_table(trials, "coverage", "Coverage of the sets")]
            tables += [shift_table(trials, "log loss", "Log loss")]
        found = all_cells(trials, [metric for panel in PANELS for metric in panel.metrics])
        cells = {k: v if k[1] == "nominal" else Cell(v.value) for k, v in found.items()}
        style = Style(text="Simulation")
        draw = partial(forest, PANELS, cells, conditions, legend={"nominal": COLOURS[0]}, shifted=SHIFTED, style=style)
        content, warnings = {"trials": trials}, classification_warnings(trials)
        return [Section("Methods", TEXT, {"methods": (CAPTION, draw)}, tables, content, warnings)]


def on_events(analysis: Analysis, file: str, *, shift: str = "none", quick: bool = False) -> ClassificationComparison:
    """Make the comparison on the events of an analysis, read from a file; ``quick``: few events, short trainings.

    Raises
    ------
    InputError : for a shift other than "none" and "systematic", or an analysis without an ensemble
    """
    if shift not in ("none", "systematic"):
        expected = "none or systematic for an analysis"
        raise InputError("--shift", f"'{shift}'", expected, "its own systematics are what shifts its events")
    if analysis.summary.kind != "classifier":
        raise InputError(file, f"a summary of kind '{analysis.summary.kind}'", "an analysis that learns a classifier")
    if not isinstance(analysis.learn, Ensemble):
        got, action = f"'{analysis.learn.epistemic}'", "every method is compared, whatever it says"
        raise InputError(f"{file}: learn.epistemic", got, "ensemble or bootstrap", action)
    if not quick:
        return ClassificationComparison(analysis, shift)
    learn = analysis.learn.model_copy(update=QUICK)
    return ClassificationComparison(analysis.model_copy(update={"learn": learn}), shift, QUICK_NOTE)


def training_sample(parts: Plan, stage: Path, seed: int, shift_by: str) -> tuple[Sample, dict[str, Events]]:
    """Select what a seed learns from, and the events that it is judged on in each condition; training weights on all.

    Events are those in some channel. Where there are more than the analysis trains on, they are thinned evenly.
    """
    learning, signal = parts.learning, parts.histograms.signal
    assert learning is not None
    assert isinstance(learning.options, Ensemble)
    whole = concatenate(list(read_events(stage / "nominal.parquet", learning.chunk)))
    stride = -(-len(whole) // learning.options.max_events)

    def kept(events: Events, part: int) -> Events:
        chosen = (fold_of(events.number, PARTS) == part) & (np.asarray(events.number) // PARTS % stride == 0)
        return events.take(np.flatnonzero(chosen))

    def selected(events: Events) -> Events:
        return events.take(np.flatnonzero(parts.histograms.selections(events) >= 0))

    judged, held = kept(whole, seed % PARTS), kept(whole, (seed + 1) % PARTS)
    rest = concatenate([kept(whole, (seed + i) % PARTS) for i in range(2, PARTS)])
    rest, held = selected(rest), selected(held)
    stop = is_held_out(rest.number, 0.2)
    learn, stopping, calibrating = (
        replace(events, weight=np.asarray(balance(events, signal), np.float32))
        for events in (rest.take(np.flatnonzero(~stop)), rest.take(np.flatnonzero(stop)), held)
    )
    options = (learning.features, learning.options, learning.missing)
    others = tuple(name for name in whole.processes if name not in signal)
    sample = Sample(learn, stopping, calibrating, (others, tuple(signal)), *options)
    nominal = selected(judged)
    factor = class_factors(nominal, sample.label(nominal), 2)

    def scaled(events: Events) -> Events:
        return scaled_by(events, factor[sample.label(events)])

    conditions = {"nominal": scaled(nominal)}
    if shift_by == "systematic":
        for name, moved in _moved(parts, stage, judged, partial(kept, part=seed % PARTS)).items():
            conditions[name] = scaled(selected(moved))
    return sample, conditions


def _moved(parts: Plan, stage: Path, judged: Events, kept: Callable[[Events], Events]) -> dict[str, Events]:
    """The judged events at ±1 of each systematic; a varied sample stands for the events of its processes."""
    found = {}
    for given in parts.systematics:
        if isinstance(given, WeightSet):  # whose up and down are those of bins, not of events
            continue
        if not isinstance(given, VariedFiles):
            for sign, theta in (("+1", 1.0), ("−1", -1.0)):
                found[f"{given.name} {sign}"] = jax.tree.map(np.asarray, shift(judged, [given], {given.name: theta}))
            continue
        for sign, file in (("+1", given.up), ("−1", given.down)):
            if file:
                varied = kept(concatenate(list(read_events(stage / file, parts.histograms.chunk))))
                others = ~np.isin(np.asarray(judged.process), np.unique(np.asarray(varied.process)))
                left = judged.take(np.flatnonzero(others))
                x = np.asarray(left.features(varied.columns))  # a varied sample has what it was read for
                left = Events(x, left.weight, left.process, left.number, varied.columns, left.processes)
                found[f"{given.name} {sign}"] = concatenate([left, varied])
    return found
