"""What the treatments of templates share: their arrays on the host, and where a systematic acts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from verax.errors import InputError, check_known

from ._templates import Templates


class Cells(NamedTuple):
    """The arrays of templates as NumPy float64: nominal and variance [process, bin], up and down [systematic, …]."""

    nominal: np.ndarray
    variance: np.ndarray
    up: np.ndarray
    down: np.ndarray


def cells(templates: Templates) -> Cells:
    """Copies of the arrays, which the caller may change."""
    t = templates
    return Cells(*(np.array(x, np.float64) for x in (t.nominal, t.variance, t.up, t.down)))


def systematic(templates: Templates, name: str, where: str) -> int:
    """The place of a systematic on its axis.

    Raises
    ------
    InputError : for an unknown name, with its nearest neighbour
    """
    names = [p.name for p in templates.systematics]
    check_known([name], names, where, "systematic")
    return names.index(name)


def acts(templates: Templates) -> np.ndarray:
    """Whether a systematic changes a process in a channel at all: [systematic, process, channel]."""
    nominal, _, up, down = cells(templates)
    moved = (up != nominal) | (down != nominal)
    found = [moved[:, :, where].any(axis=2) for where in templates.slices().values()]
    return np.stack(found, axis=2) if found else np.zeros((*moved.shape[:2], 0), bool)


def check_distinct(names: Sequence[str], where: str, kind: str) -> None:
    """Raise InputError for a name that is there more than once."""
    for name in names:
        if list(names).count(name) > 1:
            raise InputError(where, f"'{name}' more than once among the {kind}", "each name once")
