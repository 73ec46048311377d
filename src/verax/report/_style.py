"""The look of every figure: HEP style by mplhep, the heading of a paper's figure, and files with the same bytes.

Figures are made without pyplot, so there is no global state and nothing to close: a figure lives as long as it is held.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from verax.errors import InputError

if TYPE_CHECKING:  # half a second, for those who draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#5790fc", "#f89c20", "#964a8b", "#9c9ca1", "#7a21dd", "#92dadd", "#a96b59", "#e76300", "#b9ac70", "#717581")
"""Of the backgrounds: Petroff, arXiv:2107.02270, without the red, which is the signal's."""
SIGNAL = "#bd1f01"
UP, DOWN = "#bd1f01", "#3f90da"
ONE_SIGMA, TWO_SIGMA = "#85d1a5", "#ffe08a"
BAND = "#4d4d4d"
DPI = 150.0


LONGEST = 60
"""Characters of a name in a figure, which has to hold more."""
BRIEF = 28
"""The same of one that shares its line with other words."""


@dataclass(frozen=True)
class Style:
    """The origin of a figure, and how names are written.

    Parameters
    ----------
    experiment : in bold, over the left end of the axes
    text : beside it, in italics: "Simulation", "Open data, expected (Asimov)"
    conditions : over the right end: "20.3 fb⁻¹ (8 TeV)"
    names : how the name of a process, parameter, channel or group is written; mathtext ($…$) is allowed. A name
        without an entry is written as it is
    """

    experiment: str = "verax"
    text: str = ""
    conditions: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    def name(self, name: str, longest: int = LONGEST) -> str:
        """Write a name as it is shown, the ends of a long one; a dollar sign of its own does not start a formula."""
        if name in self.names:
            return maths(self.names[name])
        ends = name if len(name) <= longest else f"{name[: longest - 18]} … {name[-15:]}"
        return GREEK.get(name, ends.replace("$", r"\$"))

    def names_of(self, names: Sequence[str]) -> list[str]:
        """Write each of ``names``."""
        return [self.name(name) for name in names]


GREEK = {"mu": "μ"}
PLAIN = Style()
"""No experiment but verax, and names as they are."""


def rc() -> dict[str, Any]:
    """Give matplotlib's settings: mplhep's style at the size of a figure in a paper's column."""
    import mplhep

    own = {
        "font.family": ["TeX Gyre Heros", "DejaVu Sans"],  # by name, so that a saved figure does not depend on defaults
        "mathtext.fallback": "stixsans",
        "font.size": 13.0,
        "legend.fontsize": 11.0,
        "legend.labelspacing": 0.35,
        "legend.columnspacing": 1.4,
        "xtick.labelsize": 11.5,
        "ytick.labelsize": 11.5,
        "xtick.major.size": 7.0,
        "xtick.minor.size": 3.5,
        "ytick.major.size": 7.0,
        "ytick.minor.size": 3.5,
        "xtick.major.pad": 5.0,
        "axes.linewidth": 1.1,
        "axes.unicode_minus": True,
        "lines.linewidth": 1.6,
        "hatch.linewidth": 0.6,
        "figure.dpi": DPI,
        "svg.hashsalt": "verax",
    }
    return {**mplhep.style.ROOT, **own}


@contextmanager
def drawing() -> Iterator[None]:
    """Apply the settings while a figure is drawn or saved; they are put back afterwards."""
    import matplotlib

    with matplotlib.rc_context(cast(Any, rc())):  # recent stubs know every key by name, older ones do not
        yield


