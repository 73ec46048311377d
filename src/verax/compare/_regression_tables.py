"""The tables of a comparison of regression methods, with published figures beside ours."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from verax.report import Table, number, with_error

from ._cell import Cell, misses
from ._comparison import Trial, rows_of, select
from ._predictions import Scores
from ._published import PUBLISHED
from ._regression_data import Data
from ._regressors import METHODS

SplitScores = Mapping[str, Scores]
"""Scores of each split by partition: "published", or the shift."""

Trials = Sequence[Trial[SplitScores]]

GUARANTEES: dict[str, tuple[str, str]] = {row: promise for m in METHODS.values() for row, promise in m.rows.items()}
"""Row → (guarantee, any model)."""

SHIFTED = {
    "gap": "the middle third of each feature in turn held out from training",
    "tail": "the top third of each feature in turn held out from training",
    "systematic": "each feature of the test points in turn one standard deviation too high",
}


def cell(trials: Trials, data: str, row: str, partition: str, metric: str, unit: float = 1.0) -> Cell:
    """Average a metric over splits, in units of ``unit``, with its standard error; over seeds first: one split."""
    found = [t.result[partition][metric] for t in select(trials, data, row) if partition in t.result]
    if not found:
        return Cell()
    by_split = np.mean(found, axis=0) / unit
    n = len(by_split)
    return Cell(float(by_split.mean()), float(by_split.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan)


def overall(cells: Iterable[Cell]) -> Cell:
    """The mean over sets, and its error."""
    found = list(cells)
    error = math.sqrt(sum(c.error**2 for c in found)) / len(found)
    return Cell(float(np.mean([c.value for c in found])), error)


def seconds(trials: Trials, row: str, data: str | None = None) -> float:
    """Seconds of one split, mean over seeds, sets and partitions."""
    return float(np.mean([t.seconds for t in select(trials, data, row)]))


def regression_table(trials: Trials, sets: Sequence[Data], shift: str) -> Table:
    """Tabulate what every method promises, and the mean over sets of what it does, in distribution and shifted."""
    rows = []
    for row in rows_of(trials):
        mine = [d for d in sets if select(trials, d.name, row)]

        def mean(metric: str, where: str, row: str = row, mine: list[Data] = mine) -> Cell:
            relative = metric.startswith(("width", "crps"))
            cells = [cell(trials, d.name, row, where, metric, d.spread if relative else 1.0) for d in mine]
            if metric == "nll":
                cells = [Cell(c.value - math.log(d.spread), c.error) for c, d in zip(cells, mine, strict=True)]
            return overall(cells)

        few = "" if len(mine) == len(sets) else f" ({len(mine)} of {len(sets)} sets)"
        line = [row + few, *GUARANTEES[row], *(mean(m, "published").fixed() for m in METRICS[:2])]
        line += [mean(m, "published").short for m in METRICS[2:]]
        if shift != "none":
            line += [mean("coverage 95", shift).fixed(), mean("width 95", shift).short]
        rows.append((*line, number(seconds(trials, row), 2)))
    columns = ["Method", "guarantee", "any model", *HEADS]
    columns += [f"{shift}: at 95 %", f"{shift}: width"] if shift != "none" else []
    note = (
        "Coverage: mean over sets ± its standard error over splits. Width (median, at 95 %), NLL and CRPS: y / sd(y)."
    )
    if shift != "none":
        note += f" {shift.capitalize()}: {SHIFTED[shift]}."
    return Table("Methods", (*columns, "s a split"), tuple(rows), note)


METRICS = ("coverage 68", "coverage 95", "width 95", "nll", "crps")
HEADS = ("at 68 %", "at 95 %", "width", "NLL", "CRPS")


def set_table(trials: Trials, data: Data, partition: str) -> Table:
    """Tabulate every method on one set, in the target's own units."""
    rows = []
    for row in rows_of(select(trials, data.name)):
        texts = [
            cell(trials, data.name, row, partition, m).text
            for m in ("coverage 68", "coverage 95", "width 68", "width 95")
        ]
        relative = cell(trials, data.name, row, partition, "width 95", data.spread)
        rest = [cell(trials, data.name, row, partition, m).text for m in ("nll", "crps", "rmse")]
        rows.append((row, *texts, relative.text, *rest, number(seconds(trials, row, data.name), 2)))
    heads = ("Method", "covers 68 %", "covers 95 %", "width 68 %", "width 95 %", "width 95 % / sd(y)")
    columns = (*heads, "NLL", "CRPS", "RMSE", "s a split")
    n = next(len(t.result[partition]["rmse"]) for t in select(trials, data.name) if partition in t.result)
    where = f"{n} {data.origin} splits" if partition == "published" else SHIFTED[partition]
    note = f"Mean over splits ± its standard error; {where}; sd(y) = {data.spread:.4g}."
    return Table(f"{data.name}: {data.origin if partition == 'published' else partition}", columns, tuple(rows), note)


def published_table(trials: Trials, sets: Sequence[Data]) -> Table:
    """Put our figures beside the papers': difference in units of both errors."""
    rows, sources = [], dict[str, int]()
    for (name, row, metric), paper in PUBLISHED.items():
        data = next((d for d in sets if d.name == name), None)
        if data is None:
            continue
        ours = cell(trials, name, row, "published", metric, data.spread if "width" in metric else 1.0)
        if not math.isfinite(ours.value):
            continue
        mark = sources.setdefault(paper.source, len(sources) + 1)
        pull = (ours.value - paper.value) / math.hypot(ours.error, paper.error)
        shown = {"mean width 95": "mean width 95 % / sd(y)", "coverage 95": "covers 95 %"}.get(metric, metric.upper())
        line = (row, name, shown, ours.text, with_error(paper.value, paper.error), number(pull, 1, sign=True))
        rows.append((*line, f"[{mark}]"))
    rows.sort(key=lambda r: (r[6], r[2], r[0]))
    columns = ("Method", "set", "figure", "ours", "published", "difference / error", "source")
    note = (
        "Errors: standard errors over the same splits, which both share unless the source says otherwise. "
        + "; ".join(f"[{n}] {source}" for source, n in sources.items())
    )
    return Table("Beside published figures", columns, tuple(rows), note)


def regression_warnings(trials: Trials, data: Data) -> tuple[str, ...]:
    """Warn of intervals in distribution that do not cover, and of training that went wrong."""
    mine, lines = select(trials, data.name), list[str]()
    for level in (95, 68):
        cells = [(row, cell(mine, data.name, row, "published", f"coverage {level}")) for row in rows_of(mine)]
        lines += [
            f"{data.name}: intervals at {level} % {how}-cover, by more than 3 standard errors: {names}"
            for how, names in misses(cells, level / 100)
        ]
    wrong = [(f"{data.name}, {t.row}, {w}, seed {t.seed}", t.problem) for t in mine for w in t.result if t.problem]
    return (*lines, *dict.fromkeys(f"{where}: {problem}" for where, problem in wrong))
