"""What a run would do, why, and how long it may take; nothing is written, and no event is read."""

import bz2
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from verax.analysis import Analysis, Learning, Plan, VariedFiles, plan, written
from verax.data import Joined, Table, higgsml, open_table
from verax.errors import InputError
from verax.report import Table as ReportTable
from verax.results import Brief, Shown
from verax.run import Foreseen, Run, Stored, inspect

from ._check import check
from ._infer import infer
from ._learn import learn, read_from
from ._model import model
from ._own_functions import find_functions
from ._report import report
from ._simulate import simulate
from ._summarise import summarise
from ._types import TYPES

READ, FILLED, TRAINED, TOYS = 1e5, 1e5, 3e10, 400.0
"""Rates of two cores: rows read, rows histogrammed (those of each variation too), operations of training, toys; a second."""


@dataclass(frozen=True, repr=False)
class Outlook(Brief):
    """What a run would do.

    Parameters
    ----------
    stages : in their order, each with the reasons for which it is done again, if it is
    open : stages that are kept after all if the events that they learn from stay the same
    seconds : by stage that is done again, about how long it takes, and from what that is known
    work : numbers of what is to be done, by name
    keys : of the analysis, with values that are others than in the last finished run, before and now
    """

    stages: tuple[Foreseen, ...]
    open: tuple[str, ...]
    seconds: Mapping[str, tuple[float, str]]
    work: Mapping[str, str]
    keys: tuple[str, ...] = ()

    def _shown(self) -> Shown:
        stages = self.tables()[0]
        return f"{len(self.redone)} of {len(self.stages)} stages to be done", stages.columns, stages.rows

    @property
    def redone(self) -> tuple[str, ...]:
        """The stages that are done again, for certain or unless their events stay the same."""
        return tuple(s.stage for s in self.stages if s.why)

    def tables(self) -> tuple[ReportTable, ReportTable]:
        """Tabulate the stages, and the work."""
        rows = []
        for s in self.stages:
            verdict = (
                "kept" if not s.why else "again, unless its events stay the same" if s.stage in self.open else "again"
            )
            took, basis = self.seconds.get(s.stage, (0.0, ""))
            rows.append((s.stage, verdict, _some(s.why), f"{took / 60:.1f}" if s.why else "", basis))
        total = sum(took for took, _ in self.seconds.values())
        last = ("all", "", "", f"{total / 60:.1f}", "")
        stages = ReportTable("Stages", ("Stage", "Verdict", "What changed", "Minutes, about", "By"), (*rows, last))
        changed = (("keys changed", "; ".join(self.keys)),) if self.keys else ()
        return stages, ReportTable("Work", ("What", "How much"), (*self.work.items(), *changed))


def foresee(analysis: Analysis, folder: str | Path) -> Outlook:
    """Say what :func:`measure` would do in a folder; files' headers and own functions are looked at, as before any work.

    Times are those that stages took in this folder, or come of stated rates of two cores, which are right within a factor of
    a few.

    Parameters
    ----------
    analysis : what is to be measured
    folder : of the run, which need not exist

    Raises
    ------
    InputError : as a run does before its first stage, and for the folder of another analysis
    """
    parts, folder = plan(analysis), Path(folder)
    find_functions(parts.reading)
    run = Run(folder, types=TYPES)
    if folder.exists():
        inspect(folder, f"analysis '{analysis.name}'")
    found: list[Foreseen] = []

    def see(name: str, function: Any, *arguments: Any, of: Any = None) -> Any:
        found.append(run.foresee(name, function, *arguments, of=of))
        return run.results[name]

    table = see("simulate", simulate, parts.reading)
    unknown = isinstance(table, Foreseen) and parts.learning is not None
    of = None if unknown else read_from(parts.learning, table)
    learned = see("learn", learn, parts.learning, table, of=of)
    open_ = unknown and found[1].seconds is not None and set(found[1].why) <= {"simulate", "events"}
    found[1] = replace(found[1], why=("simulate",)) if open_ else found[1]
    done = (parts.learning, table, learned)
    summarised = see("summarise", summarise, parts.histograms, parts.treatment, parts.arrangement, *done)
    likelihood = see("model", model, parts.modelling, summarised)
    measured = see("infer", infer, parts.inference, summarised, likelihood)
    checked = see("check", check, parts.campaign, *done, likelihood)
    see("report", report, parts.wording, *done, summarised, likelihood, measured, checked)
    found[0] = replace(found[0], why=tuple(_named(run, parts, why) for why in found[0].why))
    work, rates = _work(parts, None if isinstance(table, Foreseen) else sum(y.rows for y in table.yields))
    again = [s for s in found if s.why]
    seconds = {s.stage: (s.seconds, "the last time") if s.seconds else (rates[s.stage], "rates") for s in again}
    return Outlook(tuple(found), ("learn",) if open_ else (), seconds, work, _changed(analysis, folder))


