"""Conformity scores of classes and the prediction sets they make.

LAC: Sadinle, Lei, Wasserman, arXiv:1609.00451. APS: Romano, Sesia, Candès, arXiv:2006.02544. RAPS: Angelopoulos, Bates,
Malik, Jordan, arXiv:2009.14193. APS and RAPS need the uniform numbers of their definition to cover exactly; without them
(``rng=None``) they cover more, for some models much more.

A score matrix holds s(x, y) for each class y. Of calibration points the score of the true class counts
(:func:`at_label`), of new points all classes with a score up to the quantile make the set (:func:`sets`).
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from verax.conformal._model import check_probability
from verax.errors import InputError
from verax.given import plain


@plain("LAC", other="probability")
def lac(probability: Float[np.ndarray, "point class"]) -> Float[np.ndarray, "point class"]:
    """Score 1 − p(y|x): the smallest sets on average, which may be empty."""
    return np.asarray(1 - check_probability(probability, len(probability), None, "LAC"))


@plain("APS", other="probability")
def aps(
    rng: np.random.Generator | None, probability: Float[np.ndarray, "point class"]
) -> Float[np.ndarray, "point class"]:
    """Score: the probability of classes that are likelier than y, and a uniform share of y's own (all of it, no rng).

    One uniform number a point is shared by its classes, so that a set is made of the likeliest classes.
    """
    return raps(rng, probability, penalty=0.0, free=0)


@plain("RAPS", other="probability")
def raps(
    rng: np.random.Generator | None,
    probability: Float[np.ndarray, "point class"],
    *,
    penalty: float = 0.01,
    free: int = 1,
) -> Float[np.ndarray, "point class"]:
    """APS with a penalty for each class beyond the ``free`` likeliest ones, which makes the largest sets smaller."""
    p = check_probability(probability, len(probability), None, "APS")
    if penalty < 0 or free < 0:
        raise InputError("RAPS", f"penalty {penalty:g} after {free} classes", "both zero or more")
    order = np.argsort(-p, axis=1, kind="stable")
    sorted_p = np.take_along_axis(p, order, 1)
    share = np.ones((len(p), 1)) if rng is None else rng.random((len(p), 1))
    rank = np.arange(1, p.shape[1] + 1)
    # the sum before, not the sum with y less y's own: exact zeros for the likeliest class
    before = np.concatenate([np.zeros((len(p), 1)), np.cumsum(sorted_p, 1)[:, :-1]], 1)
    score = before + share * sorted_p + penalty * np.maximum(rank - free, 0)
    result = np.empty_like(score)
    np.put_along_axis(result, order, score, 1)
    return result


@plain("prediction sets", number="scores", whole="label")
def at_label(scores: Float[np.ndarray, "point class"], label: Int[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
    """Scores of the true classes.

    Raises
    ------
    InputError : for a label that is no column
    """
    if label.size and not 0 <= label.min() <= label.max() < scores.shape[1]:
        wrong = label[(label < 0) | (label >= scores.shape[1])][0]
        raise InputError("prediction sets", f"label {wrong}", f"0 … {scores.shape[1] - 1}")
    return np.take_along_axis(scores, label[:, None], 1)[:, 0]


@plain("prediction sets", number="scores quantile")
def sets(
    scores: Float[np.ndarray, "test class"], quantile: float | Float[np.ndarray, "..."]
) -> Bool[np.ndarray, "test class"]:
    """Classes that belong to each set: those with a score up to the quantile.

    ``quantile`` is one number, one for each class (shape ``(class,)``: label shift, Mondrian by class), or one for each
    point (shape ``(test, 1)``: covariate shift, Mondrian by group).
    """
    return np.asarray(scores <= quantile)
