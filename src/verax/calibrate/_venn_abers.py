"""Venn–Abers predictors: two probabilities, one of which is calibrated (Vovk, Petej, Fedorova, arXiv:1511.00213).

A new event is given label 0 and label 1 in turn, and isotonic regression of the calibration events with it gives p0 and
p1. The one that belongs to its true label is perfectly calibrated, for any score and any number of calibration events.
All pairs come from one pass over the corners of a cumulative diagram (inductive Venn–Abers, section 5 of the paper).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from verax.conformal import checked_weight
from verax.given import Labels, PerEvent, Weights, effective_size, plain
from verax.results import FloatArray

from ._isotonic import positive_pools
from ._platt import checked_score


@dataclass(frozen=True)
class VennAbers:
    """p0 and p1 for a new event at each calibration score; both are steps between them."""

    low: Float[np.ndarray, " score"]
    high: Float[np.ndarray, " score"]
    p0: Float[np.ndarray, " score"]
    p1: Float[np.ndarray, " score"]
    n_effective: float

    @plain("Venn–Abers", finite="score")
    def bounds(self, score: PerEvent) -> tuple[PerEvent, PerEvent]:
        """p0 ≤ p1 of new events; their distance measures how few the calibration events are."""
        s = np.asarray(score, np.float64)
        below = np.searchsorted(self.low, s, side="right")  # with label 0 an event joins what is below it
        above = np.searchsorted(self.high, s, side="left")  # with label 1 what is above
        return np.append(0.0, self.p0)[below], np.append(self.p1, 1.0)[above]

    @plain("Venn–Abers", finite="score")
    def __call__(self, score: PerEvent) -> PerEvent:
        """One probability p1/(1 − p0 + p1), which minimises the largest regret in log loss."""
        p0, p1 = self.bounds(score)
        return np.asarray(p1 / (1 - p0 + p1))


@plain("Venn–Abers", other="score label weight")
def venn_abers(score: PerEvent, label: Labels, *, weight: Weights = None, negative: str = "error") -> VennAbers:
    """Prepare p0 and p1 for any new score.

    Parameters
    ----------
    score : of calibration events that it was not trained on
    label : true or false, 0 or 1
    weight : event weights; by default 1. The guarantee holds for equal weights; with others a new event weighs Σw²/Σw, one
        effective event
    negative : what negative weights mean: "error", "abs", or "signed": calibration events are pooled as in
        :func:`isotonic`

    Raises
    ------
    InputError : for scores that are not finite, labels that are neither 0 nor 1, weights of no use

    Source: Vovk, Petej, Fedorova, arXiv:1511.00213.

    >>> pair = venn_abers(np.array([0.1, 0.4, 0.5, 0.9]), np.array([0, 1, 0, 1]))
    >>> p0, p1 = pair.bounds(np.array([0.5]))
    >>> p0.round(3), p1.round(3)
    (array([0.333]), array([0.667]))
    """
    s, y = checked_score(score, label, "Venn–Abers")
    w = checked_weight(weight, s.size, negative=negative, where="Venn–Abers")
    test_weight = float(np.sum(w**2) / np.sum(w))
    low, high, total, value = positive_pools(s, y, w)
    p1 = with_label_1(total, total * value, test_weight)
    p0 = 1 - with_label_1(total[::-1], (total * (1 - value))[::-1], test_weight)[::-1]
    return VennAbers(low, high, np.clip(p0, 0, 1), np.clip(p1, 0, 1), effective_size(w))


def with_label_1(weight: FloatArray, positive: FloatArray, test_weight: float) -> FloatArray:
    """Isotonic value of a new event of label 1 and weight ``test_weight`` placed at each pool in turn.

    The value is the slope of the greatest convex minorant of cumulative (Σw, Σwy) at the new event's step, which moves
    through the diagram from left to right; a stack keeps the minorant's corners.
    """
    x = [0.0, *np.cumsum(weight).tolist()]
    y = [0.0, *np.cumsum(positive).tolist()]
    n = len(weight)
    # points with the new event's step first: (−w, −w) for its weight w, then the diagram
    px, py = [-test_weight, *x], [-test_weight, *y]
    corners: list[tuple[float, float]] = []
    for point in zip(px, py, strict=True):
        while len(corners) > 1 and not left_turn(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    stack = corners[::-1]
    result = np.empty(n)
    before = (px[0], py[0])
    for i in range(1, n + 1):
        top, after = stack[-1], stack[-2]
        result[i - 1] = (after[1] - top[1]) / (after[0] - top[0])
        moved = (before[0] + x[i] - x[i - 1], before[1] + y[i] - y[i - 1])
        before = moved
        if (moved[1] - top[1]) * (after[0] - top[0]) >= (after[1] - top[1]) * (moved[0] - top[0]):
            continue
        stack.pop()
        while len(stack) > 1 and not left_turn(moved, stack[-1], stack[-2]):
            stack.pop()
        stack.append(moved)
    return result


def left_turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether the way from a over b to c turns to the left (a corner of a convex curve)."""
    return (b[0] - a[0]) * (c[1] - b[1]) > (b[1] - a[1]) * (c[0] - b[0])
