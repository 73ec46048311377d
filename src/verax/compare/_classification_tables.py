"""The tables of a comparison of classification methods."""

import itertools
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

BALANCED = "Signal and background of equal sums at nominal, signed weights"
NOTES = {
    "spread": "spread: mean width of ±1.96 standard deviations of members' probabilities",
    "mutual information": "epistemic: of the entropy (nats) what members disagree by, the mutual information; the rest is "
    "aleatoric",
}


def cell(trials: Trials, row: str, condition: str, metric: str) -> Cell:
    """Mean over seeds and its standard error from the judged events; NaN where the row does not say it."""
    found = [t.result[condition][metric] for t in select(trials, row=row)]
    # One network has no members that could differ, and a conformal row has no probabilities of its own.
    alone = metric in ("spread", "mutual information") and row in CLASSIFIERS["single"].rows
    if not found or alone or (row in CONFORMAL and metric not in ("coverage", "size")):
        return Cell()
    values, errors = np.asarray(found, np.float64).T
    if row in CONFORMAL:  # as many events calibrate as are judged, and fluctuate as much
        errors = errors * math.sqrt(2)
    return Cell(float(values.mean()), float(np.sqrt((errors**2).sum()) / len(errors)))


def all_cells(trials: Trials, metrics: Sequence[str]) -> dict[tuple[str, str, str], Cell]:
    """Every cell by row, condition and metric."""
    found = itertools.product(rows_of(trials), trials[0].result, metrics)
    return {(row, c, metric): cell(trials, row, c, metric) for row, c, metric in found}


def worst(trials: Trials, row: str, metric: str) -> float:
    """A metric in the shifted condition in which it is worst: lowest coverage, highest anything else."""
    values = [cell(trials, row, c, metric).value for c in trials[0].result if c != "nominal"]
    return min(values) if metric == "coverage" else max(values)


def classification_table(
    trials: Trials, title: str, heads: Mapping[str, str] = HEADS, weights: str = BALANCED
) -> Table:
    """Tabulate every method at nominal, and its coverage and loss in the worst of the other conditions."""
    moved = len(trials[0].result) > 1
    rows = []
    for row in rows_of(trials):
        line = [row, *GUARANTEES[row]]
        for metric in heads:
            c = cell(trials, row, "nominal", metric)
            shown = metric in ("log loss", "coverage")
            line.append((c if shown else Cell(c.value, math.nan)).fixed())
        if moved:
            line += [number(worst(trials, row, m), 3) for m in ("coverage", "log loss")]
        seconds = float(np.mean([t.seconds for t in select(trials, row=row)]))
        rows.append((*line, number(seconds, 1)))
    columns = ["Method", "guarantee", "any model", *heads.values()]
    columns += ["worst: sets cover", "worst: log loss"] if moved else []
    told = [weights, "ECE less its bias", *(NOTES[metric] for metric in heads if metric in NOTES)]
    return Table(title, (*columns, "s"), tuple(rows), "; ".join(told) + ".")


def shift_table(trials: Trials, metric: str, title: str, conditions: Sequence[str] = ()) -> Table:
    """Tabulate a metric of each method in each condition, or in some."""
    conditions = conditions or list(trials[0].result)
    rows = [
        (row, *(number(cell(trials, row, c, metric).value, 3) for c in conditions))
        for row in rows_of(trials)
        if math.isfinite(cell(trials, row, "nominal", metric).value)
    ]
    return Table(title, ("Method", *conditions), tuple(rows))


def holding_table(trials: Trials, shifts: Mapping[str, Mapping[str, str]]) -> Table:
    """Tabulate the strongest shift of each kind up to which sets do not cover less than they say, by 3 standard errors.

    Parameters
    ----------
    shifts : by kind, name of the condition → its strength as it is written, in order
    """
    rows = []
    for row in rows_of(trials):
        covers = {c: _holds(cell(trials, row, c, "coverage")) for c in trials[0].result}
        line = [row, GUARANTEES[row][0], "yes" if covers["nominal"] else "no"]
        for conditions in shifts.values():
            held = list(itertools.takewhile(covers.__getitem__, conditions))
            line.append(conditions[held[-1]] if held else "–")
        rows.append(tuple(line))
    note = "No guarantee reaches beyond “none”: what else covers does so by over-covering there, or by luck."
    return Table(
        f"Up to which shift do sets cover {SETS}?", ("Method", "guarantee", "none", *shifts), tuple(rows), note
    )


def _holds(covered: Cell) -> bool:
    return covered.value > LEVEL - 3 * covered.error


def classification_warnings(trials: Trials) -> tuple[str, ...]:
    """Warn of sets that do not cover at nominal, and of training that went wrong."""
    found = misses([(row, cell(trials, row, "nominal", "coverage")) for row in rows_of(trials)], LEVEL)
    lines = [f"sets at {SETS} {how}-cover, by more than 3 standard errors: {names}" for how, names in found]
    return (*lines, *problems(trials))
