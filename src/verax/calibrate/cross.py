"""Conformal regressor that trains and calibrates with all points: jackknife+, CV+ and their minmax forms."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from verax.calibrate.conformal import exact_level
from verax.calibrate.estimator import Estimator, checked_target
from verax.calibrate.jackknife import jackknife
from verax.calibrate.model import fitted, predicted, take
from verax.errors import InputError
from verax.results import FloatArray, Interval


class CrossConformalRegressor(Estimator):
    """Jackknife+, CV+ or their minmax forms: ``fit`` trains on all points and calibrates with them, out of fold.

    Parameters
    ----------
    estimator : model of the mean
    confidence_level : asked coverage
    method : "plus", "minmax" or "base", see :func:`~verax.calibrate.jackknife.jackknife`
    cv : number of folds of neighbouring points, −1 to leave out one point at a time (jackknife), the fold of each point
        as an array, or a list of (train, test) positions that tests each point once
    negative : what negative weights mean for the intervals; the model sees them as they are
    """

    def __init__(
        self,
        estimator: Any,
        confidence_level: float = 0.9,
        *,
        method: str = "plus",
        cv: int | Int[np.ndarray, " point"] | list[Any] = 5,
        negative: str = "error",
    ) -> None:
        self.estimator = estimator
        self.confidence_level = confidence_level
        self.method = method
        self.cv = cv
        self.negative = negative

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "CrossConformalRegressor":
        """Train one copy of the model on all points and one without each fold, and keep the residuals of those."""
        exact_level(self.confidence_level, "CrossConformalRegressor")
        whole = fitted(self.estimator, X, y, sample_weight)
        target = checked_target(y, X, "CrossConformalRegressor")
        n = target.size
        w = None if sample_weight is None else np.array(sample_weight, np.float64)
        fold = self._folds(n)
        models, residual = [], np.zeros(n)
        for k in range(int(fold.max()) + 1):
            out = fold == k
            model = fitted(self.estimator, take(X, ~out), take(y, ~out), None if w is None else w[~out])
            residual[out] = np.abs(target[out] - predicted(model, take(X, out)))
            models.append(model)
        # all at once: a fit that fails leaves the last one whole
        self.model_, self.models_, self.fold_, self.residual_, self.weight_ = whole, models, fold, residual, w
        return self

    def fit_conformalize(self, X: Any, y: Any, sample_weight: Any = None) -> "CrossConformalRegressor":
        """The same as ``fit``, by the name that says what it does."""
        return self.fit(X, y, sample_weight)

    def predict(self, X: Any) -> FloatArray:
        """Prediction of the model that was trained on all points."""
        return predicted(self._fitted("model_"), X)

    def predict_interval(self, X: Any, confidence_level: float | None = None) -> Interval:
        """Intervals of y."""
        value = self.predict(X)
        folds: Float[np.ndarray, "test model"] = np.stack([predicted(m, X) for m in self.models_], 1)
        level = self.confidence_level if confidence_level is None else confidence_level
        return jackknife(
            self.residual_,
            folds,
            model=self.fold_,
            value=value,
            level=level,
            method=self.method,
            weight=self.weight_,
            negative=self.negative,
        )

    def _folds(self, n: int) -> Int[np.ndarray, " point"]:
        where, cv = "CrossConformalRegressor", self.cv
        if isinstance(cv, int):
            k = n if cv == -1 else cv
            if not 2 <= k <= n:
                action = "n_samples=1 cannot be split" if n == 1 else ""
                raise InputError(where, f"{k} folds of {n} points", "two or more, at most one a point", action)
            # folds of neighbouring points, the first ones one larger, as scikit-learn's KFold
            return np.repeat(np.arange(k), n // k + (np.arange(k) < n % k))
        fold, times = np.full(n, -1), np.zeros(n, np.int64)
        if isinstance(cv, np.ndarray):
            fold, times = cv, np.ones(len(cv), np.int64)
        else:
            for i, (_, test) in enumerate(cv):
                fold[test] = i
                np.add.at(times, test, 1)
        if fold.shape != (n,) or (times != 1).any() or (np.bincount(fold, minlength=2) == 0).any():
            raise InputError(
                where, f"cv of type {type(cv).__name__}", f"each of {n} points in one of two or more folds"
            )
        return fold
