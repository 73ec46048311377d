"""The tables of a comparison of classification methods."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from verax.report import Table, number

from ._cell import Cell, misses
from ._classifiers import CLASSIFIERS, CONFORMAL, LEVEL
from ._comparison import Trial, problems, rows_of, select

ConditionScores = Mapping[str, Mapping[str, tuple[float, float]]]
"""By condition ("nominal", "tes +1", …) and metric: value and standard error."""

Trials = Sequence[Trial[ConditionScores]]

GUARANTEES: dict[str, tuple[str, str]] = {row: promise for m in CLASSIFIERS.values() for row, promise in m.rows.items()}
"""Row → (guarantee, any model)."""

SETS = f"{LEVEL:.0%}".replace("%", " %")
HEADS = {
    "log loss": "log loss",
    "Brier": "Brier",
    "ECE": "ECE",
    "coverage": f"sets cover {SETS}",
    "size": "size",
    "spread": "spread",
}
"""Metrics of the table, each with its heading."""


def cell(trials: Trials, row: str, condition: str, metric: str) -> Cell:
    """Mean over seeds and its standard error from the judged events; NaN where the row does not say it."""
    found = [t.result[condition][metric] for t in select(trials, row=row)]
    # One network has no members that could differ, and a conformal row has no probabilities of its own.
    alone = metric == "spread" and row in CLASSIFIERS["single"].rows
    if not found or alone or (row in CONFORMAL and metric not in ("coverage", "size")):
        return Cell()
    values, errors = np.asarray(found, np.float64).T
    if row in CONFORMAL:  # as many events calibrate as are judged, and fluctuate as much
        errors = errors * math.sqrt(2)
    return Cell(float(values.mean()), float(np.sqrt((errors**2).sum()) / len(errors)))


def worst(trials: Trials, row: str, metric: str) -> float:
    """A metric in the shifted condition in which it is worst: lowest coverage, highest anything else."""
    values = [cell(trials, row, c, metric).value for c in trials[0].result if c != "nominal"]
    return min(values) if metric == "coverage" else max(values)


def classification_table(trials: Trials, title: str) -> Table:
    """Tabulate every method at nominal, and its coverage and loss in the worst of the systematics."""
    moved = len(trials[0].result) > 1
    rows = []
    for row in rows_of(trials):
        line = [row, *GUARANTEES[row]]
        for metric in HEADS:
            c = cell(trials, row, "nominal", metric)
            shown = metric in ("log loss", "coverage")
            line.append((c if shown else Cell(c.value, math.nan)).fixed())
        if moved:
            line += [number(worst(trials, row, m), 3) for m in ("coverage", "log loss")]
        seconds = float(np.mean([t.seconds for t in select(trials, row=row)]))
        rows.append((*line, number(seconds, 1)))
    columns = ["Method", "guarantee", "any model", *HEADS.values()]
    columns += ["worst: sets cover", "worst: log loss"] if moved else []
    note = (
        "Signal and background of equal sums at nominal, signed weights. ECE less its bias; spread: mean width of ±1.96 "
        "standard deviations of members' probabilities."
    )
    return Table(title, (*columns, "s"), tuple(rows), note)


def shift_table(trials: Trials, metric: str, title: str) -> Table:
    """Tabulate a metric of each method in each condition."""
    rows = [
        (row, *(number(cell(trials, row, c, metric).value, 3) for c in trials[0].result))
        for row in rows_of(trials)
        if math.isfinite(cell(trials, row, "nominal", metric).value)
    ]
    return Table(title, ("Method", *trials[0].result), tuple(rows))


def classification_warnings(trials: Trials) -> tuple[str, ...]:
    """Warn of sets that do not cover at nominal, and of training that went wrong."""
    found = misses([(row, cell(trials, row, "nominal", "coverage")) for row in rows_of(trials)], LEVEL)
    lines = [f"sets at {SETS} {how}-cover, by more than 3 standard errors: {names}" for how, names in found]
    return (*lines, *problems(trials))
