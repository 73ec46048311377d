"""The comparison of classification methods: tables, a figure and one page."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from verax.analysis import Analysis
from verax.compare.methods.analysis import Trial
from verax.compare.methods.cells import Cell
from verax.compare.methods.classification import CLASSIFIERS, LEVEL
from verax.compare.methods.trials import OWNER
from verax.folder import claim, publishing
from verax.report.html import write_page
from verax.report.numbers import number
from verax.report.record import write_json
from verax.report.section import Section
from verax.report.style import COLOURS, Style, canvas, drawing, heading
from verax.report.tables import Table
from verax.store import Progress

PROMISES: dict[str, tuple[str, str]] = {row: promise for m in CLASSIFIERS.values() for row, promise in m.rows.items()}
CONFORMAL = ("conformal, LAC", "conformal, APS")
"""Rows of sets alone: their probabilities are the single network's."""


def cell(trials: Sequence[Trial], row: str, condition: str, metric: str) -> Cell:
    """Mean over seeds and its standard error from the judged events; NaN where the row does not say it."""
    found = [t.scores[condition][metric] for t in trials if t.row == row]
    # One network has no members that could differ, and a conformal row has no probabilities of its own.
    alone = metric == "spread" and row in CLASSIFIERS["single"].rows
    if not found or alone or (row in CONFORMAL and metric not in ("coverage", "size")):
        return Cell(math.nan, math.nan)
    values, errors = np.asarray(found, np.float64).T
    if row in CONFORMAL:  # as many events calibrate as are judged, and fluctuate as much
        errors = errors * math.sqrt(2)
    return Cell(float(values.mean()), float(np.sqrt((errors**2).sum()) / len(errors)))


def rows_of(trials: Sequence[Trial]) -> list[str]:
    """Names of the rows, in order."""
    return list(dict.fromkeys(t.row for t in trials))


def worst(trials: Sequence[Trial], row: str, metric: str) -> float:
    """A metric in the shifted condition in which it is worst: lowest coverage, highest anything else."""
    values = [cell(trials, row, c, metric).value for c in trials[0].scores if c != "nominal"]
    return min(values) if metric == "coverage" else max(values)


def summary(trials: Sequence[Trial], title: str) -> Table:
    """Every method at nominal, and its coverage and loss in the worst of the systematics."""
    moved = len(trials[0].scores) > 1
    rows = []
    for row in rows_of(trials):
        line = [row, *PROMISES[row]]
        for metric in HEADS:
            c = cell(trials, row, "nominal", metric)
            shown = metric in ("log loss", "coverage")
            line.append((c if shown else Cell(c.value, math.nan)).fixed())
        if moved:
            line += [number(worst(trials, row, m), 3) for m in ("coverage", "log loss")]
        seconds = float(np.mean([t.seconds for t in trials if t.row == row]))
        rows.append((*line, number(seconds, 1)))
    columns = ["Method", "guarantee", "any model", *HEADS.values()]
    columns += ["worst: sets cover", "worst: log loss"] if moved else []
    note = (
        "Signal and background of equal sums at nominal, signed weights. ECE less its bias; spread: mean width of ±1.96 "
        "standard deviations of members' probabilities."
    )
    return Table(title, (*columns, "s"), tuple(rows), note)


HEADS = {
    "log loss": "log loss",
    "Brier": "Brier",
    "ECE": "ECE",
    "coverage": f"sets cover {LEVEL:.0%}".replace("%", " %"),
    "size": "size",
    "spread": "spread",
}


def shift_table(trials: Sequence[Trial], metric: str, title: str) -> Table:
    """A metric of each method in each condition."""
    rows = [
        (row, *(number(cell(trials, row, c, metric).value, 3) for c in trials[0].scores))
        for row in rows_of(trials)
        if math.isfinite(cell(trials, row, "nominal", metric).value)
    ]
    return Table(title, ("Method", *trials[0].scores), tuple(rows))


