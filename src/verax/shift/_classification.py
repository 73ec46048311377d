"""What kind of shift lies between a labelled reference and a target: covariate, label or concept shift.

Names as in Moreno-Torres et al., Pattern Recognition 45 (2012) 521. Covariate shift: p(y|x) is the same; label (prior)
shift: p(x|y) is the same; concept shift: neither. Each hypothesis has a test that may reject it:

======================  =============================================================================================
same p(x)               classifier two-sample test of reference and target
same fractions          class fractions of the target (its labels; without them, from the confusion matrix)
same p(x|y) in cells    one set of class fractions explains the distribution of predictions (no target labels needed)
same p(x|y)             classifier two-sample test within each class (target labels)
same p(y|x)             score test of logistic regression (target labels)
======================  =============================================================================================

Without target labels no test can separate covariate from concept shift, which is reported. For targets that are
numbers see :func:`diagnose_regression`.
"""

import math
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray, Shaped

from verax.errors import InputError
from verax.given import Labels, Weights, generator, plain, refuse, split_key, unmasked
from verax.results import FloatArray

from ._bbse import LabelShift, bbse
from ._c2st import c2st, stouffer
from ._concept import concept, fit_softmax
from ._diagnosis import Diagnosis, Finding, conclude
from ._two_sample import Pair, common_terms, two_samples

WHERE = "shift diagnosis"
Classes: TypeAlias = tuple[Int[np.ndarray, " reference"], Int[np.ndarray, " target"]]


@plain(WHERE, other="reference target reference_weight target_weight", whole="label target_label")
def diagnose(
    key: PRNGKeyArray,
    reference: Shaped[np.ndarray, "..."],
    label: Int[np.ndarray, " reference"],
    target: Shaped[np.ndarray, "..."],
    *,
    target_label: Int[np.ndarray, " target"] | None = None,
    probability: tuple[Float[np.ndarray, "reference class"], Float[np.ndarray, "target class"]] | None = None,
    reference_weight: Weights = None,
    target_weight: Weights = None,
    classifier: Any | None = None,
    significance: float = 0.01,
) -> Diagnosis:
    """Diagnose the shift from a labelled reference to a target.

    Parameters
    ----------
    key : assigns events to folds, and draws permutations
    reference : features, one row an event
    label : classes 0, 1, … of the reference
    target : the same features of the other sample
    target_label : its classes, if they are known
    probability : predicted p(y|x) of both samples, by a model that did not learn from them. None: logistic regression in
        the features and their products, learnt from half of the reference, which the test of predictions then leaves out
    reference_weight : of any sign, taken as they are by all tests. Only what learns from them takes |w|, which can cost
        power but not level
    target_weight : the same of the target
    classifier : for the two-sample tests, as in :func:`c2st`
    significance : p-value below which a hypothesis is rejected, for each test: "none" survives the five of them in at
        least 1 − 5·significance of cases where it is true

    Raises
    ------
    InputError : for points, labels, probabilities or weights of no use

    Source: Moreno-Torres et al., Pattern Recognition 45 (2012) 521; of each test in its own function.

    >>> import jax
    >>> rng = np.random.default_rng(1)
    >>> y, new = rng.random(2000) < 0.5, rng.random(2000) < 0.2
    >>> x, new_x = rng.normal(2.0 * y), rng.normal(2.0 * new)
    >>> diagnose(jax.random.key(1), x, y.astype(int), new_x, target_label=new.astype(int)).verdict
    'label'
    """
    a, b, w, v = two_samples(reference, target, reference_weight, target_weight, WHERE)
    if not 0 < significance < 0.5:
        raise InputError(WHERE, f"significance {significance}", "between 0 and 0.5")
    classes = checked_labels(label, target_label, len(a), len(b))
    y, new_y = label, target_label
    if probability is not None:
        first, second = (unmasked(p, "the probabilities", WHERE) for p in probability)
        probability = (first, second)
        checked_probability(probability, (len(a), len(b)), classes)

    of_x, of_cells, of_classes = split_key(key, 3, WHERE)
    marginal = c2st(of_x, a, b, reference_weight=w, target_weight=v, classifier=classifier)
    found = [Finding("same p(x)", marginal.p_value, f"AUC {marginal.auc:.3f}")]
    shift, note = label_shift_of_predictions(generator(of_cells, WHERE), (a, b), y, (w, v), probability, classes)
    known, by = shift, "by the confusion matrix"
    if new_y is not None:  # labels are cells that confuse nothing
        known, by = bbse(y, y, new_y, reference_weight=w, target_weight=v), "by labels"
    p, by = (math.nan, note) if known is None else (known.p_no_shift, by)
    found.append(Finding("same fractions of classes", p, by))
    found.append(Finding("same p(x|y), in cells of predictions", math.nan if shift is None else shift.p_value, note))
    if new_y is not None:
        p, note = within_classes(of_classes, (a, b), (y, new_y), (w, v), classes, classifier)
        found.append(Finding("same p(x|y)", p, note))
        terms = common_terms(a, b, plain=probability is not None)
        test = concept(terms, (y, new_y), (w, v), classes, probability=probability)
        note = "" if test.converged else "logistic regression did not converge"
        found.append(Finding("same p(y|x)", test.p_value, note))

    if new_y is None:
        untestable = ("covariate", "concept")
        return conclude(tuple(found), significance, given_x=None, given_y=2, untestable=untestable, fractions=known)
    return conclude(tuple(found), significance, given_x=4, given_y=3, untestable=(), fractions=known)


