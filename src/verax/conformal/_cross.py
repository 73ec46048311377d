"""Conformal regressor that trains and calibrates with all points: jackknife+, CV+ and their minmax forms."""

from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from verax.errors import InputError
from verax.given import floats, unmasked
from verax.results import FloatArray, Interval

from ._estimator import Estimator, checked_target
from ._jackknife import jackknife
from ._model import fitted, predicted, rows, take
from ._weights import checked_weight

WHERE = "CrossConformalRegressor"
Split = tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]


@dataclass(eq=False, repr=False)
class CrossConformalRegressor(Estimator):
    """Jackknife+, CV+ or their minmax forms: ``fit`` trains on all points and calibrates with them, out of fold.

    Parameters
    ----------
    estimator : model of the mean
    confidence_level : requested coverage
    method : "plus", "minmax" or "base", see :func:`jackknife`
    cv : number of folds, or −1 to leave out one point at a time (jackknife); the fold of each point as an array; a list of
        (train, test) positions that tests each point once; or a splitter of scikit-learn, such as ``KFold(5)``. Points of
        neither part of a pair (twins of those that are tested) train nothing there
    negative : what negative weights mean for the intervals
    shuffle : assign the points to a number of folds at random; else folds are of neighbouring points, as scikit-learn's
        KFold makes them, and rows that are sorted make intervals too wide
    random_state : seed of the assignment, a whole number as scikit-learn has it; None for another one each time

    >>> from sklearn.linear_model import LinearRegression
    >>> x, noise = np.random.default_rng(1).normal(size=(2, 999, 1))
    >>> model = CrossConformalRegressor(LinearRegression()).fit(x, (2 * x + noise)[:, 0])
    >>> float(model.predict_interval(np.array([[1.0]])).high[0].round(1))  # 2 + 1.645
    3.7
    """

    estimator: Any
    confidence_level: float = 0.9
    _: KW_ONLY
    method: str = "plus"
    cv: Any = 5
    negative: str = "error"
    shuffle: bool = True
    random_state: int | None = 0

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, fit_weight: Any = "same", groups: Any = None
    ) -> "CrossConformalRegressor":
        """Train one copy of the model on all points and one without each fold, and keep the residuals of those.

        Parameters
        ----------
        sample_weight : event weights of the points, for the intervals
        fit_weight : weights for the model's own ``fit``: "same" as ``sample_weight``, None for none, or one a point.
            Few models learn from negative weights: give |w| or None, which costs width, not coverage
        groups : of each point; points of one group are never in different folds. For a number of folds (−1: leave out one
            group at a time) or a splitter that reads them

        Raises
        ------
        InputError : for folds, groups, targets or weights of no use
        """
        w = None if sample_weight is None else np.array(floats(sample_weight, "the weights", WHERE))
        of_fit = w if isinstance(fit_weight, str) and fit_weight == "same" else fit_weight
        if isinstance(of_fit, str):
            raise InputError(WHERE, f"fit_weight '{of_fit}'", "'same', None, or one weight a point")
        of_fit = None if of_fit is None else floats(of_fit, "fit_weight", WHERE)
        if of_fit is not None and of_fit.shape != (rows(X),):
            raise InputError(WHERE, f"weights of shape {of_fit.shape}", f"one weight for each of {rows(X)} points")
        target = checked_target(y, X, WHERE)
        whole = self._train(X, y, of_fit)
        checked_weight(w, target.size, negative="signed", where=WHERE)
        splits = self._splits(X, y, target.size, groups)
        models, residual, fold = [], np.zeros(target.size), np.zeros(target.size, np.int64)
        for k, (train, test) in enumerate(splits):
            model = self._train(take(X, train), take(y, train), None if of_fit is None else of_fit[train])
            residual[test] = np.abs(target[test] - predicted(model, take(X, test)))
            fold[test] = k
            models.append(model)
        # all at once: a fit that fails leaves the last one whole
        self.model_, self.models_, self.fold_, self.residual_, self.weight_ = whole, models, fold, residual, w
        return self

    def _train(self, x: Any, y: Any, weight: FloatArray | None) -> Any:
        try:
            return fitted(self.estimator, x, y, weight)
        except ValueError as error:
            if weight is None or not (weight < 0).any() or isinstance(error, InputError):
                raise
            got = f"negative weights for {type(self.estimator).__name__}: {str(error).splitlines()[0]}"
            action = "give fit_weight: |w|, or None for none"
            raise InputError(WHERE, got, "weights that the model's fit takes", action) from error

    def fit_conformalize(
        self, X: Any, y: Any, sample_weight: Any = None, *, fit_weight: Any = "same", groups: Any = None
    ) -> "CrossConformalRegressor":
        """Fit: the name of :meth:`fit` in MAPIE."""
        return self.fit(X, y, sample_weight, fit_weight=fit_weight, groups=groups)

    def predict(self, X: Any) -> FloatArray:
        """Predict the mean by the model that was trained on all points."""
        return predicted(self._fitted("model_"), X)

    def predict_interval(self, X: Any, confidence_level: float | None = None) -> Interval:
        """Predict intervals of y."""
        value = self.predict(X)
        folds: Float[np.ndarray, "test model"] = np.stack([predicted(m, X) for m in self.models_], 1)
        level = self.confidence_level if confidence_level is None else confidence_level
        options: dict[str, Any] = {"method": self.method, "weight": self.weight_, "negative": self.negative}
        return jackknife(self.residual_, folds, model=self.fold_, value=value, level=level, **options)

    def _splits(self, x: Any, y: Any, n: int, groups: Any) -> list[Split]:
        """Positions that train and test each model."""
        cv = self.cv
        member = None if groups is None else unmasked(groups, "groups", WHERE)
        if member is not None and member.shape != (n,):
            raise InputError(WHERE, f"groups of shape {member.shape}", f"one for each of {n} points")
        if hasattr(cv, "split") and not isinstance(cv, str):
            return checked_splits(list(cv.split(x, y, member)), n, cv)
        if isinstance(cv, Integral):
            return splits_of_folds(self._assign_folds(int(cv), n, member), n, cv)
        if member is not None:
            raise InputError(WHERE, "groups, and folds that are given", "one of them", "make folds of whole groups")
        try:
            given = np.asarray(cv)
        except ValueError:  # pairs of different lengths
            given = np.zeros((0, 0))
        if given.ndim == 1 and given.dtype.kind in "iu":
            return splits_of_folds(given, n, cv)
        try:
            pairs = [(train, test) for train, test in cv]
        except (TypeError, ValueError):
            raise unusable(cv, n) from None
        return checked_splits(pairs, n, cv)

    def _assign_folds(self, cv: int, n: int, groups: np.ndarray | None) -> Int[np.ndarray, " point"]:
        """The fold of each point, whole groups together; the first folds are one larger."""
        unit = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
        many, what = int(unit.max()) + 1, "points" if groups is None else "groups"
        k = many if cv == -1 else cv
        if not 2 <= k <= many:
            action = "n_samples=1 cannot be split" if n == 1 else ""
            raise InputError(WHERE, f"{k} folds of {many} {what}", f"two or more, at most one a {what[:-1]}", action)
        fold = np.repeat(np.arange(k), many // k + (np.arange(k) < many % k))
        if self.shuffle and cv != -1:
            fold = np.random.default_rng(self.random_state).permutation(fold)
        return np.asarray(fold[unit])


def splits_of_folds(fold: np.ndarray, n: int, cv: Any) -> list[Split]:
    """Pairs of positions: each fold tests what all others train."""
    if fold.shape != (n,) or fold.min() < 0 or fold.max() < 1 or (np.bincount(fold) == 0).any():
        raise unusable(cv, n)
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(int(fold.max()) + 1)]


