"""The check that every number is finite, before anything is learnt from or filled with it."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Bool

from verax.errors import InputError

Policy = Literal["error", "drop"]


def check_values(
    columns: Mapping[str, np.ndarray], policy: Policy = "error", *, where: str = "events"
) -> tuple[Bool[np.ndarray, " event"], dict[str, int]]:
    """Check that rows have finite values only: which do, and how many have NaN or an infinity in each column (if any).

    Parameters
    ----------
    columns : features and weight by name, all of the same length
    policy : ``error`` refuses any such row, ``drop`` leaves them to the caller, who takes the rows of the mask
    where : what is being checked, for the message

    Raises
    ------
    InputError : under ``error``, with the counts of all columns

    >>> check_values({"x": np.array([1.0, np.nan])}, "drop")
    (array([ True, False]), {'x': 1})
    """
    rows = max((len(values) for values in columns.values()), default=0)
    good = np.ones(rows, bool)
    counts: dict[str, int] = {}
    told: list[str] = []
    for name, values in columns.items():
        finite = np.isfinite(np.asarray(values, dtype=float if values.dtype.kind == "O" else None))
        if finite.all():
            continue
        good &= finite
        counts[name] = int(np.count_nonzero(~finite))
        kinds = "NaN" if np.isnan(values).sum() == counts[name] else "NaN or infinity"
        told.append(f"{kinds} in {counts[name]} of {rows} rows of column '{name}'")
    if counts and policy == "error":
        raise InputError(where, "; ".join(told), "finite numbers", "repair the input, or set nonfinite: drop")
    return good, counts


RESOLVED = 100
"""Steps of float32 that a column's values must at least spread over, to be more than a few values in it."""


def check_exact(columns: Mapping[str, np.ndarray], missing: float | None = None, *, where: str = "events") -> None:
    """Refuse a column whose values float32, in which events are kept, does not tell apart.

    Whole numbers must all be exact there, as those below 2²⁴ are. Others must spread (5 to 95 %) over many times the
    distance of neighbouring float32 numbers: eps × centre.

    Parameters
    ----------
    columns : values by name, as read or computed
    missing : value that stands for "not there", left out of the spread
    where : what is being checked, for the message

    Raises
    ------
    InputError : with the column and how many distinct values are left of how many

    >>> check_exact({"pt": np.array([20.5, 31.0])})
    """
    for name, values in columns.items():
        if values.dtype == np.float32 or values.dtype.kind not in "iuf" or values.dtype.itemsize < 4 or not values.size:
            continue
        with np.errstate(over="ignore"):
            short = values.astype(np.float32)
        whole = values.dtype.kind in "iu" or bool((values == np.floor(values)).all())
        if whole:
            lost = abs(values).max() > 2**24 and not np.array_equal(short.astype(np.float64), values.astype(np.float64))
            lost = lost or (values.dtype.kind in "iu" and abs(values.astype(np.float64)).max() > 2**53)
        else:
            there = values[np.isfinite(values) & (values != missing)]
            low, centre, high = np.percentile(there, (5, 50, 95)) if there.size else (0.0, 0.0, 0.0)
            step = abs(centre) * float(np.finfo(np.float32).eps)
            lost = 1e-6 * step < high - low < RESOLVED * step
        if lost:
            before, after = len(np.unique(values)), len(np.unique(short))
            raise InputError(
                f"{where}, column '{name}'",
                f"{before} distinct values of which float32 keeps {after}",
                "values that float32 tells apart" if after < before else "whole numbers that float32 holds",
                "make what you need of it under `derived`: a remainder (number % 2), a difference (time - 1.6e9), a scale",
            )
