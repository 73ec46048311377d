"""Methods of classification on weighted events: probabilities, prediction sets, and what judges them.

Weights are those of training: signal and background scaled to equal sums at nominal, signs kept. A systematic changes
events and weights after that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import jax
import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray
from scipy.special import logit, xlogy

from verax.analysis import Ensemble
from verax.calibrate import isotonic, platt, temperature
from verax.check import average, reliability
from verax.conformal import aps, at_label, conformalize, lac, sets
from verax.epistemic import Posterior, dropout, ensemble, laplace, tta, variational
from verax.events import Events
from verax.learn import CrossEntropy, Training, classifier, predict
from verax.results import FloatArray, Predictive, Status

from ._comparison import Method
from ._regression_training import RESOLUTION, STOPPED

LEVEL = 0.9
"""Of the sets."""

CONFORMAL = ("conformal, LAC", "conformal, APS")
"""Rows of sets alone: their probabilities are the single network's."""

SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1, so that every log loss is finite."""


@dataclass(frozen=True)
class Sample:
    """Events with training weights, in parts that no network mixes: to learn, to stop, to calibrate on."""

    learn: Events
    stop: Events
    calibrate: Events
    signal: tuple[str, ...]
    features: tuple[str, ...]
    options: Ensemble
    missing: float | None

    def label(self, events: Events) -> np.ndarray:
        """1 for signal."""
        return np.asarray(events.is_process(self.signal)).astype(np.int64)

    @property
    def make(self) -> Callable[..., Any]:
        """The maker of networks."""
        o = self.options
        return partial(classifier, features=self.features, width=o.width, depth=o.depth, missing=self.missing)

    @property
    def training(self) -> Training:
        """Options of the trainings."""
        return self.options.training()


@dataclass(frozen=True)
class Row:
    """The predictions of one row: probability of signal with its epistemic variance, and the classes of each event's set."""

    predict: Callable[[Events], Predictive]
    sets: Callable[[FloatArray], Bool[np.ndarray, "event class"]]


Fitted: TypeAlias = tuple[Sequence[Row], str]
"""Predictions for each row of a method, and what went wrong; empty when nothing did."""


def two_classes(p: Float[np.ndarray, " event"]) -> Float[np.ndarray, "event class"]:
    """Stack the probabilities of background and signal."""
    return np.stack([1 - p, p], axis=1)


def plain_sets(p: Float[np.ndarray, " event"]) -> Bool[np.ndarray, "event class"]:
    """Choose the likeliest class, and the other where the probability of the first is below the level."""
    top = np.maximum(p, 1 - p)
    return np.stack([(p < 0.5) | (top < LEVEL), (p >= 0.5) | (top < LEVEL)], axis=1)


def single(key: PRNGKeyArray, sample: Sample) -> Fitted:
    """One network; its probabilities calibrated, and made into sets, on events of their own."""
    options: dict[str, Any] = {"members": 1, "bootstrap": False, "validation": sample.stop, "training": sample.training}
    trained = ensemble(key, sample.make, CrossEntropy(sample.signal), sample.learn, **options)
    predictor = partial(predict, trained.networks)
    held, label = sample.calibrate, sample.label(sample.calibrate)
    weight = np.asarray(held.weight, np.float64)
    score = _score(predictor(held))
    weights: dict[str, Any] = {"weight": weight, "negative": "signed"}
    scaled = temperature(np.stack([0 * score, score], axis=1), label, **weights)
    line, curve = platt(score, label, **weights), isotonic(score, label, **weights)
    maps: list[Callable[[FloatArray], FloatArray]] = [lambda s: scaled(np.stack([0 * s, s], axis=1))[:, 1], line, curve]
    rows = [Row(predictor, plain_sets), *(Row(partial(_calibrated, predictor, m), plain_sets) for m in maps)]
    p = two_classes(predictor(held).mean)
    near = conformalize(at_label(lac(p), label), level=LEVEL, **weights).value
    far = conformalize(at_label(aps(p, key=jax.random.key(1)), label), level=LEVEL, **weights).value
    rows.append(Row(predictor, lambda q: sets(lac(two_classes(q)), near)))
    rows.append(Row(predictor, lambda q: sets(aps(two_classes(q), key=jax.random.key(2)), far)))
    bad = [n for n, s in {"temperature": scaled.status, "Platt": line.status}.items() if s != Status.OK]
    problem = "; ".join([*([trained.problem] if trained.problem else []), *(f"{n} failed" for n in bad)])
    return rows, problem


