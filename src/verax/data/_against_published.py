"""Files against what is published of them, and column by column, in one pass over chunks."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verax.errors import InputError

from . import uci_higgs
from ._catalogue import CATALOGUE, UNKNOWN, Published, named
from ._joined import open_table
from ._table import Chunk

ROWS = 1 << 17
"""Rows that are read at once."""

LISTS = ("Muon_", "Tau_", "Jet_")
"""Beginnings of names of branches that have a list a row."""


@dataclass(frozen=True)
class Check:
    """One thing that was checked: what was found and expected; ``good`` is None where nothing is known."""

    what: str
    found: str
    expected: str
    good: bool | None


def recognise(path: str | Path) -> str:
    """Find the published set whose columns a file has.

    Parameters
    ----------
    path : of the file

    Raises
    ------
    InputError : for a file that is missing, damaged, or has the columns of none
    """
    if uci_higgs.is_bare(path):
        return "uci-higgs"
    columns = set(open_table(path).columns)
    missing = {name: [c for c in known.columns if c not in columns] for name, known in CATALOGUE.items()}
    nearest = min(missing, key=lambda name: len(missing[name]) / len(CATALOGUE[name].columns))
    if missing[nearest]:
        lacking = ", ".join(missing[nearest][:5])
        raise InputError(
            str(path), f"columns of no known set; nearest is {nearest}, without {lacking}", ", ".join(CATALOGUE)
        )
    return nearest


def check_file(path: str | Path, name: str | None = None) -> tuple[str, tuple[Check, ...]]:
    """Check a local file against what is published: columns, rows, values, sums, and its checksum; streamed.

    Parameters
    ----------
    path : of the file
    name : of the published set (default: the one whose columns it has)

    Raises
    ------
    InputError : for an unknown name, or a file that is missing, damaged or of no known set
    """
    name = recognise(path) if name is None else name
    known = named(name)
    columns, chunks = _opened(path, known)
    checks = [_columns(known, columns)]
    if checks[0].good:
        checks += _content(known, Path(path), chunks)
    return name, (*checks, Check("sha256", _sha256(path), UNKNOWN, None))


@dataclass
class Summary:
    """Of one column: rows, those that are not finite, smallest, largest and mean of the others; text has none of these."""

    rows: int = 0
    bad: int = 0
    low: float = math.inf
    high: float = -math.inf
    total: float = 0.0

    def add(self, values: np.ndarray) -> None:
        """Count some rows more.

        Parameters
        ----------
        values : of the column in these rows
        """
        self.rows += len(values)
        if values.dtype.kind not in "biuf":
            self.bad = self.rows
            return
        finite = values[np.isfinite(values)].astype(np.float64)
        self.bad += len(values) - len(finite)
        if len(finite):
            self.low, self.high = min(self.low, float(finite.min())), max(self.high, float(finite.max()))
            self.total += float(finite.sum())

    @property
    def mean(self) -> float:
        """NaN where no value is finite."""
        return self.total / (self.rows - self.bad) if self.rows > self.bad else math.nan


def describe_file(path: str | Path, *, tree: str | None = None) -> dict[str, Summary]:
    """Summarise each column of numbers of a table, chunk by chunk; columns of text or lists are counted only.

    Parameters
    ----------
    path : of the file
    tree : of a ROOT file with several

    Raises
    ------
    InputError : for a file that is missing or damaged
    """
    if uci_higgs.is_bare(path):
        columns, chunks = ("label", *uci_higgs.COLUMNS), uci_higgs.tables(path, rows=ROWS)
    else:
        table = open_table(path, tree=tree)
        columns = table.columns
        readable = [c for c in columns if _is_plain(table, c)]
        chunks = table.chunks(readable, ROWS, text=readable) if readable else iter(())
    found = {name: Summary() for name in columns}
    for chunk in chunks:
        for name, values in chunk.items():
            found[name].add(_numbers(values))
    return found


def _opened(path: str | Path, known: Published) -> tuple[tuple[str, ...], Iterable[Chunk]]:
    if known is CATALOGUE["uci-higgs"] and uci_higgs.is_bare(path):
        return known.columns, uci_higgs.tables(path, rows=ROWS)
    tree = "Events" if known is CATALOGUE["cms-htautau"] else None
    table = open_table(path, tree=tree)
    text = [c for c in (known.label, "KaggleSet") if c in table.columns]
    wanted = [c for c in known.columns if c in table.columns and not (tree and c.startswith(LISTS))]
    return table.columns, table.chunks(wanted, ROWS, text=text)


def _columns(known: Published, columns: tuple[str, ...]) -> Check:
    missing = [c for c in known.columns if c not in columns]
    found = f"{len(columns)} columns" + (f", without {', '.join(missing[:5])}" if missing else "")
    return Check("columns", found, f"the {len(known.columns)} of the set", not missing)


def _content(known: Published, path: Path, chunks: Iterable[Chunk]) -> list[Check]:
    """Rows, values that are not finite, and sums of weights by label, in one pass."""
    rows, bad, sums = 0, 0, dict[str, float]()
    for chunk in chunks:
        rows += len(next(iter(chunk.values())))
        bad += sum(int((~np.isfinite(v)).sum()) for v in chunk.values() if v.dtype.kind == "f")
        if known.weight:
            names, number = np.unique(chunk[known.label].astype(str), return_inverse=True)
            totals = np.bincount(number, chunk[known.weight].astype(np.float64), len(names))
            for label, total in zip(names.tolist(), totals.tolist(), strict=True):
                sums[label] = sums.get(label, 0.0) + total
    expected = known.files.get(path.name, known.rows if len(known.files) == 1 else None)
    said = UNKNOWN if expected is None else f"{expected:,}"
    checks = [
        Check("rows", f"{rows:,}", said, None if expected is None else rows == expected),
        Check("values not finite", str(bad), "0", bad == 0),
    ]
    for label in sorted({*sums, *known.sums}):
        wanted, total = known.sums.get(label), sums.get(label, 0.0)
        good = None if wanted is None and not known.sums else wanted is not None and abs(total - wanted) < 1e-4 * wanted
        said = f"{wanted:.8g}" if wanted is not None else "no such label" if known.sums else UNKNOWN
        checks.append(Check(f"sum of {known.weight}, {known.label} {label}", f"{total:.8g}", said, good))
    return checks


def _is_plain(table: Any, column: str) -> bool:
    """Whether a column has one number or text a row."""
    try:
        next(iter(table.chunks([column], 1, text=[column])))
    except (InputError, StopIteration):
        return False
    return True


def _numbers(values: np.ndarray) -> np.ndarray:
    """Text that is numbers, as CSV has them, as numbers."""
    if values.dtype.kind in "biuf":
        return values
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        return values


def _sha256(path: str | Path) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
