"""Tables that stand beside each other row by row, as ROOT's friend trees do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from verax.errors import InputError, check_known

from ._lists import made_of
from ._table import Chunk, Column, Table, open_files


@dataclass(frozen=True)
class Joined:
    """The rows of a table, with the columns of its friends beside them; made by :func:`verax.data.open_table`.

    Parameters
    ----------
    tables : the table and its friends, of as many files with as many rows in each
    """

    tables: tuple[Table, ...]

    def __post_init__(self) -> None:
        first, *friends = self.tables
        for friend in friends:
            if len(friend.parts) != len(first.parts):
                seen = f"{len(friend.parts)} files or trees beside {len(first.parts)} of '{first.files[0]}'"
                raise InputError(f"friend {friend.files[0]}", seen, "as many, in the same order")

    @property
    def parts(self) -> tuple[tuple[Path, str | None], ...]:
        """Files and trees of the table itself."""
        return self.tables[0].parts

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, those of friends last."""
        return tuple(path for table in self.tables for path in table.files)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, those of friends last."""
        return tuple(dict.fromkeys(c for table in self.tables for c in table.columns))

    def part(self, i: int) -> "Joined":
        """One of the files, with what stands beside it.

        Parameters
        ----------
        i : its place
        """
        return Joined(tuple(table.part(i) for table in self.tables))

    def length(self) -> int | None:
        """Find the number of rows, where the format tells it without reading them; else None."""
        return self.tables[0].length()

    def chunks(
        self, columns: Sequence[str], rows: int, *, text: Iterable[str] = (), integer: Iterable[str] = ()
    ) -> Iterator[Chunk]:
        """Read the named columns in chunks of ``rows`` rows, as :meth:`verax.data.Table.chunks` does.

        Parameters
        ----------
        columns : of any of the tables; of several, they must be equal in every row
        rows : of each chunk but the last
        text : columns that may hold strings
        integer : columns of a CSV file to read as int64

        Raises
        ------
        InputError : for what a table refuses, tables of different lengths, a column that differs between them, and lists
            of one expression that are in different tables
        """
        columns, text, integer = tuple(dict.fromkeys(columns)), frozenset(text), frozenset(integer)
        where, tables = str(self.files[0]), self.tables
        check_known([b for c in columns if c not in self.columns for b in made_of(c)], self.columns, where, "column")
        has = [[c for c in columns if c in t.columns or set(made_of(c)) <= set(t.columns)] for t in tables]
        for c in columns:
            if not any(c in some for some in has):
                seen = f"'{c}', made of columns of different trees"
                raise InputError(where, seen, "columns of one tree", "write them into one")
        lengths = [t.lengths() for t in tables]
        for table, some in zip(tables[1:], lengths[1:], strict=True):
            for (path, _), (first, _), n, m in zip(table.parts, self.parts, some, lengths[0], strict=True):
                if n is not None and m is not None and n != m:
                    raise InputError(f"friend {path}", f"{n} rows beside {m} of '{first}'", "as many rows")
        read = [some or list(t.columns[:1]) * (None in n) for t, some, n in zip(tables, has, lengths, strict=True)]
        chunks = [t.chunks(c, rows, text=text, integer=integer) for t, c in zip(tables, read, strict=True) if c]
        return self._beside(columns, chunks, {sum(n) for n in lengths if None not in n})  # type: ignore[arg-type]

    def _beside(self, columns: Sequence[str], chunks: Sequence[Iterator[Chunk]], lengths: set[int]) -> Iterator[Chunk]:
        """Chunks of all tables, which have as many rows."""
        rows = 0
        for some in zip_longest(*chunks):
            rows += max(len(next(iter(c.values()))) for c in some if c)
            yield self._checked(columns, some)
        if lengths - {rows}:
            raise self._unequal()

    def _unequal(self) -> InputError:
        seen = "friends of different lengths, " + ", ".join(map(str, self.files))
        return InputError("friends", seen, "as many rows in each")

    def _checked(self, columns: Sequence[str], chunks: Sequence[Chunk | None]) -> Chunk:
        """One chunk of all tables."""
        lengths = {len(next(iter(c.values()))) if c else 0 for c in chunks}
        if len(lengths) > 1:
            raise self._unequal()
        found: Chunk = {}
        for chunk in chunks:
            for name, values in (chunk or {}).items():
                if name in found and (differ := _differing(found[name], values)):
                    seen = f"column '{name}' of '{self.files[0]}' and of its friends, different in {differ} rows"
                    raise InputError("friends", seen, "the same in all trees", "are they in one order? else rename one")
                found[name] = values
        return {name: found[name] for name in columns}


def _differing(a: Column, b: Column) -> int:
    """Number of rows in which two columns differ; NaN is equal to NaN."""
    same = a == b
    if a.dtype.kind == b.dtype.kind == "f":
        same |= np.isnan(a) & np.isnan(b)
    return int((~same).sum())


def open_table(
    path: str | Path | Sequence[str | Path],
    *,
    tree: str | Sequence[str] | None = None,
    friends: "Sequence[Table | Joined]" = (),
) -> Table | Joined:
    """Open the table in a file, in the files that a pattern such as ``run*.root`` matches, or in a list of those.

    Parameters
    ----------
    path : of the files; ``run.root:tree`` names the tree, too
    tree : name of the TTree or RNTuple of ROOT files, or of several, which are read one after another from each file;
        not needed when a file has one only
    friends : tables of as many files, whose rows stand beside these

    Raises
    ------
    InputError : for a missing, empty or damaged file, an unknown format, a tree that does not exist (the others are
        listed), and friends of another number of files
    """
    table = open_files(path, tree)
    beside = [t for friend in friends for t in (friend.tables if isinstance(friend, Joined) else (friend,))]
    return Joined((table, *beside)) if beside else table
