"""The figure of distributions: the summary of each approach, at nominal and shifted truths."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from verax.report import COLOURS, SIGNAL, Style, canvas, drawing, heading

from ._approach_cases import Case
from ._approach_trial import Sensitivity
from ._comparison import Trial, rows_of, select


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
