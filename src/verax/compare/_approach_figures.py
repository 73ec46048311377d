"""Figures of a comparison of approaches: expected uncertainties, and the summary's distributions.

Uncertainties are those of each approach at each truth, beside the exact limit; distributions are of the summary of each
approach, at nominal and shifted truths.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from verax.report import COLOURS, SIGNAL, Style, canvas, drawing, heading

from ._approach_cases import Case, Limits
from ._approach_trial import Sensitivity
from ._comparison import Trial, rows_of, select
from ._published import PUBLISHED, TOTAL

MANY = 6
"""Truths whose names no longer fit side by side."""


@drawing()
def uncertainty(trials: Sequence[Trial[Sensitivity]], case: Case, known: Limits, *, style: Style) -> Figure:
    """Draw σ of each approach at each truth: a point a seed, a bar at the median, the exact limit, published figures."""
    labels, tried = list(case.truths), rows_of(trials)
    many = len(labels) > MANY
    figure = canvas(9.6 if many else max(6.4, 2.2 + 1.35 * len(labels)), 5.4 if many else 5.0)
    axes = figure.subplots()
    offsets = np.linspace(-0.3, 0.3, len(tried)) if len(tried) > 1 else np.zeros(1)
    top = 0.0
    for k, name in enumerate(tried):
        for x, label in enumerate(labels):
            values = [t.result.total[label] for t in select(trials, case.name, name)]
            if not values:
                continue
            top = max(top, *values)
            axes.plot([x + offsets[k]] * len(values), values, "o", ms=3.5, color=COLOURS[k], alpha=0.6, mew=0)
            axes.hlines(np.median(values), x + offsets[k] - 0.07, x + offsets[k] + 0.07, color=COLOURS[k], lw=2.5)
            if x == 0 and (paper := PUBLISHED.get((case.name, name, TOTAL))):
                axes.plot(x + offsets[k], paper.value, "D", ms=6, mfc="none", mec=COLOURS[k], mew=1.3)
                top = max(top, paper.value)
    for x, label in enumerate(labels):
        if (value := known.exact.get(label)) is not None:
            axes.hlines(value, x - 0.45, x + 0.45, color="black", lw=1.2, ls=(0, (4, 2)))
    handles = [Line2D([], [], color=COLOURS[k], lw=2.5, marker="o", ms=4, label=n) for k, n in enumerate(tried)]
    if any(v is not None for v in known.exact.values()):
        handles.append(Line2D([], [], color="black", lw=1.2, ls=(0, (4, 2)), label="exact limit"))
    if any((case.name, name, TOTAL) in PUBLISHED for name in tried):
        handles.append(Line2D([], [], ls="", marker="D", mfc="none", mec="0.2", label="published"))
    axes.legend(handles=handles, ncols=3, loc="upper left")
    axes.set(xlim=(-0.6, len(labels) - 0.4), ylim=(0, 1.38 * top))
    axes.set_xticks(range(len(labels)), labels, rotation=40 if many else 0, ha="right" if many else "center")
    axes.tick_params(axis="x", which="minor", bottom=False, top=False)
    axes.set(xlabel="Truth", ylabel=f"Expected σ [{case.unit}]")
    heading(axes, style, channel=case.name)
    return figure


@drawing()
def distributions(trials: Sequence[Trial[Sensitivity]], case: Case, *, style: Style) -> Figure:
    """Draw the summary's distributions, signal and background, and what two shifts do to them; first seed of each approach.

    A summary that only sorts into bins has them in order of purity.
    """
    tried = rows_of(trials)
    across = min(len(tried), 3)
    down = -(-len(tried) // across)
    figure = canvas(3.9 * across + 0.8, 4.9 * down)
    grid = figure.subplots(
        2 * down, across, squeeze=False, sharex=False, sharey="row", gridspec_kw={"height_ratios": [3, 1.3] * down}
    )
    signal = np.isin(case.problem.processes, case.problem.signal)
    kinds = (("signal", signal, SIGNAL), ("background", ~signal, COLOURS[0]))
    dashes = ("-", (0, (4, 2)), (0, (1, 1)))
    shown = list(case.truths)[:3]
    for i, name in enumerate(tried):
        axes, below = grid[2 * (i // across), i % across], grid[2 * (i // across) + 1, i % across]
        trial = select(trials, case.name, name)[0]
        histograms = {label: np.asarray(trial.result.histograms[label]) for label in shown}
        nominal = histograms[shown[0]]
        order = np.arange(nominal.shape[1])
        if not trial.result.auc:
            order = np.argsort(nominal[signal].sum(axis=0) / nominal.sum(axis=0).clip(1e-300))
        for _, mask, colour in kinds:
            share = {label: h[mask].sum(axis=0)[order] / h[mask].sum() for label, h in histograms.items()}
            for dash, (label, y) in zip(dashes, share.items(), strict=False):
                axes.stairs(y, color=colour, ls=dash, lw=1.5)
                if label != shown[0]:
                    with np.errstate(all="ignore"):
                        below.stairs(y / share[shown[0]], color=colour, ls=dash, lw=1.5, baseline=None)
        axes.text(0.96, 0.95, name, transform=axes.transAxes, ha="right", va="top", fontsize=13)
        axes.set_yscale("log")
        axes.tick_params(labelbottom=False)
        below.axhline(1, color="0.5", lw=0.8)
        below.set_xlabel("Bin of the summary" if trial.result.auc else "Bin, in order of purity")
        for each in (axes, below):
            each.set_xlim(0, len(order))
    for row in range(down):
        low, high = grid[2 * row, 0].get_ylim()
        grid[2 * row, 0].set(ylabel="Share of events", ylim=(max(low, 1e-4), high * 8))
        grid[2 * row + 1, 0].set(ylabel="Shifted / nominal", ylim=(0.8, 1.2))
    for empty in range(len(tried), across * down):
        for each in grid[2 * (empty // across) : 2 * (empty // across) + 2, empty % across]:
            each.set_axis_off()
    handles = [Line2D([], [], color=c, lw=1.5, label=n) for n, _, c in kinds]
    handles += [Line2D([], [], color="0.3", ls=d, lw=1.5, label=n) for d, n in zip(dashes, shown, strict=False)]
    grid[0, 0].legend(handles=handles, loc="upper left", fontsize=11, ncols=2)
    heading(grid[0, 0], style, channel=case.name)
    return figure
