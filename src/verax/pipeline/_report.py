"""The stage `report`: page, figures, results and workspace."""

from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from verax.analysis import Learning, Wording
from verax.report import tables, write_page
from verax.results import Brief, Interval, Shown
from verax.run import Run, write_json

from ._results_json import outcome
from ._story import TITLES, Story


@dataclass(frozen=True, repr=False)
class Measurement(Brief):
    """The result of a run: for each data set, the interval of the parameter of interest, and the tables of the report."""

    name: str
    intervals: dict[str, Interval]
    tables: tuple[tables.Table, ...]
    warnings: tuple[str, ...]
    first: tuple[str, ...] = ()
    """Lines that must be read with the number."""

    def _shown(self) -> Shown:
        rows = [(kind, repr(found)) for kind, found in self.intervals.items()]
        return f"Measurement '{self.name}', {len(self.warnings)} warnings", ("data", "interval"), rows


def report(run: Run, folder: Path, wording: Wording, learning: Learning | None, *results: Any) -> Measurement:
    """Write report.html, results.json, figures/ and workspace.json, with the rows of its parameters in groups.txt."""
    story = Story(wording, learning, *results)
    sections = list(story.sections())
    write_page(folder, "report.html", wording.title, story.lead(), sections, progress=run.progress)
    if (workspace := story.exported[0]) is not None:
        write_json(folder / "workspace.json", workspace)
    rows = (
        f"{p.group}={escape(p.name)}\n" for p in story.likelihood.parameters if p.constraint is not None and p.group
    )
    (folder / "groups.txt").write_text("".join(rows), encoding="utf-8")
    write_json(folder / "results.json", outcome(wording, story.table, sections))
    return told(story)


def told(story: Story) -> Measurement:
    """Say the result in short."""
    final, intervals = story.final, {m.kind: m.interval for m in story.measured}
    brief = (story.headline(), tables.breakdown(final.breakdowns[0], title=f"Uncertainty: {TITLES[final.kind]}"))
    return Measurement(story.wording.name, intervals, brief, tuple(story.warnings()), tuple(story.first()))
