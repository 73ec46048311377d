"""Methods of classification on weighted events: probabilities of two classes or more, prediction sets, and what judges them.

Weights are those of training: on an analysis signal and background are scaled to equal sums at nominal, signs kept. A
systematic changes events and weights after that.
"""

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray
from scipy.special import entr

from verax.aleatoric import CategoricalNLL, categorical
from verax.analysis import Ensemble
from verax.calibrate import isotonic, platt, temperature
from verax.check import average, reliability
from verax.conformal import aps, at_label, conformalize, lac, mondrian, sets
from verax.epistemic import Posterior, dropout, ensemble, laplace, tta, variational
from verax.events import Events
from verax.learn import CrossEntropy, Loss, Training, checked_total, classifier, predict
from verax.results import FloatArray, Status

from ._comparison import Method, Trial
from ._regression_training import RESOLUTION, STOPPED

LEVEL = 0.9
"""Of the sets."""

CONFORMAL = ("conformal, LAC", "conformal, APS", "conformal, LAC by class")
"""Rows of sets alone: their probabilities are the single network's."""

SAID, SEEN = "said in bin", "seen in bin"
"""Entries of a reliability diagram, before the number of the bin."""

SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1, so that every log loss is finite."""


@dataclass(frozen=True)
class Sample:
    """Events with training weights, in parts that no network mixes: to learn, to stop, to calibrate on.

    Of two classes the second is the signal, and networks have one logit; of more they have one for each. Features of one
    kind (``alike``: pixels) are read on one scale: with its own, a pixel that is hardly ever inked would count most.
    """

    learn: Events
    stop: Events
    calibrate: Events
    classes: tuple[tuple[str, ...], ...]
    features: tuple[str, ...]
    options: Ensemble
    missing: float | None
    alike: bool = False

    def label(self, events: Events) -> np.ndarray:
        """The number of each event's class: 1 for signal."""
        number = [next(k for k, names in enumerate(self.classes) if name in names) for name in events.processes]
        return np.asarray(number, np.int64)[np.asarray(events.process)]

    @property
    def loss(self) -> Loss:
        """The cross-entropy."""
        return CrossEntropy(self.classes[1]) if len(self.classes) == 2 else CategoricalNLL(self.classes)

    @property
    def make(self) -> Callable[..., Any]:
        """The maker of networks."""
        o = self.options
        outputs = None if len(self.classes) == 2 else len(self.classes)
        options: dict[str, Any] = {"features": self.features, "missing": self.missing, "outputs": outputs}
        options |= {"width": o.width, "depth": o.depth}
        return partial(_on_one_scale, **options) if self.alike else partial(classifier, **options)

    @property
    def training(self) -> Training:
        """Options of the trainings."""
        return self.options.training()


def _on_one_scale(key: PRNGKeyArray, events: Events, **options: Any) -> Any:
    """A classifier that reads all its features with their common centre and scale."""
    made = classifier(key, events, **options)
    centre, scale = made.standardise.centre, made.standardise.scale
    mean = jnp.mean(centre)
    spread = jnp.sqrt(jnp.mean(scale**2 + (centre - mean) ** 2))
    one = replace(made.standardise, centre=jnp.full_like(centre, mean), scale=jnp.full_like(scale, spread))
    return replace(made, standardise=one)


@dataclass(frozen=True)
class Chances:
    """What a method says of events.

    Parameters
    ----------
    p : probability of each class; rows add up to 1
    entropy : aleatoric: mean over members of the entropy of each one's probabilities, in nats. The entropy of ``p`` less
        this is the mutual information of class and member, the epistemic part (Depeweg et al., arXiv:1710.07283)
    spread : standard deviation over members of the likeliest class's probability
    """

    p: Float[np.ndarray, "event class"]
    entropy: Float[np.ndarray, " event"]
    spread: Float[np.ndarray, " event"]


@dataclass(frozen=True)
class Row:
    """The predictions of one row: probabilities of the classes, and the classes of each event's set."""

    predict: Callable[[Events], Chances]
    sets: Callable[[FloatArray], Bool[np.ndarray, "event class"]]