def label_shift_of_predictions(
    rng: np.random.Generator, x: Pair, y: Labels, weights: Pair, probability: Pair | None, classes: int
) -> tuple[LabelShift | None, str]:
    """Label shift estimated from predictions, or why it cannot be."""
    weight, new_weight = weights
    if probability is None:
        learn = np.isin(np.arange(len(y)), rng.permutation(len(y))[: len(y) // 2])
        first, second = common_terms(*x, plain=False)
        model = fit_softmax(first[learn], y[learn], np.abs(weight[learn]), classes)
        old, new, y, weight = model(first[~learn]), model(second), y[~learn], weight[~learn]
    else:
        old, new = probability
    try:
        of_reference, of_target = cells(old, new)
        found = bbse(of_reference, y, of_target, reference_weight=weight, target_weight=new_weight)
        return found, found.note
    except InputError as problem:
        return None, str(problem)


def cells(reference: FloatArray, target: FloatArray, *, bins: int = 3) -> Classes:
    """Cells of predicted class and of its probability, equally filled by the reference in each class."""
    best = reference.argmax(1), target.argmax(1)
    top = reference.max(1), target.max(1)
    cell = best[0] * bins, best[1] * bins
    for k in range(reference.shape[1]):
        if (best[0] == k).sum() >= 20 * bins:
            edges = np.quantile(top[0][best[0] == k], np.arange(1, bins) / bins)
            for c, b, t in zip(cell, best, top, strict=True):
                c[b == k] += np.searchsorted(edges, t[b == k])
    return cell


def within_classes(
    key: PRNGKeyArray, x: Pair, y: Classes, weight: Pair, classes: int, classifier: Any | None
) -> tuple[float, str]:
    """P-value of equal p(x|y), the classes' independent p-values together; the note names classes left out."""
    p, left = [], []
    for k, one in enumerate(split_key(key, classes, WHERE)):
        (a, b), (w, v) = ([sample[label == k] for sample, label in zip(pair, y, strict=True)] for pair in (x, weight))
        folds = min(5, len(a) // 4, len(b) // 4)
        if folds < 2 or w.sum() <= 0 or v.sum() <= 0:
            left.append(str(k))
            continue
        p.append(c2st(one, a, b, reference_weight=w, target_weight=v, classifier=classifier, folds=folds).p_value)
    note = f"too few events of class {', '.join(left)}" if left else ""
    return (stouffer(np.array(p)) if p else math.nan), note


def checked_labels(y: np.ndarray, new_y: np.ndarray | None, n: int, m: int) -> int:
    """Number of classes.

    Raises
    ------
    InputError : for another number of labels, labels below 0, a single class, or a class that the reference lacks
    """
    if y.shape != (n,) or (new_y is not None and new_y.shape != (m,)):
        got = f"{y.size} labels" if new_y is None else f"{y.size} and {new_y.size} labels"
        raise InputError(WHERE, got, f"one for each of {n} and {m} events")
    classes = np.unique(y)
    if classes.size < 2 or not np.array_equal(classes, np.arange(classes.size)):
        raise InputError(WHERE, f"classes {', '.join(map(str, classes[:6]))}", "0, 1, … without gaps, two or more")
    if new_y is not None:
        action = "leave the new class out; no weights can make it"
        refuse(~np.isin(new_y, classes), new_y, "class {} in the target", WHERE, "classes of the reference", action)
    return int(classes.size)


def checked_probability(probability: tuple[np.ndarray, np.ndarray], n: tuple[int, int], classes: int) -> None:
    """Nothing, if predictions are probabilities of each class for each event.

    Raises
    ------
    InputError : otherwise
    """
    for size, p in zip(n, probability, strict=True):
        if p.shape != (size, classes):
            raise InputError(WHERE, f"probabilities of shape {p.shape}", f"({size}, {classes})")
        if not ((p >= 0) & (p <= 1)).all() or not np.allclose(p.sum(1), 1, atol=1e-4):
            got = "rows of probabilities outside [0, 1] or not adding up to 1"
            raise InputError(WHERE, got, "p(y|x) of each class")