def canvas(width: float = 6.4, height: float = 5.2, **layout: Any) -> "Figure":
    """Make an empty figure, sizes in inches, whose parts make room for each other; ``layout`` is that of its engine."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(**{"w_pad": 0.08, "h_pad": 0.08, **layout})
    return figure


def one_panel(width: float, height: float) -> "tuple[Figure, Axes]":
    """Make a figure of a single pair of axes."""
    figure = canvas(width, height)
    return figure, figure.add_subplot()


def main_and_ratio(width: float, height: float, *, ratio: float = 0.4) -> "tuple[Figure, Axes, Axes]":
    """Make a figure of two axes, one above the other, that share the horizontal axis without a gap."""
    figure = canvas(width, height, h_pad=0.02, hspace=0.0, rect=(0.0, 0.012, 1.0, 0.976))
    grid = figure.add_gridspec(2, 1, height_ratios=[1.0, ratio], hspace=0.0)
    main = figure.add_subplot(grid[0])
    lower = figure.add_subplot(grid[1], sharex=main)
    main.tick_params(axis="x", labelbottom=False)
    return figure, main, lower


def heading(
    axes: "Axes", style: Style, *, channel: str = "", right: "Axes | None" = None, lift: float = 5.0, wide: bool = False
) -> None:
    """Write experiment and text over the left end, conditions over the right end (of ``right``, if given).

    ``lift`` is the distance from the axes in points, ``channel`` a last word of the text; ``wide`` starts at the left end
    of the figure, for axes that long labels make narrow.
    """
    start, units = (0.015, "figure fraction") if wide else (0.0, "axes fraction")
    corner, over = (start, 1.0), (units, "axes fraction")
    bold = axes.annotate(style.experiment, corner, (0.0, lift), over, "offset points", fontsize=15, fontweight="bold")
    text = " · ".join(part for part in (style.text, channel) if part)
    if text:
        look: dict[str, Any] = {"fontsize": 12, "fontstyle": "italic", "va": "bottom", "annotation_clip": False}
        axes.annotate(maths(text), (1.0, 0.0), (6.0, 0.8), bold, "offset points", **look)
    if style.conditions:
        (right or axes).annotate(
            maths(style.conditions), (1.0, 1.0), (0.0, lift), "axes fraction", "offset points", fontsize=12, ha="right"
        )


def footnote(figure: "Figure", lines: Sequence[str]) -> "Figure":
    """Write lines below all axes of a figure, which make room for them; returns it.

    >>> import matplotlib.figure
    >>> footnote(matplotlib.figure.Figure(), []).get_supxlabel()
    ''
    """
    import textwrap

    if lines:
        width = int(15 * figure.get_size_inches()[0])
        text = "\n".join(textwrap.fill(line, width, subsequent_indent="   ") for line in lines)
        shown = text.replace("$", r"\$")
        figure.supxlabel(shown, x=0.01, ha="left", fontsize=8.5, color=SIGNAL, linespacing=1.3)
    return figure


def beside_line(axes: "Axes", height: float, text: str, *, away: float, **look: Any) -> None:
    """Write a text over the right end of a horizontal line, ``away`` points from the edge of the axes."""
    place, units = (1.0, height), ("axes fraction", "data")
    axes.annotate(text, place, (-away, 3), units, "offset points", fontsize=11, ha="right", **look)


def maths(text: str) -> str:
    """Write a raised "⁻¹" as a formula, because the fonts of HEP style have no raised minus."""
    return text.replace("⁻¹", "$^{-1}$")


def check_formula(text: str, where: str) -> None:
    """Refuse a label whose formula ($…$) cannot be drawn, before any work is done for the figure.

    Parameters
    ----------
    text : the label
    where : it stands, for the message

    Raises
    ------
    InputError : with what is not understood
    """
    if text.replace(r"\$", "").count("$") < 2:
        return
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(text)
    except ValueError as error:
        seen = f"'{text}' ({str(error).strip().splitlines()[-1]})"
        raise InputError(where, seen, "a formula of mathtext between dollar signs", r"\$ is a dollar sign") from error


def save(figure: "Figure", folder: Path, name: str) -> tuple[Path, Path]:
    """Write ``name.pdf`` and ``name.png`` to an existing folder; equal figures give equal bytes (no dates in them).

    Returns the two paths.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    pdf, png = folder / f"{name}.pdf", folder / f"{name}.png"
    with drawing():
        # Each canvas draws once; Figure.savefig would draw twice, and make the layout anew for each file.
        FigureCanvasAgg(figure).print_png(png, metadata={"Software": None})  # type: ignore[no-untyped-call]
        figure.set_layout_engine("none")
        FigureCanvasPdf(figure).print_pdf(pdf, metadata={"CreationDate": None})  # type: ignore[no-untyped-call]
        figure.set_dpi(DPI)
    return pdf, png