Fitted: TypeAlias = tuple[Sequence[Row | None], str]
"""Predictions for each row of a method (None: it is for two classes), and what went wrong; empty when nothing did."""


def plain_sets(p: Float[np.ndarray, "event class"]) -> Bool[np.ndarray, "event class"]:
    """Choose the likeliest classes: as many as it takes for their probabilities to add up to the level."""
    return aps(p) - p < LEVEL


def predicted(members: Any, events: Events) -> Chances:
    """What members, stacked along a leading axis, say together: each has a logit a class, or one of signal."""
    found = predict(members, events, moments=_chances)
    p = found.mean[:, :-1]
    top = p.argmax(axis=1)[:, None]
    spread = np.sqrt(np.take_along_axis(found.epistemic, top, 1)[:, 0])
    return Chances(p / p.sum(axis=1, keepdims=True), found.mean[:, -1], spread)


def _chances(output: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The probability of each class and, after them, their entropy, which :func:`predict` averages over members too."""
    logits = output if jnp.ndim(output) else jnp.stack([0 * output, output])
    p, variance = categorical(logits)
    return jnp.append(p, -jnp.sum(p * jax.nn.log_softmax(logits))), jnp.append(variance, 0.0)


def single(key: PRNGKeyArray, sample: Sample) -> Fitted:
    """One network; its probabilities calibrated, and made into sets, on events of their own."""
    options: dict[str, Any] = {"members": 1, "bootstrap": False, "validation": sample.stop, "training": sample.training}
    trained = ensemble(key, sample.make, sample.loss, sample.learn, **options)
    predictor = partial(predicted, trained.networks)
    held, label = sample.calibrate, sample.label(sample.calibrate)
    weights: dict[str, Any] = {"weight": np.asarray(held.weight, np.float64), "negative": "signed"}
    p = predictor(held).p
    logits, two = _logits(p), len(sample.classes) == 2
    scaled = temperature(logits, label, **weights)
    score = _score(logits)
    line, curve = (platt(score, label, **weights), isotonic(score, label, **weights)) if two else (None, None)
    rows: list[Row | None] = [Row(predictor, plain_sets), Row(partial(_calibrated, predictor, scaled), plain_sets)]
    rows += [Row(partial(_calibrated, predictor, partial(_both, f)), plain_sets) if f else None for f in (line, curve)]
    near = at_label(lac(p), label)
    drawn, again = jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)  # others with each seed
    far = at_label(aps(p, key=drawn), label)
    options = {"level": LEVEL, **weights}
    by_class = mondrian(near, label, **options)
    each = dict(zip(by_class.groups, by_class.quantiles, strict=True))
    least, most = conformalize(near, **options).value, conformalize(far, **options).value
    own = np.array([each[k].value if k in each else np.inf for k in range(p.shape[1])])
    rows.append(Row(predictor, lambda q: sets(lac(q), least)))
    rows.append(Row(predictor, lambda q: sets(aps(q, key=again), most)))
    rows.append(Row(predictor, lambda q: sets(lac(q), own)))
    fits: dict[str, Any] = {"temperature": scaled, **({"Platt": line} if line else {})}
    bad = [f"{n} failed" for n, found in fits.items() if found.status != Status.OK]
    return rows, "; ".join([*([trained.problem] if trained.problem else []), *bad])


def _logits(p: FloatArray) -> FloatArray:
    return np.log(np.clip(p, SMALLEST, 1 - SMALLEST))


def _score(logits: FloatArray) -> FloatArray:
    return np.asarray(logits[:, 1] - logits[:, 0])


def _both(map_: Callable[[FloatArray], FloatArray], logits: FloatArray) -> FloatArray:
    second = map_(_score(logits))
    return np.stack([1 - second, second], axis=1)


def _calibrated(
    predictor: Callable[[Events], Chances], map_: Callable[[FloatArray], FloatArray], events: Events
) -> Chances:
    p = map_(_logits(predictor(events).p))
    return Chances(p, entr(p).sum(axis=1), np.zeros(len(p)))


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
    found = method(key, sample.make, sample.loss, sample.learn, training=sample.training, **options)
    members = found.members(jax.random.split(key, 3)[2])
    lines = [h.problem or h.unfinished for h in found.histories] if found.status in accepted else [found.problem]
    return [Row(partial(predicted, members), plain_sets)], next(filter(None, lines), "")


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
            **dict.fromkeys(CONFORMAL[:2], ("sets: marginal, finite n", "yes")),
            CONFORMAL[2]: ("sets: each class, finite n", "yes"),
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
    probabilities of the likeliest class; the entropy is that of the mean probabilities, of which the mutual information is
    the epistemic part. The Brier score is a sum over classes, of two classes that of one. The ECE is less its bias, and has
    no error: of two classes that of the second, of more that of the likeliest. Of each bin of its diagram that has events
    there is the share of all, with the mean probability (:data:`SAID`), and with the fraction (:data:`SEEN`).
    """
    found = row.predict(events)
    p, chosen, each = found.p, row.sets(found.p), np.arange(len(label))
    w, two, right = np.asarray(events.weight, np.float64), p.shape[1] == 2, p.argmax(axis=1) == label
    whole = entr(p).sum(axis=1)
    values = {
        "log loss": -np.log(np.clip(p[each, label], SMALLEST, 1 - SMALLEST)),
        "Brier": ((p - np.eye(p.shape[1])[label]) ** 2).sum(axis=1) / (2 if two else 1),
        "coverage": chosen[each, label].astype(np.float64),
        "size": chosen.sum(axis=1).astype(np.float64),
        "spread": 2 * 1.96 * found.spread,
        "accuracy": right.astype(np.float64),
        "confidence": p.max(axis=1),
        "entropy": whole,
        "mutual information": whole - found.entropy,
    }
    scores = {k: average(v, w) for k, v in values.items()}
    said, happened = (p[:, 1], label) if two else (p.max(axis=1), right)
    diagram = reliability(np.clip(said, 0.0, 1.0), happened, w)
    scores_of = {k: (a.value, a.error) for k, a in scores.items()}
    share = np.where(np.isfinite(diagram.observed), diagram.weight, 0.0) / w.sum()
    for i, (part, p_said, p_seen) in enumerate(zip(share, diagram.predicted, diagram.observed, strict=True)):
        if part > 0:
            scores_of |= {f"{SAID} {i}": (float(part), float(p_said)), f"{SEEN} {i}": (float(part), float(p_seen))}
    return {**scores_of, "ECE": (float(diagram.ece_corrected), float("nan"))}


def class_factors(events: Events, label: np.ndarray, classes: int) -> FloatArray:
    """What scales the weights of each class to equal sums, with mean weight one."""
    w = np.asarray(events.weight, np.float64)
    totals = [checked_total(w[label == k], f"events of class {k + 1} of {classes}") for k in range(classes)]
    return len(w) / (classes * np.asarray(totals))


def scaled_by(events: Events, factor: FloatArray) -> Events:
    """The events with weights times a factor of each."""
    return replace(events, weight=np.asarray(np.asarray(events.weight, np.float64) * factor, np.float32))


def trials_of(
    name: str, seed: int, sample: Sample, conditions: Mapping[str, Events], subject: str
) -> tuple[Trial[Any], ...]:
    """Train one method, and judge each of its rows in each condition."""
    started = time.perf_counter()
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode()))
    rows, problem = CLASSIFIERS[name].fit(key, sample)
    seconds = time.perf_counter() - started
    labels = {c: sample.label(events) for c, events in conditions.items()}
    return tuple(
        Trial(subject, title, seed, {c: judge(row, e, labels[c]) for c, e in conditions.items()}, seconds, problem)
        for title, row in zip(CLASSIFIERS[name].rows, rows, strict=True)
        if row is not None
    )
