"""Where fits in a batch ended, and how several attempts at them are put together."""

from dataclasses import dataclass

import numpy as np

from verax.results import Status


@dataclass(frozen=True)
class Lanes:
    """Where each lane ended; the leading axis of every array is ``lane``.

    ``slope`` is the gradient of −log L in all parameters, the fixed ones too, ``even_slope`` that in their even parts;
    ``way_down`` the direction of negative curvature at a saddle, else 0; ``pressed`` where the likelihood ends there. The
    others are as in :class:`Fit`.
    """

    theta: np.ndarray
    slope: np.ndarray
    even_slope: np.ndarray
    way_down: np.ndarray
    pressed: np.ndarray
    covariance: np.ndarray
    nll: np.ndarray
    edm: np.ndarray
    status: np.ndarray
    steps: np.ndarray


def unknown(lanes: int, size: int) -> np.ndarray:
    """Covariances that nobody asked for, [lane, parameter, parameter]: NaN, without memory and not to be written to."""
    return np.broadcast_to(np.nan, (lanes, size, size))


def better(one: Lanes, other: Lanes) -> Lanes:
    """Per lane the lower minimum of two attempts; a converged one is preferred to one that failed."""
    failed, other_failed = one.status > Status.AT_BOUND, other.status > Status.AT_BOUND
    take = np.where(failed == other_failed, other.nll < one.nll - 1e-6, failed)
    return Lanes(*(where_lane(take, getattr(other, k), getattr(one, k)) for k in Lanes.__dataclass_fields__))


def twice_excess(nll: np.ndarray, best: np.ndarray | float) -> np.ndarray:
    """2 [nll − best]; NaN where both are infinite, since no parameters give such data (a status says so)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(2 * (nll - best))


def take(lanes: Lanes, index: np.ndarray) -> Lanes:
    """Some lanes."""
    return Lanes(*(getattr(lanes, k)[index] for k in Lanes.__dataclass_fields__))


def replace(lanes: Lanes, index: np.ndarray, by: Lanes) -> None:
    """Write lanes over others, in place."""
    for k in Lanes.__dataclass_fields__:
        if (whole := getattr(lanes, k)).flags.writeable:
            whole[index] = getattr(by, k)


def write_lowest(done: Lanes, lane: np.ndarray, second: Lanes) -> np.ndarray:
    """Write the lowest of several attempts at each ``lane`` over what was found before; answers which became lower."""
    order = np.lexsort([second.nll, second.status > Status.NOT_POSITIVE_DEFINITE, lane])
    first = order[np.unique(lane[order], return_index=True)[1]]
    lane, before = lane[first], take(done, lane[first])
    chosen = better(before, take(second, first))
    replace(done, lane, chosen)
    return lane[(chosen.theta != before.theta).any(axis=1)]


def where_lane(choose: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rows of ``a`` where chosen, else of ``b``."""
    return np.where(choose.reshape(-1, *[1] * (a.ndim - 1)), a, b)
