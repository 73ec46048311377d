"""Calibrators and interval makers, each with what their contracts need to know: a new method is one line."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression

from verax.calibrate import isotonic, platt, temperature, venn_abers
from verax.conformal import (
    ConformalizedQuantileRegressor,
    CrossConformalRegressor,
    PredictionSets,
    SplitConformalClassifier,
    SplitConformalRegressor,
)

Fit = Callable[..., Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True)
class TwoClasses:
    """A calibrator of logits as one of a score, which are log-odds of class 1 against class 0."""

    fit: Callable[..., Any]

    def __call__(self, score: Any, label: Any, **options: Any) -> Callable[[np.ndarray], np.ndarray]:
        return AtClass1(self.fit(self.logits(score), label, **options))

    @staticmethod
    def logits(score: Any) -> np.ndarray:
        return np.stack([np.zeros_like(score), score], axis=1)


@dataclass(frozen=True)
class AtClass1:
    """The calibrated probability of class 1."""

    fitted: Callable[[np.ndarray], np.ndarray]

    def __call__(self, score: np.ndarray) -> np.ndarray:
        return self.fitted(TwoClasses.logits(score))[:, 1]


@dataclass(frozen=True)
class Calibrator:
    """``fit(score, label, weight=, negative=)`` returns a function from score to probability.

    ``repeats``: by the method's definition weight 2 is the event twice. Venn–Abers gives the new event the weight of one
    effective event, which is 2 among events of weight 2, and 1 among twice as many of weight 1.
    """

    fit: Fit
    repeats: bool = True


CALIBRATORS = {
    "platt": Calibrator(platt),
    "isotonic": Calibrator(isotonic),
    "temperature": Calibrator(TwoClasses(temperature)),
    "venn_abers": Calibrator(venn_abers, repeats=False),
}


def mean(x: np.ndarray) -> np.ndarray:
    """A model of the mean, which is not quite right."""
    return 1.8 * x[:, 0]


def spread(x: np.ndarray) -> np.ndarray:
    """A model of the spread."""
    return 0.5 + np.abs(x[:, 0])


def quantiles(x: np.ndarray) -> np.ndarray:
    """Two quantiles, which cover too little."""
    return np.stack([mean(x) - spread(x), mean(x) + spread(x)], axis=1)


def probability(x: np.ndarray) -> np.ndarray:
    """Probabilities of y ≤ 0 and y > 0, which are too sharp."""
    p = 1 / (1 + np.exp(-4 * x[:, 0]))
    return np.stack([1 - p, p], axis=1)


@dataclass(frozen=True)
class IntervalMaker:
    """``make(confidence_level, negative=)`` returns an estimator that is to be given calibration events.

    ``leaves_out``: it trains models of its own, each without some of the events, so that one event is too few and an event
    of weight zero still trains. ``classes``: it makes sets of the classes y ≤ 0 and y > 0. That weight 2 is an event twice
    holds for a new point of weight 1 (``conformalize(test_weight=1)``); to the estimators it weighs one effective event.
    """

    make: Callable[..., Any]
    leaves_out: bool = False
    classes: bool = False

    def __call__(self, x: Any, y: Any, weight: Any = None, *, level: float = 0.8, negative: str = "error") -> Any:
        """The estimator, with calibration events."""
        return self.calibrate(self.make(confidence_level=level, negative=negative), x, y, weight)

    def calibrate(self, model: Any, x: Any, y: Any, weight: Any = None) -> Any:
        """The same estimator with calibration events."""
        if self.leaves_out:
            return model.fit(x, y, weight, fit_weight=None)
        if self.classes:
            y = np.where(np.isnan(y), np.nan, y > 0) if np.isnan(y).any() else (y > 0).astype(int)
        return model.conformalize(x, y, weight)

    def ask(self, model: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends; of sets, minus and plus whether each class is a member: larger sets have further ends."""
        found = model.predict_set(x) if self.classes else model.predict_interval(x)
        if isinstance(found, PredictionSets):
            return -found.member.astype(float), found.member.astype(float)
        return found.low, found.high

    def inside(self, model: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Whether each interval holds y."""
        if self.classes:
            return model.predict_set(x).holds((y > 0).astype(int))
        low, high = self.ask(model, x)
        return (low <= y) & (y <= high)


def cross(method: str) -> IntervalMaker:
    """Jackknife: one event at a time is left out, so that folds do not depend on the order of events."""
    return IntervalMaker(partial(CrossConformalRegressor, LinearRegression(), cv=-1, method=method), leaves_out=True)


def split_sets(score: str) -> IntervalMaker:
    """Sets without random numbers, which cover at least as much."""
    made = partial(SplitConformalClassifier, probability, classes=(0, 1), conformity_score=score, randomised=False)
    return IntervalMaker(made, classes=True)


INTERVAL_MAKERS = {
    "split": IntervalMaker(partial(SplitConformalRegressor, mean)),
    "split with a spread": IntervalMaker(partial(SplitConformalRegressor, mean, spread=spread)),
    "CQR": IntervalMaker(partial(ConformalizedQuantileRegressor, quantiles)),
    "CQR of each side": IntervalMaker(partial(ConformalizedQuantileRegressor, quantiles, symmetric=False)),
    "jackknife+": cross("plus"),
    "jackknife-minmax": cross("minmax"),
    "jackknife": cross("base"),
    "LAC": split_sets("lac"),
    "APS": split_sets("aps"),
    "RAPS": split_sets("raps"),
}
