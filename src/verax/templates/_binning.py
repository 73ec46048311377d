"""Bins that measure the signal best, simulation statistics included: chosen from fine bins, exactly, not greedily.

In a bin with ν expected events, s of them signal, and simulation variance σ² = Σw², the count varies by ν (Poisson)
plus σ² (the template itself is uncertain), so that the bin carries the Fisher information

    I = s² / (ν + σ²)

on the signal strength μ at μ = 1. This is what profiling one γ per bin (Barlow-Beeston lite, arXiv:1103.0354) leaves:
with n ~ Poisson(νγ) and γ ~ Gaussian(1, σ/ν), the curvature of the profiled log-likelihood in ν is 1/(ν + σ²).
Information adds up over bins, so the best bins are found by dynamic programming over all cuts at fine edges.
Simulation errors enter twice: finer bins look better than they are when ŝ² or 1/ν̂ fluctuates. The first is removed on
average (E[ŝ²] = s² + σ_s²), the second is limited by the demands on each bin.
"""

from collections.abc import Sequence

import numpy as np

from verax.arrays import Float
from verax.errors import InputError, check_known

from ._templates import Templates


def information(
    templates: Templates, *, signal: Sequence[str], simulation_statistics: bool = True
) -> Float[np.ndarray, " bin"]:
    """Fisher information on the strength of ``signal`` of each bin at μ = 1: s²/(ν + Σw²), without systematics.

    The standard error of μ that it stands for is ``1 / sqrt(information(…).sum())``. Bins with ν + Σw² ≤ 0 have none.
    """
    check_known(signal, templates.processes, "information", "process")
    nominal, variance = (np.asarray(x, np.float64) for x in (templates.nominal, templates.variance))
    s, total = nominal[np.isin(templates.processes, list(signal))].sum(0), nominal.sum(0)
    spread = total + variance.sum(0) if simulation_statistics else total
    return np.where(spread > 0, s**2 / np.where(spread > 0, spread, 1.0), 0.0)


def choose_edges(
    fine: Templates,
    *,
    signal: Sequence[str],
    max_bins: int = 10,
    min_effective: float = 10.0,
    max_relative_error: float = 0.3,
    tolerance: float = 0.005,
    most: bool = False,
) -> tuple[tuple[float, ...], ...]:
    """The edges of each channel that carry the most information on the signal strength, some of the fine ones.

    Parameters
    ----------
    fine : templates in fine bins, to be merged by ``fine.rebin(edges)``
    signal : processes that μ multiplies; all others are background
    max_bins : most bins of a channel
    min_effective : least number of effective simulated events, (Σw)²/Σw², in each bin: of the background, and of the
        channel's largest background process by itself
    max_relative_error : largest simulation error of a bin's total, sqrt(Σw²)/ν
    tolerance : of two numbers of bins the smaller is taken if it loses no more than this fraction of the information
    most : as many bins as meet the demands instead, for a summary whose bins are more than slices of a score

    Returns
    -------
    edges : for each channel; a single bin where no division meets the demands

    Raises
    ------
    InputError : for unknown or missing signal processes, options out of range, a channel that expects no events, or
        where all events of all channels lie in one of several fine bins
    """
    check_known(signal, fine.processes, "choose_edges", "process")
    if not signal:
        raise InputError("signal", "no process", f"some of {fine.processes}")
    for name, value, good in (
        ("max_bins", max_bins, max_bins >= 1),
        ("min_effective", min_effective, min_effective >= 0),
        ("max_relative_error", max_relative_error, max_relative_error > 0),
        ("tolerance", tolerance, 0 <= tolerance < 1),
    ):
        if not good:
            raise InputError(name, str(value), "a value in range")
    _check_spread(fine)
    chosen = []
    for (channel, where), edges in zip(fine.slices().items(), fine.edges, strict=True):
        if not np.asarray(fine.nominal)[:, where].sum() > 0:
            raise InputError(f"channel '{channel}'", "no expected events", "some", "check selection and weights")
        gain = _gains(fine, where, signal, min_effective, max_relative_error)
        gain = np.where(np.isfinite(gain), 1.0, gain) if most else gain
        cuts = best_cuts(gain, max_bins, tolerance)
        chosen.append(tuple(edges[c] for c in cuts))
    return tuple(chosen)


def _check_spread(fine: Templates) -> None:
    """A summary that is the same for all events tells nothing."""
    filled = (np.asarray(fine.variance) + abs(np.asarray(fine.nominal))).sum(axis=0) > 0
    places = [np.flatnonzero(filled[where]) for where in fine.slices().values()]
    if all(len(edges) > 2 and len(place) == 1 for edges, place in zip(fine.edges, places, strict=True)):
        at = int(places[0][0])
        ends = f"one of {len(fine.edges[0]) - 1} bins, [{fine.edges[0][at]:g}, {fine.edges[0][at + 1]:g}]"
        raise InputError(
            "summary",
            f"all events in {ends}: a constant output",
            "a number that tells events apart, within its range",
            "look at the features and the training; one bin is enough for a mere count",
        )


def best_cuts(gain: Float[np.ndarray, "start end"], max_bins: int, tolerance: float = 0.0) -> list[int]:
    """Cut points that maximise a sum over intervals; ``gain[i, j]``: fine bins i … j − 1, −inf if not allowed.

    Exact dynamic programming, O(F² · bins). Returns [0, …, F], or [0, F] when no division is allowed.
    """
    last = len(gain) - 1
    best, origin = [gain[0]], [np.zeros(last + 1, np.int64)]
    for _ in range(1, min(max_bins, last)):
        total = best[-1][:, None] + gain
        origin.append(total.argmax(axis=0))
        best.append(total.max(axis=0))
    value = np.asarray([b[last] for b in best])
    if not np.isfinite(value.max()):
        return [0, last]
    bins = int(np.argmax(value >= value.max() * (1 - tolerance)))
    cuts = [last]
    for o in origin[bins:0:-1]:
        cuts.append(int(o[cuts[-1]]))
    return [0, *cuts[::-1]]


def _gains(
    fine: Templates, where: slice, signal: Sequence[str], min_effective: float, max_relative_error: float
) -> Float[np.ndarray, "start end"]:
    """Information of every interval of a channel's fine bins, −inf for those that do not meet the demands."""
    nominal, variance = np.asarray(fine.nominal)[:, where], np.asarray(fine.variance)[:, where]
    background = ~np.isin(fine.processes, list(signal))

    def between(values: Float[np.ndarray, " bin"]) -> Float[np.ndarray, "start end"]:
        edge = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        return edge[None, :] - edge[:, None]

    s, s_variance = between(nominal[~background].sum(0)), between(variance[~background].sum(0))
    total, total_variance = between(nominal.sum(0)), between(variance.sum(0))
    # A hair's breadth: with equal weights n_eff is a whole number, and a demand met exactly must not fail by rounding.
    hair = 1 + 1e-9
    allowed = np.triu(np.ones(total.shape, bool), 1) & (total > 0)
    allowed &= total_variance <= hair * (max_relative_error * total) ** 2
    if background.any():
        largest = np.flatnonzero(background)[np.argmax(nominal[background].sum(axis=1))]
        for n, v in ((nominal[background].sum(0), variance[background].sum(0)), (nominal[largest], variance[largest])):
            count, spread = between(n), between(v)
            allowed &= (count > 0) & (hair * count**2 >= min_effective * spread)
    gain = np.maximum(s**2 - s_variance, 0.0) / np.where(allowed, total + total_variance, 1.0)
    return np.where(allowed, gain, -np.inf)
