"""Parquet files, read in row groups; and events written to, and read back from, such files without loss."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from verax.errors import InputError
from verax.events import Events

from ._lists import Lists

WEIGHT, PROCESS, NUMBER = "event_weight", "event_process", "event_number"
FORMAT = b"verax.events"


def columns(path: Path, tree: str | None = None) -> tuple[str, ...]:
    """Names of the columns."""
    with _file(path) as file:
        return tuple(file.schema_arrow.names)


def length(path: Path, tree: str | None = None) -> int | None:
    """Number of rows."""
    with _file(path) as file:
        return int(file.metadata.num_rows)


def batches(
    path: Path, tree: str | None, names: tuple[str, ...], rows: int, text: frozenset[str], integer: frozenset[str]
) -> Iterator[dict[str, np.ndarray[Any, np.dtype[Any]] | Lists]]:
    """The named columns in batches of at most ``rows`` rows."""
    with _file(path) as file:
        for batch in file.iter_batches(batch_size=rows, columns=list(names)):
            yield {name: _plain(batch.column(name)) for name in names}


def write_events(path: str | Path, chunks: Iterable[Events]) -> int:
    """Write events chunk by chunk, a row group each, and return their number; memory holds one chunk.

    Values are float32 and come back to the last bit with :func:`read_events`. The file is written under a temporary
    name and then renamed, so that it is there whole or not at all.

    Parameters
    ----------
    path : of the file
    chunks : events of the same columns and processes

    Raises
    ------
    InputError : when there is no chunk, chunks differ in columns or processes, or the folder cannot be written to
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    writer: Any = None
    names: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    count = 0
    try:
        for chunk in chunks:
            if names is None:
                names = (chunk.columns, chunk.processes)
                writer = pq.ParquetWriter(partial, _schema(chunk))
            elif names != (chunk.columns, chunk.processes):
                raise InputError(str(path), f"columns {chunk.columns}", f"columns {names[0]} as in the first chunk")
            writer.write_table(_arrow(chunk, writer.schema), row_group_size=max(len(chunk), 1))
            count += len(chunk)
        if writer is None:
            raise InputError(str(path), "no events to write", "at least one chunk")
        writer.close()
        writer = None
        partial.replace(path)
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error), "a folder that can be written to") from error
    finally:
        if writer is not None:
            writer.close()
        partial.unlink(missing_ok=True)
    return count


def read_events(path: str | Path, rows: int) -> Iterator[Events]:
    """Read events written by :func:`write_events`, in chunks that may lie within a row group or across some.

    Parameters
    ----------
    path : of the file
    rows : most events of a chunk

    Raises
    ------
    InputError : when the file is damaged, or holds no events of this package
    """
    path = Path(path)
    with _file(path) as file:
        head = (file.schema_arrow.metadata or {}).get(FORMAT)
        if head is None:
            raise InputError(str(path), "a Parquet file without verax's event format", "one that verax wrote")
        processes = tuple(json.loads(head)["processes"])
        names = tuple(name for name in file.schema_arrow.names if name not in (WEIGHT, PROCESS, NUMBER))
        for batch in file.iter_batches(batch_size=rows):
            x = np.empty((batch.num_rows, len(names)), np.float32)
            for i, name in enumerate(names):
                x[:, i] = batch.column(name).to_numpy()
            weight, process, number = (batch.column(name).to_numpy() for name in (WEIGHT, PROCESS, NUMBER))
            yield Events(x, weight, process, number, names, processes)


def _schema(events: Events) -> pa.Schema:
    for name in {WEIGHT, PROCESS, NUMBER} & set(events.columns):
        raise InputError("write_events", f"a column '{name}'", "other names", "the file uses this one for itself")
    fields = [pa.field(name, pa.float32(), nullable=False) for name in (*events.columns, WEIGHT)]
    fields += [pa.field(PROCESS, pa.int32(), nullable=False), pa.field(NUMBER, pa.uint32(), nullable=False)]
    return pa.schema(fields, metadata={FORMAT: json.dumps({"version": 1, "processes": events.processes}).encode()})


def _arrow(events: Events, schema: pa.Schema) -> pa.Table:
    x = np.asarray(events.x, np.float32)
    arrays = [np.ascontiguousarray(x[:, i]) for i in range(x.shape[1])]
    arrays += [np.asarray(events.weight, np.float32), np.asarray(events.process, np.int32), np.asarray(events.number)]
    return pa.Table.from_arrays([pa.array(values) for values in arrays], schema=schema)


def _plain(values: Any) -> np.ndarray[Any, np.dtype[Any]] | Lists:
    """An Arrow array as numbers, as Python strings, or as lists of numbers; all else as objects, which the table refuses."""
    kind = values.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        flat = _plain(values.flatten())
        if isinstance(flat, np.ndarray) and flat.dtype.kind in "biuf":
            return Lists(flat, np.asarray(pc.list_value_length(values).fill_null(0), np.int64))
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    plain = values.to_numpy(zero_copy_only=False)
    if pa.types.is_boolean(values.type) and values.null_count == 0:
        plain = plain.astype(bool)
    return np.asarray(plain)


@contextmanager
def _file(path: Path) -> Iterator[Any]:
    try:
        # pre_buffer would fetch all row groups ahead: memory would grow with the file
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield file
    except FileNotFoundError as error:
        raise InputError(str(path), "no such file", "a Parquet file", "check the path") from error
    except (pa.ArrowException, OSError) as error:
        message = str(error).splitlines()[0]
        raise InputError(str(path), message, "a complete Parquet file", "was it written to the end?") from error
