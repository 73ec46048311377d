"""The figure of methods under a shift of growing strength: each metric against the strength, one line a method."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from verax.report import COLOURS, SIGNAL, Style, canvas, drawing, heading

from ._forest import Cells, Panel

MARKS = "os^Dv<>pPX*"


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
                look = {"marker": MARKS[i % len(MARKS)], "color": (*COLOURS, SIGNAL)[i % 11], "ms": 4, "lw": 1.3}
                (shown[row],) = axes.plot(*zip(*known, strict=True), label=row, **look)
        for level in panel.levels.values():
            axes.axhline(level, color="0.3", ls=(0, (4, 2)), lw=1.1, zorder=0)
        axes.set_ylabel(panel.label)
    for axes in grid[-1]:
        axes.set_xlabel(label)
    figure.legend(handles=[shown[r] for r in rows if r in shown], loc="outside lower center", ncols=4, fontsize=10)
    heading(grid[0, 0], style, channel=name)
    return figure
