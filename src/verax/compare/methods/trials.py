"""Methods of uncertainty side by side on regression data: every method on every split, in distribution and shifted."""

import tempfile
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np

from verax.compare.methods.data import Data, Partition, published, shifted
from verax.compare.methods.predictions import part, score
from verax.compare.methods.regression import METHODS
from verax.compare.methods.train import Effort
from verax.errors import InputError, check_known
from verax.results import FloatArray
from verax.run import Progress, Run, digest, named

OWNER = "a comparison of methods"
"""Whose its folder is."""


@dataclass(frozen=True)
class Trial:
    """One row of the table, with one seed on one data set.

    Parameters
    ----------
    partition : "published" splits, or the shift
    scores : one number a split, by metric (see :data:`verax.compare.methods.predictions.Scores`)
    seconds : of training and prediction of one split, compilation included; rows of one training share it
    problem : what went wrong, empty when nothing did
    """

    data: str
    row: str
    seed: int
    partition: str
    scores: Mapping[str, FloatArray]
    seconds: float
    problem: str = ""


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """The methods to compare, in order; without names all but the extra ones, and those whose package is not there.

    Raises
    ------
    InputError : for an unknown method (nearest one given)
    """
    if names:
        check_known(names, list(METHODS), "compare methods", "method")
        return tuple(n for n in METHODS if n in names)
    needs = {"gaussian process": "sklearn", "hmc": "blackjax"}
    return tuple(n for n, m in METHODS.items() if not m.extra and (n not in needs or find_spec(needs[n])))


def compare(
    folder: Path | None,
    sets: Sequence[Data],
    *,
    shift: str = "none",
    methods: Sequence[str] | None = None,
    seeds: int = 1,
    seed: int = 1,
    effort: Effort | None = None,
    splits: int | None = None,
    progress: Progress | None = None,
) -> tuple[Trial, ...]:
    """Every method on the published splits of every set, and on those of a shift; ``seeds`` times with other networks.

    Parameters
    ----------
    folder : keeps each finished trial, so that a stopped comparison continues (None: a temporary one)
    splits : only the first few splits

    Raises
    ------
    InputError : for an unknown method or shift (nearest one given), or no seed
    """
    if seeds < 1:
        raise InputError("seeds", str(seeds), "at least 1")
    effort, progress, done = effort or Effort(), progress or Progress(), list[Trial]()
    todo = []
    for i in range(seeds):
        several = [[(data, points) for points in partitions(data, shift, splits)] for data in sets]
        for data, points in (pair for one in zip(*several, strict=True) for pair in one):  # published splits first
            small = [n for n in chosen(methods) if points.train.shape[1] <= METHODS[n].largest]
            todo += [(data, points, name, seed + i) for name in small]
    contents = {d.name: digest([d.x.tolist(), d.y.tolist(), d.train.tolist(), d.test.tolist()]) for d in sets}
    inputs = partial(_inputs, asdict(effort), splits, contents)
    with (
        nullcontext(folder) if folder else tempfile.TemporaryDirectory(prefix="verax-") as place,
        Run(place, inputs, progress=progress, owner=OWNER, types=named(Trial)) as run,
    ):
        for k, (data, points, name, number) in enumerate(todo):
            stage = f"{data.name} {points.name} {name} {number}".replace(" ", "-")
            done += run(stage, partial(_kept, data, points, name, number, effort))
            progress.step("trials", k + 1, len(todo))
    return tuple(done)


def partitions(data: Data, shift: str, splits: int | None = None) -> tuple[Partition, ...]:
    """What is trained on: the published splits, and those of a shift; both at once where only the points differ."""
    base = published(data, splits)
    if shift == "none":
        return (base,)
    moved = shifted(data, shift, splits)
    if shift == "systematic":
        both = (np.concatenate([getattr(p, k) for p in (base, moved)], axis=1) for k in ("x", "y"))
        return (replace(moved, x=next(both), y=next(both)),)
    return base, moved


def _inputs(effort: dict[str, Any], splits: int | None, contents: dict[str, str], stage: str) -> list[Any]:
    return [stage, effort, splits or 0, contents[stage.split("-")[0]]]


def _kept(
    data: Data, points: Partition, name: str, seed: int, effort: Effort, run: Run, folder: Path
) -> tuple[Trial, ...]:
    return trials(data, points, name, seed, effort)


def trials(data: Data, points: Partition, name: str, seed: int, effort: Effort) -> tuple[Trial, ...]:
    """Train one method on a partition and judge each row that comes of it."""
    label = zlib.crc32(f"{data.name} {points.name} {name}".encode())
    started = time.perf_counter()
    predictions, problem = METHODS[name].fit(jax.random.fold_in(jax.random.key(seed), label), data, points, effort)
    seconds = (time.perf_counter() - started) / len(points.train)
    first = data.test.shape[1] if points.name == "systematic" else 0
    cuts = {"published": slice(0, first), points.name: slice(first, None)} if first else {points.name: slice(None)}
    return tuple(
        Trial(data.name, row, seed, where, score(part(prediction, cut), points.y[:, cut]), seconds, problem)
        for row, prediction in predictions.items()
        for where, cut in cuts.items()
    )
