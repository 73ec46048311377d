"""Figures of upper limits: CLs against the parameter, and limits at many points with their expected bands."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from verax.arrays import Float
from verax.errors import InputError
from verax.results import FloatArray, decimals, number

from ._style import ONE_SIGMA, PLAIN, SIGNAL, TWO_SIGMA, Style, beside_line, drawing, heading, one_panel

DASH = (0, (5, 2))


@drawing()
def limit_bands(
    values: Float[np.ndarray, " point"],
    observed: Float[np.ndarray, " point"] | None,
    expected: Float[np.ndarray, "5 point"],
    *,
    name: str = "mu",
    level: float = 0.95,
    observed_limit: float | None = None,
    expected_limit: Float[np.ndarray, " 5"] | None = None,
    style: Style = PLAIN,
) -> Figure:
    """Draw CLs against the parameter, with the expected median and its ±1σ and ±2σ bands, and the line at 1 − level.

    Points that are not finite are left out of their curve.

    Parameters
    ----------
    values : of the parameter, increasing
    observed : CLs of the data; None for a blind analysis
    expected : CLs at −2σ, −1σ, 0, +1σ, +2σ of the estimate without signal, in either order
    observed_limit, expected_limit : where the curves cross the line, marked and written in the figure

    Raises
    ------
    InputError : for arrays of different lengths, or values that do not increase
    """
    _check("CLs figure", values, observed, expected)
    figure, axes = one_panel(6.4, 5.2)
    _band(axes, values, observed, np.sort(expected, axis=0))
    axes.axhline(1 - level, color=SIGNAL, lw=1.2, zorder=2.5)
    beside_line(axes, 1 - level, f"{1 - level:.3g}", away=8, color=SIGNAL, zorder=5)
    stated = []
    if observed_limit is not None and np.isfinite(observed_limit):
        axes.vlines(observed_limit, 0.0, 1 - level, color="black", lw=1.1, zorder=3)
        stated.append(f"Observed: {style.name(name)} < {_limit(observed_limit, expected_limit)}")
    if expected_limit is not None and np.isfinite(expected_limit[2]):
        ends = np.sort(expected_limit)
        axes.vlines(ends[2], 0.0, 1 - level, color="black", lw=1.1, ls=DASH, zorder=3)
        stated.append(f"Expected: {style.name(name)} < {_spread(ends)}")
    axes.set_xlim(float(values[0]), float(values[-1]) if values.size > 1 else float(values[0]) + 1.0)
    curves = np.vstack([expected] if observed is None else [expected, observed])
    top = _top(values, curves, 0.0, rows=len(stated) + 5)
    axes.set_ylim(0.0, top)
    if top > 1.1:  # room for the legend, where no CLs can be
        axes.yaxis.set_major_locator(FixedLocator([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]))
    axes.set(xlabel=style.name(name), ylabel=r"$\mathrm{CL}_\mathrm{s}$")
    axes.legend(
        handles=_handles(observed is not None, "o"),
        loc="upper right",
        title="\n".join([*stated, f"{100 * level:.3g} % confidence level"] if stated else []) or None,
        alignment="left",
    )
    heading(axes, style)
    return figure


@drawing()
def limits(
    points: Sequence[str] | Float[np.ndarray, " point"],
    observed: Float[np.ndarray, " point"] | None,
    expected: Float[np.ndarray, "5 point"],
    *,
    xlabel: str = "",
    ylabel: str = "Upper limit",
    level: float = 0.95,
    reference: float | Float[np.ndarray, " point"] | None = None,
    reference_label: str = "Prediction",
    logy: bool | None = None,
    style: Style = PLAIN,
) -> Figure:
    """Draw upper limits at several points, with the expected median and its ±1σ and ±2σ bands.

    Numbers as points give bands along an axis (limits against a mass); names give a row for each (channels, models).

    Parameters
    ----------
    points : positions, increasing, or names
    observed : limits; None for a blind analysis
    expected : limits at −2σ, −1σ, 0, +1σ, +2σ, in either order
    reference : a prediction to compare with, the same for all or one at each point
    logy : logarithmic axis of the limit; unless given, where limits span more than a factor 30

    Raises
    ------
    InputError : for arrays of different lengths, or positions that do not increase
    """
    named = not isinstance(points, np.ndarray)
    where = np.arange(len(points), dtype=np.float64) if named else np.asarray(points, np.float64)
    _check("limit figure", where, observed, expected)
    bands = np.sort(expected, axis=0)
    line = None if reference is None else np.broadcast_to(np.asarray(reference, np.float64), where.shape)
    shown = np.concatenate([np.ravel(a) for a in (bands, observed, line) if a is not None])
    shown = shown[np.isfinite(shown) & (shown > 0)]
    low, high = (float(shown.min()), float(shown.max())) if shown.size else (0.5, 1.0)
    logarithmic = high > 30 * low if logy is None else logy
    figure, axes = one_panel(*((7.4, 2.1 + 0.42 * max(len(points), 2)) if named else (6.8, 5.2)))
    handles = _handles(observed is not None, "o", band=not named)
    if named:
        _rows(axes, where, observed, bands, line, style.names_of([str(p) for p in points]))
    else:
        _band(axes, where, observed, bands)
        if line is not None:
            axes.plot(where, line, color=SIGNAL, lw=1.5, ls=(0, (1, 1)), zorder=3)
    if line is not None:
        handles.append(Line2D([], [], color=SIGNAL, lw=1.5, ls="-" if named else (0, (1, 1)), label=reference_label))
    if logarithmic:
        _log(axes.xaxis if named else axes.yaxis, named, high < 100 * low)
    start = 0.6 * low if logarithmic else 0.0
    curves = np.vstack([a for a in (bands, observed, line) if a is not None])
    if named:
        axes.set_xlim(start, 1.4 * high if logarithmic else 1.08 * high)
    else:
        axes.set_ylim(start, _top(where, curves, start, rows=len(handles) + 1))
        axes.set_xlim(float(where[0]), float(where[-1]) if where.size > 1 else float(where[0]) + 1.0)
    axes.set(xlabel=ylabel if named else xlabel, ylabel="" if named else ylabel)
    title = f"{100 * level:.3g} % CL upper limits"
    axes.legend(handles=handles, loc="upper right", title=title, alignment="left", ncols=2 if named else 1)
    heading(axes, style, wide=named)
    return figure


def _rows(
    axes: Axes,
    rows: FloatArray,
    observed: FloatArray | None,
    bands: FloatArray,
    line: FloatArray | None,
    labels: Sequence[str],
) -> None:
    """Draw a box for each point, the first on top."""
    for k, colour in ((0, TWO_SIGMA), (1, ONE_SIGMA)):
        axes.barh(rows, bands[4 - k] - bands[k], 0.62, left=bands[k], color=colour, lw=0)
    axes.vlines(bands[2], rows - 0.31, rows + 0.31, color="black", lw=1.5, ls=(0, (3, 1.2)))
    if line is not None:
        axes.vlines(line, rows - 0.5, rows + 0.5, color=SIGNAL, lw=1.5)
    if observed is not None:
        axes.plot(observed, rows, "o", color="black", ms=5.5)
    axes.set_yticks(rows, labels)
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.set_ylim(len(rows) - 0.4, -2.9)  # room for the legend above the first row


def _band(axes: Axes, x: FloatArray, observed: FloatArray | None, ordered: FloatArray) -> None:
    if observed is not None:
        known = np.isfinite(observed)
        axes.plot(x[known], observed[known], color="black", lw=1.8, marker="o", ms=3.5, zorder=4)
    used = np.isfinite(ordered).all(axis=0)
    x, ordered = x[used], ordered[:, used]
    for k, colour in ((0, TWO_SIGMA), (1, ONE_SIGMA)):
        axes.fill_between(x, ordered[k], ordered[4 - k], color=colour, lw=0)
    axes.plot(x, ordered[2], color="black", lw=1.5, ls=DASH, zorder=3)


def _log(axis: Axis, horizontal: bool, short: bool) -> None:
    """Make an axis logarithmic; a short one has labels at 1, 2, 5 of each decade, in plain numbers."""
    (axis.axes.set_xscale if horizontal else axis.axes.set_yscale)("log")
    if short:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def _top(x: FloatArray, curves: FloatArray, start: float, *, rows: int) -> float:
    """Find the end of an axis from ``start`` (0: linear) where a legend of so many rows in its right half meets no curve."""
    finite = np.where(np.isfinite(curves) & (curves > start), curves, np.nan)
    height = np.nan_to_num(np.log(finite / start) if start > 0 else finite)
    right = x >= (x[0] + x[-1]) / 2
    needed = max(float(height.max()) / 0.95, float(height[:, right].max()) / max(0.93 - 0.054 * rows, 0.2)) or 1.0
    return float(start * np.exp(needed)) if start > 0 else needed


def _handles(observed: bool, marker: str, *, band: bool = True) -> list[Line2D | Patch]:
    median = Line2D([], [], color="black", lw=1.5, ls=DASH, label="Expected")
    points = Line2D([], [], color="black", lw=1.8 if band else 0.0, marker=marker, ms=4.5, label="Observed")
    bands = [Patch(fc=ONE_SIGMA, label="Expected ±1σ"), Patch(fc=TWO_SIGMA, label="Expected ±2σ")]
    return [*([points] if observed else []), median, *bands]


def _limit(value: float, expected: FloatArray | None) -> str:
    """Write a limit with the decimals that show two digits of the expected spread."""
    spread = abs(float(expected[3] - expected[1])) / 2 if expected is not None else abs(value) / 10
    return number(value, decimals(spread))


def _spread(ends: FloatArray) -> str:
    up, down = float(ends[3] - ends[2]), float(ends[2] - ends[1])
    places = decimals(min((e for e in (up, down) if np.isfinite(e) and e > 0), default=0.0))
    return f"{number(float(ends[2]), places)} +{number(up, places)} −{number(down, places)}"


def _check(where: str, x: FloatArray, observed: FloatArray | None, expected: FloatArray) -> None:
    if x.ndim != 1 or x.size == 0 or expected.shape != (5, x.size):
        raise InputError(where, f"expected {expected.shape} at {x.shape} points", "(5, points) and points, one or more")
    if observed is not None and observed.shape != x.shape:
        raise InputError(where, f"{observed.shape} observed at {x.size} points", "one at each point")
    if not (np.diff(x) > 0).all():
        raise InputError(where, "points that do not increase", "increasing points")
