"""The HIGGS data of UCI (doi:10.24432/C5V312, CC BY 4.0; Baldi, Sadowski, Whiteson, arXiv:1402.4735), from a local file.

A heavy Higgs boson against top pairs, simulation, features in units of their spread. The published file, 11 million rows,
has no heading, the label first; one with a heading is read too, its columns in any order. The file is not shipped.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from verax.errors import InputError
from verax.events import Events, concatenate, make_events

from ._csv import BLOCK, readable
from ._joined import open_table
from ._table import ENDINGS, Chunk, rechunk

PROCESSES = ("background", "signal")

COLUMNS = (
    *("lepton_pT", "lepton_eta", "lepton_phi", "missing_energy_magnitude", "missing_energy_phi"),
    *(f"jet_{i}_{v}" for i in range(1, 5) for v in ("pt", "eta", "phi", "btag")),
    *("m_jj", "m_jjj", "m_lv", "m_jlv", "m_bb", "m_wbb", "m_wwbb"),
)
"""The features, in the order of the file."""


def load(file: str | Path) -> Events:
    """All events of a file, see :func:`chunks`; for samples that fit into memory."""
    return concatenate(list(chunks(file, rows=1 << 20)))


def chunks(file: str | Path, *, rows: int) -> Iterator[Events]:
    """The events in chunks of ``rows``, each of weight one, with the row as event number.

    Raises
    ------
    InputError : for a file that is missing or damaged, has other columns, or a label that is neither 0 nor 1
    """
    names, start = ("label", *COLUMNS), 0
    for chunk in tables(file, rows=rows) if is_bare(file) else open_table(file).chunks(names, rows):
        label = chunk["label"]
        if (wrong := (label != 0) & (label != 1)).any():
            raise InputError(f"{file}, column 'label'", f"{label[wrong][0]:g}", "0 (background) or 1 (signal)")
        number = np.arange(start, start + len(label))
        columns = {name: chunk[name] for name in COLUMNS}
        yield make_events(columns, process=label.astype(np.int32), number=number, processes=PROCESSES)
        start += len(label)


def is_bare(path: str | Path) -> bool:
    """Tell whether a file is a CSV of 29 numbers a row without a heading."""
    path = Path(path)
    if not (path.is_file() and path.stat().st_size and path.name.lower().endswith(ENDINGS[:3])):
        return False
    with readable(path):
        names = pyarrow.csv.open_csv(str(path), read_options=pyarrow.csv.ReadOptions(block_size=BLOCK)).schema.names
    return len(names) == len(COLUMNS) + 1 and all(re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", n) for n in names)


def tables(path: str | Path, *, rows: int) -> Iterator[Chunk]:
    """Read a file without a heading in chunks of ``rows`` rows: ``label`` and the features."""
    names = ("label", *COLUMNS)
    return rechunk(_batches(Path(path), names), rows)


def _batches(path: Path, names: tuple[str, ...]) -> Iterator[Chunk]:
    with readable(path):
        options = pyarrow.csv.ReadOptions(block_size=BLOCK, column_names=list(names))
        convert = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()))
        for batch in pyarrow.csv.open_csv(str(path), read_options=options, convert_options=convert):
            yield {name: batch.column(name).to_numpy(zero_copy_only=False) for name in names}
