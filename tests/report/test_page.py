"""The HTML page: self-contained, escaped, well-formed."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import fakes
from verax.errors import InputError
from verax.report import Section, tables, write_page
from verax.report._html import render

VOID = {"meta", "img", "link", "br", "hr"}


class Checker(HTMLParser):
    """Collects links and anchors, and raises where tags do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.links += [v for k, v in attrs if k in ("href", "src") and v]
        self.ids += [v for k, v in attrs if k == "id" and v]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "figure.png"
    path.write_bytes(b"\x89PNG-not-really")
    return path


def page(png: Path) -> str:
    sections = [
        Section(
            "Result", "First & last.\n\nSecond.", {"a": ("A <caption>", Figure)}, (tables.breakdown(fakes.breakdown()),)
        ),
        Section("Warnings", warnings=("bin 3 <empty>", "one-sided")),
    ]
    return render("H → ττ <title>", ["μ = 1.00 ± 0.25 <expected>", "No collisions."], sections, {"a": png})


def test_the_page_needs_nothing_else(png: Path) -> None:
    checker = Checker()
    checker.feed(page(png))
    assert checker.open == []
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in checker.links)
    assert (
        {link[1:] for link in checker.links if link.startswith("#")} == set(checker.ids) == {"section-1", "section-2"}
    )
    assert not re.search(r"https?://|@import|url\(", page(png))


def test_figures_are_embedded_byte_for_byte(png: Path) -> None:
    coded = re.search(r"data:image/png;base64,([^\"]+)", page(png))
    assert coded
    assert base64.b64decode(coded[1]) == png.read_bytes()


def test_everything_given_is_escaped(png: Path) -> None:
    text = page(png)
    for tag in ("<expected>", "<caption>A", "<empty>"):
        assert tag not in text
    for said in (
        "H → ττ &lt;title&gt;",
        "&lt;expected&gt;",
        "A &lt;caption&gt;",
        "bin 3 &lt;empty&gt;",
        "First &amp; last.",
    ):
        assert said in text
    assert text.count("<p>") >= 4


def test_the_lead_comes_first_and_warnings_are_counted(png: Path) -> None:
    text = page(png)
    assert text.index("μ = 1.00 ± 0.25") < text.index("No collisions.") < text.index("<h2>Result")
    assert "2 warnings" in text


def test_equal_input_gives_equal_bytes(png: Path) -> None:
    assert page(png) == page(png)


def test_a_missing_figure_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png"):
        render("t", [], [Section("s", figures={"a": ("", Figure)})], {"a": tmp_path / "gone.png"})


def test_a_page_is_written_with_its_figures_drawn_one_at_a_time(tmp_path: Path) -> None:
    drawn: list[Figure] = []

    def draw() -> Figure:
        assert len(list(tmp_path.glob("figures/*.png"))) == len(drawn)
        drawn.append(Figure())
        return drawn[-1]

    sections = [Section("One", figures={"mu": ("", draw)}), Section("Two", figures={("mu", "SR/1"): ("", draw)})]
    write_page(tmp_path, "page.html", "t", [], sections)
    files = {p.name for p in (tmp_path / "figures").iterdir()}
    assert files == {"mu.pdf", "mu.png", "mu_SR-1.pdf", "mu_SR-1.png"}
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count("data:image/png") == len(drawn) == 2


def test_two_figures_of_one_label_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two figures 'mu'"):
        write_page(tmp_path, "page.html", "t", [], [Section(s, figures={"mu": ("", Figure)}) for s in "ab"])
