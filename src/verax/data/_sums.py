"""Sums of weights that files carry beside their events: in a bookkeeping tree, a histogram, or metadata."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import uproot

from verax.errors import InputError, check_known
from verax.expressions import expression
from verax.run import checksums

from ._histogram import read_histogram
from ._root import readable
from ._table import open_files, paths
from ._values import check_values


def sum_of_weights(
    files: Sequence[str | Path],
    *,
    column: str | None = None,
    histogram: str | None = None,
    bin: int | str | None = None,
    metadata: str | None = None,
    rows: int = 65536,
) -> float:
    """Add up the weights of all events that were simulated, selected or not, as the files tell it.

    One of ``column``, ``histogram`` and ``metadata`` says where; what several files say is added.

    Parameters
    ----------
    files : paths or patterns
    column : name, or an expression of names, summed over all rows; "Runs:genEventSumw" names the tree
    histogram : a ROOT TH1; without ``bin``, its contents between under- and overflow are summed
    bin : number from 1 on, as in ROOT, or the label of one
    metadata : name of a number: a key of a Parquet file's metadata, a TParameter or TObjString of a ROOT file
    rows : of a column read at once; the sum does not depend on it

    Raises
    ------
    InputError : for a file that is counted twice (by its content), what is not there (with the nearest name), values
        that are no finite numbers, and a sum that is not positive
    """
    found, seen = paths(files), dict[str, Path]()
    for path in found:
        twin = seen.setdefault(checksums([path])[str(path)], path)
        if twin is not path:
            both = f"'{path}'" if twin == path else f"'{twin}' and '{path}', which are equal,"
            raise InputError("sum of weights", f"{both} counted twice", "each file once", "name it once")
    match column, histogram, metadata:
        case str(), None, None:
            parts = _column(found, column, rows)
        case None, str(), None:
            parts = (_histogram(path, histogram, bin) for path in found)
        case None, None, str():
            parts = (_metadata(path, metadata) for path in found)
        case _:
            raise InputError("sum of weights", "none or several", "one of column, histogram and metadata")
    total = math.fsum(parts)
    if not 0 < total < math.inf:
        place = str(found[0]) if len(found) == 1 else f"{found[0]} … {found[-1]}"
        seen_as = f"a sum of weights of {total:g} in '{column or histogram or metadata}'"
        raise InputError(place, seen_as, "a positive one", "is it the sum before the selection, of these files?")
    return total


def _column(found: Sequence[Path], column: str, rows: int) -> Iterator[float]:
    """Every value of a column, or of an expression."""
    tree, _, text = column.rpartition(":")
    formula, table = expression(text), open_files(found, tree or None)
    for chunk in table.chunks(formula.names or table.columns[:1], rows):
        values = np.asarray(formula(chunk), np.float64)
        check_values({text: values}, "error", where=str(found[0]))
        yield from values.tolist()


def _histogram(path: Path, name: str, bin: int | str | None) -> float:
    """The sum of a histogram's bins, or the content of one."""
    found = read_histogram(path, name)
    contents, labels = found.values, found.labels
    if isinstance(bin, str):
        check_known([bin], labels, f"{path}, histogram '{name}'", "label of a bin")
        bin = labels.index(bin) + 1
    if bin is None:
        return math.fsum(contents.tolist())
    if not 1 <= bin <= len(contents):
        raise InputError(f"{path}, histogram '{name}'", f"bin {bin}", f"1 … {len(contents)}, as in ROOT")
    return float(contents[bin - 1])


def _metadata(path: Path, key: str) -> float:
    """A number beside the events."""
    if path.suffix == ".root":
        with readable(path), uproot.open(path) as file:
            kinds = file.classnames(cycle=False)
            known = [n for n, kind in kinds.items() if kind.startswith(("TParameter", "TObjString"))]
            check_known([key], known, str(path), "TParameter or TObjString")
            value = getattr(file[key], "value", file[key])
    elif path.suffix in (".parquet", ".pq"):
        stored = {k.decode(): v.decode() for k, v in (pq.read_metadata(path).metadata or {}).items()}
        check_known([key], stored, str(path), "key of the metadata")
        value = stored[key]
    else:
        raise InputError(str(path), "a file without metadata", "ROOT or Parquet", "give the sum as a number")
    try:
        return float(value)
    except ValueError as error:
        raise InputError(f"{path}, metadata '{key}'", f"'{value!s:.80}'", "a number") from error
