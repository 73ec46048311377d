"""New files, read as an analysis reads data: the same columns, derived in the same way."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from verax.errors import InputError, check_known
from verax.events import Events

from ._parts import Reading
from ._plan import reading_of
from ._samples import Read, observed, simulated
from ._schema import Analysis
from ._sections import Channel, Source
from ._systematics import sources_of


def reading_files(analysis: Analysis, files: Sequence[str | Path], tree: str | None = None) -> Reading:
    """What of some files an analysis would read for its features, as observed events and without channels.

    Parameters
    ----------
    analysis : whose features are wanted
    files : in the formats that samples have, or of the data set of the analysis
    tree : of ROOT files

    Raises
    ------
    InputError : for no file
    """
    if not files:
        raise InputError("files", "none", "at least one")
    alone = analysis.model_copy(update={"channels": [Channel(name="all")], "nonfinite": "error"})
    source = Source(files=[str(Path(f).resolve()) for f in files], tree=tree)
    return replace(reading_of(alone, sources_of(alone), None), observed=source)


def events_of(reading: Reading, keep: Sequence[str] = ()) -> Iterator[tuple[Events, dict[str, np.ndarray]]]:
    """The events of such files, chunk by chunk, with the columns to ``keep`` in the files' own types.

    Raises
    ------
    InputError : for files that cannot be read, and an unknown column
    """
    source = reading.observed
    assert source is not None
    if reading.dataset:
        for file in source.files:
            one = replace(reading, dataset=reading.dataset.model_copy(update={"file": file}))
            for events in simulated(one, (), Read()):
                check_known(keep, events.columns, "--keep", "column")
                yield events, {c: np.asarray(events.column(c)) for c in keep}
        return
    table, number = reading.open(source), [n for n in keep if n == reading.number]
    made = [*reading.columns.derived, *(reading.columns.layout.recomputed if reading.columns.layout else ())]
    stored = [c for c in keep if c not in made or c in table.columns]
    check_known(keep, [*table.columns, *made], "--keep", "column")
    text = [c for c in stored if c not in number]
    beside, numbers = table.chunks(stored, reading.chunk, text=text, integer=number) if stored else None, None
    for events in observed(reading, Read()):
        kept = {} if beside is None else next(beside)
        if ".csv" in table.files[0].name.lower():  # which has no types: the first chunk tells
            numbers = [c for c in text if _are_numbers(kept[c])] if numbers is None else numbers
            kept |= {c: kept[c].astype(np.float64) for c in numbers}
        yield events, {c: kept[c] if c in kept else np.asarray(events.column(c)) for c in keep}


def _are_numbers(values: np.ndarray) -> bool:
    try:
        values.astype(np.float64)
    except ValueError:
        return False
    return True
