"""A table in files, read in chunks of plain arrays: the one way in for CSV, Parquet and ROOT."""

import glob
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from verax.errors import InputError, check_known, check_least

from . import _csv as csv
from . import _parquet as parquet
from . import _root as root

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
    files : in the order in which they are read
    tree : name of the ROOT tree or RNTuple; None for other formats
    columns : names of all columns of the first file
    """

    files: tuple[Path, ...]
    tree: str | None
    columns: tuple[str, ...]

    def length(self) -> int | None:
        """Find the number of rows, where the format tells it without reading them; else None."""
        lengths = [_reader(path).length(path, self.tree) for path in self.files]
        return None if None in lengths else sum(lengths)

    def chunks(
        self, columns: Sequence[str], rows: int, *, text: Iterable[str] = (), integer: Iterable[str] = ()
    ) -> Iterator[Chunk]:
        """Read the named columns in chunks of ``rows`` rows; only the last is shorter, and chunks may span files.

        Memory is bounded by the chunk (and by the file's own blocks). Numbers keep the file's type; CSV has no types
        and gives float64. A value that is missing in a row is NaN there.

        Parameters
        ----------
        columns : a ROOT column may name one element of a list, ``jet_pt[0]``: NaN where the list is shorter
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
        check_known([root.element(name)[0] for name in columns], self.columns, str(self.files[0]), "column")
        if twice := [name for name in columns if self.columns.count(name) > 1]:
            raise InputError(str(self.files[0]), f"column '{twice[0]}' twice", "one of a name", "rename one of them")
        return rechunk(self._batches(columns, rows, text, integer), rows)

    def _batches(
        self, columns: tuple[str, ...], rows: int, text: frozenset[str], integer: frozenset[str]
    ) -> Iterator[Chunk]:
        empty = True
        for path in self.files:
            for batch in _reader(path).batches(path, self.tree, columns, rows, text, integer):
                for name, values in batch.items():
                    _check_type(values, path, name, name in text)
                if any(len(values) for values in batch.values()):
                    empty = False
                    yield batch
        if empty:
            raise InputError(", ".join(map(str, self.files)), "no rows", "at least one event", "check the file")


def open_table(path: str | Path | Sequence[str | Path], *, tree: str | None = None) -> Table:
    """Open the table in a file, in the files that a pattern such as ``run*.root`` matches, or in a list of those.

    Parameters
    ----------
    path : of the files
    tree : name of the TTree or RNTuple of ROOT files; not needed when a file has one only

    Raises
    ------
    InputError : for a missing, empty or damaged file, an unknown format, or a tree that does not exist (the others are
        listed)
    """
    given = [path] if isinstance(path, str | Path) else list(path)
    files = tuple(found for one in given for found in _expand(str(one)))
    if not files:
        raise InputError("files", "an empty list", "at least one file")
    reader = _reader(files[0])
    if reader is root:
        tree = root.find_tree(files[0], tree)
    return Table(files, tree, reader.columns(files[0], tree))


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
        file, _, tree = pattern.rpartition(":")
        action = f"name the tree by `tree: {tree}`" if Path(file).is_file() else "check the path"
        raise InputError(pattern, "a folder" if Path(pattern).is_dir() else "no such file", "a file", action)
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


def _check_type(values: Column, path: Path, name: str, text: bool) -> None:
    if values.dtype.kind in "biuf" or (text and values.dtype.kind in "OUT"):
        return
    example = repr(values[0]) if len(values) else "no rows"
    raise InputError(
        f"{path}, column '{name}'",
        f"values that are no numbers, such as {example}",
        "numbers",
        "compare text in a process or selection rule only, such as Label == 's'",
    )
