"""The figure of a comparison of methods: one line a method, its metrics side by side."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from verax.report import SIGNAL, Style, canvas, drawing, heading

from ._cell import Cell

Cells = Mapping[tuple[str, str, str], Cell]
"""By (row, condition, metric)."""


@dataclass(frozen=True)
class Panel:
    """One axis of the figure.

    Parameters
    ----------
    label : of the axis
    metrics : those that it shows, each with its colour
    levels : what intervals or sets say of themselves, by metric: dashed lines
    limits : of the axis, or "zero" or "smallest": it begins there, and what lies far beyond is written as a number
    """

    label: str
    metrics: Mapping[str, str]
    levels: Mapping[str, float] = field(default_factory=dict)
    limits: tuple[float, float] | str | None = None


@drawing()
def forest(
    panels: Sequence[Panel],
    cells: Cells,
    conditions: Sequence[str],
    *,
    legend: Mapping[str, str],
    published: Mapping[tuple[str, str], float] | None = None,
    shifted: str = "",
    name: str = "",
    style: Style,
) -> Figure:
    """Draw each metric of each method; filled in the first condition, open in the others, diamonds published.

    Parameters
    ----------
    panels : side by side
    cells : values and errors; rows without any finite one are left out
    conditions : the first is nominal, or the published splits
    legend : what each colour stands for
    published : figures by (row, metric)
    shifted : label of the other conditions (default: the name of the second)
    name : of the data
    style : of the figure
    """
    rows = list(dict.fromkeys(row for (row, _, _), c in cells.items() if math.isfinite(c.value)))
    figure = canvas(10.0, 1.5 + 0.34 * len(rows))
    grid = figure.subplots(1, len(panels), sharey=True, width_ratios=(1.25, *[1.0] * (len(panels) - 1)))
    for axes, panel in zip(grid, panels, strict=True):
        for metric, colour in panel.metrics.items():
            _points(axes, rows, cells, conditions, metric, colour)
            for (row, of), value in (published or {}).items():
                if of == metric and row in rows:
                    axes.plot(value, rows.index(row), "D", ms=7, mfc="none", mec=SIGNAL, mew=1.2, zorder=5)
        for metric, level in panel.levels.items():
            axes.axvline(level, color=panel.metrics[metric], ls=(0, (4, 2)), lw=1.1, zorder=0)
        if isinstance(panel.limits, tuple):
            axes.set_xlim(*panel.limits)
        elif panel.limits:
            _cut(axes, panel, rows, cells, conditions)
        axes.set(xlabel=panel.label, ylim=(len(rows) - 0.4, -0.6))
        axes.tick_params(axis="y", which="both", left=False, right=False)
        axes.set_yticks([], minor=True)
    grid[0].set_yticks(range(len(rows)), rows)
    handles = [Line2D([], [], ls="", marker="o", color=c, ms=5, label=text) for text, c in legend.items()]
    if len(conditions) > 1:
        handles.append(Line2D([], [], ls="", marker="o", mfc="none", mec="0.2", ms=5, label=shifted or conditions[1]))
    if any(row in rows for row, _ in published or {}):
        handles.append(Line2D([], [], ls="", marker="D", mfc="none", mec=SIGNAL, ms=6, label="published"))
    figure.legend(handles=handles, ncols=len(handles), loc="upper right", borderpad=0.2, fontsize=11)
    heading(grid[0], style, channel=name, wide=True)
    return figure


def _points(axes: Axes, rows: Sequence[str], cells: Cells, conditions: Sequence[str], metric: str, colour: str) -> None:
    for i, row in enumerate(rows):
        for j, condition in enumerate(conditions):
            c = cells.get((row, condition, metric), Cell())
            if not math.isfinite(c.value):
                continue
            y = i + ((0.16 if j else -0.16) if len(conditions) > 1 else 0.0)
            error, face = c.error if math.isfinite(c.error) else 0.0, "white" if j else colour
            axes.errorbar(c.value, y, xerr=error, fmt="o", ms=4.5, lw=1.2, color=colour, mfc=face)


def _cut(axes: Axes, panel: Panel, rows: Sequence[str], cells: Cells, conditions: Sequence[str]) -> None:
    """Set the range of an axis by the median; what lies beyond is an arrow with its value."""
    (metric,) = panel.metrics
    values = [c.value for (_, _, m), c in cells.items() if m == metric and math.isfinite(c.value)]
    if not values:
        return
    smallest, middle = min(values), float(np.median(values))
    if panel.limits == "zero":
        axes.set_xlim(0, min(1.15 * max(values), 3 * middle))
    else:
        unit = middle - smallest + 0.1
        axes.set_xlim(smallest - 0.15 * unit, middle + 3 * unit)
    low, high = axes.get_xlim()
    for i, row in enumerate(rows):
        beyond = [cells[row, c, metric].value for c in conditions if (row, c, metric) in cells]
        if text := ", ".join(f"{v:.3g}" for v in beyond if v > high):
            axes.text(high - 0.02 * (high - low), i, f"{text} →", ha="right", va="center", fontsize=10, color="0.35")
