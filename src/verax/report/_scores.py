"""Figures of a classifier's score: efficiencies, and scores of events that it was learnt from beside others."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from verax.errors import InputError
from verax.results import with_error

from ._histograms import limits, positions
from ._style import BRIEF, COLOURS, PLAIN, SIGNAL, Style, drawing, heading, main_and_ratio, one_panel

if TYPE_CHECKING:
    from verax.check import Overtraining, Roc


@drawing()
def roc(results: "Mapping[str, Roc]", *, style: Style = PLAIN) -> Figure:
    """Draw the efficiency of the background against that of the signal, with the area of each curve.

    Parameters
    ----------
    results : channel → its curve; "" is all channels

    Raises
    ------
    InputError : for no curve
    """
    if not results:
        raise InputError("ROC figure", "no curve", "one or more")
    figure, axes = one_panel(6.0, 5.8)
    axes.plot([0, 1], [0, 1], color="black", lw=1.0, ls=(0, (4, 3)))
    for i, (name, found) in enumerate(results.items()):
        colour = "black" if not name else COLOURS[(i - ("" in results)) % len(COLOURS)]
        label = f"{style.name(name, BRIEF) if name else 'All'}: area {with_error(found.area, found.error)}"
        axes.plot(found.true_rate, found.false_rate, color=colour, lw=2.2 if not name else 1.5, label=label, zorder=3)
    rates = np.concatenate([np.append(r.false_rate, r.true_rate) for r in results.values()])
    low, high = min(0.0, float(rates.min())), max(1.0, float(rates.max()))
    axes.set(xlim=(low, high), ylim=(low, high * (1.06 + 0.075 * len(results))))
    axes.legend(loc="upper left")
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set(xlabel="Signal efficiency", ylabel="Background efficiency")
    heading(axes, style)
    return figure


@drawing()
def overtraining(
    results: "Mapping[str, Overtraining]", *, xlabel: str = "Network score", style: Style = PLAIN
) -> Figure:
    """Draw distributions of a score for events that it was learnt from (points) and for others, and their difference.

    Parameters
    ----------
    results : class → its two distributions

    Raises
    ------
    InputError : for no class
    """
    if not results:
        raise InputError("overtraining figure", "no class", "one or more")
    figure, main, lower = main_and_ratio(6.6, 6.0, ratio=0.5)
    lower.axhline(0.0, color="black", lw=0.9)
    handles: list[Any] = [
        Line2D([], [], color="0.3", lw=1.6, label="Not learnt from"),
        Line2D([], [], color="0.3", marker="o", ms=4.5, ls="", label="Learnt from"),
    ]
    tops, colours = [], iter(COLOURS * len(results))
    for name, r in results.items():
        colour = SIGNAL if name == "signal" else next(colours)
        edges = positions(tuple(r.edges.tolist()))
        centres = (edges[1:] + edges[:-1]) / 2
        main.stairs(r.unseen, edges, color=colour, lw=1.6, baseline=None)
        points: dict[str, Any] = {"fmt": "o", "color": colour, "ms": 4.5, "lw": 1.2, "capsize": 0}
        main.errorbar(centres, r.seen, r.seen_error, **points)
        error = np.hypot(r.seen_error, r.unseen_error)
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = np.where(error > 0, (r.seen - r.unseen) / error, np.nan)
        lower.plot(centres, pull, "o", color=colour, ms=4.5)
        label = f"{style.name(name).capitalize()}: distance {r.distance:.2g}, p = {r.p_value:.2g}"
        handles.append(Line2D([], [], color=colour, lw=4, label=label))
        tops.append(np.maximum(r.seen + r.seen_error, r.unseen))
    highest = np.max(tops, axis=0)
    limits(main, highest, highest[highest > 0], False, rows=len(handles))
    main.legend(handles=handles, loc="upper right")
    main.set_ylabel("Share of events / bin")
    span = max(3.4, min(1.2 * max(abs(v) for v in lower.get_ylim()), 8.0))
    lower.set_ylim(-span, span)
    lower.set_ylabel("Difference / σ", loc="center")
    lower.set_xlim(edges[0], edges[-1])
    lower.set_xlabel(xlabel)
    heading(main, style)
    figure.align_ylabels([main, lower])
    return figure
