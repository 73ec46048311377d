"""Tables: numbers as a paper prints them, rows as the talk nests them."""

import io
import math

import numpy as np
import pytest
from rich.console import Console

import fakes
from verax.errors import InputError
from verax.infer import Breakdown, Row
from verax.report import Table, number, tables, to_rich, with_ends, with_error
from verax.report._show import to_html, to_latex, to_markdown
from verax.results import Coverage, Interval, decimals

NASTY = Table("A <b>", ("Name", "x & y"), (("a_1 | <script>", "1.0 ± 0.2"), ("b", "−5 %")), "100 % <i>", (0, 1))


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.00421, 0.2541, "1.00 ± 0.25"),
        (1.00421, 0.0996, "1.00 ± 0.10"),
        (-0.0004, 0.012, "0.000 ± 0.012"),
        (123.4, 31.0, "123 ± 31"),
        (5.0, 0.0, "5.00 ± 0.00"),
        (math.nan, 0.1, "– ± 0.10"),
        (0.5, math.nan, "0.500"),
    ],
)
def test_values_are_rounded_to_their_error(value: float, error: float, text: str) -> None:
    assert with_error(value, error) == text


def test_numbers() -> None:
    assert number(-0.0001, 2) == "0.00"
    assert number(-1.5, 1) == "−1.5"
    assert number(math.inf, 2) == "∞"
    assert number(1234567.0, 0) == "1\N{THIN SPACE}234\N{THIN SPACE}567"
    assert [decimals(e) for e in (0.0949, 0.0951, 0.0999, 9.99, 0.0)] == [3, 3, 2, 0, 2]


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0.757, 1.271, "1.00 +0.27 −0.24"), (0.75, 1.25, "1.00 ± 0.25"), (math.nan, 1.25, "1.00 +0.25 −–")],
)
def test_intervals(low: float, high: float, text: str) -> None:
    interval = Interval("mu", 0.68, np.asarray(1.0), np.asarray(low), np.asarray(high), np.asarray(0))
    assert with_ends(interval) == text


def test_breakdown_is_nested_as_in_the_talk() -> None:
    table = tables.breakdown(fakes.breakdown())
    assert table.columns == ("Source", "Shifted observables", "Up / down")
    assert [row[0] for row in table.rows[:5]] == [
        "total", "statistical", "data statistics only", "floating normalisations", "systematics"
    ]  # fmt: skip
    assert table.depth[:5] == (0, 1, 2, 2, 1)
    assert table.rows[0] == ("total", "0.257", "+0.270 / −0.244")
    assert table.rows[7][1] == "0.012"
    assert "quadrature" in table.note


def test_breakdown_by_two_definitions_side_by_side() -> None:
    frozen = fakes.breakdown("freeze", 0.9)
    less = Breakdown("mu", "freeze", tuple(r for r in frozen.rows if r.name != "leptons"))
    table = tables.breakdown(fakes.breakdown(), less)
    assert table.columns == ("Source", "Shifted observables", "Up / down", "Group frozen", "Up / down")
    rows = {row[0]: row for row in table.rows}
    assert rows["jets"][1::2] == ("0.061", "0.055")
    assert rows["leptons"][3:] == ("–", "–")
    assert "simulation statistics: refit came out wider." in table.note
    assert "do not add in quadrature" in table.note


def test_breakdown_rows_of_equal_name_in_different_branches_stay_apart() -> None:
    def made(method: str, jets: tuple[float, float]) -> Breakdown:
        rows = [("total", 0, 1.0), ("theory", 1, 0.5), ("jets", 2, jets[0]), ("detector", 1, 0.4), ("jets", 2, jets[1])]
        return Breakdown("mu", method, tuple(Row(n, d, v, math.nan, math.nan) for n, d, v in rows))

    table = tables.breakdown(made("shifted-observables", (0.3, 0.2)), made("freeze", (0.31, 0.21)))
    assert table.rows[2] == ("jets", "0.30", "0.31")
    assert table.rows[4] == ("jets", "0.20", "0.21")


