"""Figures of a measurement: profile likelihood, pulls and impacts, breakdown, correlations."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch, Rectangle
from matplotlib.textpath import TextPath
from scipy.stats import chi2

from verax.errors import InputError, check_known
from verax.report.numbers import decimals, number, with_ends
from verax.report.style import COLOURS, DOWN, PLAIN, UP, Style, canvas, drawing, heading
from verax.results import Interval, good

if TYPE_CHECKING:
    import verax.infer.results

LEVELS = {0.6827: "68 %", 0.95: "95 %"}
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


@drawing()
def scan(
    curves: Mapping[str, "verax.infer.results.Scan"],
    *,
    interval: Interval | None = None,
    truth: float | int | None = None,
    style: Style = PLAIN,
) -> Figure:
    """Profile likelihood ratio t of one parameter, one or several curves ("Total", "Statistics only").

    Points whose fit failed are left out. Lines are drawn at the χ²₁ quantiles of 68.27 % and 95 %.

    Parameters
    ----------
    curves : label → scan of one data set
    interval : shaded, and written in the figure
    truth : a vertical line, for a pseudo-experiment

    Raises
    ------
    InputError : for no curve, a batch of data sets, or scans of different parameters
    """
    names = {c.name for c in curves.values()}
    if len(names) != 1 or any(c.t.ndim != 1 for c in curves.values()):
        raise InputError("scan figure", f"scans of {sorted(names)}", "scans of one parameter and one data set")
    name = style.name(names.pop())
    figure = canvas(6.4, 5.0)
    axes = figure.add_subplot()
    cap = max((float(np.nanmax(c.t, initial=0.0)) for c in curves.values()), default=0.0)
    cap, ends, lines = min(max(cap, 4.5), 9.5), [], []
    for i, (label, curve) in enumerate(curves.items()):
        used = good(curve.status) & np.isfinite(curve.t)
        ends += [curve.values[used].min(initial=math.inf), curve.values[used].max(initial=-math.inf)]
        x, t = curve.values[used], curve.t[used]
        colour = "black" if i == 0 else COLOURS[(i - 1) % len(COLOURS)]
        lines.append(axes.plot(x, t, color=colour, ls=DASHES[i % len(DASHES)], label=label, zorder=3)[0])
    top = cap / (1 - 0.08 - 0.065 * max(len(curves) + (truth is not None), 2))
    low, high = float(min(ends)), float(max(ends))
    for line in lines:  # higher up they would run through the text
        line.set_clip_path(Rectangle((low, 0.0), high - low, cap, transform=axes.transData))
    for level, text in LEVELS.items():
        height = float(chi2.ppf(level, 1))
        axes.axhline(height, color="0.45", lw=0.9, ls=(0, (4, 3)), zorder=1)
        axes.annotate(
            text,
            (1.0, height),
            (-12, 3),
            ("axes fraction", "data"),
            "offset points",
            ha="right",
            color="0.35",
            fontsize=11,
        )
    if interval is not None:
        axes.axvspan(float(interval.low), float(interval.high), color=COLOURS[0], alpha=0.18, lw=0, zorder=0)
        axes.axvline(float(interval.value), color=COLOURS[0], lw=1.0, zorder=1)
        axes.text(0.03, 0.955, f"{name} = {with_ends(interval)}", transform=axes.transAxes, va="top", fontsize=13)
        stated = f"{100 * interval.level:.3g} % confidence level"
        axes.text(0.03, 0.895, stated, transform=axes.transAxes, va="top", fontsize=11, color="0.3")
    if truth is not None:
        axes.axvline(float(truth), color=UP, lw=1.2, ls=(0, (1, 1.5)), label=f"True {name}")
    axes.set_xlim(low, high)
    axes.set_ylim(0.0, top)
    axes.set_xlabel(name)
    axes.set_ylabel(f"t({name})")
    axes.legend(loc="upper right", ncols=1)
    heading(axes, style)
    return figure


@drawing()
def pulls_and_impacts(
    ranking: "verax.infer.results.Ranking",
    *,
    top: int = 20,
    simulation_statistics: float | None = None,
    style: Style = PLAIN,
) -> Figure:
    """Nuisance parameters by their impact: pulls as points (lower axis), impacts as bars (upper axis).

    Filled bars are the change of the estimate when θ is fixed at θ̂ ± its post-fit error, outlines at θ̂ ± its prior
    width. A parameter without a prior has no pull.

    Parameters
    ----------
    top : parameters shown, the largest post-fit impacts first
    simulation_statistics : impact of all γ of the simulation statistics together, added as one last row
    """
    size = np.fmax(np.abs(ranking.up), np.abs(ranking.down))
    order = np.argsort(-np.where(np.isfinite(size), size, -1.0), kind="stable")[:top]
    labels = [style.name(ranking.names[i]) + ("" if good(ranking.status[i]) else " (failed)") for i in order]
    rows = np.arange(len(order), dtype=np.float64)
    extra = simulation_statistics is not None
    if extra:
        labels.append("Simulation statistics")
    n = len(labels)

    figure = canvas(7.4, 2.9 + 0.34 * max(n, 3))
    pulls = figure.add_subplot()
    impacts = pulls.twiny()
    impacts.set_zorder(0)
    pulls.set_zorder(1)
    pulls.patch.set_visible(False)
    for values, colour, text in ((ranking.up, UP, "+"), (ranking.down, DOWN, "−")):
        impacts.barh(rows, np.nan_to_num(values[order]), 0.62, color=colour, alpha=0.75, lw=0, label=f"θ̂ {text} Δθ̂")
    for values, colour in ((ranking.prefit_up, UP), (ranking.prefit_down, DOWN)):
        impacts.barh(rows, np.nan_to_num(values[order]), 0.84, fc="none", ec=colour, lw=1.0)
    shown = [ranking.up, ranking.down, ranking.prefit_up, ranking.prefit_down]
    reach = float(np.nanmax(np.abs([s[order] for s in shown]), initial=0.0)) if len(order) else 0.0
    if extra:
        value = float(simulation_statistics or 0.0)
        impacts.barh([n - 1, n - 1], [value, -value], 0.62, color="0.72", lw=0)
        reach = max(reach, value)
    pulls.errorbar(
        ranking.pull[order], rows, xerr=ranking.pull_error[order], fmt="o", color="black", ms=5, lw=1.4, capsize=2.5
    )
    pulls.vlines([-1.0, 1.0], -0.5, n - 0.4, color="0.35", lw=0.9, ls=(0, (4, 3)))
    pulls.vlines(0.0, -0.5, n - 0.4, color="0.35", lw=0.9)

    widest = np.nanmax(np.abs(ranking.pull[order]) + ranking.pull_error[order], initial=1.0) if len(order) else 1.0
    pulls.set_xlim(-1.25 * max(float(widest), 1.6), 1.25 * max(float(widest), 1.6))
    reach = 1.15 * reach or 1.0
    impacts.set_xlim(-reach, reach)
    pulls.set_ylim(n - 0.4, -3.3)  # the first row on top, under the legend
    pulls.set_yticks(np.arange(n), labels)
    pulls.tick_params(axis="y", which="both", left=False, right=False)
    pulls.tick_params(axis="x", which="both", top=False)
    impacts.tick_params(axis="x", which="both", bottom=False)
    pulls.set_xlabel(r"Pull $(\hat{\theta} - \theta_0)\,/\,\Delta\theta$")
    impacts.set_xlabel(rf"Impact $\Delta\hat{{{_symbol(ranking.name, style)}}}$", loc="right", labelpad=7)
    handles = [
        Patch(fc=UP, alpha=0.75, label=r"$\hat{\theta} + \Delta\hat{\theta}$"),
        Patch(fc="none", ec=UP, label=r"$\hat{\theta} + \Delta\theta$"),
        Patch(fc=DOWN, alpha=0.75, label=r"$\hat{\theta} - \Delta\hat{\theta}$"),
        Patch(fc="none", ec=DOWN, label=r"$\hat{\theta} - \Delta\theta$"),
    ]
    first = pulls.legend(handles=handles, ncols=2, loc="upper left", title="Impact post-fit, pre-fit", alignment="left")
    pulls.add_artist(first)
    point = pulls.errorbar([], [], xerr=[], fmt="o", color="black", ms=5, lw=1.4, capsize=2.5, label="Pull")
    pulls.legend(handles=[point], loc="upper right")
    heading(impacts, style, lift=48.0)  # over the upper axis and its label
    return figure


@drawing()
def breakdown(*results: "verax.infer.results.Breakdown", style: Style = PLAIN) -> Figure:
    """Uncertainty by source as nested bars; one bar per definition, rows in the order of the first.

    Raises
    ------
    InputError : for no result, or results of different parameters
    """
    if not results or len({r.name for r in results}) != 1:
        raise InputError("breakdown figure", f"{[r.name for r in results]}", "one or more results of one parameter")
    first = results[0]
    rows = np.arange(len(first.rows), dtype=np.float64)
    places = decimals(first.rows[0].impact, 3)
    figure = canvas(7.4, 1.3 + 0.34 * max(len(rows), 3) * (1 + 0.25 * (len(results) - 1)))
    axes = figure.add_subplot()
    height = 0.74 / len(results)
    longest = max((r.impact for result in results for r in result.rows if math.isfinite(r.impact)), default=1.0)
    for k, result in enumerate(results):
        found = {(row.depth, row.name): row.impact for row in result.rows}
        values = np.array([found.get((row.depth, row.name), math.nan) for row in first.rows])
        y = rows + (k - (len(results) - 1) / 2) * height
        alphas = [(1.0, 0.75, 0.5, 0.35)[min(row.depth, 3)] for row in first.rows]
        colours = [(*_rgb(COLOURS[k % len(COLOURS)]), alpha) for alpha in alphas]
        axes.barh(y, np.nan_to_num(values), height * 0.92, color=colours, lw=0)
        for at, value in zip(y, values, strict=True):
            text = number(float(value), places)
            axes.annotate(
                text,
                (max(float(np.nan_to_num(value)), 0.0), at),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=10,
            )
    labels = ["\N{EM SPACE}" * row.depth + style.name(row.name) for row in first.rows]
    axes.set_yticks(rows, labels, ha="left")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0.0, 1.16 * longest)
    axes.tick_params(axis="y", which="both", left=False, right=False)
    _flush_left(axes, labels)
    axes.set_xlabel(f"Uncertainty of {style.name(first.name)}")
    if len(results) > 1:
        handles = [
            Patch(fc=COLOURS[k % len(COLOURS)], label=r.method.replace("-", " ").capitalize())
            for k, r in enumerate(results)
        ]
        axes.legend(handles=handles, loc="lower right")
    heading(axes, style)
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
    """Correlations of the fitted parameters, in percent.

    Parameters
    ----------
    top : parameters shown: those with the largest correlation to any other, in their own order; the figure says so
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
    side = max(4.2, 0.42 * n)
    figure = canvas(side + 2.6, side + 1.8)
    axes = figure.add_subplot()
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
    heading(axes, style, channel=note)
    return figure


def _symbol(name: str, style: Style) -> str:
    """A parameter inside a formula: μ for mu, upright text otherwise."""
    written = style.name(name)
    if written.startswith("$") and written.endswith("$"):
        return written[1:-1]
    return r"\mu" if name == "mu" else rf"\mathrm{{{written}}}".replace("_", r"\_").replace(" ", r"\ ")


def _rgb(colour: str) -> tuple[float, float, float]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))  # type: ignore[return-value]


def _flush_left(axes: Axes, labels: Sequence[str]) -> None:
    """Tick labels set flush left, so that nested names show their depth."""
    font = FontProperties(family=axes.yaxis.get_label().get_fontfamily(), size=11.5)
    widths = [TextPath((0, 0), label, prop=font).get_extents().x1 for label in labels]
    axes.tick_params(axis="y", pad=max(widths, default=0.0) + 6)
