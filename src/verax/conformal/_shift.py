"""Conformal prediction under covariate and label shift: each new point has its own weight, and its own quantile.

Tibshirani, Barber, Candès, Ramdas, arXiv:1904.06019 (covariate shift, p(y|x) fixed, w(x) = p_test(x)/p_cal(x));
Podkopaev & Ramdas, arXiv:2103.03323 (label shift, p(x|y) fixed, w(y) = p_test(y)/p_cal(y)).
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from verax.conformal._conformal import exact_level, ordered
from verax.conformal._model import check_probability, fitted, rows, take
from verax.conformal._weights import checked_weight
from verax.errors import InputError
from verax.given import plain


@dataclass(frozen=True)
class Shifted:
    """Quantiles under shift, one for each new point (or class).

    Parameters
    ----------
    level : asked coverage
    value : quantile of each new point; +∞ where its weight is too large for what the calibration set holds
    own : share of each new point's own weight in the total; above 1 − level the quantile is +∞
    n, n_effective : calibration points, and (Σw)²/Σw²
    reached, reached_error : mean weight of the calibration points and its standard error. For w = p_test/p_cal this is
        the share of the test distribution that lies where there are calibration points, 1 when the supports overlap. A
        ratio known up to a factor gives the same quantiles, but its mean says nothing of overlap
    """

    level: float
    value: Float[np.ndarray, " test"]
    own: Float[np.ndarray, " test"]
    n: int
    n_effective: float
    reached: float
    reached_error: float

    @property
    def infinite(self) -> float:
        """Share of new points whose quantile is infinite."""
        return float(np.isinf(self.value).mean()) if self.value.size else 0.0

    @property
    def overlaps(self) -> bool:
        """Whether nothing speaks against overlapping supports: no infinite quantile, mean weight within 4σ of 1."""
        return self.infinite == 0 and abs(self.reached - 1) <= 4 * self.reached_error + 1e-9

    @property
    def note(self) -> str:
        """What a user should know in one line; empty when there is nothing."""
        notes = []
        if self.infinite:
            notes.append(
                f"{100 * self.infinite:.1f} % of the new points have infinite sets: too few calibration points there"
            )
        if abs(self.reached - 1) > 4 * self.reached_error + 1e-9:
            share = f"mean weight {self.reached:.3g} ± {self.reached_error:.2g} of the calibration points"
            why = "the ratio has another norm, or is not well known"
            if self.reached < 1:
                why += "; or they do not reach all of the new distribution, and weights cannot restore the rest"
            notes.append(f"{share}, 1 for p_test/p_cal where supports overlap: {why}")
        if self.n_effective < 0.1 * self.n:
            notes.append(f"{self.n} weighted calibration points are worth {self.n_effective:.0f}")
        return "; ".join(notes)


@plain("shift", other="scores event_weight", number="weight own")
def shifted(
    scores: Float[np.ndarray, " point"],
    *,
    weight: Float[np.ndarray, " point"],
    own: Float[np.ndarray, " test"],
    level: float | Fraction,
    event_weight: Shaped[np.ndarray, "..."] | None = None,
    negative: str = "error",
) -> Shifted:
    """Conformal quantiles under shift.

    Parameters
    ----------
    scores : of calibration points
    weight : p_test/p_cal at each calibration point, of x (covariate shift) or of its class (label shift)
    own : p_test/p_cal at each new point (for label shift, of each candidate class), in the same units; +∞ where there
        are no calibration points
    event_weight, negative : event weights of the calibration points, which multiply ``weight``

    Raises
    ------
    InputError : for negative or undefined ratios, weights of no use
    """
    exact = exact_level(level)
    for name, values in (("at calibration points", weight), ("at new points", own)):
        if not (values >= 0).all():
            raise InputError("shift", f"ratio {values[~(values >= 0)][0]:g} {name}", "zero or more")
    extra = checked_weight(event_weight, scores.size, negative=negative, where="shift")
    extra = extra * (extra.size / extra.sum())  # mean 1, so that products stay in the units of the ratio
    w = np.asarray(weight, np.float64) * extra
    table = ordered(scores, weight=w, negative=negative, scale=False, where="shift")
    mine = np.asarray(own, np.float64)
    with np.errstate(invalid="ignore"):
        share = np.where(np.isinf(mine), 1.0, mine / (table.total + mine))
    error = float(np.sqrt(np.mean(extra**2 * (weight - w.mean()) ** 2) / w.size))
    return Shifted(float(exact), table.values(exact, mine), share, table.n, table.n_effective, float(w.mean()), error)


@plain("label shift", other="scores event_weight", whole="label", number="ratio")
def label_shift(
    scores: Float[np.ndarray, " point"],
    label: Int[np.ndarray, " point"],
    ratio: Float[np.ndarray, " class"],
    *,
    level: float | Fraction,
    event_weight: Shaped[np.ndarray, "..."] | None = None,
    negative: str = "error",
) -> Shifted:
    """Quantiles per candidate class: {y : s(x, y) ≤ value[y]} covers when the classes come in other proportions.

    Parameters
    ----------
    scores, label : of calibration points, s(x, y) at the true class
    ratio : p_test(y)/p_cal(y) of each class
    """
    if label.size and not 0 <= label.min() <= label.max() < ratio.size:
        raise InputError("label shift", f"label {label.max()}", f"0 … {ratio.size - 1}, one for each ratio")
    return shifted(scores, weight=ratio[label], own=ratio, level=level, event_weight=event_weight, negative=negative)


@plain("shift", other="calibration new weight")
def ratio_from_classifier(
    rng: np.random.Generator,
    classifier: Any | Callable[..., Any],
    calibration: Any,
    new: Any,
    *,
    weight: Shaped[np.ndarray, "..."] | None = None,
    folds: int = 5,
) -> tuple[Float[np.ndarray, " point"], Float[np.ndarray, " test"]]:
    """w(x) = p_test(x)/p_cal(x) learnt by a classifier of calibration against new points, out of fold.

    Each point's ratio is the odds p/(1 − p) of a copy that did not see it, times Σw_cal/n_test of what it saw, so that an
    overtrained classifier does not push its own training points apart.

    Parameters
    ----------
    rng : deals the folds
    classifier : with ``fit(X, y, sample_weight=…)`` and ``predict_proba``; copied, never changed
    calibration, new : features of both samples
    weight : event weights of the calibration points, zero or more

    Returns
    -------
    ratios at calibration points and at new points; +∞ where a new point has probability 1. A calibration point shows by
    itself that its ratio is finite, and gets the largest finite one instead
    """
    n, m = rows(calibration), rows(new)
    if folds < 2 or min(n, m) < folds:
        raise InputError("shift", f"{folds} folds of {n} and {m} points", "two or more folds, a point of each in all")
    w = np.concatenate([checked_weight(weight, n, negative="error", where="shift"), np.ones(m)])
    x = np.concatenate([np.asarray(calibration), np.asarray(new)])
    label = np.repeat([0, 1], [n, m])
    fold = np.concatenate([rng.permutation(n) % folds, rng.permutation(m) % folds])
    ratio = np.zeros(n + m)
    for k in range(folds):
        seen: Bool[np.ndarray, " all"] = fold != k
        copy = fitted(classifier, take(x, seen), label[seen], w[seen] if weight is not None else None)
        p = check_probability(copy.predict_proba(x[~seen]), int((~seen).sum()), 2, "shift")[:, 1]
        prior = w[seen & (label == 0)].sum() / w[seen & (label == 1)].sum()
        with np.errstate(divide="ignore"):
            ratio[~seen] = prior * p / (1 - p)
    old = ratio[:n]
    finite = old[np.isfinite(old)]
    if not finite.size:
        raise InputError("shift", "a classifier that tells both samples apart", "samples that overlap")
    return np.minimum(old, finite.max()), ratio[n:]
