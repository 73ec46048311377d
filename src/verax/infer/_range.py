"""Minima elsewhere in the range of a parameter, as of a peak whose position is unknown: −log L along it, others refitted.

Which parameters are looked along depends on the model alone, where fits are started then on their own data set. It costs
as many refits as points.
"""

import numpy as np

from verax.model import AbstractLikelihood, DataSets

from ._evaluate import Limits, Objective
from ._newton import minimise

PROBES = 9
"""Points along a parameter, beside its initial value, that tell whether −log L of expected data is convex there."""

BEND = 1e-3
"""Rise of −log L of expected data at a point above the straight line between its neighbours that says it is not."""

POINTS = (32, 256)
"""Least and largest number of points at which data are looked at; between, they are two expected errors apart."""

DIPS = 3
"""Lowest dips that a fit is started from."""

ASIDE = 0.05
"""Of the way to a bound all others are moved: where a peak has no events its position means nothing."""


def bent(model: AbstractLikelihood, nominal: np.ndarray, among: list[int], limits: Limits) -> dict[int, int]:
    """Parameters along which −log L of expected data is not convex within finite bounds, and points that resolve it."""
    found: dict[int, int] = {}
    for i in among:
        low, high = limits[0][i], limits[1][i]
        if model.names[i] in model.convex_in or not np.isfinite(high - low):
            continue
        grid = np.unique([*np.linspace(low, high, PROBES), nominal[i]])
        share = (grid[1:-1] - grid[:-2]) / (grid[2:] - grid[:-2])
        for truth in (nominal, others_moved(nominal, i, among, limits)):
            theta = np.tile(truth, (len(grid), 1))
            theta[:, i] = grid
            nll, unit = expected_objective(model, truth, np.ones(theta.shape, bool), limits).evaluate_many(theta)
            with np.errstate(invalid="ignore"):
                rise = nll[1:-1] - (1 - share) * nll[:-2] - share * nll[2:]
            if (rise > BEND).any():
                error = unit[grid == nominal[i], i].max()
                points = (high - low) / (2 * error) if error > 0 else POINTS[0]
                found[i] = max(int(np.clip(points, *POINTS)), found.get(i, 0))
    return found


def expected_objective(model: AbstractLikelihood, truth: np.ndarray, free: np.ndarray, limits: Limits) -> Objective:
    """−log L of the expected data at ``truth``, in as many rows as ``free`` [row, parameter] has."""
    data = DataSets.of(model.asimov(dict(zip(model.names, truth, strict=True))))
    return Objective(model, data[np.zeros(len(free), int)], free, limits)


def others_moved(start: np.ndarray, i: int, among: list[int], limits: Limits) -> np.ndarray:
    """Points [..., parameter] with all ``among`` but i moved towards their upper bound, the lower where that is infinite."""
    moved = start.copy()
    for j in among:
        edge = limits[1][j] if np.isfinite(limits[1][j]) else limits[0][j]
        if j != i and np.isfinite(edge):
            moved[..., j] += ASIDE * (edge - moved[..., j])
    return moved


def dips(
    model: AbstractLikelihood, batch: DataSets, start: np.ndarray, free: np.ndarray, limits: Limits, i: int, points: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and points [row, parameter] where −log L, all others refitted from ``start``, dips along parameter i."""
    row = np.repeat(np.arange(len(start)), points)
    theta, others = start[row], free[row]
    theta[:, i], others[:, i] = np.tile(np.linspace(limits[0][i], limits[1][i], points), len(start)), False
    there = minimise(model, batch[row], theta, others, covariance=False, limits=limits)
    walled = np.pad(there.nll.reshape(-1, points), ((0, 0), (1, 1)), constant_values=np.inf)
    left, here, right = walled[:, :-2], walled[:, 1:-1], walled[:, 2:]
    depth = np.where((here < left) & (here <= right), here, np.inf)
    lowest = np.argsort(depth, axis=1, kind="stable")[:, :DIPS]
    row, k = np.nonzero(np.isfinite(np.take_along_axis(depth, lowest, 1)))
    return row, there.theta[row * points + lowest[row, k]]
