"""The figure of expected uncertainties: each approach at each truth, beside the exact limit."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from verax.report import COLOURS, Style, canvas, drawing, heading

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
