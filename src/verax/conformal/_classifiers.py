"""Conformal classifiers around any model, with the verbs fit, conformalize and predict_set."""

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from verax.errors import InputError, check_known
from verax.given import refuse, unmasked
from verax.results import FloatArray

from ._base import BOTH, Ratios, SplitConformal
from ._classification import at_label, cumulative_scores, lac, sets
from ._conformal import Quantile
from ._model import probabilities, rows
from ._mondrian import Mondrian, mondrian
from ._shift import label_shift

SCORES = ("lac", "aps", "raps")


@dataclass(frozen=True)
class PredictionSets:
    """Sets of classes at a level: ``member[event, class]`` is true for the classes of each set."""

    level: float
    classes: tuple[Any, ...]
    member: Bool[np.ndarray, "event class"]

    @property
    def size(self) -> Int[np.ndarray, " event"]:
        """Number of classes of each set; a set may be empty."""
        return np.asarray(self.member.sum(1))

    def holds(self, label: Any) -> Bool[np.ndarray, " event"]:
        """Whether each set holds the true class.

        Raises
        ------
        InputError : for another number of labels, or one that is no class
        """
        found = unmasked(label, "label", "prediction sets")
        if found.shape != (len(self.member),):
            got = f"labels of shape {found.shape}"
            raise InputError("prediction sets", got, f"one for each of {len(self.member)} sets")
        return self.member[np.arange(len(found)), position(found, np.asarray(self.classes))]


