"""Classifier two-sample test: can a classifier tell two weighted samples apart?

Friedman (SLAC-PUB-10325, 2003); Lopez-Paz & Oquab, arXiv:1610.06545. Scores of events that the classifier was not trained
on are compared between the samples by the studentised difference z of weighted means of their ranks (Wilcoxon's, with
weights: ranks have no tails, in which heavy weights would make z far from normal).

Folds come in sequence: fold k is scored by a classifier that learnt from folds before it. Given the past, the labels of
fold k are exchangeable under the null hypothesis, so its permutation p-value is uniform whatever was learnt; those
p-values are combined by Stouffer's rule, which keeps the level exactly. Ordinary cross-validation would not: the scores of
two folds that trained each other are correlated. No classifier is ever trained twice.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray, Shaped
from scipy.special import ndtr, ndtri, stdtr
from scipy.stats import rankdata

from verax.errors import InputError
from verax.given import PerEvent, Weights, effective_size, generator, plain, untrained
from verax.results import FloatArray

from ._two_sample import BLOCK, numbers_of, pooled_weight, quadratic, randomised_p, studentised, two_samples

Score = Callable[[FloatArray], Any]


@dataclass(frozen=True)
class ClassifierTest:
    """Outcome of a classifier two-sample test.

    Parameters
    ----------
    p_value : by permutation of labels, each event keeping its weight. Its level is exact where events and their weights
        have the same distribution in both samples; where only the weighted distributions agree (a weighted simulation
        against data), it holds for many events, because z is studentised (Chung & Romano, arXiv:1304.5939)
    p_asymptotic : with z as Student's t of n_eff − 2 degrees of freedom, right for many events whatever the weights
    z : of each scored fold, positive where the target scores higher; 0 where a fold has no information
    auc : area under the ROC curve of the scores, mean over folds; ½ for equal samples
    n_effective : (Σw)²/Σw² of both samples
    """

    p_value: float
    p_asymptotic: float
    z: Float[np.ndarray, " fold"]
    auc: float
    n_effective: tuple[float, float]


@plain("classifier two-sample test", other="reference target reference_weight target_weight")
def c2st(
    key: PRNGKeyArray,
    reference: Shaped[np.ndarray, "..."],
    target: Shaped[np.ndarray, "..."],
    *,
    reference_weight: Weights = None,
    target_weight: Weights = None,
    classifier: Any | Score | None = None,
    folds: int = 5,
    permutations: int = 199,
) -> ClassifierTest:
    """Test whether two weighted samples have one distribution.

    Parameters
    ----------
    key : assigns events to folds, and draws permutations
    reference : one row an event (one axis: one feature)
    target : the same features of the other sample
    reference_weight : of any sign; means of scores take them as they are, in any units
    target_weight : the same of the target
    classifier : with ``fit(X, y, sample_weight=…)`` and ``predict_proba``, copied untrained for each fold; it learns from
        |w|, since few can learn from negative weights: this costs power where the sign depends on x, never level. A callable
        x ↦ score that was not made from these events: then there are no folds, and the test has two sides. None: Fisher's
        discriminant in the features and their products (signed means, metric from |w|), which sees differences of means
        and covariances
    folds : two or more, of which the first is only for training
    permutations : of the labels of each fold

    Raises
    ------
    InputError : for points or weights of no use, too few events for the folds, scores of another shape

    Source: Lopez-Paz & Oquab, arXiv:1610.06545; with folds in sequence as above.

    >>> import jax
    >>> rng = np.random.default_rng(1)
    >>> far = c2st(jax.random.key(1), rng.normal(size=500), rng.normal(0.5, 1, 500))
    >>> far.p_value < 1e-4, 0.6 < far.auc < 0.68  # Φ(0.5/√2) = 0.638
    (True, True)
    """
    where = "classifier two-sample test"
    rng = generator(key, where)
    a, b, wa, wb = two_samples(reference, target, reference_weight, target_weight, where)
    worth = effective_size(wa), effective_size(wb)
    fixed = callable(classifier) and not hasattr(classifier, "fit")
    if not (classifier is None or fixed or hasattr(classifier, "fit")):
        got = f"a classifier of type {type(classifier).__name__}"
        raise InputError(where, got, "one with fit, a callable, or None")
    least = 2 if fixed else 2 * folds
    if permutations < 1 or (not fixed and folds < 2) or min(len(a), len(b)) < least:
        got = f"{len(a)} and {len(b)} events, {folds} folds, {permutations} permutations"
        raise InputError(where, got, "two folds or more, two events of each sample in all, a permutation")
    x, label = np.concatenate([a, b]), np.repeat([False, True], [len(a), len(b)])
    w = pooled_weight(wa, wb)
    if fixed and callable(classifier):
        score = checked_score(classifier(x), len(x))
        z, p = permuted(rng, score, w, label, permutations, two_sided=True)
        tail = 2 * student_tail(abs(z), w, label)
        return ClassifierTest(p, tail, np.array([z]), auc(score, w, label), worth)
    fold = np.concatenate([rng.permutation(len(a)) % folds, rng.permutation(len(b)) % folds])
    found = []
    for k in range(1, folds):
        past, now = fold < k, fold == k
        learnt = learn(classifier, x[past], label[past], w[past])
        score = rankdata(checked_score(learnt(x[now]), int(now.sum())))
        z, p = permuted(rng, score, w[now], label[now], permutations)
        found.append((z, p, student_tail(z, w[now], label[now]), auc(score, w[now], label[now])))
    each, p_values, tails, areas = np.array(found).T
    return ClassifierTest(stouffer(p_values), stouffer(tails), each, float(np.nanmean(areas)), worth)


def permuted(
    rng: np.random.Generator,
    score: PerEvent,
    weight: PerEvent,
    label: Bool[np.ndarray, " event"],
    permutations: int,
    *,
    two_sided: bool = False,
) -> tuple[float, float]:
    """The studentised difference, and its permutation p-value: large is rare (with two sides: of either sign)."""
    observed = float(studentised(score, weight, label[None])[0])
    drawn, step = [], max(1, BLOCK // score.size)
    for begin in range(0, permutations, step):
        rows = min(step, permutations - begin)
        drawn.append(studentised(score, weight, rng.permuted(np.tile(label, (rows, 1)), axis=1)))
    null = np.concatenate(drawn)
    return observed, randomised_p(rng, abs(observed), np.abs(null)) if two_sided else randomised_p(rng, observed, null)


def student_tail(z: float, weight: FloatArray, label: Bool[np.ndarray, " event"]) -> float:
    """Chance of more than z, for as many degrees of freedom as the weights are worth."""
    worth = effective_size(weight[label]) + effective_size(weight[~label]) - 2
    return float(stdtr(max(worth, 1.0), -z))


def stouffer(p: Float[np.ndarray, " test"]) -> float:
    """P-value of independent one-sided p-values together."""
    return float(ndtr(ndtri(np.clip(p, 1e-300, 1 - 1e-16)).sum() / math.sqrt(p.size)))


def learn(classifier: Any | None, x: FloatArray, label: Bool[np.ndarray, " event"], weight: FloatArray) -> Score:
    """A score that is larger for the target, learnt from both samples."""
    if classifier is None:
        return fisher(x, label, weight)
    size = np.abs(weight)
    balance = np.where(label, size[~label].sum() / max(float(size[label].sum()), 1e-300), 1.0)
    model = untrained(classifier).fit(x, label.astype(np.int64), sample_weight=size * balance)
    return lambda new: np.asarray(model.predict_proba(new))[..., -1]


def fisher(x: FloatArray, label: Bool[np.ndarray, " event"], weight: FloatArray) -> Score:
    """Fisher's discriminant on quadratic features, shrunk a little towards equal variances so that it always exists."""
    centre, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 0, spread, 1.0)

    def terms(points: FloatArray) -> FloatArray:
        return quadratic((points - centre) / spread)

    t, size = terms(x), np.abs(weight)
    total = [float(weight[label].sum()), float(weight[~label].sum())]
    if min(total) <= 0:  # signed weights of a few events: nothing learnt
        return lambda points: np.zeros(len(points))
    difference = weight[label] @ t[label] / total[0] - weight[~label] @ t[~label] / total[1]
    middle = size @ t / size.sum()
    metric = (t - middle).T @ ((t - middle) * size[:, None]) / size.sum()
    shrink = 0.01 + t.shape[1] / len(x)
    metric += np.diag(shrink * np.maximum(np.diag(metric), 1e-12))
    direction = np.linalg.solve(metric, difference)
    return lambda points: terms(points) @ direction


def auc(score: FloatArray, weight: FloatArray, label: Bool[np.ndarray, " event"]) -> float:
    """Compute the weighted area under the ROC curve, ties counted half.

    Parameters
    ----------
    score : larger for the target
    weight : of any sign
    label : true for events of the target

    Returns
    -------
    The area; NaN where a sum of weights is not positive

    >>> auc(np.array([0.0, 1.0, 1.0]), np.ones(3), np.array([False, False, True]))
    0.75
    """
    total = weight[label].sum() * weight[~label].sum()
    if not (weight[label].sum() > 0 and weight[~label].sum() > 0):
        return math.nan
    rank = rankdata(score, method="dense") - 1
    low = np.bincount(rank[~label], weight[~label], minlength=rank.max() + 1)
    high = np.bincount(rank[label], weight[label], minlength=rank.max() + 1)
    return float(np.sum(high * (np.cumsum(low) - low / 2)) / total)


def checked_score(score: Any, n: int) -> FloatArray:
    """A classifier's scores, one finite number an event.

    Raises
    ------
    InputError : for anything else
    """
    s = np.asanyarray(score)
    return numbers_of(s[:, 0] if s.shape == (n, 1) else s, n, "classifier two-sample test", "scores")
