"""The profile likelihood ratio of two parameters on a grid; χ² with 2 degrees of freedom (Wilks, 1938)."""

import math
from dataclasses import dataclass

import numpy as np

from verax.arrays import Array, Float, Int
from verax.errors import InputError
from verax.model import AbstractLikelihood, Data
from verax.parameters import movable
from verax.results import Brief, Shown, ended

from ._batch import twice_excess
from ._evaluate import Values
from ._interval import check_level
from ._newton import minimise
from ._profile import best_fits, points_of


@dataclass(frozen=True, repr=False)
class Scan2D(Brief):
    """The ratio t of two parameters: ``t[i, j]`` at ``first[i]``, ``second[j]``; ``best`` are both estimates."""

    names: tuple[str, str]
    first: Float[np.ndarray, " first"]
    second: Float[np.ndarray, " second"]
    t: Float[np.ndarray, "first second"]
    status: Int[np.ndarray, "first second"]
    best: Float[np.ndarray, "2"]

    def _shown(self) -> Shown:
        best = ", ".join(f"{name} = {value:.4g}" for name, value in zip(self.names, self.best.tolist(), strict=True))
        shape = " × ".join(map(str, self.t.shape))
        return f"Scan of {shape} points; best fit {best}: {ended(self.status)}", (), ()

    def threshold(self, level: float) -> float:
        """Value of t on the contour of a confidence level: the χ² quantile with two degrees of freedom.

        >>> here = np.zeros(1), np.zeros(1), np.zeros((1, 1)), np.zeros((1, 1), int), np.zeros(2)
        >>> [round(Scan2D(("a", "b"), *here).threshold(level), 3) for level in (0.6827, 0.95)]
        [2.296, 5.991]
        """
        check_level(level, "scan2d")
        return float(-2 * math.log1p(-level))


def scan2d(
    model: AbstractLikelihood,
    data: Data,
    names: tuple[str, str],
    values: tuple[Float[Array, " first"], Float[Array, " second"]],
    *,
    fixed: Values = None,
) -> Scan2D:
    """Compute t of two parameters at every pair of values, the others refitted at each, for one data set.

    Parameters
    ----------
    model : the likelihood
    data : one data set
    names : the two parameters
    values : an array of values for each of them
    fixed : parameters held at these values

    Raises
    ------
    InputError : unknown names or one name twice, a batch of data sets, or data that do not fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> scan2d(model, data, ("mu", "jes"), (np.array([0.0, 1.0]), np.array([0.0, 1.0]))).t.round(1).tolist()
    [[2.7, 3.7], [0.0, 1.3]]
    """
    movable(model.parameters, names[1:], "scan2d", fixed)
    if len(names) != 2 or names[0] == names[1] or len(values) != 2:
        raise InputError("scan2d", f"parameters {tuple(names)}", "two different ones, with an array of values each")
    first, second = (points_of(v, "scan2d") for v in values)
    fits, pair = best_fits(model, data, names[0], "scan2d", fixed, single=True), [model.names.index(n) for n in names]
    points = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
    hat, covariance = fits.best.theta[0], fits.best.covariance[0]
    start = np.tile(hat, (len(points), 1))
    block = covariance[np.ix_(pair, pair)]
    if np.isfinite(covariance).all() and np.linalg.cond(block) < 1e12:
        start += (points - hat[pair]) @ np.linalg.solve(block, covariance[pair])  # conditional fits to first order
    start[:, pair] = points
    free = np.ones(start.shape, bool)
    free[:, pair] = False
    batch = fits.batch[np.zeros(len(points), int)]
    there = minimise(model, batch, start, free, covariance=False, limits=fits.limits)
    lowest = int(np.argmin(there.nll))
    if there.nll[lowest] < fits.best.nll[0] - 1e-6:
        fits.improve(np.array([0]), there.theta[[lowest]])
    shape = (len(first), len(second))
    t = np.maximum(twice_excess(there.nll, fits.best.nll[0]), 0.0).reshape(shape)
    return Scan2D((names[0], names[1]), first, second, t, there.status.reshape(shape), hat[pair])
