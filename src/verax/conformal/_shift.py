"""Conformal prediction under covariate and label shift: each new point has its own density ratio, and its own quantile.

Tibshirani, Barber, Candès, Ramdas, arXiv:1904.06019 (covariate shift, p(y|x) fixed, r(x) = p_test(x)/p_cal(x));
Podkopaev & Ramdas, arXiv:2103.03323 (label shift, p(x|y) fixed, r(y) = p_test(y)/p_cal(y)).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from verax.errors import InputError
from verax.given import PerPoint, PerTest, Weights, generator, plain, refuse

from ._conformal import Level, exact_level, ordered
from ._model import check_probability, fitted, rows, take
from ._weights import checked_weight


@dataclass(frozen=True)
class Shifted:
    """Quantiles under shift, one for each new point (or class).

    Parameters
    ----------
    level : requested coverage
    value : quantile of each new point; +∞ where its ratio is too large for what the calibration set holds
    test_share : share of each new point in the total of ratios; above 1 − level the quantile is +∞
    n, n_effective : calibration points, and (Σw)²/Σw² of event weight times ratio
    mean_ratio, mean_ratio_error : of the calibration points, and its standard error. For p_test/p_cal this is the share
        of the test distribution that lies where there are calibration points, 1 when the supports overlap. A ratio known
        up to a factor gives the same quantiles, but its mean is no measure of overlap
    """

    level: float
    value: PerTest
    test_share: PerTest
    n: int
    n_effective: float
    mean_ratio: float
    mean_ratio_error: float

    @property
    def infinite(self) -> float:
        """Share of new points whose quantile is infinite."""
        return float(np.isinf(self.value).mean()) if self.value.size else 0.0

    @property
    def overlaps(self) -> bool:
        """Whether nothing speaks against overlapping supports: no infinite quantile, mean ratio within 4σ of 1."""
        return self.infinite == 0 and abs(self.mean_ratio - 1) <= 4 * self.mean_ratio_error + 1e-9

    @property
    def note(self) -> str:
        """A warning in one line; empty where there is none."""
        notes = []
        if self.infinite:
            share = f"{100 * self.infinite:.1f} % of the new points have infinite sets"
            notes.append(f"{share}: too few calibration points there")
        if abs(self.mean_ratio - 1) > 4 * self.mean_ratio_error + 1e-9:
            share = f"mean ratio {self.mean_ratio:.3g} ± {self.mean_ratio_error:.2g} of the calibration points"
            why = "the ratio has another norm, or is not well known"
            if self.mean_ratio < 1:
                why += "; or they do not reach all of the new distribution, and ratios cannot restore the rest"
            notes.append(f"{share}, 1 for p_test/p_cal where supports overlap: {why}")
        if self.n_effective < 0.1 * self.n:
            notes.append(f"{self.n} weighted calibration points are worth {self.n_effective:.0f}")
        return "; ".join(notes)


@plain("shift", other="scores weight", number="ratio test_ratio")
def shifted(
    scores: PerPoint,
    *,
    ratio: PerPoint,
    test_ratio: PerTest,
    level: Level,
    weight: Weights = None,
    negative: str = "error",
) -> Shifted:
    """Find conformal quantiles for new points that lie elsewhere than the calibration points (covariate shift).

    Parameters
    ----------
    scores : of calibration points
    ratio : density ratio p_test/p_cal at each calibration point, of x (covariate shift) or of its class (label shift)
    test_ratio : the same at each new point (for label shift, of each candidate class), in the same units; +∞ where there
        are no calibration points
    level : requested coverage
    weight : event weights of the calibration points, which multiply ``ratio``; by default 1
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`checked_weight`

    Raises
    ------
    InputError : for a level outside (0, 1), negative or undefined ratios, weights of no use

    Source: Tibshirani, Barber, Candès, Ramdas, arXiv:1904.06019.

    >>> shifted(np.arange(4.0), ratio=np.array([2.0, 1.0, 1.0, 0.5]), test_ratio=np.array([0.5, 5.0]), level=0.8).value
    array([ 2., inf])
    """
    exact = exact_level(level)
    for name, values in (("at calibration points", ratio), ("at new points", test_ratio)):
        refuse(~(values >= 0), values, f"ratio {{:g}} {name}", "shift", "zero or more")
    event = checked_weight(weight, scores.size, negative=negative, where="shift")
    event = event * (event.size / event.sum())  # mean 1, so that products stay in the units of the ratio
    w = np.asarray(ratio, np.float64) * event
    table = ordered(scores, weight=w, negative=negative, scale=False, where="shift")
    test = np.asarray(test_ratio, np.float64)
    with np.errstate(invalid="ignore"):
        share = np.where(np.isinf(test), 1.0, test / (table.total + test))
    error = float(np.sqrt(np.mean(event**2 * (ratio - w.mean()) ** 2) / w.size))
    return Shifted(float(exact), table.values(exact, test), share, table.n, table.n_effective, float(w.mean()), error)


@plain("label shift", other="scores weight", whole="label", number="ratio")
def label_shift(
    scores: PerPoint,
    label: Int[np.ndarray, " point"],
    ratio: Float[np.ndarray, " class"],
    *,
    level: Level,
    weight: Weights = None,
    negative: str = "error",
) -> Shifted:
    """Find a conformal quantile for each class: {y : s(x, y) ≤ value[y]} covers where classes come in other proportions.

    Parameters
    ----------
    scores : of calibration points at their true classes
    label : their true classes, 0, 1, …
    ratio : p_test(y)/p_cal(y) of each class
    level : requested coverage
    weight : event weights of the calibration points; by default 1
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`checked_weight`

    Raises
    ------
    InputError : as :func:`shifted`, and for a label without a ratio

    Source: Podkopaev & Ramdas, arXiv:2103.03323.

    >>> label_shift(np.arange(4.0), np.array([0, 0, 1, 1]), np.array([1.5, 0.5]), level=0.5).value
    array([1., 1.])
    """
    if label.size and not 0 <= label.min() <= label.max() < ratio.size:
        raise InputError("label shift", f"label {label.max()}", f"0 … {ratio.size - 1}, one for each ratio")
    return shifted(scores, ratio=ratio[label], test_ratio=ratio, level=level, weight=weight, negative=negative)


@plain("shift", other="reference target reference_weight")
def ratio_from_classifier(
    key: PRNGKeyArray,
    classifier: Any | Callable[..., Any],
    reference: Any,
    target: Any,
    *,
    reference_weight: Weights = None,
    folds: int = 5,
) -> tuple[Float[np.ndarray, " reference"], Float[np.ndarray, " target"]]:
    """Learn the density ratio r(x) = p_target(x)/p_reference(x) with a classifier of the two samples, out of fold.

    Each point's ratio is the odds p/(1 − p) of a copy that was not trained on it, times Σw/n_target of its training
    points, so that an overtrained classifier does not push its own training points apart.

    Parameters
    ----------
    key : assigns points to folds
    classifier : with ``fit(X, y, sample_weight=…)`` and ``predict_proba``; copied, never changed
    reference : features of calibration points, one row each
    target : features of new points
    reference_weight : event weights of the calibration points, zero or more
    folds : number of folds, two or more

    Returns
    -------
    Ratios of both samples; +∞ where a new point has probability 1. A calibration point shows by itself that its ratio is
    finite, and gets the largest finite one instead

    Raises
    ------
    InputError : for fewer points than folds, negative weights, or a classifier that tells both samples apart everywhere

    Source: Qin, Biometrika 85 (1998) 619.

    >>> import jax
    >>> from sklearn.linear_model import LogisticRegression
    >>> x, new = np.random.default_rng(1).normal(size=(2, 1000, 1)) + np.array([0.0, 0.5])[:, None, None]
    >>> ratio, test_ratio = ratio_from_classifier(jax.random.key(1), LogisticRegression(), x, new)
    >>> bool(np.abs(np.log(ratio) - (0.5 * x[:, 0] - 0.125)).max() < 0.5)  # of two Gaussians
    True
    """
    rng, n, m = generator(key, "shift"), rows(reference), rows(target)
    if folds < 2 or min(n, m) < folds:
        raise InputError("shift", f"{folds} folds of {n} and {m} points", "two or more folds, a point of each in all")
    w = np.concatenate([checked_weight(reference_weight, n, negative="error", where="shift"), np.ones(m)])
    x = np.concatenate([np.asarray(reference), np.asarray(target)])
    label = np.repeat([0, 1], [n, m])
    fold = np.concatenate([rng.permutation(n) % folds, rng.permutation(m) % folds])
    odds = np.zeros(n + m)
    for k in range(folds):
        train: Bool[np.ndarray, " all"] = fold != k
        copy = fitted(classifier, take(x, train), label[train], w[train] if reference_weight is not None else None)
        p = check_probability(copy.predict_proba(x[~train]), int((~train).sum()), 2, "shift")[:, 1]
        prior = w[train & (label == 0)].sum() / w[train & (label == 1)].sum()
        with np.errstate(divide="ignore"):
            odds[~train] = prior * p / (1 - p)
    finite = odds[:n][np.isfinite(odds[:n])]
    if not finite.size:
        raise InputError("shift", "a classifier that tells both samples apart", "samples that overlap")
    return np.minimum(odds[:n], finite.max()), odds[n:]
