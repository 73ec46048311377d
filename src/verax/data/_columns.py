"""Plain columns written to a Parquet file, chunk by chunk."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from verax.errors import InputError
from verax.run import replacing


def write_columns(
    path: str | Path, chunks: Iterable[Mapping[str, np.ndarray[Any, np.dtype[Any]]]], *, reads: Iterable[Path] = ()
) -> int:
    """Write columns, a row group each chunk, and return the number of rows; memory holds one chunk.

    Parameters
    ----------
    path : of the file, ``NAME.parquet``, which is there whole or not at all
    chunks : arrays of equal lengths by name, of numbers or text, the same names and types in each
    reads : files that the chunks are made of, none of which is written over

    Raises
    ------
    InputError : for another ending, no chunk, columns of other types than in the first, a place that cannot be written, or
        one of the files that are read
    """
    path, writer, count = Path(path), None, 0
    if path.suffix != ".parquet":
        raise InputError(str(path), f"the ending '{path.suffix}'", ".parquet")
    if path.exists() and any(path.samefile(file) for file in reads if file.exists()):
        raise InputError(str(path), "the place of a file that is read", "another one", "choose another output")
    try:
        with replacing(path) as part:
            try:
                for chunk in chunks:
                    table = pa.table({name: pa.array(values) for name, values in chunk.items()})
                    writer = writer or pq.ParquetWriter(part, table.schema)
                    writer.write_table(table.cast(writer.schema))
                    count += len(table)
            finally:
                if writer is not None:
                    writer.close()
            if writer is None:
                raise InputError(str(path), "no rows to write", "at least one")
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error), "a file that can be written") from error
    except (pa.ArrowException, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(str(path), str(error).splitlines()[0], "columns of the same types in each chunk") from error
    return count
