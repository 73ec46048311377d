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
        if name.endswith("]") and kinds == "NaN" and counts[name] == rows:
            told.append(f"no entry '{name}' in any of {rows} rows")
        else:
            told.append(f"{kinds} in {counts[name]} of {rows} rows of column '{name}'")
    if counts and policy == "error":
        short = [name for name in counts if name.endswith("]")]
        other = f"give a value for shorter lists, {short[0][:-1]}, -999]" if short else "repair the input"
        other = "check the index" if any(text.startswith("no entry") for text in told) else other
        raise InputError(where, "; ".join(told), "finite numbers", f"{other}, or set nonfinite: drop")
    return good, counts
