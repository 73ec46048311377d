"""Output to the terminal: progress while a run works, and its result in short."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from verax.errors import InputError
from verax.report import Section, Table, drawing, footnote, number, to_rich
from verax.run import Progress, file_names, in_words, plain

if TYPE_CHECKING:
    from verax.pipeline import Measurement

SECONDS = 20.0
"""Between two lines of progress where there is no terminal."""

WIDEST = 300
"""Characters of a line that goes to a file."""


class Notes(Progress):
    """Notes alone, on standard error."""

    def note(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr)


class ProgressBars(Progress):
    """Progress as bars, on standard error; without a terminal there, a line for each stage, and now and then for a task."""

    def __init__(self, bars: Bars) -> None:
        self.bars, self.tasks, self.lock = bars, dict[str, TaskID](), Lock()
        self.said = time.monotonic()

    def stage(self, name: str, *, reused: bool) -> None:
        """Print a line for each stage; stages may go side by side."""
        with self.lock:
            for task in self.tasks.values():
                self.bars.remove_task(task)
            self.tasks.clear()
        self.bars.console.print(f"{name}: {'unchanged, kept' if reused else 'working'}", highlight=False, markup=False)

    def step(self, task: str, done: int, total: int | None, failed: int = 0) -> None:
        """Move the bar of a task, with the fraction that failed."""
        text = f"{task}, {number(100 * failed / done, 2)} % failed" if failed else task
        with self.lock:
            if task not in self.tasks:
                self.tasks[task] = self.bars.add_task(task, total=total)
            self.bars.update(self.tasks[task], completed=done, total=total, description=text)
            if not self.bars.console.is_terminal and time.monotonic() - self.said > SECONDS:
                self.said = time.monotonic()
                self.bars.console.print(
                    f"  {text}: {done}{f' of {total}' if total else ''}", highlight=False, markup=False
                )

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self.bars.console.print(text, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Show progress, or where ``quiet`` notes alone."""
    if quiet:
        yield Notes()
        return
    columns = (TextColumn("  {task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield ProgressBars(bars)


def show(measurement: "Measurement") -> None:
    """Show the result in short."""
    for table in measurement.tables:
        print_table(table, stderr=False)
    for line in measurement.first:
        Console(stderr=False).print(line, highlight=False, markup=False, soft_wrap=True)
    for line in measurement.warnings:
        Console(stderr=False).print(f"warning: {line}", highlight=False, markup=False, soft_wrap=True)


def print_table(table: Table, *, stderr: bool = True) -> None:
    """Print a table, as wide as the terminal, or at its own width to a file.

    On standard error, where standard output is for other content.
    """
    console, shown = Console(stderr=stderr), to_rich(table)
    if not console.is_terminal:
        console = Console(
            stderr=stderr, width=console.measure(shown, options=console.options.update(width=WIDEST)).maximum
        )
    console.print(shown)


def show_answer(answer: Section, *, as_json: bool, plot: Path | None) -> None:
    """Show an answer: tables or JSON on standard output, warnings on standard error, figures in files."""
    if as_json:
        content = {**answer.content, "warnings": [*answer.warnings]}
        is_unicode = "utf" in (getattr(sys.stdout, "encoding", None) or "").lower()
        print(json.dumps(in_words(plain(content)), sort_keys=True, ensure_ascii=not is_unicode))
    else:
        for table in answer.tables:
            print_table(table, stderr=False)
    for line in answer.warnings:
        print(line, file=sys.stderr)
    if plot is not None:
        for path in save_figures(answer, plot):
            print(f"figure: {path}", file=sys.stderr)


def save_figures(answer: Section, plot: Path) -> list[Path]:
    """Draw the figures of an answer: the pages of one PDF, or files, of several figures "plot_NAME.png".

    Raises
    ------
    InputError : for a figure where there is none to draw, or a place that cannot be written
    """
    if not answer.figures:
        raise InputError("--plot", "an answer without a figure", "something to draw", "ask for more, or leave it out")
    try:
        with drawing():
            if plot.suffix == ".pdf":
                from matplotlib.backends.backend_pdf import PdfPages

                with PdfPages(plot) as pages:
                    for _, draw in answer.figures.values():
                        pages.savefig(footnote(draw(), answer.warnings))
                return [plot]
            written, names = [], file_names(answer.figures)
            for label, (_, draw) in answer.figures.items():
                several = len(answer.figures) > 1
                written.append(plot.with_name(f"{plot.stem}_{names[label]}{plot.suffix}") if several else plot)
                footnote(draw(), answer.warnings).savefig(written[-1])
            return written
    except OSError as error:
        raise InputError("--plot", f"{error.strerror or error}", "a file that can be written") from error
