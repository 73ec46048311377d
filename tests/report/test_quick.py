"""Saved figures look as matplotlib alone would draw them, and cost less."""

from pathlib import Path

import fakes
import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from test_figures import FIGURES

from verax.report import plots
from verax.report.quick import MinorTicks, quick
from verax.report.style import canvas, drawing


def pixels(figure: Figure) -> np.ndarray:
    with drawing():
        drawn = FigureCanvasAgg(figure)
        drawn.draw()
        return np.asarray(drawn.buffer_rgba())[..., :3].astype(int)


@pytest.mark.parametrize("name", ["score", "score linear", "scan", "ranking", "correlation", "coverage", "training"])
def test_nothing_seen_changes(name: str) -> None:
    plain, fast = FIGURES[name](), FIGURES[name]()
    quick(fast)
    difference = abs(pixels(plain) - pixels(fast)).max(axis=-1)
    # The order of two marks on the edge of the frame may differ: a shade of grey in a line of one pixel.
    assert difference.max() <= 40
    assert (difference > 0).mean() < 1e-4


def test_most_ticks_are_never_made() -> None:
    figure = FIGURES["scan"]()
    quick(figure)
    pixels(figure)
    axes = figure.axes[0]
    assert len([a for a in axes.get_children() if isinstance(a, MinorTicks)]) == 4
    assert len(axes.xaxis.minorTicks) + len(axes.yaxis.minorTicks) <= 2
    quick(figure)
    assert len([a for a in axes.get_children() if isinstance(a, MinorTicks)]) == 4


def test_minor_ticks_with_labels_or_a_grid_stay() -> None:
    with drawing():
        figure = canvas()
        axes = figure.add_subplot()
        axes.set_yscale("log")
        axes.set_ylim(1.1, 8.0)  # less than a decade: labels at 2, 3, 4 …
        axes.grid(True, axis="x", which="minor")
        quick(figure)
        assert not [a for a in axes.get_children() if isinstance(a, MinorTicks)]


def test_ticks_that_point_outwards_keep_their_room() -> None:
    with drawing(), matplotlib.rc_context({"xtick.direction": "out", "ytick.direction": "out"}):
        figure = canvas()
        axes = figure.add_subplot()
        axes.tick_params(labelleft=False, labelbottom=False)
        quick(figure)
        assert all(spine.get_in_layout() for spine in axes.spines.values())


def test_a_figure_saved_twice_is_the_same_file(tmp_path: Path) -> None:
    figure = plots.scan({"Total": fakes.scan()}, interval=fakes.interval())
    first = [p.read_bytes() for p in plots.save(figure, tmp_path, "a")]
    assert [p.read_bytes() for p in plots.save(figure, tmp_path, "b")] == first
