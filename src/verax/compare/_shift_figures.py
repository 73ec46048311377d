"""Figures of methods under a shift of growing strength: metrics against the strength, and reliability, one line a method."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from verax.report import COLOURS, SIGNAL, Style, canvas, drawing, heading

from ._classification_tables import Trials
from ._classifiers import CONFORMAL, SAID, SEEN
from ._comparison import rows_of, select
from ._forest import Cells, Panel

MARKS = "os^Dv<>pPX*"
LEAST = 0.01
"""Share of the events of a bin that is drawn: fewer say nothing."""


@drawing()
def against_strength(
    panels: Sequence[Panel], cells: Cells, conditions: Mapping[str, float], label: str, *, name: str = "", style: Style
) -> Figure:
    """Draw each metric of each method against the strength of a shift.

    Parameters
    ----------
    panels : side by side, each of one metric
    cells : values and errors; rows without any finite one are left out of a panel
    conditions : name → strength, in order
    label : of the horizontal axes
    name : of the data
    style : of the figure
    """
    rows = list(dict.fromkeys(row for row, _, _ in cells))
    across = -(-len(panels) // 2)
    figure = canvas(3.9 * across, 7.6)
    grid = figure.subplots(2, across, sharex=True, squeeze=False)
    shown = {}
    for axes, panel in zip(grid.flat, panels, strict=False):
        (metric,) = panel.metrics
        for i, row in enumerate(rows):
            points = [(x, cells[row, c, metric].value) for c, x in conditions.items()]
            known = [(x, y) for x, y in points if math.isfinite(y)]
            if known:
                (shown[row],) = axes.plot(*zip(*known, strict=True), label=row, **_look(i))
        for level in panel.levels.values():
            axes.axhline(level, color="0.3", ls=(0, (4, 2)), lw=1.1, zorder=0)
        axes.set_ylabel(panel.label)
    for axes in grid[-1]:
        axes.set_xlabel(label)
    figure.legend(handles=[shown[r] for r in rows if r in shown], loc="outside lower center", ncols=4, fontsize=10)
    heading(grid[0, 0], style, channel=name)
    return figure


@drawing()
def reliability_diagrams(trials: Trials, conditions: Sequence[str], *, name: str = "", style: Style) -> Figure:
    """Draw the fraction that is right against the probability that is said, in each condition.

    Parameters
    ----------
    trials : of all rows; those of sets alone are left out
    conditions : a diagram each
    name : of the data
    style : of the figure
    """
    across = -(-len(conditions) // 2)
    figure = canvas(3.9 * across, 8.0)
    grid = figure.subplots(2, across, sharex=True, sharey=True, squeeze=False)
    shown = {}
    for axes, condition in zip(grid.flat, conditions, strict=False):
        for i, row in enumerate(rows_of(trials)):
            if row in CONFORMAL:
                continue
            results = [t.result[condition] for t in select(trials, row=row)]
            points = []
            for number in sorted({k.rpartition(" ")[2] for r in results for k in r if k.startswith(SAID)}, key=int):
                bins = [(r[f"{SAID} {number}"], r[f"{SEEN} {number}"]) for r in results if f"{SAID} {number}" in r]
                share = [said[0] for said, _ in bins]
                if sum(share) < LEAST * len(results):
                    continue
                points.append([np.average([v[1] for v in values], weights=share) for values in zip(*bins, strict=True)])
            (shown[row],) = axes.plot(*np.transpose(points), label=row, **_look(i))
        axes.plot([0, 1], [0, 1], color="0.3", ls=(0, (4, 2)), lw=1.1, zorder=0)
        axes.text(0.05, 0.93, condition, transform=axes.transAxes, va="top", fontsize=12)
        axes.set(xlim=(0, 1), ylim=(0, 1))
    for axes in grid[-1]:
        axes.set_xlabel("Largest probability")
    for axes in grid[:, 0]:
        axes.set_ylabel("Fraction right")
    figure.legend(handles=list(shown.values()), loc="outside lower center", ncols=4, fontsize=10)
    heading(grid[0, 0], style, channel=name)
    return figure


def _look(i: int) -> dict[str, Any]:
    return {"marker": MARKS[i % len(MARKS)], "color": (*COLOURS, SIGNAL)[i % 11], "ms": 4, "lw": 1.3}