def checked_splits(pairs: list[tuple[Any, Any]], n: int, cv: Any) -> list[Split]:
    """Pairs of positions (or masks) that test each point once, and train on none that they test.

    Raises
    ------
    InputError : for any others
    """
    every = np.arange(n)
    try:
        splits = [(every[np.asarray(train)], every[np.asarray(test)]) for train, test in pairs]
    except IndexError:
        raise unusable(cv, n) from None
    times = np.bincount(np.concatenate([test for _, test in splits] or [every[:0]]), minlength=n)
    if len(splits) < 2 or (times != 1).any():
        raise unusable(cv, n)
    for k, (train, test) in enumerate(splits):
        both = np.intersect1d(train, test)
        if both.size or not train.size:
            got = f"{both.size} points that pair {k} trains and tests"
            got = got if both.size else f"no points that train pair {k}"
            raise InputError(WHERE, got, "training points that are not tested", "leave them out of one of both")
    return splits


def unusable(cv: Any, n: int) -> InputError:
    """The error for folds that do not part the points."""
    name = repr(cv) if hasattr(cv, "get_n_splits") else f"cv of type {type(cv).__name__}"
    action = "a generator of pairs is used up after one fit: give a list" if hasattr(cv, "__next__") else ""
    return InputError(WHERE, name, f"each of {n} points in one of two or more folds", action)
