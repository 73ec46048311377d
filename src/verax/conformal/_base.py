"""What the split conformal estimators share: stored calibration scores, and quantiles of them at any level."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from verax.errors import InputError
from verax.given import floats, unmasked
from verax.results import FloatArray

from ._conformal import Level, Quantile, conformalize
from ._estimator import Estimator
from ._model import fitted
from ._mondrian import Mondrian, mondrian
from ._shift import Shifted, shifted
from ._weights import checked_weight

Ratios: TypeAlias = tuple[FloatArray, FloatArray] | None
"""Density ratios at the calibration points and at new ones; None where nothing has shifted."""

BOTH = "for both, conformalize and predict the points of each group by themselves"


@dataclass(eq=False, repr=False)
class SplitConformal(Estimator):
    """Calibration scores, and quantiles of them at any level.

    A model that is trained already (``prefit``, or a callable) is referred to, not copied: where it is trained again, or
    its attributes are changed, call ``conformalize`` again. This is not detected.

    Attributes
    ----------
    model_ : the trained model
    scores_, weight_, group_ : of the calibration points
    quantile_ : of the last ``predict_interval`` or ``predict_set``, with its ``note``
    """

    score_independent: ClassVar[tuple[str, ...]] = ("confidence_level", "negative")
    score_attributes: ClassVar[tuple[str, ...]] = ("scores_", "weight_", "group_", "quantile_")

    estimator: Any
    confidence_level: float = 0.9
    _: KW_ONLY
    prefit: bool = False
    negative: str = "error"

    def _fit_model(self, x: Any, y: Any, sample_weight: Any) -> Any:
        if self.prefit:
            return self.estimator
        return fitted(self.estimator, x, y, sample_weight)

    def _trained(self) -> Any:
        if self.prefit or not hasattr(self.estimator, "fit"):
            return self.estimator
        return self._fitted("model_")

    def _store_scores(self, scores: FloatArray, sample_weight: Any, group: Any) -> None:
        where, n = type(self).__name__, scores.size
        checked_weight(sample_weight, n, negative=self.negative, where=where)
        given = None if sample_weight is None else np.array(sample_weight, np.float64)
        labels = None if group is None else np.array(unmasked(group, "group", where))
        if labels is not None and labels.shape != (n,):
            raise InputError(where, f"groups of shape {labels.shape}", f"one for each of {n} points")
        self.scores_, self.weight_, self.group_ = scores, given, labels

    def quantile(
        self,
        level: Level | None = None,
        *,
        group: Any = None,
        ratio: Ratios = None,
        scores: FloatArray | None = None,
        points: int | None = None,
    ) -> tuple[Quantile | Mondrian | Shifted, float | FloatArray]:
        """Find the quantile of the calibration scores, and its value for each new point.

        Parameters
        ----------
        level : instead of ``confidence_level``
        group : of each new point, when ``conformalize`` was given groups
        ratio : density ratio p_test/p_cal at calibration points and at new points (covariate shift); not with groups
        scores : other scores of the calibration points than those that were stored
        points : number of new points, where it is known: groups and ratios of another number are refused

        Raises
        ------
        InputError : for groups in one of ``conformalize`` and prediction only, for both groups and a ratio, and for groups
            or ratios that are not one a point
        """
        where, stored = type(self).__name__, self._fitted("scores_")
        for name, value in (("groups", group), ("ratios", None if ratio is None else ratio[1])):
            shape = np.shape(unmasked(value, name, where))
            if value is not None and (len(shape) != 1 or points not in (None, *shape)):
                raise InputError(where, f"{name} of shape {shape}", f"one for each of {points or 'the new'} points")
        level, scores = self.confidence_level if level is None else level, stored if scores is None else scores
        if (group is None) != (self.group_ is None) and (ratio is None or group is not None):
            got = "no groups" if group is None else "groups"
            raise InputError(where, got, "groups in conformalize and in prediction, or in neither")
        if ratio is not None and self.group_ is not None:
            raise InputError(where, "groups and a ratio", "one of them", BOTH)
        options: dict[str, Any] = {"level": level, "weight": self.weight_, "negative": self.negative}
        if ratio is not None:
            old, new = (floats(r, "the ratio", where) for r in ratio)
            moved = shifted(scores, ratio=old, test_ratio=new, **options)
            return moved, moved.value
        if group is not None and self.group_ is not None:
            by_group = mondrian(scores, self.group_, **options)
            return by_group, by_group.values(group)
        found = conformalize(scores, **options)
        return found, found.value
