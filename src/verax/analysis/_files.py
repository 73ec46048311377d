"""The files that an analysis reads: all of them with their checksums, and rows that are read twice."""

import os
from collections.abc import Iterator, Mapping, Sequence
from glob import glob
from pathlib import Path

import numpy as np

from verax.data import Joined, Table, expression, higgsml, paths
from verax.errors import InputError
from verax.run import checksums, own_code

from ._functions import Named, Own
from ._onnx import OnnxScore
from ._parts import Reading
from ._sections import Sample, Source, WeightSum
from ._stored import places
from ._summary import FunctionScore


def placed(base: Path, checksums: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Files by their place from the analysis, so that it does not matter from where it is called."""
    places = [Path(p).resolve() for p in checksums]
    names = [os.path.relpath(p, base) if p.is_relative_to(base) else str(p) for p in places]
    return tuple(zip(names, checksums.values(), strict=True))


def files(reading: Reading) -> dict[str, str]:
    """SHA-256 of every file that an analysis reads, code of its own included."""
    found: list[Path] = []
    for _, group in _groups(reading):
        for source in group:
            found += reading.open(source).files
            sums = source.sum_of_weights if isinstance(source, Sample) else None
            if isinstance(sums, WeightSum) and sums.files:
                found += paths([reading.path(f) for f in sums.files])
    found += [reading.path(place.rpartition(":")[0]) for c in reading.histograms for place in places(c)]
    if reading.dataset:
        found.append(reading.path(reading.dataset.file) if reading.dataset.file else higgsml.path())
    for function in own_functions(reading):
        if isinstance(function, Named):
            found += own_code.sources_of(function.place, reading.base)
    found += map(Path, reading.score.files) if isinstance(reading.score, OnnxScore) else ()
    found += declared(reading.inputs, reading.base)
    return checksums(list(dict.fromkeys(found)))


def own_functions(reading: Reading) -> list[Own]:
    """Functions of the user's."""
    return [
        *(e.function for e in reading.effects),
        *([reading.score.function] if isinstance(reading.score, FunctionScore) else []),
    ]


def declared(inputs: Sequence[str], base: Path) -> list[Path]:
    """Further files that functions read, patterns and folders expanded, links to folders followed.

    Raises
    ------
    InputError : for one that is not there
    """
    found: list[Path] = []
    for name in inputs:
        path = base / Path(name).expanduser()
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


def _groups(reading: Reading) -> list[tuple[str, Sequence[Source]]]:
    """Sources that stand side by side, and where."""
    groups: list[tuple[str, Sequence[Source]]] = [("samples", reading.samples)]
    groups += [(f"systematic '{side.systematic}'", side.samples) for side in reading.varied]
    return [*groups, *([("observed", [reading.observed])] if reading.observed else [])]


def check_duplicates(reading: Reading) -> None:
    """Refuse rows that are read twice: a file twice in a sample, or rows of it that two samples select both.

    Files count by their content, whatever their names.

    Raises
    ------
    InputError : with both files and the number of rows
    """
    for where, group in _groups(reading):
        read: dict[tuple[str, str | None], list[tuple[Source, Path, Table | Joined]]] = {}
        for source in group:
            table = reading.open(source)
            for i, (file, tree) in enumerate(table.parts):
                key, part = (checksums([file])[str(file)], tree), table.part(i)
                for other, twin, beside in read.get(key, ()):
                    if source.allow_duplicates or other.allow_duplicates:
                        continue
                    if rows := _shared(reading, (source, part), (other, beside)):
                        both = f"'{twin}' and '{file}'" if twin != file else f"'{file}'"
                        seen = f"{rows} rows that are read twice, from {both}"
                        action = "correct files or selections, or set allow_duplicates: true"
                        raise InputError(where, seen, "each row once", action)
                read.setdefault(key, []).append((source, file, part))


def _shared(reading: Reading, *both: tuple[Source, Table | Joined]) -> int:
    """Number of rows of a file that both sources select."""
    masks = [mask for source, part in both if (mask := _passed(reading, source, part)) is not None]
    if masks:
        return sum(int(np.logical_and.reduce(some).sum()) for some in zip(*masks, strict=True))
    part = both[0][1]
    length = part.length()
    return (
        sum(len(c[part.columns[0]]) for c in part.chunks(part.columns[:1], reading.chunk)) if length is None else length
    )


def _passed(reading: Reading, source: Source, part: Table | Joined) -> Iterator[np.ndarray] | None:
    """Which rows of a file a source selects, chunk by chunk; None for all."""
    if not source.select:
        return None
    formula = expression(source.select)
    number = (reading.number,) if reading.number else ()
    needed = formula.names or part.columns[:1]
    return (formula.passed(chunk) for chunk in part.chunks(needed, reading.chunk, text=formula.text, integer=number))