def warnings(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Sets that do not cover at nominal, and training that went wrong."""
    found: dict[str, list[str]] = {"under": [], "over": []}
    for row in rows_of(trials):
        c = cell(trials, row, "nominal", "coverage")
        if c.error > 0 and abs(c.value - LEVEL) > 3 * c.error:
            found["under" if c.value < LEVEL else "over"].append(f"{row} ({number(c.value, 3)})")
    lines = [
        f"sets at {LEVEL:.0%} {how}-cover, by more than 3 standard errors: {', '.join(names)}".replace("%", " %")
        for how, names in found.items()
        if names
    ]
    return (*lines, *dict.fromkeys(f"{t.row}, seed {t.seed}: {t.problem}" for t in trials if t.problem))


@drawing()
def figure(trials: Sequence[Trial], *, style: Style) -> Figure:
    """Log loss, calibration error and coverage of the sets of each method; open points are the shifted conditions."""
    rows, conditions = rows_of(trials), list(trials[0].scores)
    drawn = canvas(9.5, 1.6 + 0.4 * len(rows))
    grid = drawn.subplots(1, 3, sharey=True)
    for axes, metric in zip(grid, ("log loss", "ECE", "coverage"), strict=True):
        for i, row in enumerate(rows):
            for name in conditions[1:]:
                value = cell(trials, row, name, metric).value
                axes.plot(value, i + 0.15, "o", ms=3.5, mfc="none", mec=COLOURS[3], mew=0.9)
            c = cell(trials, row, "nominal", metric)
            error = c.error if c.error > 0 else 0.0
            axes.errorbar(c.value, i - 0.1, xerr=error, fmt="o", ms=5, lw=1.3, color=COLOURS[0])
        axes.set_xlabel(f"{LEVEL:.0%} sets: coverage" if metric == "coverage" else metric)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", which="both", left=False, right=False)
        axes.set_yticks([], minor=True)
    grid[2].axvline(LEVEL, color="0.4", ls=(0, (4, 2)), lw=1.1, zorder=0)
    grid[0].set_yticks(range(len(rows)), rows)
    handles = [Line2D([], [], ls="", marker="o", color=COLOURS[0], ms=5, label="nominal")]
    if len(conditions) > 1:
        handles.append(Line2D([], [], ls="", marker="o", mfc="none", mec=COLOURS[3], ms=4, label="systematics at ±1"))
    drawn.legend(handles=handles, ncols=2, loc="upper right", borderpad=0.2, fontsize=11)
    heading(grid[0], style, wide=True)
    return drawn


def write(
    folder: Path,
    analysis: Analysis,
    trials: Sequence[Trial],
    settings: dict[str, Any],
    note: str = "",
    progress: Progress | None = None,
) -> tuple[Table, ...]:
    """comparison.html, comparison.json and figures/ of a finished comparison; returns the table to print.

    ``progress`` lists files that were changed.
    """
    claim(folder, OWNER)
    with publishing(folder, (progress or Progress()).note) as place:
        return _write(place, analysis, trials, settings, note)


def _write(
    folder: Path, analysis: Analysis, trials: Sequence[Trial], settings: dict[str, Any], note: str
) -> tuple[Table, ...]:
    shown = summary(trials, analysis.title)
    tables = [shown]
    if len(trials[0].scores) > 1:
        tables += [
            shift_table(trials, "coverage", "Coverage of the sets"),
            shift_table(trials, "log loss", "Log loss"),
        ]
    caption = "Filled: nominal; open: each systematic of the analysis at ±1. Dashed: what the sets say."
    draw = partial(figure, trials, style=Style(text="Simulation"))
    seeds = len({t.seed for t in trials})
    lead = [f"{len(rows_of(trials))} methods, {seeds} seed{'s' * (seeds > 1)}, on the events of the analysis"]
    lead += [note] if note else []
    text = (
        "Signal against background, by networks of the analysis' own settings; a fifth of the events is judged on, a fifth "
        "calibrates. A guarantee is for events distributed as those that calibrate; under a systematic no row has one."
    )
    section = Section("Methods", text, {"methods": (caption, draw)}, tables, warnings=warnings(trials))
    write_page(folder, "comparison.html", analysis.title, lead, [section])
    write_json(folder / "comparison.json", {"settings": settings, "trials": trials, "warnings": warnings(trials)})
    return (shown,)
