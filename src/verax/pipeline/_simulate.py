"""The stage `simulate`: every sample read and checked, in one table of events."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from verax.analysis import Read, Reading, Scale, Stored, check_duplicates, files, observed, placed, simulated, stored
from verax.data import write_events
from verax.errors import InputError
from verax.events import Events
from verax.run import Run, digest
from verax.templates import histogram

from ._own_functions import find_functions, try_functions, undeclared


@dataclass(frozen=True)
class Yield:
    """Rows of one process and what their weights sum to; ``effective`` is (Σw)²/Σw², ``negative`` a share of Σ|w|."""

    process: str
    rows: int
    total: float
    negative: float
    effective: float


@dataclass(frozen=True)
class Table:
    """What is in the table of events that the stage wrote; simulated ``rows`` were read, and ``dropped`` of them left out.

    ``material`` is a checksum of what networks learn from: features, weights, processes and numbers; ``contents`` are
    those of all columns of each file of simulated events, ``features`` what networks may read. ``scales`` are the factors
    on the weights of samples, and ``notes`` what a careful analyst would want to know; ``stored`` are templates of
    channels without events.
    """

    yields: tuple[Yield, ...]
    observed: int | None
    rows: int
    dropped: int
    material: str = ""
    notes: tuple[str, ...] = ()
    contents: dict[str, str] = field(default_factory=dict)
    scales: tuple[Scale, ...] = ()
    features: tuple[str, ...] = ()
    stored: Stored | None = None


def simulate(run: Run, folder: Path, reading: Reading) -> Table:
    """Read every sample, check each value, and write one table of events (a file for each variation)."""
    _tell_changes(reading, run, folder)
    find_functions(reading)
    check_duplicates(reading)
    numbers, count, processes = Numbers(), Read(), reading.processes
    material, contents = [hashlib.sha256() for _ in range(4)], dict[str, str]()
    sums = [histogram(np.zeros(0, np.int64), np.zeros(0, np.float32), len(processes))] * 2
    rows: list[np.ndarray] = []

    def tallied(chunks: Iterator[Events]) -> Iterator[Events]:
        for events in chunks:
            process, weight = np.asarray(events.process), np.asarray(events.weight)
            sums[0] += histogram(process, weight, len(processes))
            below = weight < 0
            sums[1] += histogram(process[below], weight[below], len(processes))
            rows.append(np.bincount(process, minlength=len(processes)))
            _hash(material, events.features(reading.columns.features), weight, process, events.number)
            if numbers.add(events):  # the first of a process
                try_functions(reading, events)
            run.progress.step("events read", count.rows, None)
            yield events

    def write(file: str, chunks: Iterator[Events]) -> None:
        whole, names = [hashlib.sha256() for _ in range(4)], dict[str, None]()

        def hashed() -> Iterator[Events]:
            for events in chunks:
                _hash(whole, events.x, events.weight, events.process, events.number)
                names.update(dict.fromkeys((*events.columns, "", *events.processes)))
                yield events

        write_events(folder / file, hashed())
        contents[file] = digest([*names, *(h.hexdigest() for h in whole)])

    if processes:
        write("nominal.parquet", tallied(simulated(reading, reading.samples, count)))
    for side in reading.varied:
        write(side.file, simulated(reading, side.samples, count, varied=True))
    seen = Read()
    if reading.observed:
        write_events(folder / "observed.parquet", observed(reading, seen))
    total, negative, squares = sums[0].weight.value(), -sums[1].weight.value(), sums[0].square.value()
    yields = [
        _yield(name, int(n), float(t), float(m), float(q), signed=name in reading.signed)
        for name, n, t, m, q in zip(
            processes, np.sum(rows, axis=0) if rows else [], total, negative, squares, strict=True
        )
    ]
    histograms = stored(reading)
    if placed(reading.base.resolve(), files(reading)) != reading.files:
        raise InputError("samples", "files that changed while they were read", "the same throughout", "start again")
    notes = [*numbers.notes(reading.number), *count.notes("simulated events"), *seen.notes("observed events")]
    notes += [*undeclared(reading, run.folder), *(histograms.notes if histograms else ())]
    if seen.dropped:  # without how many there are, which a blind analysis keeps to itself
        notes.append(f"{seen.dropped} observed rows dropped for values that are not finite")
    learnt_from = digest([processes, *(h.hexdigest() for h in material)])
    found = seen.rows - seen.dropped if reading.observed else None
    if found is None and histograms and histograms.observed is not None:
        found = len(histograms.observed)  # bins: their counts may be blind
    scales = tuple(count.scales)
    return Table(
        tuple(yields),
        found,
        count.rows,
        count.dropped,
        learnt_from,
        tuple(notes),
        contents,
        scales,
        reading.columns.features,
        histograms,
    )


def _hash(sums: Iterable[Any], *arrays: Any) -> None:
    """Take the rows of arrays, in the same order whatever the chunks."""
    for h, a in zip(sums, arrays, strict=True):
        h.update(np.ascontiguousarray(a).tobytes())


def _tell_changes(reading: Reading, run: Run, folder: Path) -> None:
    """Keep the files with their checksums, after a line on those that changed since the run's folder was last written."""
    given = dict(reading.files)
    (folder / "inputs.json").write_text(json.dumps(given), encoding="utf-8")
    content = run.read_file("simulate", "inputs.json")
    before = json.loads(content) if content else {}
    changed = [path for path, checksum in given.items() if before.get(path, checksum) != checksum]
    if changed:
        run.note(f"changed since the last run: {', '.join(changed)}; what depends on it is done again")


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

    def notes(self, column: str | None) -> list[str]:
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
                action = f"correct `number: {column}`; without it, the row is the number"
                raise InputError(f"process '{process}'", seen, "a number of its own for each event", action)
            if len(number) > 10 * different:
                lines.append(
                    f"process '{process}': {len(number)} rows have {different} event numbers; rows of one number share "
                    "their fold and their bootstrap factors"
                )
        return lines


def _yield(process: str, rows: int, total: float, negative: float, squares: float, *, signed: bool) -> Yield:
    if rows == 0:
        raise InputError(f"process '{process}'", "no event", "at least one", "check its files and its selection")
    if not total > 0 and not (signed and squares > 0):
        seen = f"weights that sum to {total:g}"
        raise InputError(f"process '{process}'", seen, "a positive sum", "check its weight expression")
    return Yield(process, rows, total, negative / (total + 2 * negative), total**2 / squares)
