"""A table in files, read in chunks of plain arrays: the one way in for CSV, Parquet and ROOT."""

import glob
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from verax.errors import InputError, check_known, check_least

from . import _csv as csv
from . import _parquet as parquet
from . import _root as root
from ._lists import Element, Lists, Over, quantity

Column: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Chunk: TypeAlias = dict[str, Column]

FORMATS: tuple[tuple[str, ModuleType], ...] = (
    (".csv", csv),
    (".csv.gz", csv),
    (".csv.bz2", csv),
    (".parquet", parquet),
    (".pq", parquet),
    (".root", root),
)
"""Endings of file names and the module that reads them: each has ``columns``, ``length`` and ``batches``."""

ENDINGS = tuple(ending for ending, _ in FORMATS)
"""Of names of files that are tables."""


@dataclass(frozen=True)
class Table:
    """Rows of one or several files with the same columns.

    Parameters
    ----------
    parts : files in the order in which they are read, each with its ROOT tree or RNTuple; None for other formats
    columns : names of all columns of the first file
    """

    parts: tuple[tuple[Path, str | None], ...]
    columns: tuple[str, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files in the order in which they are read; one that is read with several trees stands there for each."""
        return tuple(path for path, _ in self.parts)

    def part(self, i: int) -> "Table":
        """One of the files alone, with the columns that its own header has.

        Parameters
        ----------
        i : its place
        """
        path, tree = self.parts[i]
        return Table(self.parts[i : i + 1], _reader(path).columns(path, tree) if i else self.columns)

    def lengths(self) -> list[int | None]:
        """Find the number of rows of each file, None where the format does not tell it."""
        return [_reader(path).length(path, tree) for path, tree in self.parts]

    def length(self) -> int | None:
        """Find the number of rows, where the format tells it without reading them; else None."""
        found = self.lengths()
        known = [n for n in found if n is not None]
        return sum(known) if len(known) == len(found) else None

    def chunks(
        self, columns: Sequence[str], rows: int, *, text: Iterable[str] = (), integer: Iterable[str] = ()
    ) -> Iterator[Chunk]:
        """Read the named columns in chunks of ``rows`` rows; only the last is shorter, and chunks may span files.

        Memory is bounded by the chunk (and by the file's own blocks). Numbers keep the file's type; CSV has no types
        and gives float64. A value that is missing in a row is NaN there.

        Parameters
        ----------
        columns : of ROOT and Parquet files also an element of a list, ``jet_pt[0]`` (NaN where it is shorter; a number
            instead with ``jet_pt[0, -999]``), or a number over its elements, such as ``len(jet_pt)``, ``sum(jet_pt > 30)``
        rows : of each chunk but the last
        text : columns that may hold strings; they come as arrays of Python strings
        integer : columns of a CSV file to read as int64 (event numbers beyond 2⁵³)

        Raises
        ------
        InputError : for unknown columns (with the nearest name), text where numbers are expected, lists where numbers
            are expected, damaged files, and when there are no rows at all
        """
        check_least(rows, 1, "rows in a chunk")
        columns, text, integer = tuple(dict.fromkeys(columns)), frozenset(text), frozenset(integer)
        made = {name: None if name in self.columns else quantity(name) for name in columns}
        stored = tuple(dict.fromkeys(b for name, q in made.items() for b in (q.branches if q else (name,))))
        check_known(stored, self.columns, str(self.files[0]), "column")
        if twice := [name for name in stored if self.columns.count(name) > 1]:
            raise InputError(str(self.files[0]), f"column '{twice[0]}' twice", "one of a name", "rename one of them")
        return rechunk(self._batches(made, stored, rows, text, integer), rows)

    def _batches(
        self,
        made: Mapping[str, Element | Over | None],
        stored: tuple[str, ...],
        rows: int,
        text: frozenset[str],
        integer: frozenset[str],
    ) -> Iterator[Chunk]:
        empty = True
        for path, tree in self.parts:
            for read in _reader(path).batches(path, tree, stored, rows, text, integer):
                batch = {name: q(read, str(path)) if q else read[name] for name, q in made.items()}
                for name, values in batch.items():
                    _check_type(values, path, name, name in text)
                if any(len(values) for values in batch.values()):
                    empty = False
                    yield batch
        if empty:
            raise InputError(", ".join(map(str, self.files)), "no rows", "at least one event", "check the file")


def open_files(path: str | Path | Sequence[str | Path], tree: str | Sequence[str] | None) -> Table:
    """The table in some files, each of them read with each of the trees."""
    parts = _parts([path] if isinstance(path, str | Path) else path)
    trees: list[str | None] = [tree] if tree is None or isinstance(tree, str) else [*tree] or [None]
    found = list[tuple[Path, str | None]]()
    for file, own in parts:
        if own is not None and tree is not None:
            raise InputError(str(file), f"'{file.name}:{own}' beside tree {tree}", "the tree in one place")
        names = [own] if own is not None else trees
        found += [(file, name) for name in names] if _reader(file) is root else [(file, None)]
    first, reader = found[0][0], _reader(found[0][0])
    if reader is root:
        given = {name: root.find_tree(first, name) for file, name in found if file == first}
        found = [(file, given.get(None) if name is None else name) for file, name in found]
    return Table(tuple(found), reader.columns(*found[0]))


def paths(files: Sequence[str | Path]) -> list[Path]:
    """Find the files of some paths and patterns, those of a pattern in alphabetical order.

    Parameters
    ----------
    files : paths or patterns such as ``run*.root``; of ``run.root:tree`` the file, once for several of its trees

    Raises
    ------
    InputError : for a missing or empty file, a pattern that matches none, and an empty list
    """
    found = list[Path]()
    for path, tree in _parts(files):
        found += [path] if tree is None or path not in found else []
    return found


def _parts(files: Sequence[str | Path]) -> list[tuple[Path, str | None]]:
    """Files, and the tree of those that are written with one, as ``run.root:tree``."""
    found = [(path, tree) for one in files for some, tree in [_split(str(one))] for path in _expand(some)]
    if not found:
        raise InputError("files", "an empty list", "at least one file")
    return found


def _split(pattern: str) -> tuple[str, str | None]:
    """A path and the tree that stands behind it, ``file.root:folder/tree``."""
    file, _, tree = pattern.rpartition(":")
    is_root = file.lower().endswith(".root") and tree and not Path(pattern).is_file()
    return (file, tree) if is_root else (pattern, None)


def rechunk(batches: Iterable[Chunk], rows: int) -> Iterator[Chunk]:
    """Batches of any length as chunks of ``rows`` rows; the last may be shorter."""
    held: list[Chunk] = []
    count = 0
    for batch in batches:
        length = len(next(iter(batch.values())))
        start = 0
        while count + length - start >= rows:
            stop = start + rows - count
            held.append({name: values[start:stop] for name, values in batch.items()})
            yield _joined(held)
            held, count, start = [], 0, stop
        if start < length:
            held.append({name: values[start:] for name, values in batch.items()})
            count += length - start
    if held:
        yield _joined(held)


def _joined(parts: Sequence[Chunk]) -> Chunk:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _expand(pattern: str) -> list[Path]:
    if Path(pattern).is_file():
        found = [Path(pattern)]
    elif any(mark in pattern for mark in "*?["):
        found = sorted(Path(match) for match in glob.glob(pattern, recursive=True))
        if not found:
            raise InputError(
                pattern, "no file that matches", "at least one", "check the pattern and the working folder"
            )
    elif re.match(r"[A-Za-z][\w+.-]+:/", pattern):  # one slash is left of two in a path
        raise InputError(pattern, "a file on another machine", "one on this machine", "copy it first, as xrdcp does")
    else:
        raise InputError(pattern, "a folder" if Path(pattern).is_dir() else "no such file", "a file", "check the path")
    for path in found:
        if path.stat().st_size == 0:
            raise InputError(str(path), "an empty file", "a file with events", "was it written to the end?")
    return found


def _reader(path: Path) -> ModuleType:
    for ending, module in FORMATS:
        if path.name.lower().endswith(ending):
            return module
    known = ", ".join(ending for ending, _ in FORMATS)
    raise InputError(str(path), f"the ending '{path.suffix}'", f"one of {known}", "convert or rename the file")


def _check_type(values: Column | Lists, path: Path, name: str, text: bool) -> None:
    if isinstance(values, Lists):
        where, action = (
            f"{path}, column '{name}'",
            f"choose an element, such as '{name}[0]', or len, sum, max, min of all",
        )
        raise InputError(where, "a list per event", "one number per event", action)
    if values.dtype.kind in "biuf" or (text and values.dtype.kind in "OUT"):
        return
    example = repr(values[0]) if len(values) else "no rows"
    raise InputError(
        f"{path}, column '{name}'",
        f"values that are no numbers, such as {example}",
        "numbers",
        "compare text in a process or selection rule only, such as Label == 's'",
    )
