"""Events from files, chunk by chunk: read, checked, weighted, with derived columns."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from verax.arrays import Array
from verax.data import check_values, expression, fair_universe, higgsml
from verax.errors import InputError, check_known
from verax.events import Events, check_exact, make_events
from verax.systematics import derive

from ._expressions import names, with_derived
from ._parts import Reading
from ._scale import Scale, before_selection, same_cross_sections, to_total
from ._sections import Dataset, Sample, Source

DATASETS: dict[str, Any] = {"higgsml": higgsml, "fair_universe": fair_universe}


@dataclass
class Read:
    """What reading counts: rows seen, rows dropped for values that are not finite, and NaN where a selection reads it.

    ``scales`` are the factors on the weights of samples that are scaled to a yield.
    """

    rows: int = 0
    dropped: int = 0
    undecided: Counter[str] = field(default_factory=Counter)
    scales: list[Scale] = field(default_factory=list)

    def notes(self, events: str) -> list[str]:
        """Lines on samples of the same cross-section, and on columns of selections that have NaN.

        NaN passes no comparison but that for being unequal.
        """
        return same_cross_sections(self.scales) + [
            f"{events}: NaN in {rows} rows of '{column}', which a selection compares; say isnan({column}) where it is meant"
            for column, rows in self.undecided.items()
        ]


def simulated(reading: Reading, samples: Sequence[Sample], count: Read, *, varied: bool = False) -> Iterator[Events]:
    """Events of the samples (or of the data set), chunk by chunk, checked, weighted, with derived columns.

    ``varied`` samples are those of a systematic: they need no columns of the others.
    """
    if reading.dataset and not varied:
        yield from _dataset(reading, reading.dataset, count)
        return
    for sample in samples:
        scale = None
        if sample.total is not None:
            unscaled = _rows(reading, sample, sample.process, 1.0, Read(), varied=varied)
            scale = to_total(sample, _sum(sample.process, unscaled))
        elif sample.cross_section is not None:
            scale = before_selection(reading, sample)
        if scale:
            count.scales.append(replace(scale, varied=varied))
        factor = scale.factor if scale else 1.0
        yield from _rows(reading, sample, sample.process, factor, count, varied=varied)


def observed(reading: Reading, count: Read) -> Iterator[Events]:
    """Observed events, chunk by chunk."""
    assert reading.observed is not None
    yield from _rows(reading, reading.observed, None, 1.0, count, varied=True)


def _dataset(reading: Reading, dataset: Dataset, count: Read) -> Iterator[Events]:
    name, file, derived = dataset.name, dataset.file, reading.columns.derived
    if name == "fair_universe" and file is None:
        raise InputError("dataset.file", "nothing", "the path of a FAIR Universe Parquet file")
    module = DATASETS[name]
    columns = reading.columns.present(module.COLUMNS)
    stored = [c for c in columns if c not in derived]
    check_known(stored, module.COLUMNS, f"dataset '{name}'", "column")
    for part in module.chunks(reading.path(file) if file else None, rows=reading.chunk):
        count.rows += len(part)
        values = {c: np.asarray(part.column(c)) for c in stored}
        check_values({**values, "weight": np.asarray(part.weight)}, "error", where=f"dataset '{name}'")
        events = _table(values, columns, part.weight, part.process, part.number, part.processes)
        yield with_derived(events, tuple((c, text) for c, text in derived.items() if c in columns))


def _sum(process: str, chunks: Iterator[Events]) -> float:
    """Sum of weights, exact whatever the chunks."""
    total = math.fsum(w for events in chunks for w in np.asarray(events.weight).tolist())
    if not total > 0:
        raise InputError(f"process '{process}'", f"weights that sum to {total:g}", "a positive sum, to rescale")
    return total


def _raw(
    reading: Reading, source: Source, columns: Sequence[str], texts: Sequence[str], count: Read
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]]:
    """Columns, event numbers and weights of the selected rows, counted; ``texts`` are what is made of the columns."""
    table = reading.open(source)
    number: tuple[str, ...] = (reading.number,) if reading.number else ()
    if source is reading.observed and not set(number) <= set(table.columns):
        number = ()  # any network may score data: none has seen them
    formulas = [expression(text) for text in (source.select, source.weight) if text]
    needed = tuple(dict.fromkeys([*columns, *(n for f in formulas for n in f.names), *number]))
    text = [n for f in formulas for n in f.text]
    select = source.select or ""
    compared = expression(select).names if select and "isnan" not in select and "isfinite" not in select else ()
    seen = 0
    for chunk in table.chunks(needed, reading.chunk, text=text, integer=number):
        rows = len(next(iter(chunk.values())))
        numbers = chunk[number[0]] if number else np.arange(seen, seen + rows)
        seen += rows
        for c in names(*(t for t in (*texts, source.select, source.weight) if t and "%" in t)):
            if chunk[c].dtype.kind == "f" and (abs(chunk[c]) > 2**53).any():
                where, what = f"{source.files[0]}, column '{c}'", "floats beyond 2⁵³ in a remainder"
                raise InputError(where, what, "integers", "store it as integers, or name it under `number` (CSV)")
        weight = np.asarray(expression(source.weight)(chunk) if source.weight else np.ones(rows), np.float64)
        keep = expression(source.select).passed(chunk) if source.select else np.ones(rows, bool)
        count.rows += int(keep.sum())
        for c in compared:
            if chunk[c].dtype.kind == "f" and (unknown := int(np.isnan(chunk[c]).sum())):
                count.undecided[c] += unknown
        yield {c: chunk[c][keep] for c in columns}, numbers[keep], weight[keep]


def _rows(
    reading: Reading, source: Source, process: str | None, factor: float, count: Read, *, varied: bool
) -> Iterator[Events]:
    """Events with the columns that they are read for; nominal ones have all columns, 1 where a process needs it not."""
    spec, table, layout = reading.columns, reading.open(source), reading.columns.layout
    processes = reading.processes if process else ("observed",)
    number_of, where = processes.index(process or "observed"), f"process '{process or 'observed'}'"
    reader = "" if varied else str(process)
    needed, exact = set(spec.needed[reader]), spec.exact[reader]
    if layout:
        needed |= set(layout.measured)
    columns = tuple(c for c in spec.present(table.columns) if not varied or c in needed)
    early = spec.early(needed)
    late = tuple((c, text) for c, text in spec.moving if c in needed)
    made = {*spec.derived, *(layout.recomputed if layout else ())}
    stored = [c for c in columns if c not in made and c in needed]
    inputs = [c for c in names(*early.values()) if c not in spec.derived]
    for values, number, weight in _raw(
        reading, source, [*stored, *inputs] or table.columns[:1], [*early.values()], count
    ):
        whole = values | {}
        for column, text in early.items():
            whole[column] = expression(text)({c: whole[c] for c in names(text)} or whole)
        values = {c: values[c] for c in stored}
        keep, _ = check_values({**values, "weight": weight}, reading.nonfinite, where=where)
        count.dropped += int((~keep).sum())
        kept = {c: whole[c][keep] for c in (*stored, *early)}
        check_exact({c: v for c, v in kept.items() if c in exact}, spec.missing, where=where)
        index = np.full(int(keep.sum()), number_of, np.int32)
        kept |= {c: np.ones(len(index), np.float32) for c in columns if c not in needed}
        events = _table(kept, columns, weight[keep] * factor, index, number[keep], processes)
        yield with_derived(derive(events, layout) if layout else events, late)


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
        exact=False,  # what is learnt from or cut on was looked at before
    )
