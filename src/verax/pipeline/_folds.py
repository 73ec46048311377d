"""The events of a run with their folds, to train models on elsewhere."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from verax.data import read_events, write_columns
from verax.errors import InputError, check_count
from verax.learn import fold_of
from verax.run import Stored

from ._types import TYPES

CHUNK = 65536


def write_folds(folder: str | Path, folds: int, path: str | Path) -> int:
    """Write the simulated events of a run as a table to train models on, and return their number.

    Columns are the features, ``event_weight``, ``event_process`` (its name), ``event_number`` and ``fold``: the model of
    fold f learns from the rows of all other folds, and ``(x, fold) → score`` calls it for the events of its own.

    Parameters
    ----------
    folder : of a run whose stage ``simulate`` is done
    folds : number of folds, at least 2, as `summary.folds` in the analysis
    path : of the Parquet file

    Raises
    ------
    InputError : for fewer than two folds, a stage that is not there or damaged, or a file that cannot be written
    """
    check_count(folds, 2, "folds", 1000)
    stored = Stored(Path(folder), TYPES)
    table, place = stored.result("simulate"), stored.path("simulate")
    if not table.yields:
        raise InputError(str(folder), "a run of histograms, without events", "a run with samples")

    def chunks() -> Iterator[Mapping[str, np.ndarray]]:
        for events in read_events(place / "nominal.parquet", CHUNK):
            x, number = np.asarray(events.features(table.features)), np.asarray(events.number)
            found = dict(zip(table.features, np.ascontiguousarray(x.T), strict=True))
            process = np.asarray(events.processes)[np.asarray(events.process)]
            found |= {"event_weight": np.asarray(events.weight), "event_process": process}
            yield found | {"event_number": number, "fold": fold_of(number, folds)}

    return write_columns(path, chunks(), reads=[place / "nominal.parquet"])
