"""The report: one HTML page that holds all it shows, and needs nothing else."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2

from verax.errors import InputError

from ._show import to_html
from .tables import Table


@dataclass(frozen=True)
class Section:
    """A part of the report; it shows its text, warnings, tables and figures, in this order.

    Parameters
    ----------
    title : also its line in the table of contents
    text : paragraphs, separated by empty lines; plain text, escaped
    figures : PNG files, embedded, each with its caption
    tables : as built by :mod:`verax.report.tables`
    warnings : one line each, set off from the text
    """

    title: str
    text: str = ""
    figures: Sequence[tuple[Path, str]] = ()
    tables: Sequence[Table] = ()
    warnings: Sequence[str] = ()


def render(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """The page as text.

    Parameters
    ----------
    title : of the page
    lead : the first lines that a reader sees, the result first; what is expected or blinded belongs here
    sections : in order

    Raises
    ------
    InputError : for a figure that cannot be read
    """
    source = resources.files("verax.report").joinpath("template.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "embed": embed,
        "table": to_html,
        "paragraphs": paragraphs,
    }
    return environment.from_string(source).render(title=title, lead=list(lead), sections=list(sections))


def embed(path: Path) -> str:
    """The figure as a ``data:`` address."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), error.strerror or "an unreadable file", "a PNG figure") from error
    return "data:image/png;base64," + base64.b64encode(content).decode()


def paragraphs(text: str) -> list[str]:
    r"""The paragraphs of a text.

    >>> paragraphs("One line\nand its end.\n\nAnother.")
    ['One line\nand its end.', 'Another.']
    """
    return [part.strip() for part in text.split("\n\n") if part.strip()]
