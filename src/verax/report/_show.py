"""A table in a terminal, in HTML, in Markdown or in LaTeX."""

import re
from html import escape

import rich.table
import rich.text

from .tables import Table


def to_rich(table: Table) -> rich.table.Table:
    """Render a table for the terminal."""
    title = rich.text.Text(table.title, "table.title") if table.title else None
    note = rich.text.Text(table.note, "table.caption") if table.note else None
    shown = rich.table.Table(title=title, caption=note, caption_justify="left")
    for i, column in enumerate(table.columns):
        shown.add_column(
            rich.text.Text(column),
            justify="left" if i == 0 or _is_text(table, i) else "right",
            no_wrap=bool(i == 0 and table.depth),
            overflow="fold",
        )
    for row, depth in zip(table.rows, table.indents, strict=True):
        shown.add_row(*(rich.text.Text("  " * depth * (i == 0) + cell) for i, cell in enumerate(row)))
    return shown


def to_markdown(table: Table) -> str:
    """Render GitHub-flavoured Markdown, without the title."""
    lines = [list(table.columns), [":--" if i == 0 or _is_text(table, i) else "--:" for i in range(len(table.columns))]]
    for row, depth in zip(table.rows, table.indents, strict=True):
        lines.append(["\N{EM SPACE}" * depth + row[0].replace("|", r"\|"), *(c.replace("|", r"\|") for c in row[1:])])
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\n{table.note}\n" if table.note else f"{text}\n"


def to_html(table: Table) -> str:
    """Render an HTML ``<table>``; every cell is escaped, nesting is the class ``depth-N`` of the row."""
    tag = [' class="text"' if i == 0 or _is_text(table, i) else "" for i in range(len(table.columns))]
    head = "".join(f"<th{t}>{escape(c)}</th>" for t, c in zip(tag, table.columns, strict=True))
    body = "\n".join(
        f'<tr class="depth-{depth}">'
        + "".join(f"<td{t}>{escape(c)}</td>" for t, c in zip(tag, row, strict=True))
        + "</tr>"
        for row, depth in zip(table.rows, table.indents, strict=True)
    )
    note = f'\n<p class="note">{escape(table.note)}</p>' if table.note else ""
    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>{note}"


TEX = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}"}
TEX |= {"^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "±": r"$\pm$", "−": "$-$", "∞": r"$\infty$", "–": "--"}
TEX |= {"\N{THIN SPACE}": r"\,", "μ": r"$\mu$", "σ": r"$\sigma$", "θ": r"$\theta$", "γ": r"$\gamma$"}


def to_latex(table: Table) -> str:
    """Render a ``tabular`` with booktabs rules."""

    def tex(text: str) -> str:
        return re.sub(".", lambda m: TEX.get(m[0], m[0]), text)

    layout = "".join("l" if i == 0 or _is_text(table, i) else "r" for i in range(len(table.columns)))
    lines = [rf"\begin{{tabular}}{{{layout}}}", r"\toprule", " & ".join(map(tex, table.columns)) + r" \\", r"\midrule"]
    for row, depth in zip(table.rows, table.indents, strict=True):
        lines.append(r"\quad " * depth + " & ".join(map(tex, row)) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _is_text(table: Table, column: int) -> bool:
    """Find whether a column is text, set flush left: some cell has four letters in a row and no digit."""
    return any(re.search(r"[A-Za-z]{4}", row[column]) and not re.search(r"\d", row[column]) for row in table.rows)
