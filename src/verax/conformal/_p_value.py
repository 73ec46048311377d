"""Conformal p-values: how strange a new point is among calibration points.

Vovk, Gammerman, Shafer 2005; as a test for outliers: Bates, Candès, Lei, Romano, Sesia, arXiv:2104.08279.
"""

import numpy as np
from jaxtyping import PRNGKeyArray

from verax.given import PerPoint, PerTest, Weights, generator, plain
from verax.results import FloatArray

from ._conformal import ordered


@plain("p_value", other="scores weight", number="new", finite="test_weight")
def p_value(
    scores: PerPoint,
    new: PerTest,
    *,
    weight: Weights = None,
    test_weight: PerTest | None = None,
    negative: str = "error",
    key: PRNGKeyArray | None = None,
) -> FloatArray:
    """Compute conformal p-values: the share of weight that is as strange as the new point, itself included.

    p = (Σ_{s_i ≥ s} w_i + w) / (Σw_i + w), with P(p ≤ a) ≤ a for a point like the calibration points.

    Parameters
    ----------
    scores : of calibration points
    new : scores of new points
    weight : event weights of the calibration points; by default 1
    test_weight : weights of the new points; by default Σw²/Σw
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`checked_weight`
    key : of random shares of ties, with which P(p ≤ a) = a (smoothed p-values)

    Raises
    ------
    InputError : for scores that are not numbers, weights of no use, or anything else than a key

    Source: Vovk, Gammerman, Shafer 2005; for outliers: Bates et al., arXiv:2104.08279.

    >>> p_value(np.array([1.0, 2.0, 3.0]), np.array([2.5, 4.0]))
    array([0.5 , 0.25])
    """
    table = ordered(scores, weight=weight, negative=negative, scale=test_weight is None)
    s = np.asarray(new, np.float64)
    w = np.full(s.shape, table.test_weight) if test_weight is None else np.asarray(test_weight, np.float64)
    below = np.append(0.0, table.mass)
    less = below[np.searchsorted(table.score, s, side="left")]
    upto = below[np.searchsorted(table.score, s, side="right")]
    share = 1.0 if key is None else generator(key, "p_value").random(s.shape)
    p = (table.total - upto + share * (upto - less + w)) / (table.total + w)
    return np.asarray(np.clip(p, 0.0, 1.0))
