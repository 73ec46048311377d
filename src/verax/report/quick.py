"""The same picture for less work: what matplotlib does once per tick, and again for each pass of the layout."""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis, YAxis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator


class MinorTicks(Artist):
    """All minor ticks on one side of an axis as one line of markers; matplotlib's own are five artists each.

    Parameters
    ----------
    axis : whose minor locator gives the places
    like : the mark of one such tick
    """

    def __init__(self, axis: Axis, like: Line2D) -> None:
        super().__init__()
        self.axis, self.vertical = axis, isinstance(axis, YAxis)
        self.side = float(np.ravel(like.get_data()[0 if self.vertical else 1])[0])  # 0 or 1, in units of the axes
        self.line = Line2D([], [])
        self.line.update_from(like)
        self.line.set_transform(like.get_transform())
        self.set_zorder(axis.get_zorder())
        self.set_in_layout(False)

    def draw(self, renderer: Any) -> None:
        """At the places that the axis has by now."""
        low, high = sorted(self.axis.get_view_interval())
        places = np.asarray(self.axis.get_minorticklocs())
        places = places[(places >= low) & (places <= high)]
        sides = np.full(places.size, self.side)
        self.line.set_data(*((sides, places) if self.vertical else (places, sides)))
        figure = self.axis.get_figure()
        assert figure is not None
        self.line.set_figure(figure)
        self.line.draw(renderer)


def quick(figure: Figure) -> None:
    """Make a finished figure cheaper to lay out and to draw; nothing that is seen changes."""
    for axes in figure.axes:
        _leave_out(axes)
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_visible() and not isinstance(axis.get_minor_locator(), NullLocator):
                _join_minor_ticks(axes, axis)


def _leave_out(axes: Axes) -> None:
    """What lies inside the axes needs no room of its own: frames whose ticks point inwards, and legends."""
    inwards = all(a.get_major_ticks(1)[0].get_tickdir() == "in" for a in (axes.xaxis, axes.yaxis))
    for spine in axes.spines.values():  # matplotlib updates all ticks to find how far they point outwards
        spine.set_in_layout(not inwards)
    legend = axes.get_legend()
    if legend is not None and legend.get_bbox_to_anchor() is axes.bbox:
        legend.set_in_layout(False)


def _join_minor_ticks(axes: Axes, axis: Axis) -> None:
    if any(axis.get_minor_formatter().format_ticks(list(axis.get_minorticklocs()))):
        return
    tick = axis.get_minor_ticks(1)[0]
    if tick.gridline.get_visible():
        return
    for mark in (tick.tick1line, tick.tick2line):
        if mark.get_visible():
            axes.add_artist(MinorTicks(axis, mark))
    names = ("left", "right") if isinstance(axis, YAxis) else ("bottom", "top")
    axis.set_tick_params("minor", **dict.fromkeys([*names, *(f"label{n}" for n in names)], False))
