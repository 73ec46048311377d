"""Methods of classification on weighted events: probabilities, prediction sets, and what judges them.

Weights are those of training: signal and background scaled to equal sums at nominal, signs kept. A systematic changes
events and weights after that.
"""

from collections.abc import Callable, Mapping, Sequence
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
from verax.compare.methods.train import RESOLUTION, STOPPED
from verax.conformal import aps, at_label, conformalize, lac, sets
from verax.epistemic import Posterior, dropout, ensemble, laplace, tta, variational
from verax.events import Events
from verax.learn import CrossEntropy, Training, classifier, predict
from verax.results import FloatArray, Predictive, Status

LEVEL = 0.9
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


@dataclass(frozen=True)
class Row:
    """The predictions of one row: probability of signal with its epistemic variance, and the classes of each event's set."""

    predict: Callable[[Events], Predictive]
    sets: Callable[[FloatArray], Bool[np.ndarray, "event class"]]


Fitted: TypeAlias = tuple[dict[str, Row], str]


def both(p: Float[np.ndarray, " event"]) -> Float[np.ndarray, "event class"]:
    """Probabilities of background and signal."""
    return np.stack([1 - p, p], axis=1)


def plain_sets(p: Float[np.ndarray, " event"]) -> Bool[np.ndarray, "event class"]:
    """The likeliest class, and the other where the probability of the first is below the level."""
    top = np.maximum(p, 1 - p)
    return np.stack([(p < 0.5) | (top < LEVEL), (p >= 0.5) | (top < LEVEL)], axis=1)


def _make(sample: Sample) -> Any:
    o = sample.options
    return partial(classifier, features=sample.features, width=o.width, depth=o.depth, missing=sample.missing)


def _training(sample: Sample) -> Training:
    return sample.options.training()


def single(key: PRNGKeyArray, sample: Sample) -> Fitted:
    """One network; its probabilities calibrated, and made into sets, on events of their own."""
    trained = ensemble(
        key,
        _make(sample),
        CrossEntropy(sample.signal),
        sample.learn,
        members=1,
        bootstrap=False,
        validation=sample.stop,
        training=_training(sample),
    )
    predictor = partial(predict, trained.networks)
    held, label = sample.calibrate, sample.label(sample.calibrate)
    weight = np.asarray(held.weight, np.float64)
    score = _score(predictor(held))
    options: dict[str, Any] = {"weight": weight, "negative": "signed"}
    heat = temperature(np.stack([0 * score, score], axis=1), label, **options)
    line, curve = platt(score, label, **options), isotonic(score, label, **options)
    maps: dict[str, Callable[[FloatArray], FloatArray]] = {
        "temperature": lambda s: heat(np.stack([0 * s, s], axis=1))[:, 1],
        "Platt": line,
        "isotonic": curve,
    }
    rows = {"single network": Row(predictor, plain_sets)}
    rows |= {name: Row(partial(_calibrated, predictor, map_), plain_sets) for name, map_ in maps.items()}
    p = both(predictor(held).mean)
    near = conformalize(at_label(lac(p), label), level=LEVEL, **options).value
    rows["conformal, LAC"] = Row(predictor, lambda q: sets(lac(both(q)), near))
    far = conformalize(at_label(aps(p, key=jax.random.key(1)), label), level=LEVEL, **options).value
    rows["conformal, APS"] = Row(predictor, lambda q: sets(aps(both(q), key=jax.random.key(2)), far))
    bad = [n for n, s in {"temperature": heat.status, "Platt": line.status}.items() if s != Status.OK]
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
    row: str,
    method: Callable[..., Posterior],
    stops: bool = True,
    fine: Sequence[Status] = (Status.OK,),
) -> Fitted:
    """The members of an epistemic method, trained with the options of the analysis.

    Parameters
    ----------
    stops : whether events of their own decide when its training stops
    fine : statuses whose problem is none here
    """
    options: dict[str, Any] = {"validation": sample.stop} if stops else {}
    loss = CrossEntropy(sample.signal)
    found = method(key, _make(sample), loss, sample.learn, training=_training(sample), **options)
    members = found.members(jax.random.split(key, 3)[2])
    return {row: Row(partial(predict, members), plain_sets)}, "" if found.status in fine else found.problem


def several(key: PRNGKeyArray, sample: Sample, *, row: str, bootstrap: bool) -> Fitted:
    """Networks from other starts, or on Poisson replicas of the events."""
    members = max(sample.options.members, 2)
    return epistemic(key, sample, row=row, method=partial(ensemble, members=members, bootstrap=bootstrap))


def augmented(key: PRNGKeyArray, sample: Sample, *, row: str) -> Fitted:
    """One network at draws of its inputs, each of a resolution of a twentieth of its spread."""
    scale = _make(sample)(key, sample.learn).standardise.scale
    widths = dict(zip(sample.features, (RESOLUTION * np.asarray(scale, np.float64)).tolist(), strict=True))
    return epistemic(key, sample, row=row, method=partial(tta, resolution=widths))


@dataclass(frozen=True)
class Method:
    """How rows of a classification table are made; of each its guarantee, and whether any model will do."""

    fit: Callable[[PRNGKeyArray, Sample], Fitted]
    rows: Mapping[str, tuple[str, str]]


def _row(fit: Callable[..., Fitted], row: str, promise: tuple[str, str], **options: Any) -> Method:
    """A method of one row."""
    return Method(partial(fit, row=row, **options), {row: promise})


CLASSIFIERS: dict[str, Method] = {
    "single": Method(
        single,
        {
            "single network": ("none", "yes"),
            "temperature": ("none", "yes"),
            "Platt": ("closure in calibration", "yes"),
            "isotonic": ("closure in calibration", "yes"),
            "conformal, LAC": ("sets: marginal, finite n", "yes"),
            "conformal, APS": ("sets: marginal, finite n", "yes"),
        },
    ),
    "deep ensemble": _row(several, "deep ensemble", ("none", "yes"), bootstrap=False),
    "bootstrap": _row(several, "bootstrap ensemble", ("none", "yes"), bootstrap=True),
    "dropout": _row(epistemic, "MC dropout", ("none", "no"), method=dropout),
    "test-time augmentation": _row(augmented, "test-time augmentation", ("none", "yes")),
    "variational": _row(epistemic, "variational", ("none: a bound", "no"), method=variational, stops=False),
    "laplace": _row(
        epistemic,
        "Laplace, last layer",
        ("posterior, asymptotic", "no"),
        method=partial(laplace, steps=0),
        fine=STOPPED,
    ),
}
"""Every method by the name that chooses it."""

METRICS = ("log loss", "Brier", "ECE", "coverage", "size", "spread")


def judge(row: Row, events: Events, label: np.ndarray) -> dict[str, tuple[float, float]]:
    """Weighted mean and standard error of each of :data:`METRICS` on some events, whose weights may be negative.

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
