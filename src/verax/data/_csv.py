"""CSV files (.csv, .csv.gz, .csv.bz2), streamed by Arrow; the first line names the columns."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from verax.errors import InputError

BLOCK = 1 << 20
"""Bytes of text parsed at a time."""


def columns(path: Path, tree: str | None = None) -> tuple[str, ...]:
    """Names of the columns."""
    with readable(path):
        return tuple(_open(path).schema.names)


def length(path: Path, tree: str | None = None) -> int | None:
    """None: the rows of a text file are known only after reading it."""
    return None


def batches(
    path: Path, tree: str | None, names: tuple[str, ...], rows: int, text: frozenset[str], integer: frozenset[str]
) -> Iterator[dict[str, np.ndarray[Any, np.dtype[Any]]]]:
    """The named columns in batches of the parser's size; float64, int64 or Python strings."""
    types = {n: pa.string() if n in text else pa.int64() if n in integer else pa.float64() for n in names}
    with readable(path):
        for batch in _open(path, types):
            yield {name: batch.column(name).to_numpy(zero_copy_only=False) for name in names}


def _open(path: Path, types: dict[str, pa.DataType] | None = None) -> Any:
    convert = pyarrow.csv.ConvertOptions(
        include_columns=list(types) if types else None,
        column_types=types,
        strings_can_be_null=False,
    )
    return pyarrow.csv.open_csv(
        str(path), read_options=pyarrow.csv.ReadOptions(block_size=BLOCK), convert_options=convert
    )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Arrow's errors as one line that says what to do."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, EOFError) as error:
        message = str(error).splitlines()[0]
        if "conversion error" in message:
            raise InputError(
                str(path), message, "numbers in all columns that are used", "compare text in process rules only"
            ) from error
        raise InputError(str(path), message, "a complete CSV file", "was it written or copied to the end?") from error
