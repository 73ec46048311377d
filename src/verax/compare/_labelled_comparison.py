"""Methods of classification compared on labelled events of two or more classes: a table, digits and their corruptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from verax.analysis import Ensemble
from verax.data import digits
from verax.errors import InputError
from verax.events import Events
from verax.learn import fold_of, is_held_out
from verax.report import COLOURS, Section, Style
from verax.run import Progress

from ._cell import Cell
from ._classification_comparison import PANELS, PARTS
from ._classification_tables import (
    SETS,
    ConditionScores,
    all_cells,
    classification_table,
    classification_warnings,
    holding_table,
    shift_table,
)
from ._classifiers import CLASSIFIERS, LEVEL, Sample, class_factors, scaled_by, trials_of
from ._comparison import Comparison, Job, Trial
from ._corruptions import CORRUPTIONS, condition, corrupted
from ._forest import Panel, forest
from ._shift_figures import against_strength, reliability_diagrams

SMALL = Ensemble(epochs=None, batch=64)
"""Options of trainings on few thousand events, as long as they take; else those of the analysis file."""

FEW = 10_000
"""Events below which a sample is small."""

QUICK = {"epochs": 30, "members": 3, "patience": 8, "max_events": 20_000}
QUICK_NOTE = "A quick look: short trainings. Not to judge by."

HEADS = {
    "accuracy": "accuracy",
    "log loss": "log loss",
    "Brier": "Brier",
    "ECE": "ECE",
    "coverage": f"sets cover {SETS}",
    "size": "size",
    "entropy": "entropy",
    "mutual information": "epistemic",
}
TEXT = (
    "A fifth of the events is judged on, a fifth calibrates. A guarantee is for events distributed as those that calibrate; "
    "under a shift no row has one."
)
CAPTION = "Filled: as they are; open: shifted. Dashed: what the sets say."
AGAINST = "Left ends: no corruption. Dashed: what the sets say. Conformal rows have the single network's probabilities."
DIAGRAMS = "The likeliest class by its probability: the fraction that is of it; bins of 1 % of the events or more."
CURVES = (
    Panel(f"{SETS} sets: coverage", {"coverage": COLOURS[0]}, {"coverage": LEVEL}),
    Panel("Size of the sets", {"size": COLOURS[0]}),
    Panel("Log loss", {"log loss": COLOURS[0]}),
    Panel("Brier score", {"Brier": COLOURS[0]}),
    Panel("ECE of the likeliest class", {"ECE": COLOURS[0]}),
    Panel("Mutual information", {"mutual information": COLOURS[0]}),
)


@dataclass(frozen=True)
class LabelledComparison(Comparison[ConditionScores]):
    """Every method on events whose process is their class: with each seed other networks, and other events to judge on.

    Parameters
    ----------
    subject : what the events are, the page's title
    events : their columns are the features
    shift : "none"; "corruption" of images of digits; "systematic": each feature in turn one standard deviation too high
    balanced : scale the weights of the classes to equal sums
    alike : whether features are of one kind, as pixels are
    learn : options of the trainings
    told : of the events, for the reader
    note : what a reader must know
    """

    subject: str
    events: Events
    shift: str = "none"
    balanced: bool = False
    alike: bool = False
    learn: Ensemble = field(default_factory=Ensemble)
    told: str = ""
    note: str = ""

    kind = "method"
    names = tuple(CLASSIFIERS)

    @property
    def title(self) -> str:
        return self.subject

    @property
    def lead(self) -> Sequence[str]:
        return (
            f", {len(self.events)} events of {len(self.events.processes)} classes",
            *([self.told] * bool(self.told)),
        )

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "shift": self.shift,
            "balanced": self.balanced,
            "alike": self.alike,
            "learn": self.learn.model_dump(mode="json"),
        }

    def jobs(
        self, folder: Any, names: Sequence[str], seeds: Sequence[int], progress: Progress
    ) -> list[Job[ConditionScores]]:
        inputs = (self.events, self.balanced, self.alike, self.learn.model_dump(mode="json"))

        def make(name: str, seed: int) -> tuple[Trial[ConditionScores], ...]:
            return trials_of(name, seed, *self.parts(seed), self.title)

        return [
            Job(f"{name} {seed} {self.shift}", inputs, partial(make, name, seed)) for seed in seeds for name in names
        ]

    def parts(self, seed: int) -> tuple[Sample, dict[str, Events]]:
        """Cut the events into parts at random, for a seed: what is learnt from, and what is judged in each condition.

        Five seeds in a row judge on five parts without a common event.
        """
        order = np.random.default_rng(seed // PARTS).permutation(len(self.events))
        events = replace(self.events, number=np.asarray(order, np.uint32))
        if len(events) > self.learn.max_events:
            events = events.take(np.flatnonzero(order < self.learn.max_events))
        fold = (fold_of(events.number, PARTS) - seed) % PARTS
        judged, held, rest = (events.take(np.flatnonzero(m)) for m in (fold == 0, fold == 1, fold > 1))
        stop = is_held_out(np.asarray(rest.number) // PARTS, 0.2)
        classes = tuple((name,) for name in events.processes)
        blank = Sample(judged, judged, judged, classes, events.columns, self.learn, None, self.alike)
        learn, stopping, held = (
            self._scaled(part, blank, part)
            for part in (rest.take(np.flatnonzero(~stop)), rest.take(np.flatnonzero(stop)), held)
        )
        conditions = {"nominal": judged, **self._moved(judged, seed)}
        return replace(blank, learn=learn, stop=stopping, calibrate=held), {
            name: self._scaled(moved, blank, judged) for name, moved in conditions.items()
        }

    def _scaled(self, events: Events, sample: Sample, nominal: Events) -> Events:
        """Weights of mean one at nominal, of classes of equal sums where that is chosen."""
        if not self.balanced:
            mean = float(np.asarray(nominal.weight, np.float64).mean())
            return scaled_by(events, np.full(len(events), 1 / mean))
        factor = class_factors(nominal, sample.label(nominal), len(sample.classes))
        return scaled_by(events, factor[sample.label(events)])

    def _moved(self, events: Events, seed: int) -> dict[str, Events]:
        if self.shift == "corruption":
            return corrupted(events, seed)
        if self.shift == "none":
            return {}
        scale = np.asarray(self.events.x, np.float64).std(axis=0)
        x = np.asarray(events.x, np.float64)
        return {
            f"{name} +1 sd": replace(events, x=np.asarray(x + scale[i] * (np.arange(x.shape[1]) == i), np.float32))
            for i, name in enumerate(events.columns)
        }

    def sections(self, trials: Sequence[Trial[ConditionScores]]) -> list[Section]:
        weights = "Classes of equal sums, signed weights" if self.balanced else "Classes as frequent as they are"
        tables = [classification_table(trials, self.title, HEADS, weights)]
        more: list[Section] = []
        if self.shift == "corruption":
            cells = all_cells(trials, [metric for panel in CURVES for metric in panel.metrics])
            shifts = {
                kind: {condition(kind, s): f"{s:g}{c.unit}" for s in c.strengths} for kind, c in CORRUPTIONS.items()
            }
            tables.append(holding_table(trials, shifts))
            more = [self._curves(trials, cells, kind) for kind in CORRUPTIONS]
            cells = {k: v for k, v in cells.items() if k[1] == "nominal"}
        else:
            cells = all_cells(trials, [metric for panel in PANELS for metric in panel.metrics])
        if self.shift == "systematic":
            tables += [shift_table(trials, "coverage", "Coverage of the sets")]
            tables += [shift_table(trials, "log loss", "Log loss")]
        if self.shift != "none":
            cells = {k: v if k[1] == "nominal" else Cell(v.value) for k, v in cells.items()}
        conditions = list(dict.fromkeys(c for _, c, _ in cells))
        draw = partial(
            forest, PANELS, cells, conditions, legend={"nominal": COLOURS[0]}, shifted="features +1 sd", style=Style()
        )
        content, warnings = {"trials": trials}, classification_warnings(trials)
        return [Section("Methods", TEXT, {"methods": (CAPTION, draw)}, tables, content, warnings), *more]

    def _curves(self, trials: Sequence[Trial[ConditionScores]], cells: Mapping[Any, Cell], kind: str) -> Section:
        corruption = CORRUPTIONS[kind]
        conditions = {"nominal": 0.0, **{condition(kind, s): float(s) for s in corruption.strengths}}
        label = f"{kind.capitalize()} [{corruption.unit.strip()}]"
        draw = partial(against_strength, CURVES, cells, conditions, label, name="digits", style=Style())
        titles = {
            "coverage": "Coverage of the sets",
            "size": "Size of the sets",
            "log loss": "Log loss",
            "Brier": "Brier",
        }
        titles |= {"ECE": "ECE", "entropy": "Entropy [nats]", "mutual information": "of it epistemic [nats]"}
        tables = [shift_table(trials, metric, title, list(conditions)) for metric, title in titles.items()]
        several = partial(reliability_diagrams, trials, list(conditions), name="digits", style=Style())
        figures = {kind: (AGAINST, draw), f"{kind} reliability": (DIAGRAMS, several)}
        return Section(kind.capitalize(), figures=figures, tables=tables)

    def brief(self, sections: Sequence[Section]) -> Any:
        return tuple(sections[0].tables[: 2 if self.shift == "corruption" else 1])


def on_digits(*, shift: str = "none", quick: bool = False) -> LabelledComparison:
    """Make the comparison on the shipped images of digits.

    Raises
    ------
    InputError : for a shift other than "none" and "corruption"
    """
    if shift not in ("none", "corruption"):
        raise InputError("--shift", f"'{shift}'", "none or corruption for the digits")
    told = f"Handwritten digits, 8 × 8 pixels (UCI, doi:{digits.DOI}, {digits.LICENCE})."
    learn = SMALL.model_copy(update=QUICK) if quick else SMALL
    return LabelledComparison("Digits", digits.load(), shift, False, True, learn, told, QUICK_NOTE if quick else "")
