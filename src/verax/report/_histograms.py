"""How histograms are drawn: positions of bins, limits that leave room for a legend, bands, Poisson errors."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from scipy.special import gammaincinv

from verax.arrays import Float
from verax.results import FloatArray

from ._style import BAND


def poisson_interval(counts: Float[np.ndarray, " bin"]) -> tuple[Float[np.ndarray, " bin"], Float[np.ndarray, " bin"]]:
    """Find central 68.27 % intervals of Poisson means (Garwood, Biometrika 28 (1936) 437); counts need not be whole.

    >>> low, high = poisson_interval(np.array([0.0, 9.0]))
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.0, 6.06], [1.84, 13.11])
    """
    n, tail = np.maximum(np.asarray(counts, np.float64), 0.0), 0.158655
    low = np.where(n > 0, gammaincinv(np.where(n > 0, n, 1.0), tail), 0.0)
    return np.asarray(low), np.asarray(gammaincinv(n + 1.0, 1 - tail))


def shade(axes: Axes, edges: FloatArray, low: FloatArray, high: FloatArray, *, label: str = "") -> StepPatch:
    """Draw a hatched band for each bin."""
    return axes.stairs(
        high, edges, baseline=low, fill=True, fc="none", ec=BAND, hatch="//////", lw=0.0, label=label or None
    )


def positions(edges: Sequence[float]) -> FloatArray:
    """Place edges to scale, or at 0, 1, 2 … when the narrowest bin would be less than 3 % of the axis."""
    wide = np.asarray(edges, np.float64)
    sliver = np.diff(wide).min() < 0.03 * (wide[-1] - wide[0])
    return np.arange(wide.size, dtype=np.float64) if sliver else wide


def label_bins(axes: Axes, edges: Sequence[float], drawn: FloatArray, xlabel: str) -> None:
    """Label the horizontal axis of a histogram: bins not drawn to scale with their edges."""
    axes.set_xlim(drawn[0], drawn[-1])
    if not np.array_equal(np.asarray(edges, np.float64), drawn):
        step = -(-drawn.size // 12)
        axes.xaxis.set_major_locator(FixedLocator(drawn[::step].tolist()))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(drawn[::step], [f"{e:.3g}" for e in list(edges)[::step]])
        xlabel = f"{xlabel} (bins not to scale)"
    elif np.array_equal(drawn, np.arange(drawn.size)):  # numbered bins
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(xlabel if "$" in xlabel else textwrap.fill(xlabel, 60))


def columns_of(labels: Sequence[str]) -> int:
    """Choose one or two columns of a legend, by what is written in them.

    >>> columns_of(["signal", "background"]), columns_of(["signal", 60 * "a"])
    (2, 1)
    """
    half = -(-len(labels) // 2)
    widths = [max(map(len, column), default=0) for column in (labels[:half], labels[half:])]
    return 2 if sum(widths) <= 58 else 1


def limits(axes: Axes, top: FloatArray, visible: FloatArray, logarithmic: bool, *, rows: int) -> None:
    """Set vertical limits that leave room for a legend of so many rows and a title."""
    room = 0.072 * (rows + 1) + 0.04
    peak = float(np.nanmax(top, initial=0.0)) or 1.0
    if logarithmic:
        floor = max(0.4 * float(visible.min()), 1e-7 * peak)
        axes.set_yscale("log")
        axes.set_ylim(floor, floor * (peak / floor) ** (1 / (1 - room)))
    else:
        axes.set_ylim(0.0, peak / (1 - room))


def round_scale(ratio: float) -> float:
    """Find the largest of 1, 2, 5, 10, 20 … not above ``ratio``, at least 1.

    >>> round_scale(0.3), round_scale(38.0)
    (1.0, 20.0)
    """
    if ratio < 2:
        return 1.0
    power = 10.0 ** np.floor(np.log10(ratio))
    return float(max(step * power for step in (1, 2, 5) if step * power <= ratio * (1 + 1e-12)))
