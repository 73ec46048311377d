"""Commands about published data sets and files of data. Imports the readers only when work begins."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from verax.data import Summary
    from verax.report import Table

app = typer.Typer(
    help="Published data sets: which there are, and files of them or of yours.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FILE = typer.Argument(metavar="FILE", help="CSV, Parquet or ROOT")


@app.command("list")
def listed() -> None:
    """Known data sets: DOI, licence, files, rows and columns."""
    from verax.data import CATALOGUE
    from verax.report import Table

    rows = [
        (name, s.doi, s.licence, str(len(s.files)), _count(s.rows), str(len(s.columns)), s.reader)
        for name, s in CATALOGUE.items()
    ]
    heads = ("Set", "DOI", "licence", "files", "rows", "columns", "reader")
    _show(Table("Published data sets", heads, tuple(rows), "None is shipped whole; columns: that are read."))


@app.command("describe")
def describe(
    what: Annotated[str, typer.Argument(metavar="SET|FILE", help="a known data set, or a file of yours")],
    tree: Annotated[str | None, typer.Option("--tree", metavar="NAME", help="of a ROOT file")] = None,
) -> None:
    """What a known data set is; or the columns of a file, each with its range and mean."""
    from verax.data import CATALOGUE, describe_file
    from verax.report import Table

    if what not in CATALOGUE:
        found = describe_file(what, tree=tree)
        rows = [(name, *_numbers(summary)) for name, summary in found.items()]
        note = "Columns of text, or of a list in each row, have no numbers."
        _show(Table(what, ("Column", "rows", "no number", "smallest", "mean", "largest"), tuple(rows), note))
        return
    known = CATALOGUE[what]
    files = "\n".join(f"  {file}: {_count(rows)} rows" for file, rows in known.files.items())
    print(f"{what}: {known.title}\nDOI {known.doi}, licence {known.licence}, sha256 unknown\n{files}")
    for label, total in known.sums.items():
        print(f"  sum of {known.weight}, {known.label} {label}: {total}")
    print(f"{known.about}\nEvents by {known.reader}.chunks(…, rows=…) or load(…)\ncolumns: {', '.join(known.columns)}")


@app.command("check")
def check(
    file: Annotated[str, FILE],
    name: Annotated[
        str | None, typer.Option("--set", metavar="NAME", help="of the data set (default: by its columns)")
    ] = None,
) -> None:
    """Does a file hold what was published: columns, rows, finite values, sums of weights?"""
    from verax.data import check_file
    from verax.errors import InputError
    from verax.report import Table

    name, checks = check_file(file, name)
    words = {True: "as published", False: "differs", None: "not known"}
    rows = tuple((c.what, c.found, c.expected, words[c.good]) for c in checks)
    _show(Table(f"{file}: {name}", ("What", "found", "published", "verdict"), rows))
    if wrong := [c for c in checks if c.good is False]:
        seen = "; ".join(f"{c.what}: {c.found}" for c in wrong)
        raise InputError(
            f"{file}, {name}", seen, ", ".join(c.expected for c in wrong), "a part of it, or another version?"
        )


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(metavar="SET", help="a known data set")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="FOLDER", help="for its files")] = "data",
) -> None:
    """Download a data set, where it has an address; else say how to get it."""
    from verax.data import fetch as download
    from verax.data import named

    from ._questions import folder_named

    known = named(name)
    print(f"{known.title}\nDOI {known.doi}, licence {known.licence}: https://doi.org/{known.doi}")
    download(name, folder_named(output))


def _show(table: "Table") -> None:
    from . import _terminal as console

    console.print_table(table, stderr=False)


def _numbers(summary: "Summary") -> tuple[str, ...]:
    """Rows, those without a number, and smallest, mean and largest of the others."""
    if not summary.rows:
        return ("–",) * 5
    values = (summary.low, summary.mean, summary.high) if summary.rows > summary.bad else ()
    shown = [f"{v:.6g}".replace("-", "−") for v in values] or ["–"] * 3
    return (f"{summary.rows:,}", f"{summary.bad:,}", *shown)


def _count(rows: int | None) -> str:
    return "unknown" if rows is None else f"{rows:,}"
