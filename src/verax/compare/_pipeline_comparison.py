"""Approaches compared on an analysis of one's own: the whole pipeline for each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from verax import pipeline
from verax.analysis import Analysis
from verax.approaches import APPROACHES
from verax.report import MISSING, Section, Table, number, with_error
from verax.run import Progress

from ._cell import spread
from ._comparison import Comparison, Job, Trial, rows_of, select

QUICK = {"learn": {"members": 1, "epochs": 10}, "check": {"toys": 300, "shifts": False}}
QUICK_NOTE = "A quick look: one seed, few epochs and toys. Not to judge by."

Results = Mapping[str, Any]
"""What results.json says of the expected result ("expected"), and of the coverage at each truth ("coverage")."""


@dataclass(frozen=True)
class PipelineComparison(Comparison[Results]):
    """Every approach through all stages, blind; each run is kept in a folder of its own, NAME-SEED.

    Parameters
    ----------
    analysis : the same for all but the approach and the seed
    note : what a reader must know
    """

    analysis: Analysis
    note: str = ""

    kind = "approach"
    names = APPROACHES
    lead = ("; expected results (Asimov data).",)

    @property
    def title(self) -> str:
        return self.analysis.title

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"learn": self.analysis.learn.model_dump(mode="json", exclude={"approach"})}

    def jobs(self, folder: Path, names: Sequence[str], seeds: Sequence[int], progress: Progress) -> list[Job[Results]]:
        def make(name: str, seed: int) -> tuple[Trial[Results], ...]:
            learn = self.analysis.learn.model_copy(update={"approach": name})
            one = self.analysis.model_copy(update={"learn": learn, "seed": seed, "blind": True})
            place = folder / f"{name}-{seed}"
            pipeline.measure(one, place, progress=progress)
            written = json.loads((place / "results.json").read_text(encoding="utf-8"))
            stage = json.loads((place / "stages" / "learn" / "stage.json").read_text(encoding="utf-8"))
            result = {"expected": written["results"]["expected"], "coverage": written["coverage"]}
            return (Trial(self.title, name, seed, result, float(stage["seconds"])),)

        return [Job(f"{name} {seed}", None, partial(make, name, seed)) for seed in seeds for name in names]

    def sections(self, trials: Sequence[Trial[Results]]) -> list[Section]:
        text, shown = "Each approach has a report of its own in this folder.", self.table(trials)
        return [Section("Expected uncertainty", text, tables=(shown,), content={"trials": trials})]

    def table(self, trials: Sequence[Trial[Results]]) -> Table:
        """Total and its parts by shifted observables, width and coverage; median over seeds and its spread."""
        rows, parts = [], list(dict.fromkeys(part for t in trials for part in _parts(t)))
        for name in rows_of(trials):
            mine = select(trials, row=name)
            total, half = spread(_breakdown(t)[0]["impact"] for t in mine)
            shares = [[_parts(t)[part] for t in mine if part in _parts(t)] for part in parts]
            interval = [t.result["expected"]["interval"] for t in mine]
            cells = [c for t in mine for c in t.result["coverage"].values()]
            worst = max(cells, key=lambda c: abs(c["fraction"] - c["level"]) / c["error"] if c["error"] else 0.0)
            rows.append(
                (
                    name,
                    f"{number(total, 3)} ± {number(half, 3)}",
                    *(number(spread(s)[0], 3) if s else MISSING for s in shares),
                    number(spread(i["high"] - i["low"] for i in interval)[0], 3),
                    with_error(worst["fraction"], worst["error"]),
                    number(spread(t.seconds for t in mine)[0], 1),
                )
            )
        columns = ("Approach", f"σ({self.analysis.poi.name})", *parts, "width", "coverage, worst truth", "training, s")
        note = "Median over seeds ± half the central 68 %. Parts by shifted observables."
        return Table(self.title, columns, tuple(rows), note)


def _breakdown(trial: Trial[Results]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = trial.result["expected"]["breakdown"]["shifted-observables"]
    return rows


def _parts(trial: Trial[Results]) -> dict[str, float]:
    """Uncertainty by source; the first row is the total."""
    return {row["name"]: row["impact"] for row in _breakdown(trial)[1:] if row["depth"] == 1}


def on_pipeline(analysis: Analysis, *, quick: bool = False) -> PipelineComparison:
    """Make the comparison on an analysis; ``quick``: with few epochs and toys."""
    if not quick:
        return PipelineComparison(analysis)
    changes = {k: getattr(analysis, k).model_copy(update=v) for k, v in QUICK.items()}
    return PipelineComparison(analysis.model_copy(update=changes), QUICK_NOTE)
