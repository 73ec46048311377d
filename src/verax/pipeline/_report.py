"""The stage `report`: page, figures, results and workspace."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verax.analysis import Learning, Wording
from verax.folder import file_names
from verax.model import to_pyhf
from verax.pipeline._results_json import outcome
from verax.pipeline._story import TITLES, Story
from verax.report import plots, tables
from verax.report.html import Section, render
from verax.report.record import write_json
from verax.results import Interval
from verax.store import Run


@dataclass(frozen=True)
class Measurement:
    """The result of a run: for each data set, the interval of the parameter of interest, and the tables of the report."""

    name: str
    intervals: dict[str, Interval]
    tables: tuple[tables.Table, ...]
    warnings: tuple[str, ...]
    first: tuple[str, ...] = ()
    """Lines that must be read with the number."""


def report(run: Run, folder: Path, wording: Wording, learning: Learning | None, *results: Any) -> Measurement:
    """Write report.html, results.json, workspace.json and figures/."""
    figures = folder / "figures"
    figures.mkdir()
    told = Story(wording, learning, *results)
    measured, table, templates = told.measured, told.table, told.summarised.templates
    sections = []
    todo = list(told.sections())
    names = file_names(label for _, _, drawn, _ in todo for label in drawn)
    for i, (title, text, drawn, shown) in enumerate(todo):
        pictures = []
        for label, (caption, figure) in drawn.items():
            _, png = plots.save(figure, figures, names[label])
            pictures.append((png, caption))
        sections.append(Section(title, text, pictures, shown))
        run.progress.step("sections", i + 1, len(todo))
    (folder / "report.html").write_text(render(wording.title, told.lead(), sections), encoding="utf-8")
    final = measured[-1] if measured[-1].kind == "observed" else measured[0]
    workspace = to_pyhf(told.likelihood, final.data, poi=wording.factors[0].name, name=wording.name)
    write_json(folder / "workspace.json", workspace)
    found = outcome(wording, table, templates, measured, told.checked, told.learned, told.warnings())
    write_json(folder / "results.json", found)
    brief = (told.headline(), tables.breakdown(final.breakdowns[0], title=f"Uncertainty: {TITLES[final.kind]}"))
    return Measurement(
        wording.name, {m.kind: m.interval for m in measured}, brief, tuple(told.warnings()), tuple(told.first())
    )
