"""ROOT files (TTree and RNTuple), read in chunks by uproot."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from verax.errors import InputError, check_known

from ._lists import Lists

TABLES = ("TTree", "ROOT::RNTuple", "ROOT::Experimental::RNTuple", "TNtuple", "TNtupleD")


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
) -> Iterator[dict[str, np.ndarray[Any, np.dtype[Any]] | Lists]]:
    """The named branches in batches of at most ``rows`` entries."""
    with _tree(path, tree) as table:
        check_known(names, table.keys(), f"{path}, tree '{tree}'", "branch")
        for part in table.iterate(list(names), step_size=rows, library="ak"):
            yield {name: _plain(part[name], path, name) for name in names}


def _plain(values: Any, path: Path, branch: str) -> np.ndarray[Any, np.dtype[Any]] | Lists:
    """One number (or string) per event, or a list of them, from what uproot gave."""
    if ak.parameters(values).get("__array__") == "string":
        return np.array(ak.to_list(values), dtype=object)
    if values.ndim <= 2 and not ak.fields(values):
        if values.ndim == 1:
            return np.asarray(ak.to_numpy(values))
        return Lists(np.asarray(ak.to_numpy(ak.flatten(values))), np.asarray(ak.to_numpy(ak.num(values))))
    where, seen = f"{path}, branch '{branch}'", f"lists of lists, or objects ({ak.type(values).content})"
    raise InputError(where, seen, "a number or a list of numbers per event", "store its parts as branches of their own")


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