def test_breakdowns_of_different_parameters_are_refused() -> None:
    with pytest.raises(InputError, match="one parameter"):
        tables.breakdown(fakes.breakdown(), Breakdown("nu", "freeze", fakes.breakdown().rows))


def test_yields() -> None:
    both = {
        "Pre-fit": (np.array([120.4, 15.0]), np.array([12.0, 1.5])),
        "Post-fit": (np.array([118.0, 15.2]), np.ones(2)),
    }
    table = tables.yields(("z", "h"), both, {"Pre-fit": (135.4, 12.3), "Post-fit": (133.2, 1.1)}, data=133)
    assert table.rows == (
        ("z", "120 ± 12", "118.0 ± 1.0"),
        ("h", "15.0 ± 1.5", "15.2 ± 1.0"),
        ("Total", "135 ± 12", "133.2 ± 1.1"),
        ("Data", "133", "133"),
    )


def test_parameters() -> None:
    rows = dict(tables.parameters(fakes.fit()).rows)
    assert rows["mu"].startswith("1.00 ± ")
    assert "fixed" in rows["jes"]
    assert len(rows) == len(fakes.fit().names)


def test_parameters_with_pulls_say_from_where() -> None:
    """θ̂ = 0.14 with a pull of −0.54: the global observable of a pseudo-experiment is not nominal."""
    table = tables.parameters(fakes.fit(), {"jes": (-0.54, 0.8)})
    assert table.columns == ("Parameter", "Value", "Pull")
    shown = {name: pull for name, _, pull in table.rows}
    assert shown["jes"] == "−0.54 ± 0.80"
    assert shown["mu"] == tables.MISSING
    assert "a is the observed global observable" in table.note


def test_coverage() -> None:
    table = tables.coverage(fakes.coverage())
    assert table.rows[1] == ("μ = 0", "0.6733 ± 0.0074", "0.683", "−1.3", "0.4710 ± 0.0020", "3988", "12 (0.30 %)")
    assert table.rows[0][-1] == "0"
    nan = math.nan
    assert tables.coverage({"x": Coverage(0.68, nan, nan, nan, nan, 0, 9)}).rows[0][1:] == (
        "–", "0.680", "–", "–", "0", "9 (100.0 %)"
    )  # fmt: skip


def test_rows_must_fit_the_columns() -> None:
    with pytest.raises(InputError, match="3 cells"):
        Table("t", ("a", "b"), (("1", "2", "3"),))
    with pytest.raises(InputError, match="depths"):
        Table("t", ("a",), (("1",),), depth=(0, 1))


def test_html_is_escaped() -> None:
    text = to_html(NASTY)
    assert "<script>" not in text
    assert "a_1 | &lt;script&gt;" in text
    assert "<caption>A &lt;b&gt;</caption>" in text
    assert "100 % &lt;i&gt;" in text
    assert 'class="depth-1"' in text


def test_markdown_and_latex() -> None:
    assert to_markdown(NASTY).splitlines()[2] == r"| a_1 \| <script> | 1.0 ± 0.2 |"
    lines = to_latex(NASTY).splitlines()
    assert lines[0] == r"\begin{tabular}{lr}"
    assert lines[2] == r"Name & x \& y \\"
    assert lines[4] == r"a\_1 | <script> & 1.0 $\pm$ 0.2 \\"
    assert lines[5] == r"\quad b & $-$5 \% \\"


def test_the_terminal_shows_every_cell() -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(to_rich(tables.breakdown(fakes.breakdown(), fakes.breakdown("freeze"))))
    said = out.getvalue()
    assert "    floating normalisations" in said
    assert "0.103" in said
    Console(file=out, width=120).print(to_rich(Table("[red]", ("[bold]",), (("[x]",),))))  # no markup
    assert "[x]" in out.getvalue()


def test_words_of_the_user_are_no_markup() -> None:
    table = Table("A [red]title[/red] and [/b]", ("[bold]What",), (("[/i]" + "-" * 60,),), "a note [/x]")
    console = Console(width=100, file=io.StringIO())
    console.print(to_rich(table))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(text in shown for text in (table.title, *table.columns, "[/i]", table.note))
