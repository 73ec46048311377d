"""Figures of a fit's uncertainty: its sources, and the correlations of the parameters."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.textpath import TextPath

from verax.arrays import Float
from verax.errors import InputError, check_known
from verax.results import decimals, number

from ._style import COLOURS, PLAIN, Style, drawing, heading, one_panel
from .tables import METHODS

if TYPE_CHECKING:
    import verax.infer


@drawing()
def breakdown(*results: "verax.infer.Breakdown", style: Style = PLAIN) -> Figure:
    """Draw the uncertainty by source as nested bars; one bar per definition, rows in the order of the first.

    Raises
    ------
    InputError : for no result, or results of different parameters
    """
    if not results or len({r.name for r in results}) != 1:
        raise InputError("breakdown figure", f"{[r.name for r in results]}", "one or more results of one parameter")
    first = results[0]
    rows = np.arange(len(first.rows), dtype=np.float64)
    places = decimals(first.rows[0].impact, 3)
    figure, axes = one_panel(7.4, 1.3 + 0.34 * max(len(rows), 3) * (1 + 0.25 * (len(results) - 1)))
    height = 0.74 / len(results)
    longest = max((r.impact for result in results for r in result.rows if math.isfinite(r.impact)), default=0.0)
    for k, result in enumerate(results):
        found = {(row.depth, row.name): row.impact for row in result.rows}
        values = np.array([found.get((row.depth, row.name), math.nan) for row in first.rows])
        y = rows + (k - (len(results) - 1) / 2) * height
        alphas = [(1.0, 0.75, 0.5, 0.35)[min(row.depth, 3)] for row in first.rows]
        colours = [to_rgba(COLOURS[k % len(COLOURS)], alpha) for alpha in alphas]
        axes.barh(y, np.nan_to_num(values), height * 0.92, color=colours, lw=0)
        for at, value in zip(y, values, strict=True):
            text, end = number(float(value), places), (max(float(np.nan_to_num(value)), 0.0), at)
            axes.annotate(text, end, (4, 0), textcoords="offset points", va="center", fontsize=10)
    labels = ["\N{EM SPACE}" * row.depth + style.name(row.name) for row in first.rows]
    axes.set_yticks(rows, labels, ha="left")
    axes.set(xlim=(0.0, 1.16 * (longest or 1.0)), ylim=(len(rows) - 0.4, -0.6))
    axes.tick_params(axis="y", which="both", left=False, right=False)
    _flush_left(axes, labels)
    axes.set_xlabel(f"Uncertainty of {style.name(first.name)}")
    if len(results) > 1:
        handles = [
            Patch(fc=COLOURS[k % len(COLOURS)], label=METHODS.get(r.method, r.method)) for k, r in enumerate(results)
        ]
        axes.set_ylim(len(rows) + 0.3 + 0.7 * len(results), -0.6)  # room for the legend, below all bars
        axes.legend(handles=handles, loc="lower right")
    heading(axes, style, wide=True)
    return figure


@drawing()
def correlation(
    names: Sequence[str],
    matrix: Float[np.ndarray, "parameter parameter"],
    *,
    top: int = 20,
    keep: Sequence[str] = (),
    style: Style = PLAIN,
) -> Figure:
    """Draw correlations of the fitted parameters, in percent.

    Parameters
    ----------
    top : parameters shown: those with the largest correlation to any other, in their own order; noted on the figure
    keep : shown in any case

    Raises
    ------
    InputError : for an unknown name in ``keep``
    """
    check_known(keep, names, "correlation figure", "parameter")
    free = [i for i in range(len(names)) if matrix[i, i] > 0]
    strongest = np.nan_to_num(np.abs(matrix) - np.diag(np.diag(matrix))).max(axis=1)
    kept = [i for i in free if names[i] in keep]
    others = sorted((i for i in free if i not in kept), key=lambda i: -strongest[i])[: max(top - len(kept), 0)]
    chosen = np.array(sorted([*kept, *others]), np.int64)
    values = 100 * matrix[np.ix_(chosen, chosen)]
    n = len(chosen)
    if n == 0:  # a failed fit still gets its report
        figure, axes = one_panel(5.0, 2.0)
        axes.text(0.5, 0.5, "The fit gave no correlations", transform=axes.transAxes, ha="center", va="center")
        axes.set_axis_off()
        return figure
    side = max(4.2, 0.42 * n)
    figure, axes = one_panel(side + 2.6, side + 1.8)
    image = axes.imshow(values, cmap="RdBu_r", vmin=-100, vmax=100)
    for (i, j), value in np.ndenumerate(values):
        if abs(value) >= 0.5:
            colour = "white" if abs(value) > 60 else "black"
            axes.text(j, i, number(float(value), 0), ha="center", va="center", fontsize=9, color=colour)
    labels = style.names_of([names[i] for i in chosen])
    axes.set_xticks(np.arange(n), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(n), labels)
    axes.tick_params(which="both", length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.85, pad=0.02)
    bar.set_label("Correlation [%]")
    bar.ax.tick_params(which="both", length=3)
    note = f"{n} of {len(free)} parameters" if n < len(free) else ""
    heading(axes, style, channel=note, wide=True)
    return figure


def _flush_left(axes: Axes, labels: Sequence[str]) -> None:
    """Set tick labels flush left, so that nested names show their depth."""
    font = FontProperties(family=axes.yaxis.get_label().get_fontfamily(), size=11.5)
    widths = [TextPath((0, 0), label, prop=font).get_extents().x1 for label in labels]
    axes.tick_params(axis="y", pad=max(widths, default=0.0) + 6)
