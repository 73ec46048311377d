"""Minima of fits in a batch, and how several attempts at the same fit are put together."""

from dataclasses import dataclass

import numpy as np

from verax.results import Status


@dataclass(frozen=True)
class Minima:
    """Where each fit in a batch ended; the leading axis of every array is ``fit``.

    ``slope`` is the gradient of −log L in all parameters, the fixed ones too, ``even_slope`` that in their even parts;
    ``negative_direction`` the direction of negative curvature at a saddle, else 0; ``at_rate_end`` where a rate is
    pressed against zero. The others are as in :class:`Fit`.
    """

    theta: np.ndarray
    slope: np.ndarray
    even_slope: np.ndarray
    negative_direction: np.ndarray
    at_rate_end: np.ndarray
    covariance: np.ndarray
    nll: np.ndarray
    edm: np.ndarray
    status: np.ndarray
    steps: np.ndarray


def better(one: Minima, other: Minima) -> Minima:
    """Per fit the lower minimum of two attempts; a converged one is preferred to one that failed."""
    failed, other_failed = one.status > Status.AT_BOUND, other.status > Status.AT_BOUND
    take = np.where(failed == other_failed, other.nll < one.nll - 1e-6, failed)
    both = ((getattr(other, k), getattr(one, k)) for k in Minima.__dataclass_fields__)
    return Minima(*(b if _left_out(b) else where_fit(take, a, b) for a, b in both))


def twice_excess(nll: np.ndarray, best: np.ndarray | float) -> np.ndarray:
    """2 [nll − best]; NaN where both are infinite, since no parameters give such data (a status says so)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(2 * (nll - best))


def take(minima: Minima, index: np.ndarray | slice) -> Minima:
    """The minima of some of the fits."""
    return Minima(*(_rows(getattr(minima, k), index) for k in Minima.__dataclass_fields__))


def _left_out(values: np.ndarray) -> bool:
    """Whether these are covariances that are left out: one NaN for all, which takes no memory."""
    return values.ndim == 3 and not any(values.strides)


def _rows(values: np.ndarray, index: np.ndarray | slice) -> np.ndarray:
    if not _left_out(values):
        return np.asarray(values[index])
    return np.broadcast_to(np.nan, (len(np.empty(len(values))[index]), *values.shape[1:]))


def replace(minima: Minima, index: np.ndarray, by: Minima) -> None:
    """Write the minima ``by`` over those at ``index``, in place."""
    for k in Minima.__dataclass_fields__:
        if (whole := getattr(minima, k)).flags.writeable:
            whole[index] = getattr(by, k)


def keep_lowest(found: Minima, row: np.ndarray, second: Minima) -> np.ndarray:
    """Write the lowest of several attempts at each ``row`` over what was found before; returns the rows that changed."""
    order = np.lexsort([second.nll, second.status > Status.NOT_POSITIVE_DEFINITE, row])
    first = order[np.unique(row[order], return_index=True)[1]]
    row, before = row[first], take(found, row[first])
    chosen = better(before, take(second, first))
    replace(found, row, chosen)
    return row[(chosen.theta != before.theta).any(axis=1)]


def where_fit(choose: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rows of ``a`` where chosen, else of ``b``."""
    return np.where(choose.reshape(-1, *[1] * (a.ndim - 1)), a, b)
