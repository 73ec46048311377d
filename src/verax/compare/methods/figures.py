"""The figure of a comparison of methods: one line a method, coverage beside width and likelihood."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from verax.compare.methods.cells import Cell
from verax.compare.methods.papers import PUBLISHED
from verax.report import COLOURS, SIGNAL, Style, canvas, drawing, heading

PANELS = (
    (("coverage 68", "coverage 95"), "Coverage"),
    (("width 95",), "Width at 95 % / sd(y)"),
    (("nll",), "Negative log-likelihood"),
)
COLOUR = {"coverage 68": COLOURS[1], "coverage 95": COLOURS[0], "width 95": COLOURS[0], "nll": COLOURS[0]}


@drawing()
def forest(name: str, cells: Mapping[tuple[str, str, str], Cell], where: Sequence[str], *, style: Style) -> Figure:
    """Coverage at both levels, width and NLL of each method; filled in distribution, open shifted, diamonds published.

    ``cells`` are by (method, partition, metric).
    """
    rows = list(dict.fromkeys(row for (row, _, metric), c in cells.items() if math.isfinite(c.value)))
    figure = canvas(10.0, 1.5 + 0.34 * len(rows))
    grid = figure.subplots(1, len(PANELS), sharey=True, width_ratios=(1.25, 1.0, 1.0))
    for axes, (metrics, label) in zip(grid, PANELS, strict=True):
        for metric in metrics:
            _points(axes, name, rows, cells, where, metric)
        axes.set_xlabel(label)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", which="both", left=False, right=False)
        axes.set_yticks([], minor=True)
    for level, metric in ((0.68, "coverage 68"), (0.95, "coverage 95")):
        grid[0].axvline(level, color=COLOUR[metric], ls=(0, (4, 2)), lw=1.1, zorder=0)
    grid[0].set_xlim(0, 1.02)
    widths = [c.value for (_, _, m), c in cells.items() if m == "width 95" and math.isfinite(c.value)]
    grid[1].set_xlim(0, min(1.15 * max(widths), 3 * float(np.median(widths))))
    shown = [c.value for (_, _, m), c in cells.items() if m == "nll" and math.isfinite(c.value)]
    if shown:
        low, middle = min(shown), float(np.median(shown))
        grid[2].set_xlim(low - 0.15 * (middle - low + 0.1), middle + 3 * (middle - low + 0.1))
        _beyond(grid[2], "nll", rows, cells, where)
    _beyond(grid[1], "width 95", rows, cells, where)
    grid[0].set_yticks(range(len(rows)), rows)
    labels = [("68 %", COLOURS[1]), ("95 %", COLOURS[0])]
    handles = [Line2D([], [], ls="", marker="o", color=c, ms=5, label=text) for text, c in labels]
    if len(where) > 1:
        handles.append(Line2D([], [], ls="", marker="o", mfc="none", mec="0.2", ms=5, label=where[1]))
    if any(k[0] == name and k[1] in rows for k in PUBLISHED):
        handles.append(Line2D([], [], ls="", marker="D", mfc="none", mec=SIGNAL, ms=6, label="published"))
    figure.legend(handles=handles, ncols=len(handles), loc="upper right", borderpad=0.2, fontsize=11)
    heading(grid[0], style, channel=name, wide=True)
    return figure


def _points(
    axes: Axes,
    name: str,
    rows: Sequence[str],
    cells: Mapping[tuple[str, str, str], Cell],
    where: Sequence[str],
    metric: str,
) -> None:
    colour = COLOUR[metric]
    for i, row in enumerate(rows):
        for j, place in enumerate(where):
            c = cells.get((row, place, metric))
            if c is None or not math.isfinite(c.value):
                continue
            y = i + (0.16 * (2 * j - 1) if len(where) > 1 else 0.0)
            error = c.error if math.isfinite(c.error) else 0.0
            axes.errorbar(c.value, y, xerr=error, fmt="o", ms=4.5, lw=1.2, color=colour, mfc="white" if j else colour)
        if paper := PUBLISHED.get((name, row, metric)):
            axes.plot(paper.value, i, "D", ms=7, mfc="none", mec=SIGNAL, mew=1.2, zorder=5)


def _beyond(
    axes: Axes,
    metric: str,
    rows: Sequence[str],
    cells: Mapping[tuple[str, str, str], Cell],
    where: Sequence[str],
) -> None:
    """What lies beyond the axis is an arrow with its value."""
    low, high = axes.get_xlim()
    for i, row in enumerate(rows):
        beyond = [cells[row, p, metric].value for p in where if (row, p, metric) in cells]
        beyond = [v for v in beyond if v > high]
        if beyond:
            text = ", ".join(f"{v:.3g}" for v in beyond) + " →"
            axes.text(high - 0.02 * (high - low), i, text, ha="right", va="center", fontsize=10, color="0.35")