def _named(run: Run, parts: Plan, why: str) -> str:
    """The files that changed, by name."""
    content = run.read_file("simulate", "inputs.json") if why == "reading.files" else None
    before = json.loads(content) if content else {}
    now = dict(parts.reading.files)
    names = [path for path in {**before, **now} if before.get(path) != now.get(path)]
    return f"files ({_some(names)})" if content and names else why


def _changed(analysis: Analysis, folder: Path) -> tuple[str, ...]:
    """The keys of the analysis that the last finished run had other values of."""
    try:
        before = _flat(yaml.safe_load(Stored(folder, TYPES).published("analysis.yaml")))
    except InputError:  # none is finished
        return ()
    now = _flat(yaml.safe_load(written(analysis)))
    keys = [k for k in {**before, **now} if before.get(k) != now.get(k)]
    return tuple(f"{k}: {before.get(k, 'none')} → {now.get(k, 'none')}" for k in keys)


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Values by dotted keys; elements of lists of sections by their names or places."""
    inner = value if isinstance(value, dict) else {}
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        inner = {part.get("name", i): part for i, part in enumerate(value)}
    if not inner:
        return {name: value}
    return {k: v for key, part in inner.items() for k, v in _flat(part, f"{name}.{key}".lstrip(".")).items()}


def _some(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _work(parts: Plan, rows: int | None) -> tuple[dict[str, str], dict[str, float]]:
    """How much there is to do, and seconds of each stage at the stated rates."""
    known = rows is not None
    varied = [rows_of(parts.reading.open(s)) for side in parts.reading.varied for s in side.samples]
    rows = rows if rows is not None else sum(map(rows_of, _samples(parts)))
    moving = sum(not isinstance(s, VariedFiles) and s.changes != ("weight",) for s in parts.systematics)
    parameters = len(parts.systematics) + len(parts.modelling.factors)
    sets = (
        1
        + (parts.inference.truth is not None)
        + (parts.reading.observed is not None and any(h is not True for h in parts.histograms.hidden))
    )
    truths = len(parts.campaign.truths) + 2 * parts.campaign.shifts * len(parts.systematics)
    toys = parts.campaign.toys * truths
    trainings, operations, material = _trainings(parts.learning, rows)
    refits = sets * (1 + parts.inference.scan_points + 4 * parameters)
    columns = len(parts.reading.columns.order) + 4
    gigabytes = 0.7 + 4e-9 * (3 * material * columns + parts.reading.chunk * columns * (2 * moving + 3))
    seconds = {
        "simulate": 1 + (rows + sum(varied)) / READ,
        "learn": 3 + operations / TRAINED if trainings else 0.0,
        "summarise": 1 + (rows * (1 + 2 * moving) + sum(varied)) / FILLED,
        "model": 0.1,
        "infer": sets * (3 + 0.02 * parameters**2),
        "check": toys / TOYS * (1 + parameters / 20),
        "report": 5 + 0.5 * len(parts.systematics) * len(parts.histograms.channels),
    }
    work = {
        "simulated rows": f"{'' if known else 'about '}{rows}"
        + (f", and about {sum(varied)} of varied samples" if varied else ""),
        "trainings": f"{trainings}, on at most {material} events" if trainings else "none",
        "fits": f"about {refits}, of {sets} data sets with {parameters} parameters",
        "toys": f"{toys} ({parts.campaign.toys} at each of {truths} truths)",
        "memory": f"about {gigabytes:.1f} GB, and as much again for each worker beyond the first",
    }
    return work, seconds


def _trainings(learning: Learning | None, rows: int) -> tuple[int, float, int]:
    """Trainings, their operations, and the events that they use."""
    if learning is None:
        return 0, 0.0, 0
    o, inputs = learning.options, len(learning.features)
    each = o.members if o.epistemic in ("bootstrap", "ensemble") else getattr(o, "chains", 1)
    weights = o.width * (inputs + 1 + (o.depth - 1) * (o.width + 1) + 1)
    epochs, used = getattr(o, "epochs", None) or 60, min(rows, o.max_events)
    share = (o.folds - 1) / o.folds
    return o.folds * each, 6.0 * weights * used * share * epochs * o.folds * each, used


def _samples(parts: Plan) -> list[Table | Joined]:
    reading = parts.reading
    if reading.dataset:
        return [open_table(reading.path(reading.dataset.file) if reading.dataset.file else higgsml.path())]
    return [reading.open(s) for s in reading.samples]


def rows_of(table: Table | Joined) -> int:
    """Rows of files by their headers; of text, by its size and its first lines."""
    if (length := table.length()) is not None:
        return length
    total = 0.0
    for path, _ in table.parts:
        ending = path.suffix.lower()
        how: Any = {".gz": gzip.open, ".bz2": bz2.open}.get(ending, open)
        with how(path, "rb") as file:
            head = file.read(1 << 16)
        size = path.stat().st_size * (3 if ending in (".gz", ".bz2") and len(head) == 1 << 16 else 1)
        lines = max(head.count(b"\n") - 1, 1)
        total += lines if len(head) < 1 << 16 else size * lines / len(head)
    return int(total)
