"""Conformal p-values: how strange a new point is among calibration points.

Vovk, Gammerman, Shafer 2005; as a test for outliers: Bates, Candès, Lei, Romano, Sesia, arXiv:2104.08279.
"""

import numpy as np
from jaxtyping import Float, Shaped

from verax.conformal._conformal import ordered
from verax.given import plain
from verax.results import FloatArray


@plain("p_value", other="scores weight", number="new", finite="own")
def p_value(
    scores: Float[np.ndarray, " point"],
    new: Float[np.ndarray, " test"],
    *,
    weight: Shaped[np.ndarray, "..."] | None = None,
    own: Float[np.ndarray, " test"] | None = None,
    negative: str = "error",
    rng: np.random.Generator | None = None,
) -> FloatArray:
    """Conformal p-values: the share of weight as strange as the new point, itself included.

    p = (Σ_{s_i ≥ s} w_i + w) / (Σw_i + w), with P(p ≤ a) ≤ a for a point like the calibration points; with ``rng`` its
    ties count a random share and P(p ≤ a) = a (Vovk et al. 2005, smoothed p-values).

    Parameters
    ----------
    scores, weight, negative : as in :func:`conformalize`
    new : scores of new points
    own : their weights; by default Σw²/Σw
    """
    table = ordered(scores, weight=weight, negative=negative, scale=own is None)
    s = np.asarray(new, np.float64)
    mine = np.full(s.shape, table.own) if own is None else np.asarray(own, np.float64)
    below = np.append(0.0, table.mass)
    less = below[np.searchsorted(table.score, s, side="left")]
    upto = below[np.searchsorted(table.score, s, side="right")]
    share = 1.0 if rng is None else rng.random(s.shape)
    p = (table.total - upto + share * (upto - less + mine)) / (table.total + mine)
    return np.asarray(np.clip(p, 0.0, 1.0))
