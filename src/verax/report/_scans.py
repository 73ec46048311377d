"""Figure of a profile likelihood in two parameters."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import gammaincinv

from verax.arrays import Float
from verax.errors import InputError

from ._style import PLAIN, SIGNAL, Style, drawing, heading, one_panel

DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))
SHADES = LinearSegmentedColormap.from_list("verax_t", ["#1f4e9c", "#5790fc", "#a9c6fd", "#e3ecfe", "#ffffff"])
"""Of t: dark where the data agree best."""


@drawing()
def scan2d(
    x: Float[np.ndarray, " x"],
    y: Float[np.ndarray, " y"],
    t: Float[np.ndarray, "x y"],
    names: Sequence[str],
    *,
    best: tuple[float, float] | None = None,
    truth: tuple[float, float] | None = None,
    levels: Sequence[float] = (0.6827, 0.95),
    style: Style = PLAIN,
) -> Figure:
    """Draw the profile likelihood ratio t of two parameters, with contours at the χ² quantiles for two degrees of freedom.

    Points whose t is not finite (failed fits) stay white, and contours avoid them.

    Parameters
    ----------
    x, y : grid of the first and second parameter, increasing, two points or more
    t : at each pair
    names : of the two parameters
    best, truth : points to mark
    levels : confidence levels of the contours, increasing

    Raises
    ------
    InputError : for shapes that do not fit, grids that do not increase, other than two names, or levels outside (0, 1)
    """
    if t.shape != (x.size, y.size) or min(x.size, y.size) < 2:
        raise InputError("2D scan figure", f"t {t.shape} on a grid of {x.size} × {y.size}", "one t at each point")
    if not ((np.diff(x) > 0).all() and (np.diff(y) > 0).all()):
        raise InputError("2D scan figure", "a grid that does not increase", "increasing values")
    if len(names) != 2:
        raise InputError("2D scan figure", f"names {list(names)}", "two names")
    heights = [float(2 * gammaincinv(1, level)) for level in levels]
    if not heights or not all(0 < level < 1 for level in levels) or sorted(set(heights)) != heights:
        raise InputError("2D scan figure", f"levels {list(levels)}", "increasing levels between 0 and 1")
    figure, axes = one_panel(6.9, 5.6)
    shown = np.ma.masked_invalid(t.T)
    cap = float(np.ceil(2.0 * heights[-1]))
    handles: list[Line2D] = []
    if shown.count():
        steps = np.linspace(0.0, cap, 25)
        filled = axes.contourf(x, y, shown, steps, cmap=SHADES, extend="max")
        filled.set_edgecolor("face")  # no white seams in the PDF
        bar = figure.colorbar(filled, ax=axes, pad=0.02, aspect=30, ticks=np.arange(0.0, cap + 0.5, 2.0))
        bar.set_label(f"t({style.name(names[0])}, {style.name(names[1])})")
        bar.ax.tick_params(which="both", length=0)
        lowest, highest = float(shown.min()), float(shown.max())
        for i, (level, height) in enumerate(zip(levels, heights, strict=True)):
            dash = DASHES[i % len(DASHES)]
            if lowest < height < highest:  # else there is nothing to draw, and matplotlib warns
                axes.contour(x, y, shown, [height], colors="black", linewidths=1.6, linestyles=[dash])
            handles.append(Line2D([], [], color="black", lw=1.6, ls=dash, label=f"{_percent(level)} CL"))
    else:
        axes.text(0.5, 0.5, "No fit of this scan converged", transform=axes.transAxes, ha="center", va="center")
    points = ((best, "P", "black", "Best fit"), (truth, "*", SIGNAL, "Truth"))
    for at, marker, colour, label in points:
        if at is not None and np.isfinite(at).all():
            style_of = {"marker": marker, "color": colour, "mec": "white", "mew": 0.8, "ms": 11, "ls": ""}
            axes.plot(*at, zorder=5, **style_of)  # type: ignore[arg-type]
            handles.append(Line2D([], [], label=label, **style_of))  # type: ignore[arg-type]
    axes.set(xlim=(float(x[0]), float(x[-1])), ylim=(float(y[0]), float(y[-1])))
    axes.set(xlabel=style.name(names[0]), ylabel=style.name(names[1]))
    if handles:
        axes.legend(handles=handles, loc="best", frameon=True, framealpha=0.85, edgecolor="none")
    heading(axes, style)
    return figure


def _percent(level: float) -> str:
    return "68 %" if abs(level - 0.6827) < 1e-3 else f"{100 * level:.3g} %"
