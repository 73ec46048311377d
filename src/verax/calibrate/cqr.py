"""Conformalised quantile regression (Romano, Patterson, Candès, arXiv:1905.03222)."""

import numpy as np
from jaxtyping import Float

from verax.calibrate.split import make_interval
from verax.errors import InputError
from verax.results import Interval


def check_levels(levels: tuple[float, ...]) -> None:
    """Quantile levels lie in (0, 1) and increase.

    Raises
    ------
    InputError : when they do not
    """
    if not all(0 < level < 1 for level in levels) or any(a >= b for a, b in zip(levels[:-1], levels[1:], strict=True)):
        raise InputError("quantile levels", ", ".join(f"{level:g}" for level in levels), "increasing levels in (0, 1)")


def cqr(
    y: Float[np.ndarray, " point"], low: Float[np.ndarray, " point"], high: Float[np.ndarray, " point"]
) -> Float[np.ndarray, " point"]:
    """Score max(q_low(x) − y, y − q_high(x)): negative inside the band. Quantiles that cross are exchanged."""
    return np.maximum(np.minimum(low, high) - y, y - np.maximum(low, high))


def cqr_band(
    low: Float[np.ndarray, " test"],
    high: Float[np.ndarray, " test"],
    quantile: float | Float[np.ndarray, " test"],
    *,
    level: float,
    value: Float[np.ndarray, " test"] | None = None,
) -> Interval:
    """The interval [q_low − q, q_high + q], with the median or the middle as ``value``.

    A negative q narrows the band; where nothing would be left, the interval is the middle of the band.
    """
    bottom, top = np.minimum(low, high), np.maximum(low, high)
    middle = bottom + (top - bottom) / 2
    q = np.broadcast_to(np.asarray(quantile, np.float64), middle.shape)
    empty = bottom - q > top + q
    ends = np.where(empty, middle, bottom - q), np.where(empty, middle, top + q)
    return make_interval(level, middle if value is None else value, *ends)
