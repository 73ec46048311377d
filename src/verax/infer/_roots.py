"""Roots of many increasing functions at once: bracket, then false position (Illinois), with bisection where it is slow."""

from collections.abc import Callable

import numpy as np

from verax.results import Status

ROUNDS = 60


def roots(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    low: np.ndarray,
    at_low: np.ndarray,
    guess: np.ndarray,
    bound: float,
    close: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Where ``function(row, value)`` crosses zero, of each function, and a status.

    Parameters
    ----------
    function : of the rows of some functions and a value each; increasing
    low : a point below the root
    at_low : (about) the function there
    guess : the first point to try
    bound : not exceeded; END_NOT_FOUND, and the bound itself, where the function is still negative there
    close : a root is found where the function is this near to zero
    """
    first = np.array(low, float)
    low, f_low = first.copy(), np.array(at_low, float)
    high, f_high = np.full(low.shape, np.nan), np.full(low.shape, np.nan)
    x = np.minimum(np.where(guess > low, guess, low + 1e-3), bound)
    found, status = x.copy(), np.full(low.shape, int(Status.END_NOT_FOUND))
    side, todo = np.zeros(low.shape, int), np.arange(len(low))
    for step in range(ROUNDS):
        at, near, f_near = x[todo], low[todo], f_low[todo]
        f = np.asarray(function(todo, at))
        beyond = ~(f < 0)  # also where it is not finite
        # Illinois (Dowell and Jarratt, BIT 11 (1971) 168): the value at an end that stays a second time is halved.
        f_high[todo] = np.where(beyond, f, np.where(side[todo] < 0, 0.5, 1.0) * f_high[todo])
        f_low[todo] = np.where(beyond, np.where(side[todo] > 0, 0.5, 1.0) * f_low[todo], f)
        low[todo], high[todo] = np.where(beyond, near, at), np.where(beyond, at, high[todo])
        side[todo] = np.where(beyond, 1, -1)
        done = (abs(f) < close) | (high[todo] - low[todo] < 1e-10 * np.maximum(1.0, abs(at)))
        stuck = ~beyond & (at >= bound)
        found[todo], status[todo] = at, np.where(done, int(Status.OK), int(Status.END_NOT_FOUND))
        span = np.maximum(at - first[todo], 1e-3)
        with np.errstate(all="ignore"):
            ahead = at - 1.05 * f * (at - near) / (f - f_near)
            secant = low[todo] - f_low[todo] * (high[todo] - low[todo]) / (f_high[todo] - f_low[todo])
        ahead = np.clip(np.where(np.isfinite(ahead), ahead, np.inf), at + 0.02 * span, at + 3 * span)
        inside = (secant > low[todo]) & (secant < high[todo]) & (step % 8 != 7)
        closer = np.where(inside, secant, 0.5 * (low[todo] + high[todo]))
        x[todo] = np.where(np.isnan(high[todo]), np.minimum(ahead, bound), closer)
        todo = todo[~(done | stuck)]
        if not todo.size:
            break
    return found, status
