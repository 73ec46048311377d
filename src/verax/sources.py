"""From an analysis file's words to its events: chunk by chunk from files, and the channel of each."""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from verax import config
from verax.arrays import Array
from verax.config import Analysis, Sample, Source
from verax.data import Table, check_values, expression, fair_universe, higgsml, open_table
from verax.effects import evaluate, layout_of, names, systematics_of, with_derived
from verax.errors import InputError, check_known
from verax.events import Events, make_events
from verax.store import checksums, digest
from verax.systematics import derive

# -------------------------------------------------------------------------------------------------------------- columns


def columns_of(analysis: Analysis, present: Sequence[str]) -> tuple[str, ...]:
    """The columns that the analysis works with, in a fixed order; those of the layout only where ``present``."""
    layout = layout_of(analysis)
    wanted = [*analysis.features, *names(*analysis.derived.values(), *(c.select for c in analysis.channels))]
    wanted += [analysis.summary.column] if analysis.summary.column else []
    for s in analysis.systematics:
        match s:
            case config.WeightVariation():
                wanted += names(s.up, s.down)
            case config.ColumnScale():
                wanted += s.columns
            case config.FunctionEffect():
                wanted += [c for c in s.changes if c != "weight"]
    for made in systematics_of(analysis):
        wanted += made.needs
    if layout:
        wanted += [c for c in layout.measured if c in present]
    return tuple(dict.fromkeys([*wanted, *analysis.derived]))


@dataclass(frozen=True)
class Channels:
    """The channel of each event: the first whose selection it passes, −1 for none."""

    selections: tuple[str | None, ...]

    def __call__(self, events: Events) -> Int[np.ndarray, " event"]:
        channel = np.full(len(events), -1, np.int64)
        for i, text in reversed(list(enumerate(self.selections))):
            passed = np.ones(len(events), bool) if text is None else np.asarray(evaluate(text, events), bool)
            channel[np.broadcast_to(passed, channel.shape)] = i
        return channel


# --------------------------------------------------------------------------------------------------------------- events


@dataclass
class Read:
    """What reading counts: rows seen and rows dropped for values that are not finite."""

    rows: int = 0
    dropped: int = 0


def processes_of(analysis: Analysis) -> tuple[str, ...]:
    """Names of the simulated processes, in order."""
    if analysis.dataset:
        return DATASETS[analysis.dataset.name].PROCESSES
    return tuple(dict.fromkeys(s.process for s in analysis.samples))


DATASETS: dict[str, Any] = {"higgsml": higgsml, "fair_universe": fair_universe}


def simulated(analysis: Analysis, samples: Sequence[Sample], count: Read) -> Iterator[Events]:
    """Events of the samples (or of the data set), chunk by chunk, checked, weighted, with derived columns."""
    processes = processes_of(analysis)
    if analysis.dataset and samples == analysis.samples:
        yield from _dataset(analysis, count)
        return
    for sample in samples:
        index = processes.index(sample.process)
        factor = 1.0
        if sample.total is not None:
            unscaled = _rows(analysis, sample, processes, index, 1.0, Read())
            factor = sample.total / _sum(sample.process, unscaled)
        yield from _rows(analysis, sample, processes, index, factor, count)


def is_real(analysis: Analysis) -> bool:
    """True when the analysis names files of observed data."""
    return isinstance(analysis.observed, Source)


def observed(analysis: Analysis, count: Read) -> Iterator[Events]:
    """Observed events, chunk by chunk."""
    assert isinstance(analysis.observed, Source)
    yield from _rows(analysis, analysis.observed, ("observed",), 0, 1.0, count)


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
        yield with_derived(events, tuple(analysis.derived.items()))


def _sum(process: str, chunks: Iterator[Events]) -> float:
    """Sum of weights, exact whatever the chunks."""
    total = math.fsum(w for events in chunks for w in np.asarray(events.weight).tolist())
    if not total > 0:
        raise InputError(f"process '{process}'", f"weights that sum to {total:g}", "a positive sum, to rescale")
    return total


def _raw(
    analysis: Analysis, source: Source, columns: Sequence[str]
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]]:
    """Columns, event numbers and weights of the selected rows."""
    number = (analysis.number,) if analysis.number else ()
    formulas = [expression(text) for text in (source.select, source.weight) if text]
    needed = tuple(dict.fromkeys([*columns, *(n for f in formulas for n in f.names), *number]))
    text = [n for f in formulas for n in f.text]
    seen = 0
    for chunk in _open(analysis, source).chunks(needed, analysis.chunk, text=text, integer=number):
        rows = len(next(iter(chunk.values())))
        numbers = chunk[analysis.number] if analysis.number else np.arange(seen, seen + rows)
        seen += rows
        weight = np.asarray(expression(source.weight)(chunk) if source.weight else np.ones(rows), np.float64)
        keep = np.asarray(expression(source.select)(chunk) if source.select else np.ones(rows), bool)
        yield {c: chunk[c][keep] for c in columns}, numbers[keep], weight[keep]


def _rows(
    analysis: Analysis, source: Source, processes: tuple[str, ...], process: int, factor: float, count: Read
) -> Iterator[Events]:
    table, layout = _open(analysis, source), layout_of(analysis)
    columns = columns_of(analysis, table.columns)
    made = {*analysis.derived, *(layout.recomputed if layout else ())}
    stored = [c for c in columns if c not in made]
    name = f"process '{processes[process]}'"
    for values, number, weight in _raw(analysis, source, stored or table.columns[:1]):
        count.rows += len(weight)
        keep, _ = check_values({**values, "weight": weight}, analysis.nonfinite, where=name)
        count.dropped += int((~keep).sum())
        kept = {c: v[keep] for c, v in values.items()}
        index = np.full(int(keep.sum()), process, np.int32)
        events = _table(kept, columns, weight[keep] * factor, index, number[keep], processes)
        yield with_derived(derive(events, layout) if layout else events, tuple(analysis.derived.items()))


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


# --------------------------------------------------------------------------------------------------------- fingerprints


def inputs(analysis: Analysis, stage: str) -> Any:
    """What a stage depends on beyond the stages before it: keys of the analysis, and checksums of files."""
    a = analysis.model_dump(mode="json", fallback=_source)
    if stage == "simulate":
        keys = ("dataset", "samples", "observed", "number", "layout", "derived", "features", "unaffected", "nonfinite")
        return [{k: a[k] for k in (*keys, "missing", "systematics", "channels", "summary")}, files(analysis)]
    sections = {
        "learn": ("learn", "seed", "poi", "normalisations", "systematics"),
        "summarise": ("summary", "binning", "templates", "channels", "systematics", "blind", "poi"),
        "model": ("poi", "normalisations", "infer"),
        "infer": ("infer", "pseudo_experiment", "seed"),
        "check": ("check", "seed"),
        "report": ("report", "title", "name"),
    }
    return {k: a[k] for k in sections[stage]}


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
    functions = [s.function for s in analysis.systematics if isinstance(s, config.FunctionEffect)]
    for function in (*functions, analysis.summary.function):
        if isinstance(function, str) and ".py:" in function:
            found.append(analysis.path(function.rpartition(":")[0]))
    return checksums(list(dict.fromkeys(found)))


def _source(function: Any) -> str:
    """What stands for a callable in a fingerprint: its source text."""
    try:
        return digest(inspect.getsource(function))
    except (OSError, TypeError):
        return repr(function)
