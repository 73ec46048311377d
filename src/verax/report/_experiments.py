"""Figures of pseudo-experiments: estimates and pulls, goodness of fit, significance, and intervals by toys."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.special import gammaincinv, ndtr, ndtri

from verax.arrays import Float
from verax.results import Coverage, FloatArray, decimals, number, with_ends, with_error

from ._style import COLOURS, PLAIN, SIGNAL, Style, canvas, drawing, heading, one_panel

if TYPE_CHECKING:
    import verax.infer

Toys = Float[np.ndarray, " toy"]


@drawing()
def estimates(
    name: str, values: Toys, pull: Toys, *, truth: float, coverage: Coverage | None = None, style: Style = PLAIN
) -> Figure:
    """Draw estimates of toys beside their pulls, (estimate − truth) / σ, each with a normal distribution.

    Parameters
    ----------
    values : estimates of the toys that count; the curve has their mean and width
    pull : of those that have a σ; the curve is the standard normal
    coverage : of the interval, written in the figure
    """
    figure = canvas(9.6, 4.6)
    left, right = figure.subplots(1, 2)
    written = style.name(name)
    if len(pull) < 2:
        for axes in (left, right):
            axes.text(0.5, 0.5, "No toy converged", transform=axes.transAxes, ha="center", va="center")
        heading(left, style)
        return figure
    mean, width = float(values.mean()), float(values.std(ddof=1)) or 1.0
    _histogram(left, values, mean, width, _edges(values, mean, width))
    label = f"Truth {number(truth, decimals(width, 3))}"
    left.axvline(truth, 0.0, 0.6, color=SIGNAL, lw=1.4, ls=(0, (5, 2)), label=label, zorder=3)
    left.set_xlabel(f"Estimate of {written}")
    stated = f"Mean {with_error(mean, width / np.sqrt(len(values)))}\nWidth {number(width, 3)}"
    left.legend(loc="upper right", title=stated, alignment="left")
    centre, spread = float(pull.mean()), float(pull.std(ddof=1))
    _histogram(right, pull, 0.0, 1.0, np.linspace(-5.0, 5.0, _bins(len(pull)) + 1))
    right.set_xlabel(f"Pull of {written}")
    root = np.sqrt(len(pull))
    stated = f"Mean {with_error(centre, spread / root)}\nWidth {with_error(spread, spread / np.sqrt(2) / root)}"
    right.legend(loc="upper right", title=stated, alignment="left")
    if coverage is not None:
        text = f"Coverage {with_error(coverage.fraction, coverage.error)}\nnominal {number(coverage.level, 4)}"
        right.text(0.03, 0.955, text, transform=right.transAxes, va="top", fontsize=11)
        total = coverage.n + coverage.failed
        text = f"{total} toys, {coverage.failed} failed"
        right.annotate(text, (1.0, 1.0), (0.0, 5.0), "axes fraction", "offset points", fontsize=11, ha="right")
    heading(left, style)
    return figure


def _bins(n: int) -> int:
    return int(np.clip(1.5 * n ** (1 / 3), 16, 60)) // 2 * 2


def _edges(values: FloatArray, mean: float, width: float) -> FloatArray:
    low, high = max(float(values.min()), mean - 5 * width), min(float(values.max()), mean + 5 * width)
    pad = 0.04 * (high - low) or 0.5
    return np.linspace(low - pad, high + pad, _bins(len(values)) + 1)


def _histogram(axes: Axes, values: FloatArray, mean: float, width: float, edges: FloatArray) -> None:
    """Draw toys with their Poisson errors, and a normal distribution of the same number."""
    from scipy.stats import norm  # half a second, for those who draw

    counts, _ = np.histogram(values, edges)
    centres = (edges[1:] + edges[:-1]) / 2
    axes.errorbar(centres, counts, np.sqrt(counts), fmt="o", color="black", ms=3.5, lw=1.1, label="Toys", zorder=4)
    x = np.linspace(edges[0], edges[-1], 301)
    curve = len(values) * (edges[1] - edges[0]) * norm.pdf(x, mean, width)
    label = "Standard normal" if (mean, width) == (0.0, 1.0) else "Normal, same moments"
    axes.plot(x, curve, color=COLOURS[0], lw=1.8, label=label, zorder=2)
    axes.set(ylabel="Toys / bin", xlim=(edges[0], edges[-1]))
    axes.set_ylim(0.0, 1.8 * max(float(curve.max()), float((counts + np.sqrt(counts)).max())))


@drawing()
def goodness(found: "verax.infer.GoodnessOfFit", *, style: Style = PLAIN) -> Figure:
    """Draw the statistic of the data and its expected distributions: that of toys where there are any, and χ²."""
    from scipy.stats import chi2  # half a second, for those who draw

    figure, axes = one_panel(6.6, 5.0)
    value, ndf, n = float(found.statistic), found.ndf, len(found.toy_statistics)
    if not np.isfinite(value):
        axes.text(0.5, 0.5, "The fit failed", transform=axes.transAxes, ha="center", va="center")
        return figure
    top = max(value * 1.15, float(2 * gammaincinv(ndf / 2, 0.9995)) if ndf > 0 else 1.0, 1e-3)
    if n:
        top = max(top, float(np.quantile(found.toy_statistics, 0.998)))
    least = min(value, float(2 * gammaincinv(ndf / 2, 1e-4))) if ndf > 0 else value
    low = 0.85 * float(np.min(found.toy_statistics, initial=least))
    edges = np.linspace(low, top, _bins(max(n, 400)) + 1)
    width, peak = float(edges[1] - edges[0]), 0.0
    if n:
        counts, _ = np.histogram(found.toy_statistics, edges)
        density = counts / (n * width)
        centres = (edges[1:] + edges[:-1]) / 2
        label = f"{n} toys: p = {with_error(found.p_toys, found.p_toys_error)}"
        bars = np.sqrt(counts) / (n * width)
        density = np.where(counts > 0, density, np.nan)
        axes.errorbar(centres, density, bars, fmt="o", color="black", ms=3.5, lw=1.1, label=label, zorder=4)
        peak = float(np.nanmax(density + bars))
    if ndf > 0:
        x = np.linspace(max(low, top / 400), top, 400)
        curve = chi2.pdf(x, ndf)
        text = f"χ², {ndf} degree{'s' * (ndf > 1)} of freedom: p = {number(float(found.p_value), 3)}"
        axes.plot(x, curve, color=COLOURS[0], lw=1.8, label=text, zorder=3)
        beyond = x >= value
        axes.fill_between(x[beyond], curve[beyond], color=COLOURS[0], alpha=0.25, lw=0, zorder=1)
        peak = max(peak, float(np.minimum(curve, 3 * peak if peak else curve.max()).max()))
    axes.axvline(value, color=SIGNAL, lw=1.6, ls=(0, (5, 2)), label=f"Data: {number(value, 2)}", zorder=5)
    axes.set(xlim=(low, top), ylim=(0.0, 1.4 * peak or 1.0))
    axes.set(xlabel=r"$2\,[\mathrm{nll(best)} - \mathrm{nll(saturated)}]$", ylabel="Probability density")
    axes.legend(loc="upper right")
    failed = f"{found.failed} of {found.toys} toys failed" if found.failed else ""
    heading(axes, style, channel=failed)
    return figure


@drawing()
def discovery(found: "verax.infer.Significance", *, style: Style = PLAIN) -> Figure:
    """Draw q₀ of the data beside its distributions without signal: beyond q₀ lies ½ χ²₁, and the share of toys."""
    figure, axes = one_panel(6.6, 5.0)
    value, toys = float(found.q0), np.sort(found.toy_statistics)
    if not np.isfinite(value):
        axes.text(0.5, 0.5, "No finite q₀", transform=axes.transAxes, ha="center", va="center")
        return figure
    top = max(1.2 * value, 4.0, float(toys[-1]) if toys.size else 0.0)
    x = np.linspace(0.0, top, 400)
    label = f"½ χ²: p = {float(found.p_value):.3g}, z = {number(float(found.z), 2)}"
    axes.plot(x, ndtr(-np.sqrt(x)), color=COLOURS[0], lw=1.8, label=label, zorder=3)
    least = 0.3 * float(ndtr(-np.sqrt(top)))
    if toys.size:
        label = f"{toys.size} toys: p = {with_error(found.p_toys, found.p_toys_error)}"
        share = 1 - np.searchsorted(toys, x, side="left") / toys.size
        axes.step(x, np.where(share > 0, share, np.nan), color="black", lw=1.4, label=label, zorder=4)
        least = max(least, 0.3 / toys.size)
    axes.axvline(value, color=SIGNAL, lw=1.6, ls=(0, (5, 2)), label=f"Data: {number(value, 2)}", zorder=5)
    axes.set(xlim=(0.0, top), ylim=(least, 2.0), yscale="log")
    axes.set(xlabel="$q_0$", ylabel=r"Probability of $q_0$ or more without signal")
    axes.legend(loc="upper right")
    heading(axes, style, channel=f"{found.failed} of {found.toys} toys failed" if found.failed else "")
    return figure


@drawing()
def belt(found: "verax.infer.Belt", *, style: Style = PLAIN) -> Figure:
    """Neyman's construction: the statistic of the data and the toys' quantile at each tested value; where it is lower, the
    value is in the interval.
    """
    figure, axes = one_panel(6.4, 5.0)
    name = style.name(found.name)
    usual = float(ndtri(0.5 + 0.5 * found.level) ** 2)
    (quantile,) = axes.plot(
        found.values, found.critical, "o-", color=COLOURS[0], ms=4, lw=1.4, label="Toys' quantile", zorder=3
    )
    axes.axhline(usual, color="0.45", lw=1.0, ls=(0, (4, 3)), label="χ² quantile", zorder=2)
    (data,) = axes.plot(found.values, found.t, color="black", lw=1.8, label="Data", zorder=4)
    ends = found.interval
    low, high = float(ends.low), float(ends.high)
    if np.isfinite([low, high]).all():
        axes.axvspan(low, high, color=COLOURS[0], alpha=0.18, lw=0, zorder=0)
    cap = 1.5 * max(usual, float(np.nanmax(found.critical, initial=0.0)))
    span = float(found.values[-1] - found.values[0])
    for line in (quantile, data):  # higher up they would run through the text
        line.set_clip_path(Rectangle((float(found.values[0]), 0.0), span, cap, transform=axes.transData))
    axes.set(xlim=(float(found.values[0]), float(found.values[-1])), ylim=(0.0, cap / 0.74))
    text = f"{name} = {with_ends(ends)}" if np.isfinite([low, high]).all() else "No value accepted"
    axes.text(0.03, 0.955, text, transform=axes.transAxes, va="top", fontsize=13)
    stated = f"{100 * found.level:.3g} % confidence level\n{found.toys} toys at each value"
    axes.text(0.03, 0.89, stated, transform=axes.transAxes, va="top", fontsize=11, color="0.3")
    axes.set(xlabel=name, ylabel=f"t({name})")
    axes.legend(loc="upper right")
    heading(axes, style)
    return figure