def _score(prediction: Predictive) -> FloatArray:
    return np.asarray(logit(np.clip(prediction.mean, SMALLEST, 1 - SMALLEST)))


def _calibrated(
    predictor: Callable[[Events], Predictive], map_: Callable[[FloatArray], FloatArray], events: Events
) -> Any:
    mean = map_(_score(predictor(events)))
    return Predictive(mean, mean * (1 - mean), np.zeros_like(mean))


def epistemic(
    key: PRNGKeyArray,
    sample: Sample,
    *,
    method: Callable[..., Posterior],
    stops: bool = True,
    accepted: Sequence[Status] = (),
) -> Fitted:
    """The members of an epistemic method, trained with the options of the analysis.

    Parameters
    ----------
    stops : whether events of their own decide when its training stops
    accepted : statuses whose problem is none here; that of a training is
    """
    options: dict[str, Any] = {"validation": sample.stop} if stops else {}
    loss = CrossEntropy(sample.signal)
    found = method(key, sample.make, loss, sample.learn, training=sample.training, **options)
    members = found.members(jax.random.split(key, 3)[2])
    lines = [h.problem or h.unfinished for h in found.histories] if found.status in accepted else [found.problem]
    return [Row(partial(predict, members), plain_sets)], next(filter(None, lines), "")


def network_ensemble(key: PRNGKeyArray, sample: Sample, *, bootstrap: bool) -> Fitted:
    """Networks from other starts, or on Poisson replicas of the events."""
    members = max(sample.options.members, 2)
    return epistemic(key, sample, method=partial(ensemble, members=members, bootstrap=bootstrap))


def augmented(key: PRNGKeyArray, sample: Sample) -> Fitted:
    """One network at draws of its inputs, each of a resolution of a twentieth of its spread."""
    scale = sample.make(key, sample.learn).standardise.scale
    widths = dict(zip(sample.features, (RESOLUTION * np.asarray(scale, np.float64)).tolist(), strict=True))
    return epistemic(key, sample, method=partial(tta, resolution=widths))


YES, SAME = ("none", "yes"), ("none: same events", "yes")
CLASSIFIERS: dict[str, Method] = {
    "single": Method(
        single,
        {
            "single network": YES,
            "temperature": YES,
            "Platt": ("closure in calibration", "yes"),
            "isotonic": ("closure in calibration", "yes"),
            **dict.fromkeys(CONFORMAL, ("sets: marginal, finite n", "yes")),
        },
    ),
    "deep ensemble": Method(partial(network_ensemble, bootstrap=False), {"deep ensemble": SAME}),
    "bootstrap": Method(partial(network_ensemble, bootstrap=True), {"bootstrap ensemble": YES}),
    "dropout": Method(partial(epistemic, method=dropout), {"MC dropout": ("none: spread of a rate", "no")}),
    "test-time augmentation": Method(augmented, {"test-time augmentation": ("none: spread of inputs", "yes")}),
    "variational": Method(
        partial(epistemic, method=variational, stops=False), {"variational": ("none: a bound", "no")}
    ),
    "laplace": Method(
        partial(epistemic, method=partial(laplace, steps=0), accepted=STOPPED),
        {"Laplace, last layer": ("posterior of one layer", "no")},
    ),
}
"""Every method by the name that chooses it."""


def judge(row: Row, events: Events, label: np.ndarray) -> dict[str, tuple[float, float]]:
    """Judge a row: weighted mean and standard error of each metric on events, whose weights may be negative.

    The sets' coverage and size are at 90 %; the spread is the mean width of ±1.96 standard deviations of the members'
    probabilities; the ECE is less its bias, and has no error.
    """
    prediction = row.predict(events)
    p, w = np.clip(prediction.mean, SMALLEST, 1 - SMALLEST), np.asarray(events.weight, np.float64)
    chosen = row.sets(np.asarray(prediction.mean))
    values = {
        "log loss": -xlogy(label, p) - xlogy(1 - label, 1 - p),
        "Brier": (p - label) ** 2,
        "coverage": chosen[np.arange(len(label)), label].astype(np.float64),
        "size": chosen.sum(axis=1).astype(np.float64),
        "spread": 2 * 1.96 * np.sqrt(prediction.epistemic),
    }
    found = {k: average(v, w) for k, v in values.items()}
    ece = reliability(p, label, w).ece_corrected
    return {**{k: (a.value, a.error) for k, a in found.items()}, "ECE": (float(ece), float("nan"))}
