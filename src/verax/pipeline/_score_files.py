"""Scores of new files by the networks of a run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from verax.analysis import Analysis, events_of, parse, reading_files
from verax.data import write_columns
from verax.errors import InputError
from verax.events import Events
from verax.learn import fold_of
from verax.run import Progress

from ._load import RunResults, load
from ._summary import BinScore, NetworkScore

OWN = ("score", "fold")


@dataclass(frozen=True)
class Scored:
    """How many events of new files were scored, and how many of them by the fold that never saw them."""

    events: int
    by_fold: int


def score_files(
    folder: str | Path,
    files: Sequence[str | Path],
    path: str | Path,
    *,
    keep: Sequence[str] = (),
    tree: str | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Score the events of files by the networks of a run, and write the scores to a Parquet file, a row each.

    An event whose number is that of a simulated event of the run, which networks may have learnt from, is scored as in the
    run by the networks of its fold, which never saw it: of the run's own files the scores are those of the run, to the last
    bit. Others, which no network saw, have the mean of all folds. ``fold`` is the fold, or −1 for the mean. Where the
    analysis has a ``number`` that the files lack, none was seen; without one in the analysis the row is the number.

    Parameters
    ----------
    folder : of a run that was made to its end, with networks
    files : events in the formats of samples; all rows are read
    path : of the Parquet file: ``score`` (float64), ``fold``, and the columns to keep
    keep : columns of the files, or derived ones
    tree : of ROOT files
    progress : told how many events are scored

    Raises
    ------
    InputError : for a run that is not done or has no networks, files that cannot be read, or an unknown column
    """
    run, told = load(folder), progress or Progress()
    for name in keep:
        if name in OWN or keep.count(name) > 1:
            seen = f"column '{name}'" + (" twice" if name not in OWN else ", which is made here")
            raise InputError("--keep", seen, "other columns of the files, each once")
    analysis = _analysis_of(run)
    reading = reading_files(analysis, files, tree)
    assert reading.observed is not None
    numbered = (
        reading.number is None or reading.number in reading.open(reading.observed).columns or bool(reading.dataset)
    )
    known = (
        np.unique(np.concatenate([np.asarray(e.number) for e in run.events()])) if numbered else np.zeros(0, np.uint32)
    )
    score, counts = run.scorer, np.zeros(2, np.int64)

    def chunks() -> Iterator[Mapping[str, np.ndarray]]:
        for events, kept in events_of(reading, keep):
            inside = np.isin(np.asarray(events.number), known)
            values, fold = np.empty(len(events)), np.where(inside, fold_of(events.number, score.networks.folds), -1)
            values[inside] = score(events.take(inside)) if inside.any() else 0.0
            values[~inside] = _by_all(score, events.take(~inside)) if not inside.all() else 0.0
            counts[:] += len(events), inside.sum()
            told.step("events scored", int(counts[0]), None)
            yield {"score": values, "fold": fold, **kept}

    write_columns(path, chunks(), reads=reading.open(reading.observed).files)
    return Scored(*counts.tolist())


def _analysis_of(run: RunResults) -> Analysis:
    """The analysis of a run that was made to its end."""
    run.stored.path("report")  # whose stages are those that stand there
    content = yaml.safe_load(run.stored.published("analysis.yaml"))
    return parse(content, str(run.stored.folder / "analysis.yaml"), run.stored.folder)


def _by_all(score: NetworkScore | BinScore, events: Events) -> np.ndarray:
    """Of events that no network saw: the mean over folds."""
    ones = np.ones(len(events), np.uint32)
    folds = range(score.networks.folds)
    return score.of(np.mean([score.values(replace(events, number=ones * np.uint32(f))) for f in folds], axis=0))
