"""A section: the form in which every result is presented, on a page, in a terminal and as JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from .tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw: TypeAlias = Callable[[], "Figure"]
"""How to draw a figure, when it is needed."""


@dataclass(frozen=True)
class Section:
    """A result to present; a page shows its text, warnings, tables and figures, in this order.

    Parameters
    ----------
    title : also its line in the table of contents
    text : paragraphs, separated by empty lines; plain text, escaped
    figures : label (a name, or a tuple of names) → caption, and how to draw it; files are named after the label
    tables : as built by :mod:`verax.report.tables`
    content : the same as plain values and results, for JSON
    warnings : one line each, set off from the text
    unmet : what was asked to hold and does not, in a line; the command line then ends with 1
    """

    title: str
    text: str = ""
    figures: Mapping[Any, tuple[str, Draw]] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    unmet: str = ""
