"""From an analysis file's words to its events: chunk by chunk from files, and the channel of each."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from verax import config, effects, own_code
from verax.arrays import Array
from verax.config import Analysis, Sample, Source
from verax.data import Table, check_exact, check_values, expression, fair_universe, higgsml, open_table
from verax.effects import layout_of, moving, names, passed, touched, with_derived
from verax.errors import InputError, check_known
from verax.events import Events, make_events
from verax.store import checksums
from verax.systematics import derive

# -------------------------------------------------------------------------------------------------------------- columns


def columns_of(analysis: Analysis, present: Sequence[str]) -> tuple[str, ...]:
    """The columns of simulated events, in a fixed order; those of the layout only where ``present``."""
    layout, needed = layout_of(analysis), set[str]()
    for process in processes_of(analysis):
        needed |= needed_of(analysis, process)
    order = [*analysis.features, *names(*analysis.derived.values(), *(c.select for c in analysis.channels))]
    order += [c for c in sorted(needed) if c not in analysis.derived]
    if layout:
        order += [c for c in layout.measured if c in present]
        needed |= set(layout.measured)
    return tuple(c for c in dict.fromkeys([*order, *analysis.derived]) if c in needed)


def needed_of(analysis: Analysis, process: str | None = None, *, functions: bool = True) -> set[str]:
    """Columns that events must have for the summary and, for those of a ``process``, the systematics that act on it.

    Without a process: events that are not varied, observed ones say. ``functions`` of the user may read any column.
    """
    needed = {*analysis.features, *names(*(c.select for c in analysis.channels))}
    needed |= {analysis.summary.column} if analysis.summary.column else set()
    for s in analysis.systematics:
        if process is None or (s.processes and process not in s.processes):
            continue
        changes, needs = touched(analysis, s)
        needed |= (changes - {"weight"}) | needs
        if functions and isinstance(s, config.FunctionEffect):
            needed |= {*analysis.derived, *names(*analysis.derived.values())}
    for name, text in reversed(moving(analysis)):
        if name in needed:
            needed |= set(names(text))
    return needed


@dataclass(frozen=True)
class Channels:
    """The channel of each event: the first whose selection it passes, −1 for none."""

    selections: tuple[str | None, ...]

    def __call__(self, events: Events) -> Int[np.ndarray, " event"]:
        channel = np.full(len(events), -1, np.int64)
        for i, text in reversed(list(enumerate(self.selections))):
            channel[slice(None) if text is None else passed(text, events)] = i
        return channel


# --------------------------------------------------------------------------------------------------------------- events


@dataclass
class Read:
    """What reading counts: rows seen and rows dropped for values that are not finite."""

    rows: int = 0
    dropped: int = 0


class Numbers:
    """Whether event numbers tell events apart, for folds and bootstrap derive from them."""

    LOOKED_AT = 2_000_000
    """Rows of each process."""

    def __init__(self) -> None:
        self.found: dict[str, list[np.ndarray]] = {}
        self.rows: dict[str, int] = {}

    def add(self, events: Events) -> bool:
        """Take some events; True when a process is among them for the first time."""
        first = False
        for i, name in enumerate(events.processes):
            number = np.asarray(events.number)[np.asarray(events.process) == i]
            if len(number):
                first |= name not in self.found
                room = max(self.LOOKED_AT - self.rows.get(name, 0), 0)
                self.found.setdefault(name, []).append(number[:room])
                self.rows[name] = self.rows.get(name, 0) + len(number)
        return first

    def notes(self, analysis: Analysis) -> list[str]:
        """Lines on processes in which many rows share a number.

        Raises
        ------
        InputError : for a process in which all do
        """
        lines = []
        for process, parts in self.found.items():
            number = np.concatenate(parts)
            different = len(np.unique(number))
            if different == 1 and len(number) > 1:
                seen = f"event number {number[0]} on all {self.rows[process]} rows"
                action = f"correct `number: {analysis.number}`; without it, the row is the number"
                raise InputError(f"process '{process}'", seen, "a number of its own for each event", action)
            if len(number) > 10 * different:
                lines.append(
                    f"process '{process}': {len(number)} rows have {different} event numbers; rows of one number share "
                    "their fold and their bootstrap factors"
                )
        return lines


def processes_of(analysis: Analysis) -> tuple[str, ...]:
    """Names of the simulated processes, in order."""
    if analysis.dataset:
        return DATASETS[analysis.dataset.name].PROCESSES
    return tuple(dict.fromkeys(s.process for s in analysis.samples))


DATASETS: dict[str, Any] = {"higgsml": higgsml, "fair_universe": fair_universe}


def simulated(analysis: Analysis, samples: Sequence[Sample], count: Read, *, varied: bool = False) -> Iterator[Events]:
    """Events of the samples (or of the data set), chunk by chunk, checked, weighted, with derived columns.

    ``varied`` samples are those of a systematic: they need no columns of the others.
    """
    processes = processes_of(analysis)
    if analysis.dataset and not varied:
        yield from _dataset(analysis, count)
        return
    for sample in samples:
        index = processes.index(sample.process)
        factor = 1.0
        if sample.total is not None:
            unscaled = _rows(analysis, sample, processes, index, 1.0, Read(), varied=varied)
            factor = sample.total / _sum(sample.process, unscaled)
        yield from _rows(analysis, sample, processes, index, factor, count, varied=varied)


def is_real(analysis: Analysis) -> bool:
    """True when the analysis names files of observed data."""
    return isinstance(analysis.observed, Source)


def observed(analysis: Analysis, count: Read) -> Iterator[Events]:
    """Observed events, chunk by chunk."""
    assert isinstance(analysis.observed, Source)
    yield from _rows(analysis, analysis.observed, ("observed",), 0, 1.0, count, varied=True)


def files_of(analysis: Analysis, source: Source) -> list[Path]:
    """The files of a source, patterns expanded in alphabetical order."""
    return list(_open(analysis, source).files)


def _open(analysis: Analysis, source: Source) -> Table:
    return open_table([str(analysis.path(name)) for name in source.files], tree=source.tree)


def _dataset(analysis: Analysis, count: Read) -> Iterator[Events]:
    assert analysis.dataset is not None
    name, file = analysis.dataset.name, analysis.dataset.file
    if name == "fair_universe" and file is None:
        raise InputError("dataset.file", "nothing", "the path of a FAIR Universe Parquet file")
    module = DATASETS[name]
    columns = columns_of(analysis, module.COLUMNS)
    stored = [c for c in columns if c not in analysis.derived]
    check_known(stored, module.COLUMNS, f"dataset '{name}'", "column")
    for part in module.chunks(analysis.path(file) if file else None, rows=analysis.chunk):
        count.rows += len(part)
        values = {c: np.asarray(part.column(c)) for c in stored}
        check_values({**values, "weight": np.asarray(part.weight)}, "error", where=f"dataset '{name}'")
        events = _table(values, columns, part.weight, part.process, part.number, part.processes)
        yield with_derived(events, tuple((c, text) for c, text in analysis.derived.items() if c in columns))


def _sum(process: str, chunks: Iterator[Events]) -> float:
    """Sum of weights, exact whatever the chunks."""
    total = math.fsum(w for events in chunks for w in np.asarray(events.weight).tolist())
    if not total > 0:
        raise InputError(f"process '{process}'", f"weights that sum to {total:g}", "a positive sum, to rescale")
    return total


def _raw(
    analysis: Analysis, source: Source, columns: Sequence[str], texts: Sequence[str] = ()
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]]:
    """Columns, event numbers and weights of the selected rows; ``texts`` are what is made of the columns."""
    table = _open(analysis, source)
    number: tuple[str, ...] = (analysis.number,) if analysis.number else ()
    if source is analysis.observed and not set(number) <= set(table.columns):
        number = ()  # any network may score data: none has seen them
    formulas = [expression(text) for text in (source.select, source.weight) if text]
    needed = tuple(dict.fromkeys([*columns, *(n for f in formulas for n in f.names), *number]))
    text = [n for f in formulas for n in f.text]
    seen = 0
    for chunk in table.chunks(needed, analysis.chunk, text=text, integer=number):
        rows = len(next(iter(chunk.values())))
        numbers = chunk[number[0]] if number else np.arange(seen, seen + rows)
        seen += rows
        for c in names(*(t for t in (*texts, source.select, source.weight) if t and "%" in t)):
            if chunk[c].dtype.kind == "f" and (abs(chunk[c]) > 2**53).any():
                where, what = f"{source.files[0]}, column '{c}'", "floats beyond 2⁵³ in a remainder"
                raise InputError(where, what, "integers", "store it as integers, or name it under `number` (CSV)")
        weight = np.asarray(expression(source.weight)(chunk) if source.weight else np.ones(rows), np.float64)
        keep = expression(source.select).passed(chunk) if source.select else np.ones(rows, bool)
        yield {c: chunk[c][keep] for c in columns}, numbers[keep], weight[keep]


def _rows(
    analysis: Analysis,
    source: Source,
    processes: tuple[str, ...],
    process: int,
    factor: float,
    count: Read,
    *,
    varied: bool,
) -> Iterator[Events]:
    """Events with the columns that they are read for; nominal ones have all columns, 1 where a process needs it not."""
    table, layout, name = _open(analysis, source), layout_of(analysis), f"process '{processes[process]}'"
    reader = None if varied else processes[process]
    needed, exact = needed_of(analysis, reader), needed_of(analysis, reader, functions=False)
    if layout:
        needed |= set(layout.measured)
    columns = tuple(c for c in columns_of(analysis, table.columns) if not varied or c in needed)
    again = moving(analysis)
    early = {c: analysis.derived[c] for c in _early(analysis, needed)}
    late = tuple((c, text) for c, text in again if c in needed)
    made = {*analysis.derived, *(layout.recomputed if layout else ())}
    stored = [c for c in columns if c not in made and c in needed]
    inputs = [c for c in names(*early.values()) if c not in analysis.derived]
    for values, number, weight in _raw(analysis, source, [*stored, *inputs] or table.columns[:1], [*early.values()]):
        count.rows += len(weight)
        whole = values | {}
        for column, text in early.items():
            whole[column] = expression(text)({c: whole[c] for c in names(text)} or whole)
        values = {c: values[c] for c in stored}
        keep, _ = check_values({**values, "weight": weight}, analysis.nonfinite, where=name)
        count.dropped += int((~keep).sum())
        kept = {c: whole[c][keep] for c in (*stored, *early)}
        check_exact({c: v for c, v in kept.items() if c in exact}, effects.missing_of(analysis), where=name)
        index = np.full(int(keep.sum()), process, np.int32)
        kept |= {c: np.ones(len(index), np.float32) for c in columns if c not in needed}
        events = _table(kept, columns, weight[keep] * factor, index, number[keep], processes)
        yield with_derived(derive(events, layout) if layout else events, late)


def _early(analysis: Analysis, needed: set[str]) -> list[str]:
    """Derived columns that no systematic moves, which are ``needed`` or others of them are made of; in their order."""
    again, wanted = {c for c, _ in moving(analysis)}, set(needed)
    for name, text in reversed(analysis.derived.items()):
        if name in wanted and name not in again:
            wanted |= set(names(text))
    return [c for c in analysis.derived if c in wanted and c not in again]


def _table(
    values: Mapping[str, np.ndarray],
    columns: Sequence[str],
    weight: Array,
    process: Array,
    number: Array,
    processes: tuple[str, ...],
) -> Events:
    """Events with all ``columns``; those without values are zero until they are computed."""
    zero = np.zeros(len(weight), np.float32)
    return make_events(
        {c: values.get(c, zero) for c in columns},
        weight=np.asarray(weight),
        process=np.asarray(process),
        number=np.asarray(number),
        processes=processes,
    )


def check_duplicates(analysis: Analysis) -> None:
    """Refuse rows that are read twice: a file twice in a sample, or rows of it that two samples select both.

    Files count by their content, whatever their names.

    Raises
    ------
    InputError : with both files and the number of rows
    """
    varied = [s for s in analysis.systematics if isinstance(s, config.VariedSamples)]
    groups: list[tuple[str, Sequence[Source]]] = [("samples", analysis.samples)]
    groups += [(f"systematic '{s.name}'", side) for s in varied for side in (s.up, s.down or ())]
    groups += [("observed", [analysis.observed])] if isinstance(analysis.observed, Source) else []
    for where, group in groups:
        read: dict[tuple[str, str | None], list[tuple[Source, Path]]] = {}
        for source in group:
            table = _open(analysis, source)
            for file, checksum in ((f, checksums([f])[str(f)]) for f in table.files):
                for other, twin in read.get((checksum, table.tree), ()):
                    if source.allow_duplicates or other.allow_duplicates:
                        continue
                    if rows := _shared(analysis, file, table.tree, (source, other)):
                        both = f"'{twin}' and '{file}'" if twin != file else f"'{file}'"
                        seen = f"{rows} rows that are read twice, from {both}"
                        action = "correct files or selections, or set allow_duplicates: true"
                        raise InputError(where, seen, "each row once", action)
                read.setdefault((checksum, table.tree), []).append((source, file))


def _shared(analysis: Analysis, file: Path, tree: str | None, sources: tuple[Source, Source]) -> int:
    """Number of rows of a file that both select."""
    table, formulas = open_table(file, tree=tree), [expression(s.select) for s in sources if s.select]
    needed = tuple(dict.fromkeys(n for f in formulas for n in f.names)) or table.columns[:1]
    text, number, shared = [n for f in formulas for n in f.text], (analysis.number,) if analysis.number else (), 0
    if not formulas and (length := table.length()) is not None:
        return length
    for chunk in table.chunks(needed, analysis.chunk, text=text, integer=number):
        both = np.ones(len(chunk[needed[0]]), bool)
        for formula in formulas:
            both &= formula.passed(chunk)
        shared += int(both.sum())
    return shared


# --------------------------------------------------------------------------------------------------------- fingerprints


def inputs(analysis: Analysis, stage: str) -> Any:
    """What a stage depends on beyond the stages before it: keys of the analysis, and checksums of files."""
    a = analysis.model_dump(mode="json", fallback=partial(own_code.stamp, base=analysis.base.resolve()))
    if stage == "simulate":
        return [{k: a[k] for k in SIMULATED}, placed(analysis, files(analysis))]
    if stage != "learn":
        return {k: a[k] for k in SECTIONS[stage]}
    learn = [analysis.summary.kind, a["learn"], a["seed"], a["features"], effects.missing_of(analysis)]
    if not aware(analysis):
        return [*learn, analysis.poi.processes]
    factors = [f.processes for f in (analysis.poi, *analysis.normalisations)]
    systematics = [{k: v for k, v in s.items() if k != "group"} for s in a["systematics"]]
    seen = analysis.model_copy(update={"observed": "asimov"})
    others = {k: a[k] for k in SIMULATED if k not in ("observed", "systematics", "channels", "summary")}
    return [*learn, factors, systematics, others, placed(analysis, files(seen))]


def aware(analysis: Analysis) -> bool:
    """Whether networks learn from the systematics, too, not from the nominal events alone."""
    return analysis.summary.kind == "classifier" and analysis.learn.approach != "propagate"


SIMULATED: tuple[str, ...] = ("dataset", "samples", "observed", "number", "layout", "derived", "features", "unaffected")
SIMULATED = (*SIMULATED, "nonfinite", "missing", "systematics", "channels", "summary", "inputs")
SECTIONS = {
    "summarise": ("summary", "binning", "templates", "channels", "systematics", "blind", "poi"),
    "model": ("poi", "normalisations", "infer"),
    "infer": ("infer", "pseudo_experiment", "seed"),
    "check": ("check", "seed"),
    "report": ("report", "title", "name"),
}
"""Keys of the analysis that a stage depends on beyond the stages before it."""


def placed(analysis: Analysis, checksums: Mapping[str, str]) -> list[tuple[str, str]]:
    """Files by their place from the analysis, so that it does not matter from where it is called."""
    base = analysis.base.resolve()
    places = [Path(p).resolve() for p in checksums]
    names = [os.path.relpath(p, base) if p.is_relative_to(base) else str(p) for p in places]
    return list(zip(names, checksums.values(), strict=True))


def files(analysis: Analysis) -> dict[str, str]:
    """SHA-256 of every file that the analysis reads, code of its own included."""
    found: list[Path] = []
    varied = [s for s in analysis.systematics if isinstance(s, config.VariedSamples)]
    sources: list[Source] = [*analysis.samples, *(v for s in varied for v in (*s.up, *(s.down or ())))]
    if isinstance(analysis.observed, Source):
        sources.append(analysis.observed)
    for source in sources:
        found += files_of(analysis, source)
    if analysis.dataset:
        found.append(analysis.path(analysis.dataset.file) if analysis.dataset.file else higgsml.path())
    for place in effects.places_of(analysis):
        found += own_code.sources_of(place, analysis.base.resolve())
    found += declared(analysis)
    return checksums(list(dict.fromkeys(found)))


def declared(analysis: Analysis) -> list[Path]:
    """Further files that functions read, patterns and folders expanded, links to folders followed.

    Raises
    ------
    InputError : for one that is not there
    """
    found: list[Path] = []
    for name in analysis.inputs:
        path = analysis.path(name)
        some = [path] if path.exists() else [Path(p) for p in sorted(glob(str(path), recursive=True))]
        if not some:
            raise InputError("inputs", f"'{path}'", "a file, a folder or a pattern that matches some", "check the path")
        for one in some:
            found += [] if one.is_dir() else [one]
            seen = set[str]()  # links may lead in circles
            for place, folders, inside in os.walk(one, followlinks=True):
                new = (real := os.path.realpath(place)) not in seen
                folders[:] = sorted(folders) if new else []
                found += [p for p in map(Path(place).joinpath, sorted(inside)) if new and p.is_file()]
                seen.add(real)
    return found