@dataclass(eq=False, repr=False)
class SplitConformalClassifier(SplitConformal):
    """Prediction sets by split conformal classification.

    The uniform numbers of APS and RAPS come from one stream that begins with ``conformalize`` and goes on from call to
    call: sets are the same however the rows are cut into calls, and the same rows again have other numbers.

    Parameters
    ----------
    estimator : model with ``fit`` and ``predict_proba``, or a callable that returns probabilities of each class
    confidence_level : requested coverage
    conformity_score : "lac", "aps" or "raps"
    randomised : draw the uniform numbers of APS and RAPS, with which they cover exactly; without, they cover more
    penalty : of RAPS: cost of each class beyond the ``free`` likeliest
    free : of RAPS: number of classes without cost
    prefit : the model is trained already
    negative : what negative weights mean in ``conformalize``: "error", "signed" or "abs"
    classes : names of the columns of a callable, which needs them; not for a model that names its own
    random_state : seed of the uniform numbers, a whole number as scikit-learn has it; None for others each time

    >>> x = np.random.default_rng(1).normal(size=999)
    >>> def probability(x):
    ...     return np.stack([1 / (1 + np.exp(x)), 1 / (1 + np.exp(-x))], 1)
    >>> label = (np.random.default_rng(2).random(999) < probability(x)[:, 1]).astype(int)
    >>> model = SplitConformalClassifier(probability, classes=[0, 1]).conformalize(x, label)
    >>> model.predict_set(np.array([-3.0, 0.0])).member
    array([[ True, False],
           [ True,  True]])
    """

    kind = "classifier"
    score_attributes: ClassVar[tuple[str, ...]] = (*SplitConformal.score_attributes, "label_", "by_class_", "stream_")

    _: KW_ONLY
    conformity_score: str = "lac"
    randomised: bool = True
    penalty: float = 0.01
    free: int = 1
    classes: Any = None
    random_state: int | None = None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "SplitConformalClassifier":
        """Train a copy of the model; not with the points of ``conformalize``."""
        check_known([self.conformity_score], SCORES, "SplitConformalClassifier", "conformity score")
        self._discard_scores("fit")
        self.model_ = self._fit_model(X, y, sample_weight)
        return self

    @property
    def classes_(self) -> Shaped[np.ndarray, " class"]:
        """Classes in the order of the model's columns."""
        model = self._trained()
        if hasattr(model, "classes_"):
            named = np.asarray(model.classes_)
            if self.classes is not None and not np.array_equal(named, np.asarray(self.classes)):
                got = f"classes {_some(np.asarray(self.classes))} for a model of {_some(named)}"
                raise InputError("SplitConformalClassifier", got, "the model's own", "leave classes out")
            return named
        if self.classes is None:
            raise InputError("SplitConformalClassifier", "a callable without classes", "classes of its columns")
        return np.asarray(self.classes)

    def conformalize(
        self, X: Any, y: Any, sample_weight: Any = None, *, group: Any = None
    ) -> "SplitConformalClassifier":
        """Store the scores of calibration points; with ``group="class"`` each class is covered by itself.

        A class without calibration points then has an infinite quantile: it is in each set, and ``quantile_.note`` names it.
        """
        label = position(unmasked(y, "y", "SplitConformalClassifier"), self.classes_)
        by_class = isinstance(group, str) and group == "class"
        scores = at_label(self._scores(X, self._stream(0)), label)
        self._store_scores(scores, sample_weight, label if by_class else group)
        self.label_, self.by_class_, self.stream_ = label, by_class, self._stream(1)
        return self

    def predict(self, X: Any) -> Shaped[np.ndarray, " event"]:
        """Predict the likeliest class."""
        model = self._trained()
        if hasattr(model, "predict"):
            return np.asarray(model.predict(X))
        return self.classes_[self.predict_proba(X).argmax(1)]

    def predict_proba(self, X: Any) -> Float[np.ndarray, "event class"]:
        """Predict the probabilities of the classes by the model."""
        return probabilities(self._trained(), X, self.classes_.size)

    def predict_set(
        self,
        X: Any,
        confidence_level: float | None = None,
        *,
        group: Any = None,
        ratio: Ratios = None,
        class_ratio: Any = None,
    ) -> PredictionSets:
        """Predict sets of classes.

        Parameters
        ----------
        X : features of new points
        confidence_level : instead of the estimator's
        group : of each new point, when ``conformalize`` was given groups
        ratio : density ratio p_test/p_cal at calibration points and at new points (covariate shift)
        class_ratio : p_test(y)/p_cal(y) of each class: label shift

        Raises
        ------
        InputError : for more than one of groups (of any kind), ``ratio`` and ``class_ratio``, of which one would do nothing
        """
        level = self.confidence_level if confidence_level is None else confidence_level
        self._fitted("scores_")
        self._check_options(group, ratio, class_ratio)
        scores = self._scores(X, self.stream_)
        value: float | FloatArray
        if class_ratio is not None:
            r = np.asarray(class_ratio, np.float64)
            if r.shape != self.classes_.shape:
                raise InputError("label shift", f"ratios of shape {r.shape}", f"one for each of {self.classes_.size}")
            options: dict[str, Any] = {"level": level, "weight": self.weight_, "negative": self.negative}
            self.quantile_ = label_shift(self.scores_, self.label_, r, **options)
            value = self.quantile_.value
        elif self.by_class_:
            self.quantile_, value = self._by_class(level)
        else:
            self.quantile_, value = self.quantile(level, group=group, ratio=ratio, points=rows(X))
            value = value[:, None] if isinstance(value, np.ndarray) else value
        return PredictionSets(level, tuple(self.classes_.tolist()), sets(scores, value))

    def _check_options(self, group: Any, ratio: Any, class_ratio: Any) -> None:
        """Nothing, if each option has its effect.

        Raises
        ------
        InputError : for two of which one would have none
        """
        where, before = "SplitConformalClassifier", "" if self.group_ is None else "groups in conformalize"
        options = {"ratio": ratio, "class_ratio": class_ratio}
        given = [name for name, value in options.items() if value is not None]
        if self.by_class_:
            action = "sets by class hold under any label shift" if given == ["class_ratio"] else BOTH
            names = ["group"] * (group is not None) + given
            if names:
                raise InputError(where, f"{names[0]}, and group='class' in conformalize", "one of them", action)
        elif class_ratio is not None and (before or group is not None or ratio is not None):
            other = "ratio" if ratio is not None else before or "group"
            raise InputError(where, f"class_ratio and {other}", "one of them", BOTH)

    def _by_class(self, level: float) -> tuple[Mondrian, FloatArray]:
        """A quantile of each class; infinite for one that has no calibration points."""
        found = mondrian(self.scores_, self.label_, level=level, weight=self.weight_, negative=self.negative)
        known = dict(zip(found.groups, found.quantiles, strict=True))
        absent = Quantile(float(level), math.inf, 0, 0.0, 0, 1.0, 0.0)
        each = tuple(known.get(k, absent) for k in range(self.classes_.size))
        return Mondrian(tuple(self.classes_.tolist()), each), np.array([q.value for q in each])

    def _stream(self, number: int) -> np.random.Generator:
        """Calibration and prediction draw from different streams of one seed."""
        return np.random.default_rng(None if self.random_state is None else [self.random_state, number])

    def _scores(self, x: Any, stream: np.random.Generator) -> Float[np.ndarray, "event class"]:
        check_known([self.conformity_score], SCORES, "SplitConformalClassifier", "conformity score")
        p = self.predict_proba(x)
        if self.conformity_score == "lac":
            return lac(p)
        share = stream.random((len(p), 1)) if self.randomised else None
        penalty, free = (self.penalty, self.free) if self.conformity_score == "raps" else (0.0, 0)
        return cumulative_scores(p, share, penalty, free)


def _some(classes: np.ndarray) -> str:
    return ", ".join(str(c) for c in classes[:20])


def position(label: Shaped[np.ndarray, " point"], classes: Shaped[np.ndarray, " class"]) -> Int[np.ndarray, " point"]:
    """Column of each label.

    Raises
    ------
    InputError : for labels that are not one a point, or one that the model does not know
    """
    if label.ndim != 1:
        raise InputError("prediction sets", f"labels of shape {label.shape}", "one a point")
    order = np.argsort(classes)
    index = np.minimum(np.searchsorted(classes, label, sorter=order), classes.size - 1)
    column = order[index]
    refuse(classes[column] != label, label, "class {}", "prediction sets", _some(classes))
    return np.asarray(column)
