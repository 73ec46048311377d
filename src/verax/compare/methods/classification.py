"""Methods of classification on weighted events: probabilities, prediction sets, and what judges them.

Weights are those of training: signal and background scaled to equal sums at nominal, signs kept. A systematic changes
events and weights after that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import jax
import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray
from scipy.special import logit, xlogy

from verax.analysis import Learn
from verax.calibrate import aps, at_label, conformalize, isotonic, lac, platt, sets, temperature
from verax.check import average, reliability
from verax.compare.methods.train import STOPPED
from verax.epistemic import dropout, dropout_members, ensemble, laplace, variational
from verax.events import Events
from verax.learn import CrossEntropy, classifier, predict, train
from verax.results import FloatArray, Predictive, Status

LEVEL = 0.9
DRAWS = 50
RATE = 0.1
"""Of dropout."""

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
    options: Learn
    missing: float | None

    def label(self, events: Events) -> np.ndarray:
        """1 for signal."""
        return np.asarray(events.is_process(self.signal)).astype(np.int64)


@dataclass(frozen=True)
class Row:
    """What one row says: probability of signal with its epistemic variance, and the classes of each event's set."""

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


def _fitting(sample: Sample) -> dict[str, Any]:
    o = sample.options
    return {"epochs": o.epochs, "batch": o.batch, "patience": o.patience, "rate": o.learning_rate}


def _rows(name: str, members: Any, problem: str) -> Fitted:
    return {name: Row(partial(predict, members), plain_sets)}, problem


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
        **_fitting(sample),
    )
    say = partial(predict, trained.network)
    held, label = sample.calibrate, sample.label(sample.calibrate)
    weight = np.asarray(held.weight, np.float64)
    score = _score(say(held))
    options: dict[str, Any] = {"weight": weight, "negative": "signed"}
    heat = temperature(np.stack([0 * score, score], axis=1), label, **options)
    line, curve = platt(score, label, **options), isotonic(score, label, **options)
    maps: dict[str, Callable[[FloatArray], FloatArray]] = {
        "temperature": lambda s: heat(np.stack([0 * s, s], axis=1))[:, 1],
        "Platt": line,
        "isotonic": curve,
    }
    rows = {"single network": Row(say, plain_sets)}
    rows |= {name: Row(partial(_calibrated, say, map_), plain_sets) for name, map_ in maps.items()}
    p = both(say(held).mean)
    near = conformalize(at_label(lac(p), label), level=LEVEL, **options).value
    rows["conformal, LAC"] = Row(say, lambda q: sets(lac(both(q)), near))
    far = conformalize(at_label(aps(np.random.default_rng(1), p), label), level=LEVEL, **options).value
    rows["conformal, APS"] = Row(say, lambda q: sets(aps(np.random.default_rng(2), both(q)), far))
    bad = [n for n, s in {"temperature": heat.status, "Platt": line.status}.items() if s != Status.OK]
    problem = "; ".join(
        [*([trained.history.problem] if trained.history.problem else []), *(f"{n} failed" for n in bad)]
    )
    return rows, problem


def _score(said: Predictive) -> FloatArray:
    return np.asarray(logit(np.clip(said.mean, SMALLEST, 1 - SMALLEST)))


def _calibrated(say: Callable[[Events], Predictive], map_: Callable[[FloatArray], FloatArray], events: Events) -> Any:
    mean = map_(_score(say(events)))
    return Predictive(mean, mean * (1 - mean), np.zeros_like(mean))


def several(key: PRNGKeyArray, sample: Sample, *, bootstrap: bool) -> Fitted:
    """Networks from other starts, or on Poisson replicas of the events."""
    trained = ensemble(
        key,
        _make(sample),
        CrossEntropy(sample.signal),
        sample.learn,
        members=max(sample.options.members, 2),
        bootstrap=bootstrap,
        validation=sample.stop,
        **_fitting(sample),
    )
    problem = next((h.problem for h in trained.histories if h.problem), "")
    return _rows("bootstrap ensemble" if bootstrap else "deep ensemble", trained.network, problem)


