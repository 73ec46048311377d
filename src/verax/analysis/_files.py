"""The files that an analysis reads: all of them with their checksums, and rows that are read twice."""

import os
from collections.abc import Mapping, Sequence
from glob import glob
from pathlib import Path

import numpy as np

from verax.data import expression, higgsml, open_table
from verax.errors import InputError
from verax.run import checksums, own_code

from ._functions import Named, Own
from ._onnx import OnnxScore
from ._parts import Reading
from ._sections import Source
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
        read: dict[tuple[str, str | None], list[tuple[Source, Path]]] = {}
        for source in group:
            table = reading.open(source)
            for file, checksum in ((f, checksums([f])[str(f)]) for f in table.files):
                for other, twin in read.get((checksum, table.tree), ()):
                    if source.allow_duplicates or other.allow_duplicates:
                        continue
                    if rows := _shared(reading, file, table.tree, (source, other)):
                        both = f"'{twin}' and '{file}'" if twin != file else f"'{file}'"
                        seen = f"{rows} rows that are read twice, from {both}"
                        action = "correct files or selections, or set allow_duplicates: true"
                        raise InputError(where, seen, "each row once", action)
                read.setdefault((checksum, table.tree), []).append((source, file))


def _shared(reading: Reading, file: Path, tree: str | None, sources: tuple[Source, Source]) -> int:
    """Number of rows of a file that both select."""
    table, formulas = open_table(file, tree=tree), [expression(s.select) for s in sources if s.select]
    needed = tuple(dict.fromkeys(n for f in formulas for n in f.names)) or table.columns[:1]
    text, number, shared = [n for f in formulas for n in f.text], (reading.number,) if reading.number else (), 0
    if not formulas and (length := table.length()) is not None:
        return length
    for chunk in table.chunks(needed, reading.chunk, text=text, integer=number):
        both = np.ones(len(chunk[needed[0]]), bool)
        for formula in formulas:
            both &= formula.passed(chunk)
        shared += int(both.sum())
    return shared
