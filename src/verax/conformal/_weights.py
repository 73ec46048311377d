"""Event weights of calibration points: what is done with negative ones is chosen by name."""

from typing import Any

import numpy as np

from verax.errors import InputError, check_known
from verax.given import floats, refuse
from verax.results import FloatArray

NEGATIVE = ("error", "signed", "abs")


def checked_weight(weight: Any, n: int, *, negative: str, where: str) -> FloatArray:
    """Check weights of n points, and give them as float64, all 1 when none are given.

    Parameters
    ----------
    weight : one a point, or None
    n : number of points
    negative : what negative weights mean. ``"error"``: they are refused. ``"signed"``: sums of weights as they are,
        which is right whenever the weights are, and is noisier. ``"abs"``: |w|, which is right only where the sign
        does not depend on what is calibrated (a conformity score, a label), and then has the smaller spread.
    where : the method's name, for errors

    Raises
    ------
    InputError : for another number of weights, one that is not finite or (with ``"error"``) negative, or a total that
        is not positive

    >>> checked_weight(np.array([1, -1, 2]), 3, negative="abs", where="example")
    array([1., 1., 2.])
    """
    check_known([negative], NEGATIVE, where, "treatment of negative weights")
    if weight is None:
        return np.ones(n)
    w = floats(weight, "the weights", where)
    if w.shape != (n,):
        raise InputError(where, f"weights of shape {w.shape}", f"one weight for each of {n} points")
    refuse(~np.isfinite(w), w, "weight {}", where, "finite weights")
    if (w < 0).any():
        if negative == "error":
            action = "choose negative='signed', or negative='abs' if the sign does not depend on the score"
            raise InputError(where, f"{int((w < 0).sum())} negative weights of {n}", "none", action)
        w = np.abs(w) if negative == "abs" else w
    total = float(w.sum())
    if n and not total > 0:
        raise InputError(where, f"total weight {total:g}", "a positive total weight")
    return w