def thinned(key: PRNGKeyArray, sample: Sample) -> Fitted:
    """Monte Carlo dropout of a tenth of the hidden units."""
    start, run, draw = jax.random.split(key, 3)
    loss = dropout(CrossEntropy(sample.signal), rate=RATE)
    network = _make(sample)(start, sample.learn)
    trained = train(run, network, loss, sample.learn, validation=sample.stop, **_fitting(sample))
    members = dropout_members(draw, trained.network, members=DRAWS, rate=RATE)
    return _rows("MC dropout", members, trained.history.problem)


def gaussians(key: PRNGKeyArray, sample: Sample) -> Fitted:
    """Independent Gaussians over the weights; likelihood tempered to the effective number of events."""
    start, run, draw = jax.random.split(key, 3)
    o = sample.options
    found = variational(
        run,
        _make(sample)(start, sample.learn),
        CrossEntropy(sample.signal),
        sample.learn,
        epochs=o.epochs,
        batch=o.batch,
        rate=o.learning_rate,
    )
    return _rows("variational", found.members(draw, DRAWS), found.history.problem)


def last_layer(key: PRNGKeyArray, sample: Sample) -> Fitted:
    """A Gaussian over the last layer, around a network where its training stopped."""
    start, run, draw = jax.random.split(key, 3)
    loss = CrossEntropy(sample.signal)
    network = _make(sample)(start, sample.learn)
    trained = train(run, network, loss, sample.learn, validation=sample.stop, **_fitting(sample))
    found = laplace(trained.network, loss, sample.learn, steps=0)
    problem = trained.history.problem or ("" if found.status in STOPPED else found.problem)
    return _rows("Laplace, last layer", found.members(draw, DRAWS), problem)


@dataclass(frozen=True)
class Method:
    """How rows of a classification table are made; of each its guarantee, and whether any model will do."""

    fit: Callable[[PRNGKeyArray, Sample], Fitted]
    rows: Mapping[str, tuple[str, str]]


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
    "deep ensemble": Method(partial(several, bootstrap=False), {"deep ensemble": ("none", "yes")}),
    "bootstrap": Method(partial(several, bootstrap=True), {"bootstrap ensemble": ("none", "yes")}),
    "dropout": Method(thinned, {"MC dropout": ("none", "no")}),
    "variational": Method(gaussians, {"variational": ("none: a bound", "no")}),
    "laplace": Method(last_layer, {"Laplace, last layer": ("posterior, asymptotic", "no")}),
}
"""Every method by the name that chooses it."""

METRICS = ("log loss", "Brier", "ECE", "coverage", "size", "spread")


def judge(row: Row, events: Events, label: np.ndarray) -> dict[str, tuple[float, float]]:
    """Weighted mean and standard error of each of :data:`METRICS` on some events, whose weights may be negative.

    The sets' coverage and size are at 90 %; the spread is the mean width of ±1.96 standard deviations of the members'
    probabilities; the ECE is less its bias, and has no error.
    """
    said = row.predict(events)
    p, w = np.clip(said.mean, SMALLEST, 1 - SMALLEST), np.asarray(events.weight, np.float64)
    chosen = row.sets(np.asarray(said.mean))
    values = {
        "log loss": -xlogy(label, p) - xlogy(1 - label, 1 - p),
        "Brier": (p - label) ** 2,
        "coverage": chosen[np.arange(len(label)), label].astype(np.float64),
        "size": chosen.sum(axis=1).astype(np.float64),
        "spread": 2 * 1.96 * np.sqrt(said.epistemic),
    }
    found = {k: average(v, w) for k, v in values.items()}
    ece = reliability(p, label, w).ece_corrected
    return {**{k: (a.value, a.error) for k, a in found.items()}, "ECE": (float(ece), float("nan"))}
