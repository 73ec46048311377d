"""Isotonic calibration that keeps closure with negative weights.

Isotonic regression (Zadrozny & Elkan 2002) replaces labels by the averages of pools of events that are next to each other
in score, and pools until the averages increase. With negative weights a pool may have no positive weight, and the pooling
of scikit-learn then loses closure (Σwp ≠ Σwy). Here events are first pooled between the scores at which the running total
of weight takes a value for the only time: such pools have positive weight, whatever the order in which one reads, and are
single events where no weight is negative. Averages outside [0, 1] are pooled with their neighbours, not clipped.
Each pool's Σwp is its Σwy, so that closure is exact.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.optimize import isotonic_regression

from verax.conformal import checked_weight
from verax.errors import InputError
from verax.given import Labels, PerEvent, Weights, effective_size, plain
from verax.results import FloatArray

from ._platt import checked_score

Pools: TypeAlias = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
"""Lowest and highest score, Σw and value of each pool."""


@dataclass(frozen=True)
class Isotonic:
    """An increasing curve from score to probability: constant in each pool, linear between pools, constant outside.

    ``low`` and ``high`` are the scores at which each pool begins and ends, ``weight`` its Σw, ``value`` its
    probability.
    """

    low: Float[np.ndarray, " pool"]
    high: Float[np.ndarray, " pool"]
    weight: Float[np.ndarray, " pool"]
    value: Float[np.ndarray, " pool"]
    n_effective: float

    @plain("isotonic", finite="score")
    def __call__(self, score: PerEvent) -> PerEvent:
        """Calibrated probability of label 1."""
        knots = np.stack([self.low, self.high], 1).ravel()
        return np.asarray(np.interp(np.asarray(score, np.float64), knots, np.repeat(self.value, 2)))


@plain("isotonic", other="score label weight")
def isotonic(score: PerEvent, label: Labels, *, weight: Weights = None, negative: str = "error") -> Isotonic:
    """Fit an increasing curve by weighted least squares.

    Parameters
    ----------
    score : of any range
    label : true or false, 0 or 1
    weight : event weights, one an event; by default 1
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`verax.conformal.checked_weight`

    Raises
    ------
    InputError : for scores that are not finite, labels that are neither 0 nor 1, weights of no use, or an overall
        Σwy/Σw outside [0, 1]

    Source: Zadrozny & Elkan, KDD 2002; pools of negative weights as above.

    >>> curve = isotonic(np.array([0.1, 0.4, 0.5, 0.9]), np.array([0, 1, 0, 1]))
    >>> curve(np.array([0.0, 0.4, 0.5, 0.7]))
    array([0.  , 0.5 , 0.5 , 0.75])
    """
    s, y = checked_score(score, label, "isotonic")
    w = checked_weight(weight, s.size, negative=negative, where="isotonic")
    low, high, total, value = positive_pools(s, y, w)
    mean = float(np.sum(total * value) / np.sum(total))
    if not -1e-12 <= mean <= 1 + 1e-12:
        action = "negative weights dominate a class"
        raise InputError("isotonic", f"Σwy/Σw = {mean:g}", "a fraction between 0 and 1", action)
    fit = isotonic_regression(value, weights=total)
    first, last = fit.blocks[:-1], fit.blocks[1:] - 1
    low, high, total, value = low[first], high[last], fit.weights, fit.x[first]
    return Isotonic(*within_bounds(low, high, total, value), effective_size(w))


def positive_pools(score: FloatArray, label: FloatArray, weight: FloatArray) -> Pools:
    """Pools of neighbouring scores with positive weight: lowest and highest score, Σw, Σwy/Σw.

    A pool ends after a score where the running Σw is larger than ever before and smaller than ever after. Events of weight
    zero belong to none.
    """
    order = np.argsort(score, kind="stable")
    order = order[weight[order] != 0]
    s, w, y = score[order], weight[order], label[order]
    ends = np.flatnonzero(np.append(s[1:] != s[:-1], True))
    mass = np.cumsum(w)[ends]
    before = np.maximum.accumulate(np.append(0.0, mass))[:-1]
    after = np.append(np.minimum.accumulate(mass[::-1])[::-1][1:], np.inf)
    cut = np.flatnonzero((mass > before) & (mass < after))
    stop = np.unique(np.append(ends[cut], s.size - 1))
    start = np.append(0, stop[:-1] + 1)
    total, positive = np.add.reduceat(w, start), np.add.reduceat(w * y, start)
    return s[start], s[stop], total, positive / total


def within_bounds(low: FloatArray, high: FloatArray, total: FloatArray, value: FloatArray) -> Pools:
    """Pool the first pools until their average is not below 0, and the last until theirs is not above 1."""
    wy, size = total * value, value.size
    # averages increase, so the average of the first pools is at most that of the next
    first = min(int(np.sum(np.cumsum(wy) < 0)), size - 1) if value[0] < 0 else 0
    last = max(size - 1 - int(np.sum(np.cumsum((total - wy)[::-1]) < 0)), 0) if value[-1] > 1 else size - 1
    if first >= last:
        mean = np.clip(np.sum(wy) / np.sum(total), 0, 1)
        return low[:1], high[-1:], np.array([np.sum(total)]), np.array([mean])
    start = np.append(0, np.arange(first + 1, last + 1))
    end = np.append(start[1:] - 1, size - 1)
    total, wy = np.add.reduceat(total, start), np.add.reduceat(wy, start)
    return low[start], high[end], total, np.clip(wy / total, 0, 1)
