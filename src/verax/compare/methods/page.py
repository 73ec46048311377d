"""The comparison of methods: tables and one page, with published figures beside ours."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from verax.compare.methods.cells import Cell
from verax.compare.methods.data import Data
from verax.compare.methods.figures import forest
from verax.compare.methods.papers import PUBLISHED
from verax.compare.methods.regression import METHODS
from verax.compare.methods.trials import OWNER, Trial
from verax.folder import claim, publishing
from verax.report.html import write_page
from verax.report.numbers import number, with_error
from verax.report.record import write_json
from verax.report.section import Section
from verax.report.style import Style
from verax.report.tables import Table
from verax.store import Progress

PROMISES: dict[str, tuple[str, str]] = {row: promise for m in METHODS.values() for row, promise in m.rows.items()}
"""Row → (guarantee, any model)."""

SHIFTS = {
    "gap": "the middle third of each feature in turn held out from training",
    "tail": "the top third of each feature in turn held out from training",
    "systematic": "each feature of the test points in turn one standard deviation too high",
}


def rows_of(trials: Sequence[Trial]) -> list[str]:
    """Names of the rows, in order."""
    return list(dict.fromkeys(t.row for t in trials))


def cell(trials: Sequence[Trial], data: str, row: str, partition: str, metric: str, unit: float = 1.0) -> Cell:
    """Mean over splits and its standard error, in units of ``unit``; seeds are averaged first: their splits are one."""
    found = [t.scores[metric] for t in trials if (t.data, t.row, t.partition) == (data, row, partition)]
    if not found:
        return Cell(math.nan, math.nan)
    by_split = np.mean(found, axis=0) / unit
    n = len(by_split)
    return Cell(float(by_split.mean()), float(by_split.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan)


def overall(cells: Iterable[Cell]) -> Cell:
    """The mean over sets, and its error."""
    found = list(cells)
    error = math.sqrt(sum(c.error**2 for c in found)) / len(found)
    return Cell(float(np.mean([c.value for c in found])), error)


def seconds(trials: Sequence[Trial], row: str, data: str | None = None) -> float:
    """Seconds of one split, mean over seeds, sets and partitions."""
    return float(np.mean([t.seconds for t in trials if t.row == row and data in (None, t.data)]))


def summary(trials: Sequence[Trial], sets: Sequence[Data], shift: str) -> Table:
    """Every method: what it promises, and the mean over sets of what it does, in distribution and shifted."""
    rows = []
    for row in rows_of(trials):
        mine = [d for d in sets if any((t.data, t.row) == (d.name, row) for t in trials)]

        def mean(metric: str, where: str, row: str = row, mine: list[Data] = mine) -> Cell:
            relative = metric.startswith(("width", "crps"))
            cells = [cell(trials, d.name, row, where, metric, d.spread if relative else 1.0) for d in mine]
            if metric == "nll":
                cells = [Cell(c.value - math.log(d.spread), c.error) for c, d in zip(cells, mine, strict=True)]
            return overall(cells)

        few = "" if len(mine) == len(sets) else f" ({len(mine)} of {len(sets)} sets)"
        line = [row + few, *PROMISES[row], *(mean(m, "published").fixed() for m in METRICS[:2])]
        line += [short(mean(m, "published").value) for m in METRICS[2:]]
        if shift != "none":
            line += [mean("coverage 95", shift).fixed(), short(mean("width 95", shift).value)]
        rows.append((*line, number(seconds(trials, row), 2)))
    columns = ["Method", "guarantee", "any model", *HEADS]
    columns += [f"{shift}: at 95 %", f"{shift}: width"] if shift != "none" else []
    note = (
        "Coverage: mean over sets ± its standard error over splits. Width (median, at 95 %), NLL and CRPS: y / sd(y)."
    )
    if shift != "none":
        note += f" {shift.capitalize()}: {SHIFTS[shift]}."
    return Table("Methods", (*columns, "s a split"), tuple(rows), note)


METRICS = ("coverage 68", "coverage 95", "width 95", "nll", "crps")
HEADS = ("at 68 %", "at 95 %", "width", "NLL", "CRPS")


def short(value: float) -> str:
    """Three significant digits; a dash for NaN."""
    if not math.isfinite(value) or value == 0:
        return number(value, 2)
    if abs(value) >= 1e4:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    return number(value, max(0, 2 - math.floor(math.log10(abs(value)))))


def set_table(trials: Sequence[Trial], data: Data, partition: str) -> Table:
    """Every method on one set, in the target's own units."""
    rows = []
    for row in rows_of([t for t in trials if t.data == data.name]):
        texts = [
            cell(trials, data.name, row, partition, m).text
            for m in ("coverage 68", "coverage 95", "width 68", "width 95")
        ]
        relative = cell(trials, data.name, row, partition, "width 95", data.spread)
        rest = [cell(trials, data.name, row, partition, m).text for m in ("nll", "crps", "rmse")]
        rows.append((row, *texts, relative.text, *rest, number(seconds(trials, row, data.name), 2)))
    heads = ("Method", "covers 68 %", "covers 95 %", "width 68 %", "width 95 %", "width 95 % / sd(y)")
    columns = (*heads, "NLL", "CRPS", "RMSE", "s a split")
    first = next(t for t in trials if (t.data, t.partition) == (data.name, partition))
    n = len(first.scores["rmse"])
    where = f"{n} published splits" if partition == "published" else SHIFTS[partition]
    note = f"Mean over splits ± its standard error; {where}; sd(y) = {data.spread:.4g}."
    return Table(f"{data.name}: {partition}", columns, tuple(rows), note)


