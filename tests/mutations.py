"""Random changes of nested data, as typing errors, other programs and bad disks make them."""

import copy
import math

import numpy as np

VALUES = (
    None, True, False, 0, -1, 1.5, 1e308, -1e308, 5e-324, 10**30, math.nan, math.inf, -math.inf, "", "mu", "1.0",
    "\x00", "é" * 300, [], {}, [[]], [None], {"": None}, [1.0, "x"], [1e9] * 3,
)  # fmt: skip
"""What takes the place of a value."""


def places(tree, path=()):
    """Each place in a tree of dicts and lists."""
    yield path
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from places(value, (*path, key))


def mutated(tree, rng: np.random.Generator, changes: int):
    """A copy with some changes, and what they are."""
    tree, told = copy.deepcopy(tree), []
    for _ in range(changes):
        path = list(places(tree))[1:]
        if not path:
            break
        *above, key = path[rng.integers(len(path))]
        parent = tree
        for step in above:
            parent = parent[step]
        value = VALUES[rng.integers(len(VALUES))]
        kind = ("replace", "remove", "repeat", "rename", "scale")[rng.integers(5)]
        told.append((kind, [*above, key], value if kind == "replace" else None))
        if kind == "replace":
            parent[key] = copy.deepcopy(value)
        elif kind == "remove":
            del parent[key]
        elif kind == "repeat":
            if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[key]))
            else:
                parent[f"{key} "] = copy.deepcopy(parent[key])
        elif kind == "rename" and isinstance(parent, dict):
            parent[str(key)[:-1]] = parent.pop(key)
        elif kind == "scale" and isinstance(parent[key], int | float):
            parent[key] *= (-1, 0, 1e6, 1e-9)[rng.integers(4)]
    return tree, told
