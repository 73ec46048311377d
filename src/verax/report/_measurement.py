"""Figures of a measurement: profile likelihood, pulls and impacts.

Pulls alone say how far the data move the constrained parameters, and how much they constrain them.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from scipy.special import ndtri

from verax.arrays import Float
from verax.errors import InputError
from verax.results import Interval, good, with_ends

from ._style import COLOURS, DOWN, PLAIN, UP, Style, beside_line, canvas, drawing, heading, one_panel

if TYPE_CHECKING:
    import verax.infer

from collections.abc import Sequence

from ._style import ONE_SIGMA, TWO_SIGMA

LEVELS = {0.6827: "68 %", 0.95: "95 %"}
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


@drawing()
def scan(
    curves: Mapping[str, "verax.infer.Scan"],
    *,
    interval: Interval | None = None,
    truth: float | None = None,
    style: Style = PLAIN,
) -> Figure:
    """Draw the profile likelihood ratio t of one parameter, one or several curves ("Total", "Statistics only").

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
    figure, axes = one_panel(6.4, 5.0)
    cap = max((float(np.nanmax(c.t, initial=0.0)) for c in curves.values()), default=0.0)
    cap, ends, lines = min(max(cap, 4.5), 9.5), [], []
    for i, (label, curve) in enumerate(curves.items()):
        used = good(curve.status) & np.isfinite(curve.t)
        ends += [float(curve.values.min()), float(curve.values.max())]
        x, t = curve.values[used], curve.t[used]
        colour = "black" if i == 0 else COLOURS[(i - 1) % len(COLOURS)]
        lines.append(axes.plot(x, t, color=colour, ls=DASHES[i % len(DASHES)], label=label, zorder=3)[0])
    top = cap / (1 - 0.08 - 0.065 * max(len(curves) + (truth is not None), 2))
    low, high = min(ends), max(ends)
    for line in lines:  # higher up they would run through the text
        line.set_clip_path(Rectangle((low, 0.0), high - low, cap, transform=axes.transData))
    for level, text in LEVELS.items():
        height = float(ndtri(0.5 + 0.5 * level) ** 2)
        axes.axhline(height, color="0.45", lw=0.9, ls=(0, (4, 3)), zorder=1)
        box = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.8}
        beside_line(axes, height, text, away=12, color="0.35", bbox=box, zorder=4)
    if interval is not None:
        shaded = np.clip([float(interval.low), float(interval.high)], low, high)  # an end may be infinite
        if np.isfinite(shaded).all():
            axes.axvspan(shaded[0], shaded[1], color=COLOURS[0], alpha=0.18, lw=0, zorder=0)
        axes.axvline(float(interval.value), color=COLOURS[0], lw=1.0, zorder=1)
        axes.text(0.03, 0.955, f"{name} = {with_ends(interval)}", transform=axes.transAxes, va="top", fontsize=13)
        stated = f"{100 * interval.level:.3g} % confidence level"
        axes.text(0.03, 0.895, stated, transform=axes.transAxes, va="top", fontsize=11, color="0.3")
    if truth is not None:
        axes.axvline(float(truth), color=UP, lw=1.2, ls=(0, (1, 1.5)), label=f"True {name}")
    axes.set(xlabel=name, ylabel=f"t({name})", xlim=(low, high), ylim=(0.0, top))
    axes.legend(loc="upper right", ncols=1)
    heading(axes, style)
    return figure


@drawing()
def pulls_and_impacts(
    ranking: "verax.infer.Ranking", *, top: int = 20, simulation_statistics: float | None = None, style: Style = PLAIN
) -> Figure:
    """Draw nuisance parameters by their impact: pulls as points (lower axis), impacts as bars (upper axis).

    Filled bars are the change of the estimate when θ is fixed at θ̂ ± its post-fit error, outlines at θ̂ ± its prior
    width; outlines far beyond the bars are cut at the axis. A pull is (θ̂ − a)/Δθ, with a the observed global observable and
    Δθ the prior width; a parameter without a prior has none.

    Parameters
    ----------
    top : parameters shown, the largest post-fit impacts first
    simulation_statistics : impact of all γ of the simulation statistics together, added as one last row
    """
    size = np.fmax(np.abs(ranking.up), np.abs(ranking.down))
    order = np.argsort(-np.where(np.isfinite(size), size, -1.0), kind="stable")[:top]
    ended = good(ranking.status)
    labels = [style.name(ranking.names[i]) + ("" if ended[i] else " (failed)") for i in order]
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
    shown = [s[order] for s in (ranking.up, ranking.down, ranking.prefit_up, ranking.prefit_down)]
    reach = 1.6 * float(np.nanmax(np.abs(shown[:2]), initial=0.0)) if len(order) else 0.0
    if extra:
        value = float(simulation_statistics or 0.0)
        impacts.barh([n - 1, n - 1], [value, -value], 0.62, color="0.72", lw=0)
        reach = max(reach, value)
    # Outlines of parameters that the data constrain well may lie far outside: they are cut, so that the rest can be read.
    reach = min(reach, float(np.nanmax(np.abs(shown), initial=0.0))) if len(order) and not extra else reach
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
    pulls.set_xlabel(r"Pull $(\hat{\theta} - a)\,/\,\Delta\theta$")
    impacts.set_xlabel(_impact(ranking.name, style), loc="right", labelpad=7)
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


def _impact(name: str, style: Style) -> str:
    """Label the impact on a parameter, by a formula where its name can stand in one: μ for mu, upright text otherwise."""
    written = style.name(name)
    if written.startswith("$") and written.endswith("$"):
        symbol = written[1:-1]
    elif name == "mu":
        symbol = r"\mu"
    elif re.fullmatch(r"[\w .,+-]+", written):
        symbol = rf"\mathrm{{{written}}}".replace("_", r"\_").replace(" ", r"\ ")
    else:
        return f"Impact on {written}"
    return rf"Impact $\Delta\hat{{{symbol}}}$"


Parameters = Float[np.ndarray, " parameter"]


@drawing()
def pulls(names: Sequence[str], pull: Parameters, error: Parameters, *, style: Style = PLAIN) -> Figure:
    """Draw the best fit of each parameter less its global observable a, in prior widths; bands are one and two of those.

    Parameters
    ----------
    pull, error : (θ̂ − a) / Δθ and σ̂ / Δθ

    Raises
    ------
    InputError : for no parameter, or lengths that differ
    """
    n = len(names)
    if not n or pull.shape != (n,) or error.shape != (n,):
        raise InputError("pulls figure", f"{n} names, {pull.size} pulls, {error.size} errors", "one of each, or more")
    rows = np.arange(n, dtype=np.float64)
    figure, axes = one_panel(6.6, 1.4 + 0.27 * max(n, 3))
    for k, colour in ((2, TWO_SIGMA), (1, ONE_SIGMA)):
        axes.axvspan(-k, k, color=colour, lw=0)
    axes.axvline(0.0, color="0.35", lw=0.9, ls=(0, (4, 3)))
    axes.errorbar(pull, rows, xerr=np.nan_to_num(error), fmt="o", color="black", ms=4.5, lw=1.4, capsize=2.0)
    reach = max(2.4, 1.1 * float(np.nanmax(np.abs(pull) + np.nan_to_num(error), initial=0.0)))
    axes.set(xlim=(-reach, reach), ylim=(n - 0.4, -0.6))
    axes.set_yticks(rows, style.names_of(names))
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.set_xlabel(r"Pull $(\hat{\theta} - a)\,/\,\Delta\theta$")
    heading(axes, style, wide=True)
    return figure
