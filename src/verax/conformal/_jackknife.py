"""Jackknife+, CV+ and their minmax forms: all points train and calibrate (Barber et al., arXiv:1905.02928).

The arrays are the same for both: residuals R_i of each training point from the model that did not see it, and that
model's predictions at new points. Jackknife+ leaves out one point at a time, CV+ a fold. Both cover with probability
≥ 2·level − 1 for any model (in practice close to level), minmax ≥ level.
"""

from fractions import Fraction

import numpy as np
from jaxtyping import Float, Int

from verax.errors import InputError, check_known
from verax.given import PerPoint, PerTest, Weights, plain
from verax.results import Interval

from ._conformal import Level, conformalize, exact_level, ordered, rank
from ._split import make_interval
from ._weights import checked_weight

METHODS = ("plus", "minmax", "base")
CHUNK = 2**22


@plain("jackknife", finite="residual prediction value", whole="model", other="weight")
def jackknife(
    residual: PerPoint,
    prediction: Float[np.ndarray, "test model"],
    *,
    level: Level,
    model: Int[np.ndarray, " point"] | None = None,
    value: PerTest | None = None,
    method: str = "plus",
    weight: Weights = None,
    negative: str = "error",
) -> Interval:
    """Make intervals from models that each left out some training points.

    Parameters
    ----------
    residual : |y_i − μ_{−i}(x_i)| of each training point from the model that did not see it
    prediction : of each such model at new points
    level : requested coverage
    model : which model did not see training point i; by default the i-th (leave-one-out)
    value : prediction of the model trained on all points; by default the mean of ``prediction``
    method : "plus" (quantiles of μ_{−i}(x) ± R_i), "minmax" (extreme predictions ± quantile of R), "base" (value ±
        quantile of R: the jackknife, without a guarantee)
    weight : event weights of the training points; by default 1
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`checked_weight`

    Raises
    ------
    InputError : for an unknown method, a model that does not exist, values that are not finite, weights of no use

    Source: Barber, Candès, Ramdas, Tibshirani, arXiv:1905.02928.

    >>> left_out = np.array([[0.0, 0.5, 1.0]])  # of one new point
    >>> jackknife(np.array([0.1, 0.2, 0.3]), left_out, level=0.5).high
    array([0.7])
    """
    check_known([method], METHODS, "jackknife", "method")
    index = np.arange(residual.size) if model is None else model
    models = prediction.shape[1]
    if index.shape != residual.shape or (index.size and not 0 <= index.min() <= index.max() < models):
        raise InputError("jackknife", f"{models} models for {residual.size} points", "a model that left out each point")
    exact = exact_level(level)
    middle = prediction.mean(1) if value is None else value
    if method == "plus":
        w = checked_weight(weight, residual.size, negative=negative, where="jackknife")
        high = upper(prediction, index, residual, w, exact)
        low = -upper(-prediction, index, residual, w, exact)
        return make_interval(float(exact), middle, low, high)
    q = conformalize(residual, level=exact, weight=weight, negative=negative).value
    if method == "base":
        return make_interval(float(exact), middle, middle - q, middle + q)
    return make_interval(float(exact), middle, prediction.min(1) - q, prediction.max(1) + q)


def upper(
    prediction: Float[np.ndarray, "test model"],
    index: Int[np.ndarray, " point"],
    residual: PerPoint,
    weight: PerPoint,
    level: Fraction,
) -> PerTest:
    """Quantile of μ_{−i}(x) + R_i over training points i, for each new point; in chunks of bounded memory."""
    n = residual.size
    step = max(CHUNK // max(n, 1), 1)
    chunks = [prediction[i : i + step] for i in range(0, len(prediction), step)]
    k = rank(n, level)
    if (weight == weight[:1]).all():
        if k > n:
            return np.full(len(prediction), np.inf)
        parts = [np.partition(chunk[:, index] + residual, k - 1, axis=1)[:, k - 1] for chunk in chunks]
    else:
        rows = [row[index] + residual for chunk in chunks for row in chunk]
        parts = [np.array([ordered(row, weight=weight, negative="signed").quantile(level).value for row in rows])]
    return np.concatenate([np.zeros(0), *parts])
