"""Figures of the checks: coverage, reliability, training."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from verax.errors import InputError
from verax.results import Coverage, decimals, number

from ._style import COLOURS, ONE_SIGMA, PLAIN, TWO_SIGMA, Style, canvas, drawing, heading, main_and_ratio, one_panel

if TYPE_CHECKING:
    import verax.learn
    from verax.check import Reliability


@drawing()
def coverage(results: Mapping[str, Coverage], *, parameter: str = "mu", style: Style = PLAIN) -> Figure:
    """Draw the measured coverage at each truth, beside the median width of the intervals.

    Bands are one and two binomial standard errors at the nominal level, for the number of toys of each row.

    Parameters
    ----------
    results : text of the truth → coverage
    parameter : whose interval it is

    Raises
    ------
    InputError : for no result
    """
    if not results:
        raise InputError("coverage figure", "no result", "one truth or more")
    cases = list(results.values())
    rows = np.arange(len(cases), dtype=np.float64)
    figure = canvas(8.4, 1.75 + 0.36 * max(len(cases), 3))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.0, 0.8])
    names = [style.name(text) for text in results]
    spread = 0.0
    for y, case in zip(rows, cases, strict=True):
        if not math.isfinite(case.fraction):
            left.text(case.level, y, "no interval", ha="center", va="center", fontsize=10, color="0.35")
            continue
        for k, colour in ((2, TWO_SIGMA), (1, ONE_SIGMA)):
            span = [case.level - k * case.error, case.level + k * case.error]
            left.fill_betweenx([y - 0.5, y + 0.5], *span, color=colour, lw=0)
        left.errorbar(case.fraction, y, xerr=case.error, fmt="o", color="black", ms=5, lw=1.4, capsize=0)
        right.errorbar(case.width, y, xerr=case.width_error, fmt="s", color="black", ms=4.5, lw=1.4, capsize=0)
        spread = max(spread, 3.2 * case.error, abs(case.fraction - case.level) + 1.6 * case.error)
    levels = sorted({c.level for c in cases})
    for level in levels:
        left.vlines(level, -0.5, len(cases) - 0.5, color="black", lw=1.0, ls=(0, (4, 3)))
    left.set_xlim(max(levels[0] - (spread or 0.1), -0.02), min(levels[-1] + (spread or 0.1), 1.02))
    widths = [c.width + (c.width_error if math.isfinite(c.width_error) else 0) for c in cases if math.isfinite(c.width)]
    right.set_xlim(0.0, 1.5 * max(widths, default=1.0))
    left.set_ylim(len(rows) - 0.5, -1.7)  # room for the legend above the first row
    left.set_yticks(rows, names)
    for axes in (left, right):
        axes.tick_params(axis="y", which="both", left=False, right=False)
    for y, case in zip(rows, cases, strict=True):
        failed = f"{case.failed} failed" if case.failed else "none failed"
        right.text(0.97, y, failed, transform=right.get_yaxis_transform(), ha="right", va="center", fontsize=10)
    toys = sorted({c.n + c.failed for c in cases})
    count = f"{toys[0]} toys each" if len(toys) == 1 else f"{toys[0]} to {toys[-1]} toys"
    handles = [
        Line2D([], [], color="black", lw=1.0, ls=(0, (4, 3)), label=f"Nominal {number(levels[0], 3)}"),
        Line2D([], [], color=ONE_SIGMA, lw=7, label="±1σ"),
        Line2D([], [], color=TWO_SIGMA, lw=7, label="±2σ"),
    ]
    left.legend(handles=handles, ncols=3, loc="upper left", columnspacing=1.0, handlelength=1.3, borderaxespad=0.2)
    right.text(0.03, -1.1, count, transform=right.get_yaxis_transform(), va="center", fontsize=11)
    left.set_xlabel("Coverage")
    right.set_xlabel(f"Median width of the interval of {style.name(parameter)}")
    heading(left, style, right=right)
    return figure


@drawing()
def reliability(
    results: "Reliability | Mapping[str, Reliability]", *, xlabel: str = "Predicted probability", style: Style = PLAIN
) -> Figure:
    """Draw the observed fraction against the predicted probability, above the distribution of predictions.

    The expected calibration error (ECE) stands beside what it would be by chance alone, were the classifier exactly
    calibrated.

    Parameters
    ----------
    results : one diagram, or label → diagram

    Raises
    ------
    InputError : for no diagram
    """
    cases = dict(results) if isinstance(results, Mapping) else {"": results}
    if not cases:
        raise InputError("reliability figure", "no diagram", "one or more")
    figure, main, lower = main_and_ratio(5.8, 6.4, ratio=0.33)
    main.plot([0, 1], [0, 1], color="black", lw=1.0, ls=(0, (4, 3)), label="Exactly calibrated")
    colours = ["black", *COLOURS] if len(cases) > 1 else ["black"]
    lowest, highest = 0.0, 1.0
    for i, (label, r) in enumerate(cases.items()):
        used = np.isfinite(r.observed)
        places = decimals(r.ece_calibrated)
        stated = f"ECE {number(r.ece, places)}; by chance {number(r.ece_calibrated, places)}"
        text = f"{label}: {stated}" if label else stated
        colour = colours[i % len(colours)]
        bars = np.stack([r.observed - r.low, r.high - r.observed])[:, used]
        look: dict[str, Any] = {"fmt": "os^Dv"[i % 5], "color": colour, "ms": 5, "lw": 1.4}
        main.errorbar(r.predicted[used], r.observed[used], yerr=bars, label=text, **look)
        lowest = min(lowest, float(np.min(r.low[used], initial=0.0)))
        highest = max(highest, float(np.max(r.high[used], initial=1.0)))
        share = r.weight / (r.weight.sum() or 1.0)
        style_of = {"fill": True, "fc": "0.8", "ec": "black"} if len(cases) == 1 else {"color": colour, "lw": 1.5}
        lower.stairs(share, r.edges, **style_of)  # type: ignore[arg-type]
    main.set(ylabel="Observed fraction", xlim=(0.0, 1.0), ylim=(lowest - 0.02, highest + 0.18 + 0.07 * len(cases)))
    main.legend(loc="upper left")
    lower.set_ylabel("Share of weight", loc="center")
    lower.set(xlabel=xlabel, ylim=(min(0.0, *lower.get_ylim()), None))
    heading(main, style)
    figure.align_ylabels([main, lower])
    return figure


@drawing()
def training_history(
    histories: Mapping[str, Sequence["verax.learn.History"]],
    *,
    ylabel: str = "Weighted cross-entropy",
    style: Style = PLAIN,
) -> Figure:
    """Draw training and validation loss of every network; a dot marks the epoch that was kept.

    Parameters
    ----------
    histories : group ("fold 1") → one history per member; groups differ by colour

    Raises
    ------
    InputError : for no history
    """
    runs = [(i, h) for i, group in enumerate(histories.values()) for h in group]
    if not runs:
        raise InputError("training figure", "no history", "one or more")
    figure, axes = one_panel(6.6, 5.0)
    losses = []
    for i, history in runs:
        colour = COLOURS[i % len(COLOURS)]
        epochs = np.arange(1, history.train.size + 1)
        axes.plot(epochs, history.train, color=colour, lw=0.9, ls=(0, (4, 2)), alpha=0.75)
        axes.plot(epochs, history.validation, color=colour, lw=1.2)
        losses += [history.train, history.validation]
        kept = history.validation if np.isfinite(history.validation).any() else history.train
        if history.best >= 0:
            axes.plot(history.best + 1, kept[history.best], "o", color=colour, mec="black", mew=0.7, ms=5, zorder=4)
    values = np.concatenate(losses)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(np.quantile(values, 0.995))) if values.size else (0.0, 1.0)
    span = (high - low) or 1.0
    axes.set(xlim=(0.0, 1.03 * max(h.train.size for _, h in runs)), ylim=(low - 0.06 * span, high + 0.25 * span))
    handles = [
        Line2D([], [], color="0.2", lw=0.9, ls=(0, (4, 2)), label="Training"),
        Line2D([], [], color="0.2", lw=1.2, label="Validation"),
        Line2D([], [], color="0.2", marker="o", ls="", mec="black", ms=5, label="Kept epoch"),
    ]
    names = [
        Line2D([], [], color=COLOURS[i % len(COLOURS)], lw=3, label=style.name(n)) for i, n in enumerate(histories)
    ]
    if len(names) > 1:
        columns = -(-min(len(names), 15) // 5)
        axes.add_artist(axes.legend(handles=names[:15], loc="upper right", ncols=columns))
        axes.legend(handles=handles, loc="upper right", bbox_to_anchor=(1.0 - 0.2 * columns, 1.0))
    else:
        axes.legend(handles=handles, loc="upper right")
    axes.set(xlabel="Epoch", ylabel=ylabel)
    heading(axes, style)
    return figure
