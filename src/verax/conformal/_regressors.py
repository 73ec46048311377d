"""Split conformal regressors around any model, with the verbs fit, conformalize and predict_interval.

A model is an object with ``fit`` and ``predict``, or a callable on arrays, which is taken as trained. All statistics are
in the functions of :mod:`verax.conformal` for plain arrays.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from verax.errors import InputError
from verax.results import FloatArray, Interval

from ._base import Ratios, SplitConformal
from ._conformal import exact_level
from ._cqr import check_levels, cqr, cqr_band, cqr_sides
from ._estimator import checked_target
from ._model import fitted, predicted, rows
from ._split import absolute, band, normalised


@dataclass(eq=False, repr=False)
class SplitConformalRegressor(SplitConformal):
    """Split conformal intervals μ(x) ± q, or μ(x) ± qσ(x) with a model of the spread.

    Parameters
    ----------
    estimator : model of the mean
    confidence_level : requested coverage
    spread : model of the spread σ(x) > 0: trained on |y − μ(x)| of the training points, or a callable; None for one width.
        A prediction that is not positive is refused; a callable given in its place afterwards, such as one with a floor
        under ``spread_.predict``, needs no new ``fit``
    prefit : the models are trained already, ``fit`` does nothing
    negative : what negative weights mean in ``conformalize``: "error", "signed" or "abs"

    >>> x, noise = np.random.default_rng(1).normal(size=(2, 999))
    >>> model = SplitConformalRegressor(lambda x: 2 * x).conformalize(x, 2 * x + noise)
    >>> float(model.predict_interval(np.array([1.0])).high[0].round(1))  # 2 + 1.645
    3.7
    """

    spread: Any = field(default=None, kw_only=True)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "SplitConformalRegressor":
        """Train copies of the models; not with the points of ``conformalize``."""
        target = checked_target(y, X, "SplitConformalRegressor")
        self._discard_scores("fit")
        self.model_ = self._fit_model(X, target, sample_weight)
        self.spread_ = None
        if self.spread is not None:
            residual = np.abs(target - predicted(self.model_, X))
            self.spread_ = self.spread if self.prefit else fitted(self.spread, X, residual, sample_weight)
        return self

    def conformalize(
        self, X: Any, y: Any, sample_weight: Any = None, *, group: Any = None
    ) -> "SplitConformalRegressor":
        """Store the scores of calibration points, with their event weights and groups."""
        y, mean, spread = checked_target(y, X, "SplitConformalRegressor"), self.predict(X), self._spread(X)
        self._store_scores(absolute(y, mean) if spread is None else normalised(y, mean, spread), sample_weight, group)
        return self

    def predict(self, X: Any) -> FloatArray:
        """Predict the mean by the model."""
        return predicted(self._trained(), X)

    def predict_interval(
        self, X: Any, confidence_level: float | None = None, *, group: Any = None, ratio: Ratios = None
    ) -> Interval:
        """Predict intervals of y; options as in :meth:`quantile`."""
        self.quantile_, value = self.quantile(confidence_level, group=group, ratio=ratio, points=rows(X))
        level = self.confidence_level if confidence_level is None else confidence_level
        return band(self.predict(X), value, level=level, spread=self._spread(X))

    def _spread(self, x: Any) -> FloatArray | None:
        if self.spread is None:
            return None
        trained = None if self.prefit or not hasattr(self.spread, "fit") else self.__dict__.get("spread_")
        return predicted(self.spread if trained is None else trained, x, what="spread")


@dataclass(eq=False, repr=False)
class ConformalizedQuantileRegressor(SplitConformal):
    """Conformalised quantile regression around two models of quantiles, and one of the median if there are three.

    Parameters
    ----------
    estimator : two or three models, in the order of increasing quantile levels, or one callable that returns two columns
    confidence_level : requested coverage
    prefit : the models are trained already, ``fit`` does nothing
    negative : what negative weights mean in ``conformalize``: "error", "signed" or "abs"
    levels : the models' quantile levels, to be checked: they must increase
    symmetric : move both ends by the same; else each by its own, so that each misses with probability (1 − level)/2,
        and ``quantile_`` is a pair

    >>> x, noise = np.random.default_rng(1).normal(size=(2, 999))
    >>> model = ConformalizedQuantileRegressor(lambda x: np.stack([x - 1, x + 1], 1)).conformalize(x, x + noise)
    >>> float(model.predict_interval(np.array([1.0])).high[0].round(1))  # 1 + 1.645
    2.7
    """

    score_independent: ClassVar[tuple[str, ...]] = (*SplitConformal.score_independent, "levels", "symmetric")
    score_attributes: ClassVar[tuple[str, ...]] = (*SplitConformal.score_attributes, "sides_")

    levels: tuple[float, ...] | None = field(default=None, kw_only=True)
    symmetric: bool = field(default=True, kw_only=True)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "ConformalizedQuantileRegressor":
        """Train copies of the models; not with the points of ``conformalize``."""
        check_levels(tuple(self.levels or ()))
        target, models = checked_target(y, X, "ConformalizedQuantileRegressor"), self._models()
        self._discard_scores("fit")
        self.model_ = tuple(m if self.prefit else fitted(m, X, target, sample_weight) for m in models)
        return self

    def conformalize(
        self, X: Any, y: Any, sample_weight: Any = None, *, group: Any = None
    ) -> "ConformalizedQuantileRegressor":
        """Store the scores of calibration points, with their event weights and groups."""
        low, high, _ = self._quantiles(X)
        target = checked_target(y, X, "ConformalizedQuantileRegressor")
        self._store_scores(cqr(target, low, high), sample_weight, group)
        self.sides_ = cqr_sides(target, low, high)
        return self

    def predict_interval(
        self, X: Any, confidence_level: float | None = None, *, group: Any = None, ratio: Ratios = None
    ) -> Interval:
        """Predict intervals of y; options as in :meth:`quantile`."""
        low, high, median = self._quantiles(X)
        level = self.confidence_level if confidence_level is None else confidence_level
        if self.symmetric:
            self.quantile_, value = self.quantile(level, group=group, ratio=ratio, points=rows(X))
            return cqr_band(low, high, value, level=level, value=median)
        options: dict[str, Any] = {"level": (1 + exact_level(level)) / 2, "group": group, "ratio": ratio}
        found = [self.quantile(scores=s, points=rows(X), **options) for s in self._fitted("sides_")]
        self.quantile_ = (found[0][0], found[1][0])
        return cqr_band(low, high, (found[0][1], found[1][1]), level=level, value=median)

    def predict(self, X: Any) -> FloatArray:
        """Predict the median, or the middle of the band of two quantiles."""
        low, high, median = self._quantiles(X)
        return low + (high - low) / 2 if median is None else median

    def _models(self) -> tuple[Any, ...]:
        models = tuple(self.estimator) if isinstance(self.estimator, (list, tuple)) else (self.estimator,)
        if len(models) > 3 or (len(models) == 1 and hasattr(models[0], "fit")):
            raise InputError("ConformalizedQuantileRegressor", f"{len(models)} models", "two or three, or one callable")
        return models

    def _quantiles(self, x: Any) -> tuple[FloatArray, FloatArray, FloatArray | None]:
        models = self._models()
        if not self.prefit and any(hasattr(m, "fit") for m in models):
            models = self.__dict__.get("model_", models)
        if len(models) == 1:
            both = predicted(models[0], x, columns=2, what="quantile model")
            return both[:, 0], both[:, 1], None
        values = [predicted(model, x, what="quantile model") for model in models]
        return values[0], values[-1], values[1] if len(models) == 3 else None
