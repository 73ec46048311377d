"""The profile likelihood ratio of two parameters on a grid; χ² with 2 degrees of freedom (Wilks, 1938)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaincinv

from verax.arrays import Array
from verax.errors import InputError
from verax.model import AbstractLikelihood, Data
from verax.parameters import movable

from ._batch import take, twice_excess
from ._evaluate import bounds
from ._fit import as_batch, best_fit
from ._newton import minimise
from ._profile import improve


@dataclass(frozen=True)
class Scan2D:
    """The ratio t of two parameters: ``t[i, j]`` at ``first[i]``, ``second[j]``; ``best`` are both estimates."""

    names: tuple[str, str]
    first: Float[np.ndarray, " first"]
    second: Float[np.ndarray, " second"]
    t: Float[np.ndarray, "first second"]
    status: Int[np.ndarray, "first second"]
    best: Float[np.ndarray, "2"]

    def threshold(self, level: float) -> float:
        """Value of t on the contour of a confidence level: the χ² quantile with two degrees of freedom.

        >>> here = np.zeros(1), np.zeros(1), np.zeros((1, 1)), np.zeros((1, 1), int), np.zeros(2)
        >>> [round(Scan2D(("a", "b"), *here).threshold(level), 3) for level in (0.6827, 0.95)]
        [2.296, 5.991]
        """
        return float(2 * gammaincinv(1, level))


def scan2d(
    model: AbstractLikelihood,
    data: Data,
    names: tuple[str, str],
    values: tuple[Float[Array, " first"], Float[Array, " second"]],
    *,
    fixed: Mapping[str, float] | None = None,
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
    movable(model.parameters, names, "scan2d", fixed)
    if len(names) != 2 or names[0] == names[1] or len(values) != 2:
        raise InputError("scan2d", f"parameters {tuple(names)}", "two different ones, with an array of values each")
    if data.is_batch:
        raise InputError("scan2d", "a batch of data sets", "one data set", "choose one of them")
    batch, limits, pair = as_batch(model, data), bounds(model, fixed), [model.names.index(n) for n in names]
    first, second = (np.asarray(v, np.float64) for v in values)
    points = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
    best = best_fit(model, batch, limits)
    hat, covariance = best.theta[0], best.covariance[0]
    start = np.tile(hat, (len(points), 1))
    block = covariance[np.ix_(pair, pair)]
    if np.isfinite(covariance).all() and np.linalg.cond(block) < 1e12:
        start += (points - hat[pair]) @ np.linalg.solve(block, covariance[pair])  # conditional fits to first order
    start[:, pair] = points
    free = np.ones(start.shape, bool)
    free[:, pair] = False
    there = minimise(model, batch[np.zeros(len(points), int)], start, free, covariance=False, limits=limits)
    lowest = int(np.argmin(there.nll))
    if there.nll[lowest] < best.nll[0] - 1e-6:
        improve(model, batch, best, np.array([0]), there.theta[[lowest]], np.ones((1, len(hat)), bool), limits)
    shape = (len(first), len(second))
    t = np.maximum(twice_excess(there.nll, best.nll[0]), 0.0).reshape(shape)
    estimate = take(best, np.array([0])).theta[0, pair]
    return Scan2D((names[0], names[1]), first, second, t, there.status.reshape(shape), estimate)
