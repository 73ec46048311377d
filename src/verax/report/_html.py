"""A page: one HTML file that needs no other, and its figures beside it."""

import base64
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from verax.errors import InputError
from verax.run import Label, file_names

from ._section import Section
from ._show import to_html
from ._style import save

if TYPE_CHECKING:
    from verax.run import Progress


def write_page(
    folder: Path,
    file: str,
    title: str,
    lead: Sequence[str],
    sections: Sequence[Section],
    *,
    progress: "Progress | None" = None,
) -> None:
    """Draw the figures of a page, one at a time, and write it.

    Parameters
    ----------
    folder : an existing one; figures go to its new folder ``figures``, as PDF and PNG
    file : name of the page in it
    title, lead, sections : as in :func:`render`
    progress : notified of each section

    Raises
    ------
    InputError : for two figures with one label
    """
    labels = [label for section in sections for label in section.figures]
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise InputError(f"page '{title}'", f"two figures {twice!r}", "a label of its own for each figure")
    figures, names, images = folder / "figures", file_names(labels), dict[Label, Path]()
    if labels:
        figures.mkdir()
    for i, section in enumerate(sections):
        for label, (_, draw) in section.figures.items():
            _, images[label] = save(draw(), figures, names[label])
        if progress is not None:
            progress.step("sections", i + 1, len(sections))
    (folder / file).write_text(render(title, lead, sections, images), encoding="utf-8")


def render(title: str, lead: Sequence[str], sections: Sequence[Section], images: Mapping[Label, Path]) -> str:
    """Lay out a page as text.

    Parameters
    ----------
    title : of the page
    lead : the first lines that a reader sees, the result first; what is expected or blinded belongs here
    sections : in order
    images : PNG file of each figure, by its label; embedded

    Raises
    ------
    InputError : for a figure that cannot be read
    """
    source = resources.files("verax.report").joinpath("template.html").read_text(encoding="utf-8")
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"embed": embed, "table": to_html, "paragraphs": paragraphs}
    return environment.from_string(source).render(title=title, lead=lead, sections=sections, images=images)


def embed(path: Path) -> str:
    """Encode a figure as a ``data:`` address."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), error.strerror or "an unreadable file", "a PNG figure") from error
    return "data:image/png;base64," + base64.b64encode(content).decode()


def paragraphs(text: str) -> list[str]:
    r"""Split a text into paragraphs.

    >>> paragraphs("One line\nand its end.\n\nAnother.")
    ['One line\nand its end.', 'Another.']
    """
    return [part.strip() for part in text.split("\n\n") if part.strip()]
