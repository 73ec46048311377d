"""Figure of an audit: one line a check, with a colour for how bad it is."""

import textwrap
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from verax.errors import InputError, check_known

from ._style import COLOURS, PLAIN, SIGNAL, Style, canvas, drawing, heading

LOOK = {
    "failure": (SIGNAL, "white"),
    "warning": (COLOURS[1], "black"),
    "note": (COLOURS[0], "white"),
    "not made": ("#ffffff", "black"),
    "ok": ("#85d1a5", "black"),
}
"""Colour of the box and of the word in it."""

WIDTH = 108
"""Characters of a line."""


@drawing()
def verdicts(lines: Sequence[tuple[str, str, Sequence[str]]], *, title: str = "", style: Style = PLAIN) -> Figure:
    """Draw a page of verdicts.

    Parameters
    ----------
    lines : severity ("failure", "warning", "note", "not made" or "ok"), name of the check, and sentences on what it found
    title : beside the experiment

    Raises
    ------
    InputError : for none, or another severity
    """
    if not lines:
        raise InputError("verdicts figure", "no verdict", "one or more")
    check_known([severity for severity, _, _ in lines], LOOK, "verdicts figure", "severity")
    texts = [[part for text in found for part in textwrap.wrap(text, WIDTH)] for _, _, found in lines]
    total = sum(len(t) for t in texts) + 0.7 * len(texts)
    figure = canvas(10.2, 0.75 + 0.185 * total)
    axes = figure.add_subplot()
    axes.set(xlim=(0, 1), ylim=(total, 0))
    axes.set_axis_off()
    top = 0.0
    for (severity, name, _), text in zip(lines, texts, strict=True):
        height = len(text) + 0.7
        colour, ink = LOOK[severity]
        corner, shape = (0.003, top + 0.2), "round,pad=0,rounding_size=0.004"
        box = FancyBboxPatch(corner, 0.088, height - 0.4, shape, mutation_aspect=total, fc=colour, ec="0.4", lw=0.6)
        axes.add_patch(box)
        middle = top + height / 2
        axes.text(0.047, middle, severity, ha="center", va="center", fontsize=9, color=ink)
        axes.text(0.105, middle, name.replace("$", r"\$"), va="center", fontsize=10, fontweight="bold")
        shown = "\n".join(text).replace("$", r"\$")
        axes.text(0.335, middle, shown, va="center", fontsize=9, linespacing=1.25)
        top += height
        axes.axhline(top, color="0.85", lw=0.6)
    heading(axes, Style(style.experiment, style.text or title, style.conditions, style.names), lift=6.0)
    return figure
