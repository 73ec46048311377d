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

Without target labels covariate and concept shift cannot be told apart by any test, and that is said.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from verax.check.bbse import LabelShift, bbse
from verax.check.c2st import c2st, stouffer
from verax.check.concept import concept, fit_softmax
from verax.check.two_sample import checked_points, checked_signed, quadratic
from verax.errors import InputError
from verax.results import FloatArray

WHERE = "shift diagnosis"
ACTIONS = {
    "none": "use the model as it is",
    "covariate": (
        "weight reference events by w(x) = p_target(x)/p_reference(x) for training and for conformal prediction "
        "(verax.calibrate: ratio_from_classifier, shifted); p(y|x) needs no change where the supports overlap"
    ),
    "label": (
        "weight reference events by their class, q_y/p_y, for training and for conformal prediction "
        "(verax.calibrate.label_shift); multiply predicted probabilities by it and normalise"
    ),
    "concept": (
        "no weights can help: retrain, or recalibrate (verax.calibrate: temperature, isotonic, conformalize) with labels "
        "from the target"
    ),
}


@dataclass(frozen=True)
class Finding:
    """A hypothesis and the p-value of its test; NaN where it could not be tested, with the reason in ``note``."""

    hypothesis: str
    p_value: float
    note: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Which kinds of shift the events are compatible with.

    Parameters
    ----------
    significance : p-value below which a hypothesis is rejected
    findings : the tests
    compatible : of "none", "covariate", "label", "concept", what the tests do not reject; concept shift only where they
        reject all others, or cannot see it
    untested : kinds that these inputs cannot exclude
    fractions : class fractions of the target and class weights; None where predictions do not tell classes apart
    """

    significance: float
    findings: tuple[Finding, ...]
    compatible: tuple[str, ...]
    untested: tuple[str, ...]
    fractions: LabelShift | None

    @property
    def verdict(self) -> str:
        """The one kind that is left, the simplest first; "undecided" where several are."""
        kinds = [kind for kind in self.compatible if kind not in self.untested]
        if "none" in kinds:
            return "none"
        return kinds[0] if len(kinds) == 1 and not self.untested else "undecided"

    @property
    def lines(self) -> tuple[str, ...]:
        """The tests, what is left, and what to do about it."""
        out = []
        for f in self.findings:
            said = "not tested" if math.isnan(f.p_value) else f"p = {f.p_value:.2g}"
            rejected = " (rejected)" if f.p_value < self.significance else ""
            out.append(f"{f.hypothesis}: {said}{rejected}" + (f"; {f.note}" if f.note else ""))
        if self.verdict == "none":
            out.append("no shift seen")
        else:
            out.append(f"compatible: {' or '.join(self.compatible)} shift")
        if self.untested:
            out.append(f"{' and '.join(self.untested)} shift cannot be excluded without labels in the target")
        for kind in ("none",) if self.verdict == "none" else self.compatible:
            out.append(f"{kind if kind != 'none' else 'no'} shift: {ACTIONS[kind]}")
            if kind == "label" and self.fractions is not None:
                r = self.fractions
                each = ", ".join(f"{a:.2f} ± {b:.2f}" for a, b in zip(r.ratio, r.ratio_error, strict=True))
                out.append(f"class weights: {each}")
        return tuple(out)


def diagnose(
    rng: np.random.Generator,
    x: Shaped[np.ndarray, "..."],
    y: Int[np.ndarray, " reference"],
    new_x: Shaped[np.ndarray, "..."],
    *,
    new_y: Int[np.ndarray, " target"] | None = None,
    probability: tuple[Float[np.ndarray, "reference class"], Float[np.ndarray, "target class"]] | None = None,
    weight: Shaped[np.ndarray, "..."] | None = None,
    new_weight: Shaped[np.ndarray, "..."] | None = None,
    classifier: Any | None = None,
    significance: float = 0.01,
) -> Diagnosis:
    """Diagnose the shift from a labelled reference to a target.

    Parameters
    ----------
    rng : deals folds and permutations
    x, y : reference: one row an event; classes 0, 1, …
    new_x, new_y : target, with labels if they are known
    probability : predicted p(y|x) of both samples, by a model that did not learn from them. None: logistic regression in
        the features and their products, learnt from half of the reference, which the test of predictions then leaves out
    weight, new_weight : of any sign, taken as they are by all tests. Only what learns from them takes |w|, which can cost
        power but not level
    classifier : for the two-sample tests, as in :func:`~verax.check.c2st.c2st`
    significance : p-value below which a hypothesis is rejected, for each test: "none" survives the five of them in at
        least 1 − 5·significance of cases where it is true

    Raises
    ------
    InputError : for points, labels, probabilities or weights of no use

    >>> rng = np.random.default_rng(1)
    >>> y, new = rng.random(2000) < 0.5, rng.random(2000) < 0.2
    >>> found = diagnose(rng, rng.normal(2.0 * y), y.astype(int), rng.normal(2.0 * new), new_y=new.astype(int))
    >>> found.verdict
    'label'
    """
    a = checked_points(x, WHERE, "the reference")
    b = checked_points(new_x, WHERE, "the target", a.shape[1])
    w = checked_signed(weight, len(a), WHERE, "the reference")
    v = checked_signed(new_weight, len(b), WHERE, "the target")
    if not 0 < significance < 0.5:
        raise InputError(WHERE, f"significance {significance}", "between 0 and 0.5")
    classes = checked_labels(y, new_y, len(a), len(b))
    y, new_y = np.asarray(y, np.int64), None if new_y is None else np.asarray(new_y, np.int64)
    checked_probability(probability, (len(a), len(b)), classes)

    marginal = c2st(rng, a, b, first_weight=w, second_weight=v, classifier=classifier)
    found = [Finding("same p(x)", marginal.p_value, f"AUC {marginal.auc:.3f}")]
    shift, note = by_predictions(rng, a, y, w, b, v, probability, classes)
    known = shift
    if new_y is not None:
        known = bbse(y, y, new_y, reference_weight=w, target_weight=v)  # labels are cells that confuse nothing
    if known is None:
        found.append(Finding("same fractions of classes", math.nan, note))
    else:
        source = "labels" if new_y is not None else "the confusion matrix"
        found.append(Finding("same fractions of classes", known.p_no_shift, f"by {source}"))
    found.append(Finding("same p(x|y), in cells of predictions", math.nan if shift is None else shift.p_value, note))
    if new_y is not None:
        p, note = within_classes(rng, (a, b), (y, new_y), (w, v), classes, classifier)
        found.append(Finding("same p(x|y)", p, note))
        terms = common_terms(a, b, plain=probability is not None)
        test = concept(terms, (y, new_y), (w, v), classes, probability=probability)
        note = "" if test.converged else "logistic regression did not converge"
        found.append(Finding("same p(y|x)", test.p_value, note))

    rejected = [f.p_value < significance for f in found]  # what is not tested is not rejected
    kinds = {
        "none": not any(rejected),
        "covariate": new_y is None or not rejected[4],
        "label": not rejected[2 if new_y is None else 3],
    }
    compatible = [kind for kind, left in kinds.items() if left]
    if new_y is None or not compatible:
        compatible.append("concept")
    untested: tuple[str, ...] = ()
    if new_y is None:
        untested = ("concept",) if kinds["none"] else ("covariate", "concept")
    return Diagnosis(significance, tuple(found), tuple(compatible), untested, known)


def by_predictions(
    rng: np.random.Generator,
    x: FloatArray,
    y: Int[np.ndarray, " reference"],
    weight: FloatArray,
    new_x: FloatArray,
    new_weight: FloatArray,
    probability: tuple[FloatArray, FloatArray] | None,
    classes: int,
) -> tuple[LabelShift | None, str]:
    """Label shift as seen by predictions, or why it is not."""
    if probability is None:
        learn = np.isin(np.arange(len(x)), rng.permutation(len(x))[: len(x) // 2])
        first, second = common_terms(x, new_x, plain=False)
        model = fit_softmax(first[learn], y[learn], np.abs(weight[learn]), classes)
        old, new, y, weight = model(first[~learn]), model(second), y[~learn], weight[~learn]
    else:
        old, new = probability
    try:
        here, there = cells(old, new)
        return bbse(here, y, there, reference_weight=weight, target_weight=new_weight), ""
    except InputError as problem:
        return None, str(problem)


def cells(
    old: FloatArray, new: FloatArray, *, bins: int = 3
) -> tuple[Int[np.ndarray, " reference"], Int[np.ndarray, " target"]]:
    """Cells of predicted class and of its probability, equally filled by the reference in each class."""
    best, best_new = old.argmax(1), new.argmax(1)
    top, top_new = old.max(1), new.max(1)
    here, there = best * bins, best_new * bins
    for k in range(old.shape[1]):
        if (best == k).sum() >= 20 * bins:
            edges = np.quantile(top[best == k], np.arange(1, bins) / bins)
            here[best == k] += np.searchsorted(edges, top[best == k])
            there[best_new == k] += np.searchsorted(edges, top_new[best_new == k])
    return here, there


def within_classes(
    rng: np.random.Generator,
    x: tuple[FloatArray, FloatArray],
    y: tuple[Int[np.ndarray, " reference"], Int[np.ndarray, " target"]],
    weight: tuple[FloatArray, FloatArray],
    classes: int,
    classifier: Any | None,
) -> tuple[float, str]:
    """P-value of equal p(x|y), the classes' independent p-values together; the note names classes left out."""
    p, left = [], []
    for k in range(classes):
        (a, b), (w, v) = ([sample[label == k] for sample, label in zip(pair, y, strict=True)] for pair in (x, weight))
        folds = min(5, len(a) // 4, len(b) // 4)
        if folds < 2 or w.sum() <= 0 or v.sum() <= 0:
            left.append(str(k))
            continue
        p.append(c2st(rng, a, b, first_weight=w, second_weight=v, classifier=classifier, folds=folds).p_value)
    note = f"too few events of class {', '.join(left)}" if left else ""
    return (stouffer(np.array(p)) if p else math.nan), note


def common_terms(x: FloatArray, new_x: FloatArray, *, plain: bool) -> tuple[FloatArray, FloatArray]:
    """1 and the features (with their products unless ``plain``), of one scale in both samples."""
    both = np.concatenate([x, new_x])
    spread = both.std(0)
    both = (both - both.mean(0)) / np.where(spread > 0, spread, 1.0)
    both = both[:, spread > 0]
    terms = np.concatenate([np.ones((len(both), 1)), both if plain else quadratic(both)], 1)
    return terms[: len(x)], terms[len(x) :]


def checked_labels(y: np.ndarray, new_y: np.ndarray | None, n: int, m: int) -> int:
    """Number of classes.

    Raises
    ------
    InputError : for another number of labels, labels below 0, a single class, or a class that the reference lacks
    """
    if y.shape != (n,) or (new_y is not None and new_y.shape != (m,)):
        seen = f"{y.size} labels" if new_y is None else f"{y.size} and {new_y.size} labels"
        raise InputError(WHERE, seen, f"one for each of {n} and {m} events")
    classes = np.unique(y)
    if classes.size < 2 or not np.array_equal(classes, np.arange(classes.size)):
        raise InputError(WHERE, f"classes {', '.join(map(str, classes[:6]))}", "0, 1, … without gaps, two or more")
    if new_y is not None and not np.isin(new_y, classes).all():
        seen = f"class {new_y[~np.isin(new_y, classes)][0]} in the target"
        raise InputError(WHERE, seen, "classes of the reference", "leave the new class out; no weights can make it")
    return int(classes.size)


def checked_probability(probability: tuple[np.ndarray, np.ndarray] | None, n: tuple[int, int], classes: int) -> None:
    """Nothing, if predictions are probabilities of each class for each event.

    Raises
    ------
    InputError : otherwise
    """
    for size, p in zip(n, probability or (), strict=probability is not None):
        if p.shape != (size, classes):
            raise InputError(WHERE, f"probabilities of shape {p.shape}", f"({size}, {classes})")
        if not ((p >= 0) & (p <= 1)).all() or not np.allclose(p.sum(1), 1, atol=1e-4):
            raise InputError(
                WHERE, "rows of probabilities outside [0, 1] or not adding up to 1", "p(y|x) of each class"
            )
