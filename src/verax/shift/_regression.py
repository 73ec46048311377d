"""What kind of shift lies between two samples of events with a number y each: covariate, label or concept shift.

As :func:`diagnose`, with other tests of what is the same:

=============  ====================================================================================================
same p(x)      classifier two-sample test of the features
same p(y)      the same of the target
same p(y|x)    mean and variance of y at x do not depend on the sample (score test of two regressions, Chow's question)
same p(x|y)    mean and variance of each feature at y do not depend on the sample
=============  ====================================================================================================

The last two see means and variances only, and take them to be polynomials: of second order in the features, of third in
y. Where they are not, a covariate shift moves the best polynomial too, and is reported as a concept shift: give
predictions.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float, PRNGKeyArray, Shaped

from verax.errors import InputError
from verax.given import Weights, plain, split_key
from verax.results import FloatArray

from ._c2st import c2st
from ._concept import ConceptTest, robust_test
from ._diagnosis import Diagnosis, Finding, conclude
from ._two_sample import Pair, common_terms, numbers_of, two_samples

WHERE = "shift diagnosis"


@plain(WHERE, other="reference y target target_y reference_weight target_weight")
def diagnose_regression(
    key: PRNGKeyArray,
    reference: Shaped[np.ndarray, "..."],
    y: Float[np.ndarray, " reference"],
    target: Shaped[np.ndarray, "..."],
    *,
    target_y: Float[np.ndarray, " target"] | None = None,
    prediction: tuple[Float[np.ndarray, " reference"], Float[np.ndarray, " target"]] | None = None,
    reference_weight: Weights = None,
    target_weight: Weights = None,
    classifier: Any | None = None,
    significance: float = 0.01,
) -> Diagnosis:
    """Diagnose the shift from a reference with known y to a target.

    Parameters
    ----------
    key : assigns events to folds, and draws permutations
    reference : features, one row an event
    y : of the reference, the number that is predicted
    target : the same features of the other sample
    target_y : y of the target; without it only p(x) can be compared
    prediction : of y in both samples, by a model that did not learn from them: the regression is then one of residuals
    reference_weight : of any sign, taken as they are
    target_weight : the same of the target
    classifier : for the two-sample tests, as in :func:`c2st`
    significance : p-value below which a hypothesis is rejected, for each of the four tests

    Raises
    ------
    InputError : for points, values of y, predictions or weights of no use

    Source: Chow, Econometrica 28 (1960) 591; White, Econometrica 50 (1982) 1, for the covariance.

    >>> import jax
    >>> x, new, noise, new_noise = np.random.default_rng(1).normal(size=(4, 1000))
    >>> new = new + 0.5
    >>> diagnose_regression(jax.random.key(1), x, x + noise, new, target_y=new + new_noise).verdict
    'covariate'
    """
    a, b, w, v = two_samples(reference, target, reference_weight, target_weight, WHERE)
    if not 0 < significance < 0.5:
        raise InputError(WHERE, f"significance {significance}", "between 0 and 0.5")
    first = numbers_of(y, len(a), WHERE, "values of y of the reference")
    second = None if target_y is None else numbers_of(target_y, len(b), WHERE, "values of y of the target")
    given = prediction or (np.zeros(len(a)), np.zeros(len(b)))
    guess = [numbers_of(p, n, WHERE, "predictions") for p, n in zip(given, (len(a), len(b)), strict=True)]

    of_x, of_y = split_key(key, 2, WHERE)
    marginal = c2st(of_x, a, b, reference_weight=w, target_weight=v, classifier=classifier)
    found = [Finding("same p(x)", marginal.p_value, f"AUC {marginal.auc:.3f}")]
    if second is None:
        untestable = ("covariate", "label", "concept")
        return conclude(tuple(found), significance, given_x=None, given_y=None, untestable=untestable)
    marginal = c2st(of_y, first, second, reference_weight=w, target_weight=v, classifier=classifier)
    found.append(Finding("same p(y)", marginal.p_value, f"AUC {marginal.auc:.3f}"))
    left: Pair = ((first - guess[0])[:, None], (second - guess[1])[:, None])
    linear = common_terms(a, b, plain=True)
    by_x = same_moments(linear if prediction is not None else common_terms(a, b, plain=False), linear, left, (w, v))
    cubic, straight = _powers(first, second)
    features = tuple(t[:, 1:] for t in linear)  # of one scale, and without those that are constant
    by_y = same_moments(cubic, straight, (features[0], features[1]), (w, v))
    for hypothesis, test in (("same p(y|x)", by_x), ("same p(x|y)", by_y)):
        found.append(Finding(hypothesis, test.p_value, "mean and variance" if test.converged else "not a finite test"))
    return conclude(tuple(found), significance, given_x=2, given_y=3, untestable=())


def same_moments(mean_terms: Pair, variance_terms: Pair, outcome: Pair, weight: Pair) -> ConceptTest:
    """Test whether mean and variance of each outcome are the same functions of the terms in both samples.

    Both are regressions on both samples together; under the hypothesis the score of the second sample at the common
    coefficients is zero on average, whatever its terms. That squared residuals come from an estimated mean changes
    their scores in second order only.

    Parameters
    ----------
    mean_terms : [event, term] of each sample
    variance_terms : [event, term] of each sample
    outcome : [event, outcome] of each sample
    weight : of any sign; each sample is brought to its effective number of events

    Source: Chow, Econometrica 28 (1960) 591.

    >>> noise, terms = np.random.default_rng(1).normal(size=(2, 500, 1)), (np.ones((500, 1)), np.ones((500, 1)))
    >>> same_moments(terms, terms, (noise[0], 2 * noise[1]), (np.ones(500), np.ones(500))).p_value < 1e-6
    True
    """
    w = np.concatenate([each * (each.sum() / np.sum(each**2)) for each in weight])
    second = np.arange(len(w)) >= len(weight[0])
    y = np.concatenate(outcome)
    moved, residual = _score_terms(np.concatenate(mean_terms), y, w, second)
    spread, _ = _score_terms(np.concatenate(variance_terms), residual**2, w, second)
    everything = np.concatenate([moved, spread], axis=1)
    if not np.isfinite(everything).all():
        return ConceptTest(math.nan, everything.shape[1], math.nan, False)
    return robust_test(everything)


def _score_terms(terms: FloatArray, y: FloatArray, w: FloatArray, second: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Each event's part in the second sample's score, the common coefficients' own part taken out; and residuals."""
    whole = (terms * w[:, None]).T @ terms
    ridge = whole + 1e-9 * np.trace(np.abs(whole)) / len(whole) * np.eye(len(whole))
    residual = y - terms @ np.linalg.solve(ridge, (terms * w[:, None]).T @ y)
    share = np.linalg.solve(ridge.T, ((terms[second] * w[second, None]).T @ terms[second]).T).T  # H₂H⁻¹
    score = w[:, None, None] * residual[:, :, None] * terms[:, None, :]
    moved = np.where(second[:, None, None], score, 0.0) - score @ share.T
    return moved.reshape(len(terms), -1), residual


def _powers(first: FloatArray, second: FloatArray) -> tuple[Pair, Pair]:
    """1, y, y², y³, and 1, y, of one scale in both samples."""
    both = np.concatenate([first, second])
    spread = float(both.std())
    if not spread > 0:
        raise InputError(WHERE, "a constant y", "values of y that vary")
    one, two = ((part - both.mean()) / spread for part in (first, second))
    cubic = np.vander(one, 4, increasing=True), np.vander(two, 4, increasing=True)
    return cubic, (cubic[0][:, :2], cubic[1][:, :2])