def published_table(trials: Sequence[Trial], sets: Sequence[Data]) -> Table:
    """Ours beside the papers': difference in units of both errors."""
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


def warnings(trials: Sequence[Trial], data: Data) -> tuple[str, ...]:
    """Warnings about a set: intervals in distribution that do not cover, training that went wrong."""
    mine, lines = [t for t in trials if t.data == data.name], []
    for level in (95, 68):
        found: dict[str, list[str]] = {"under": [], "over": []}
        for row in rows_of(mine):
            c = cell(mine, data.name, row, "published", f"coverage {level}")
            if c.error > 0 and abs(c.value - level / 100) > 3 * c.error:
                found["under" if c.value < level / 100 else "over"].append(f"{row} ({number(c.value, 3)})")
        lines += [
            f"{data.name}: intervals at {level} % {how}-cover, by more than 3 standard errors: {', '.join(names)}"
            for how, names in found.items()
            if names
        ]
    lines += list(
        dict.fromkeys(f"{data.name}, {t.row}, {t.partition}, seed {t.seed}: {t.problem}" for t in mine if t.problem)
    )
    return tuple(lines)


def write(
    folder: Path,
    sets: Sequence[Data],
    trials: Sequence[Trial],
    shift: str,
    settings: Mapping[str, Any],
    note: str = "",
    progress: Progress | None = None,
) -> tuple[Table, ...]:
    """comparison.html, comparison.json and figures/ of a finished comparison; returns the tables to print.

    ``progress`` lists files that were changed.
    """
    claim(folder, OWNER)
    with publishing(folder, (progress or Progress()).note) as place:
        return _write(place, sets, trials, shift, settings, note)


def _write(
    folder: Path, sets: Sequence[Data], trials: Sequence[Trial], shift: str, settings: Mapping[str, Any], note: str
) -> tuple[Table, ...]:
    top, papers = summary(trials, sets, shift), published_table(trials, sets)
    where = ["published", *([shift] if shift != "none" else [])]
    sections, content = [], {}
    for data in sets:
        cells = {
            (row, p, m): cell(trials, data.name, row, p, m, data.spread if m.startswith("width") else 1.0)
            for row in rows_of(trials)
            for p in where
            for m in ("coverage 68", "coverage 95", "width 95", "nll")
        }
        draw = partial(forest, data.name, cells, where, style=Style(text="Published splits"))
        n, d = data.x.shape
        text = f"{n} rows, {d} features; {data.train.shape[1]} rows to learn from in each published split."
        caption = "Filled: published splits; open: shifted; diamonds: papers. Dashed: what the intervals say."
        tables = [set_table(trials, data, p) for p in where]
        sections.append(Section(data.name, text, {data.name: (caption, draw)}, tables, warnings=warnings(trials, data)))
        content[data.name] = {
            "trials": [t for t in trials if t.data == data.name],
            "warnings": warnings(trials, data),
            "spread": data.spread,
        }
    seeds = len({t.seed for t in trials})
    lead = [f"{len(rows_of(trials))} methods, {len(sets)} data sets, {seeds} seed{'s' * (seeds > 1)}"]
    lead += [f"Shift: {SHIFTS[shift]}."] if shift != "none" else []
    lead += [note] if note else []
    first = [Section("All sets", TEXT, tables=(top,))]
    first += [Section("Papers", tables=(papers,))] if papers.rows else []
    write_page(folder, "comparison.html", "Methods of uncertainty", lead, [*first, *sections])
    paper = {" / ".join(k): v for k, v in PUBLISHED.items()}
    write_json(folder / "comparison.json", {"settings": settings, "sets": content, "published": paper})
    return (top, *([papers] if papers.rows else []))


TEXT = (
    "Rows named “epistemic only” leave the noise out, as some published intervals do: they show what that costs. "
    "A guarantee is for points distributed as the calibration points; under shift no row has one."
)
