"""ROOT files (TTree and RNTuple), read in chunks by uproot."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from verax.errors import InputError, check_known

TABLES = ("TTree", "ROOT::RNTuple", "ROOT::Experimental::RNTuple", "TNtuple", "TNtupleD")

_ELEMENT = re.compile(r"(?P<branch>.+)\[(?P<index>\d+)\]")


def element(name: str) -> tuple[str, int | None]:
    """The branch that a column names, and which element of its lists.

    >>> element("jet_pt[0]"), element("met")
    (('jet_pt', 0), ('met', None))
    """
    match = _ELEMENT.fullmatch(name)
    return (match["branch"], int(match["index"])) if match else (name, None)


def find_tree(path: Path, tree: str | None) -> str:
    """The given tree after checking that it exists, or the only one of the file."""
    with readable(path), uproot.open(path) as file:
        kinds = file.classnames(cycle=False)
    trees = [name for name, kind in kinds.items() if kind in TABLES]
    if tree is not None:
        check_known([tree], trees, str(path), "tree")
        return tree
    if len(trees) != 1:
        seen = "trees " + ", ".join(trees) if trees else "no TTree or RNTuple"
        raise InputError(str(path), seen, "one tree", "name it with 'tree'" if trees else "check the file")
    return trees[0]


def columns(path: Path, tree: str | None) -> tuple[str, ...]:
    """Names of the branches or fields."""
    with _tree(path, tree) as table:
        return tuple(table.keys())


def length(path: Path, tree: str | None) -> int | None:
    """Number of entries."""
    with _tree(path, tree) as table:
        return int(table.num_entries)


def batches(
    path: Path, tree: str | None, names: tuple[str, ...], rows: int, text: frozenset[str], integer: frozenset[str]
) -> Iterator[dict[str, np.ndarray[Any, np.dtype[Any]]]]:
    """The named branches, or elements of their lists, in batches of at most ``rows`` entries."""
    wanted = [element(name) for name in names]
    branches = list(dict.fromkeys(branch for branch, _ in wanted))
    with _tree(path, tree) as table:
        check_known(branches, table.keys(), f"{path}, tree '{tree}'", "branch")
        for part in table.iterate(branches, step_size=rows, library="ak"):
            yield {
                name: _plain(part[branch], index, path, branch)
                for name, (branch, index) in zip(names, wanted, strict=True)
            }


def _plain(values: Any, index: int | None, path: Path, branch: str) -> np.ndarray[Any, np.dtype[Any]]:
    """One number (or string) per event, from what uproot gave."""
    if ak.parameters(values).get("__array__") == "string":
        return np.array(ak.to_list(values), dtype=object)
    if index is None and values.ndim == 1 and not ak.fields(values):
        return np.asarray(ak.to_numpy(values))
    if index is not None and values.ndim == 2:
        return np.asarray(ak.to_numpy(ak.fill_none(ak.pad_none(values, index + 1)[:, index], np.nan)))
    if index is not None:
        raise InputError(f"{path}, branch '{branch}'", "one number per event", "a list", f"write '{branch}'")
    raise InputError(
        f"{path}, branch '{branch}'",
        f"a list or object per event ({ak.type(values).content})",
        "one number per event",
        f"choose an element, such as '{branch}[0]'",
    )


@contextmanager
def _tree(path: Path, tree: str | None) -> Iterator[Any]:
    name = find_tree(path, tree)
    with readable(path), uproot.open(path) as file:
        yield file[name]


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever uproot raises on damaged bytes (it has no common class) as one line that says what to do."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        message = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no detail'}"
        raise InputError(str(path), message, "a complete ROOT file", "was it written or copied to the end?") from error
