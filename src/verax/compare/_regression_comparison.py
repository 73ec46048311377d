"""Methods of regression compared: every method on every split of every set, in distribution and shifted."""

import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np

from verax.errors import check_known
from verax.report import COLOURS, Section, Style, Table
from verax.run import Progress, digest

from ._comparison import Comparison, Job, Trial, counted, rows_of, select
from ._forest import Panel, forest
from ._predictions import score, take
from ._published import PUBLISHED
from ._regression_data import MOVED, Data, Partition, published_splits, shifted_splits
from ._regression_tables import (
    SHIFTED,
    SplitScores,
    cell,
    published_table,
    regression_table,
    regression_warnings,
    set_table,
)
from ._regression_training import RegressionEffort, Task
from ._regressors import METHODS

QUICK = RegressionEffort(epochs=100, patience=15, variational=200, dropout=400, passes=1000, largest=300, chain=100)
QUICK_NOTE = "A quick look: few splits of one set and short trainings. Not to judge by."

TEXT = (
    "Rows named “epistemic only” leave the noise out, as some published intervals do: they show what that costs. "
    "A guarantee is for points distributed as the calibration points; under shift no row has one. Where held-out rows stop "
    "a training, how these fluctuate moves all members alike, and is not in the spread."
)
CAPTION = "Filled: {} splits; open: shifted; diamonds: papers. Dashed: what the intervals say."
LEGEND = {"68 %": COLOURS[1], "95 %": COLOURS[0]}
COVERAGE = {"coverage 68": COLOURS[1], "coverage 95": COLOURS[0]}
PANELS = (
    Panel("Coverage", COVERAGE, {"coverage 68": 0.68, "coverage 95": 0.95}, (0, 1.02)),
    Panel("Width at 95 % / sd(y)", {"width 95": COLOURS[0]}, limits="zero"),
    Panel("Negative log-likelihood", {"nll": COLOURS[0]}, limits="smallest"),
)


@dataclass(frozen=True)
class RegressionComparison(Comparison[SplitScores]):
    """Every method on the published splits of every set, and on those of a shift.

    Parameters
    ----------
    sets : data to learn from
    shift : "none", or what else the methods are judged on
    splits : only the first few splits
    effort : how much work goes into each training
    note : what a reader must know
    told : of the data, for the reader
    """

    sets: Sequence[Data]
    shift: str = "none"
    splits: int | None = None
    effort: RegressionEffort = field(default_factory=RegressionEffort)
    note: str = ""
    told: str = ""

    kind = "method"
    title = "Methods of uncertainty"
    names = tuple(METHODS)

    def __post_init__(self) -> None:
        check_known([self.shift], ("none", *MOVED), "--shift", "shift of regression")

    @property
    def default(self) -> Sequence[str]:
        """All but the extra ones, and those whose package is not there."""
        return [n for n, m in METHODS.items() if not m.extra and (not m.package or find_spec(m.package))]

    @property
    def lead(self) -> Sequence[str]:
        moved = [f"Shift: {SHIFTED[self.shift]}."] if self.shift != "none" else []
        return (f", {counted(len(self.sets), 'data set')}", *([self.told] * bool(self.told)), *moved)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"effort": asdict(self.effort), "shift": self.shift, "splits": self.splits}

    def jobs(
        self, folder: Path, names: Sequence[str], seeds: Sequence[int], progress: Progress
    ) -> list[Job[SplitScores]]:
        inputs = {
            d.name: (self.effort, self.splits, digest([a.tolist() for a in (d.x, d.y, d.train, d.test)]))
            for d in self.sets
        }
        several = [[(data, points) for points in partitions(data, self.shift, self.splits)] for data in self.sets]
        return [
            Job(
                f"{data.name} {points.name} {name} {seed}",
                inputs[data.name],
                partial(judge_method, data, points, name, seed, self.effort),
            )
            for seed in seeds
            for one in zip(*several, strict=True)  # published splits of all sets first
            for data, points in one
            for name in names
            if points.train.shape[1] <= METHODS[name].largest
        ]

    def sections(self, trials: Sequence[Trial[SplitScores]]) -> list[Section]:
        sections = [Section("All sets", TEXT, tables=(regression_table(trials, self.sets, self.shift),))]
        if (papers := published_table(trials, self.sets)).rows:
            figures = {" / ".join(k): v for k, v in PUBLISHED.items() if select(trials, *k[:2])}
            sections.append(Section("Papers", tables=(papers,), content={"published": figures}))
        return sections + [self._section(data, trials) for data in self.sets]

    def _section(self, data: Data, trials: Sequence[Trial[SplitScores]]) -> Section:
        where = ["published", *([self.shift] if self.shift != "none" else [])]
        cells = {
            (row, p, m): cell(trials, data.name, row, p, m, data.spread if m.startswith("width") else 1.0)
            for row in rows_of(trials)
            for p in where
            for panel in PANELS
            for m in panel.metrics
        }
        papers = {k[1:]: v.value for k, v in PUBLISHED.items() if k[0] == data.name}
        style = Style(text=f"{data.origin.capitalize()} splits")
        draw = partial(forest, PANELS, cells, where, legend=LEGEND, published=papers, name=data.name, style=style)
        n, d = data.x.shape
        text = f"{n} rows, {d} features; {data.train.shape[1]} rows to learn from in each {data.origin} split."
        tables = [set_table(trials, data, p) for p in where]
        content = {"trials": select(trials, data.name), "spread": data.spread}
        warnings = regression_warnings(trials, data)
        return Section(data.name, text, {data.name: (CAPTION.format(data.origin), draw)}, tables, content, warnings)

    def brief(self, sections: Sequence[Section]) -> tuple[Table, ...]:
        return tuple(table for section in sections[: -len(self.sets)] for table in section.tables)


def partitions(data: Data, shift: str, splits: int | None = None) -> tuple[Partition, ...]:
    """List what is trained on: the published splits, and those of a shift; both at once where only the points differ."""
    base = published_splits(data, splits)
    if shift == "none":
        return (base,)
    moved = shifted_splits(data, shift, splits)
    if shift == "systematic":
        both = (np.concatenate([getattr(p, k) for p in (base, moved)], axis=1) for k in ("x", "y"))
        return (replace(moved, x=next(both), y=next(both)),)
    return base, moved


def judge_method(
    data: Data, points: Partition, name: str, seed: int, effort: RegressionEffort
) -> tuple[Trial[SplitScores], ...]:
    """Train one method on a partition and judge each row that comes of it."""
    label = zlib.crc32(f"{data.name} {points.name} {name}".encode())
    started = time.perf_counter()
    predictions, problem = METHODS[name].fit(
        jax.random.fold_in(jax.random.key(seed), label), Task(data, points, effort)
    )
    seconds = (time.perf_counter() - started) / len(points.train)
    first = data.test.shape[1] if points.name == "systematic" else 0
    cuts = {"published": slice(0, first), points.name: slice(first, None)} if first else {points.name: slice(None)}
    scores = {
        row: {where: score(take(prediction, cut), points.y[:, cut]) for where, cut in cuts.items()}
        for row, prediction in zip(METHODS[name].rows, predictions, strict=True)
    }
    return tuple(Trial(data.name, row, seed, found, seconds, problem) for row, found in scores.items())
