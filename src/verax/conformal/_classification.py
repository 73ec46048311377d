"""Conformity scores of classes and the prediction sets they make.

LAC: Sadinle, Lei, Wasserman, arXiv:1609.00451. APS: Romano, Sesia, Candès, arXiv:2006.02544. RAPS: Angelopoulos, Bates,
Malik, Jordan, arXiv:2009.14193. APS and RAPS need the uniform numbers of their definition to cover exactly; without them
(``key=None``) they cover more, for some models much more.

A score matrix holds s(x, y) for each class y. Of calibration points the score of the true class counts
(:func:`at_label`), of new points all classes with a score up to the quantile make the set (:func:`sets`).
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from verax.errors import InputError
from verax.given import PerPoint, generator, plain, refuse

from ._model import check_probability

Scores: TypeAlias = Float[np.ndarray, "point class"]


@plain("LAC", other="probability")
def lac(probability: Scores) -> Scores:
    """Score classes by 1 − p(y|x), which makes the smallest sets on average; a set may be empty.

    Parameters
    ----------
    probability : p(y|x) of each class; rows add up to 1

    Raises
    ------
    InputError : for values outside [0, 1], or rows that do not add up to 1

    Source: Sadinle, Lei, Wasserman, arXiv:1609.00451.

    >>> lac(np.array([[0.25, 0.75]]))
    array([[0.75, 0.25]])
    """
    return np.asarray(1 - check_probability(probability, len(probability), None, "LAC"))


@plain("APS", other="probability")
def aps(probability: Scores, *, key: PRNGKeyArray | None = None) -> Scores:
    """Score classes by the probability of all that are likelier, and a uniform share of their own (adaptive sets).

    One uniform number a point is shared by its classes, so that a set is made of the likeliest classes.

    Parameters
    ----------
    probability : p(y|x) of each class; rows add up to 1
    key : of the uniform numbers, with which sets cover exactly; None for shares of 1, with which they cover more

    Raises
    ------
    InputError : for values outside [0, 1], rows that do not add up to 1, or anything else than a key

    Source: Romano, Sesia, Candès, arXiv:2006.02544.

    >>> aps(np.array([[0.2, 0.5, 0.3]]))
    array([[1. , 0.5, 0.8]])
    """
    return raps(probability, penalty=0.0, free=0, key=key)


@plain("RAPS", other="probability")
def raps(probability: Scores, *, penalty: float = 0.01, free: int = 1, key: PRNGKeyArray | None = None) -> Scores:
    """Score classes as :func:`aps` does, and penalise each beyond the likeliest ones: the largest sets become smaller.

    Parameters
    ----------
    probability : p(y|x) of each class; rows add up to 1
    penalty : added for each class beyond the ``free`` likeliest (λ of the paper)
    free : number of classes without a penalty (k_reg of the paper)
    key : of the uniform numbers, as in :func:`aps`

    Raises
    ------
    InputError : as :func:`aps`, and for a negative ``penalty`` or ``free``

    Source: Angelopoulos, Bates, Malik, Jordan, arXiv:2009.14193.

    >>> raps(np.array([[0.2, 0.5, 0.3]]), penalty=0.1, free=1)
    array([[1.2, 0.5, 0.9]])
    """
    share = None if key is None else generator(key, "RAPS").random((len(probability), 1))
    return cumulative_scores(probability, share, penalty, free)


def cumulative_scores(
    probability: Scores, share: Float[np.ndarray, "point 1"] | None, penalty: float, free: int
) -> Scores:
    """Scores of :func:`raps` for given uniform numbers; None for 1."""
    p = check_probability(probability, len(probability), None, "APS")
    if penalty < 0 or free < 0:
        raise InputError("RAPS", f"penalty {penalty:g} after {free} classes", "both zero or more")
    order = np.argsort(-p, axis=1, kind="stable")
    sorted_p = np.take_along_axis(p, order, 1)
    share = np.ones((len(p), 1)) if share is None else share
    rank = np.arange(1, p.shape[1] + 1)
    # the sum before, not the sum with y less y's own: exact zeros for the likeliest class
    before = np.concatenate([np.zeros((len(p), 1)), np.cumsum(sorted_p, 1)[:, :-1]], 1)
    score = before + share * sorted_p + penalty * np.maximum(rank - free, 0)
    result = np.empty_like(score)
    np.put_along_axis(result, order, score, 1)
    return result


@plain("prediction sets", number="scores", whole="label")
def at_label(scores: Scores, label: Int[np.ndarray, " point"]) -> PerPoint:
    """Take the score of each point's true class.

    Parameters
    ----------
    scores : of each class
    label : true class of each point, as its column

    Raises
    ------
    InputError : for a label that is no column

    >>> at_label(np.array([[0.1, 0.9], [0.4, 0.6]]), np.array([1, 0]))
    array([0.9, 0.4])
    """
    many = scores.shape[1]
    refuse((label < 0) | (label >= many), label, "label {}", "prediction sets", f"0 … {many - 1}")
    return np.take_along_axis(scores, label[:, None], 1)[:, 0]


@plain("prediction sets", number="scores quantile")
def sets(
    scores: Float[np.ndarray, "test class"], quantile: float | Float[np.ndarray, "..."]
) -> Bool[np.ndarray, "test class"]:
    """Make prediction sets: the classes with a score up to the quantile.

    Parameters
    ----------
    scores : of each class for each new point
    quantile : one number; one for each class (shape ``(class,)``: label shift, Mondrian by class); or one for each point
        (shape ``(test, 1)``: covariate shift, Mondrian by group)

    Raises
    ------
    InputError : for scores or quantiles that are NaN, and quantiles of another shape

    >>> sets(np.array([[0.1, 0.9], [0.4, 0.6]]), 0.5)
    array([[ True, False],
           [ True, False]])
    """
    try:
        return np.broadcast_to(quantile, scores.shape) >= scores
    except ValueError as error:
        got = f"quantiles of shape {np.shape(quantile)}"
        raise InputError("prediction sets", got, "one number, one for each class, or shape (test, 1)") from error
