"""The data of the FAIR Universe HiggsML Uncertainty Challenge (arXiv:2410.02867), from a local Parquet file.

H→ττ, Z→ττ, top pairs and dibosons with a lepton and a hadronic tau, 10 fb⁻¹ at 13 TeV. The file is not shipped.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from verax.errors import check_known
from verax.events import Events, concatenate, make_events
from verax.systematics import FAIR_UNIVERSE, derive_compiled
from verax.systematics import PROCESSES as PROCESSES
from verax.systematics import systematics as systematics

from ._joined import open_table

LAYOUT = FAIR_UNIVERSE

COLUMNS = (*LAYOUT.measured, *LAYOUT.recomputed)


def load(file: str | Path) -> Events:
    """All events of a file, see :func:`chunks`; for samples that fit into memory."""
    return concatenate(list(chunks(file, rows=1 << 20)))


def chunks(file: str | Path, *, rows: int) -> Iterator[Events]:
    """The events in chunks of ``rows``, with the file's weights (expected events) and the row as event number.

    Derived columns are recomputed; columns of missing jets are −25 (``LAYOUT.missing``).

    Raises
    ------
    InputError : for a file that is missing or damaged, has other columns, or names an unknown process
    """
    start = 0
    table = open_table(file)
    for chunk in table.chunks((*COLUMNS, "weights", "detailed_labels"), rows, text=("detailed_labels",)):
        names, inverse = np.unique(chunk["detailed_labels"].astype(str), return_inverse=True)
        check_known(names.tolist(), PROCESSES, str(file), "process")
        index = np.array([PROCESSES.index(name) for name in names.tolist()], np.int32)
        events = make_events(
            {name: chunk[name] for name in COLUMNS},
            weight=chunk["weights"],
            process=index[inverse],
            number=np.arange(start, start + len(inverse)),
            processes=PROCESSES,
        )
        start += len(inverse)
        yield derive_compiled(events, LAYOUT)
