"""What tests of two weighted samples share: checked points and weights, the studentised difference, features."""

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Shaped

from verax.errors import InputError
from verax.given import PerEvent, Weights, floats, refuse
from verax.results import FloatArray

BLOCK = 2**22  # numbers held at once by one block of a kernel or of permutations

Pair: TypeAlias = tuple[FloatArray, FloatArray]
"""The same of reference and target."""


def checked_points(x: Shaped[np.ndarray, "..."], where: str, what: str, features: int | None = None) -> FloatArray:
    """Points as float64 of shape (event, feature); a single axis is one feature.

    Raises
    ------
    InputError : for another shape, no points, values that are not finite, or another number of features
    """
    points = np.asarray(x, np.float64)
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim != 2 or not points.size:
        raise InputError(where, f"{what} of shape {np.shape(x)}", "one row an event, one column a feature")
    if features is not None and points.shape[1] != features:
        raise InputError(where, f"{what} of {points.shape[1]} features", f"{features}, as the reference has")
    if not np.isfinite(points).all():
        got = f"{int((~np.isfinite(points).all(1)).sum())} rows of {what} that are not finite"
        raise InputError(where, got, "finite values", "leave them out or fill in")
    return points


def checked_weight_of(weight: Weights, n: int, where: str, what: str) -> FloatArray:
    """Weights of any sign as float64, all 1 when none are given.

    Raises
    ------
    InputError : for another number of weights, one that is not finite, or a total that is not positive
    """
    if weight is None:
        return np.ones(n)
    w = np.asarray(weight, np.float64)
    if w.shape != (n,):
        raise InputError(where, f"weights of {what} of shape {w.shape}", f"one weight for each of {n} events")
    refuse(~np.isfinite(w), w, f"weight {{}} of {what}", where, "finite weights")
    if not w.sum() > 0:
        raise InputError(where, f"a total weight of {what} of {w.sum():g}", "a positive total weight")
    return w


def numbers_of(values: Any, n: int, where: str, what: str) -> FloatArray:
    """One number for each event, as float64.

    Raises
    ------
    InputError : for another number of them, one that is masked, or one that is not finite
    """
    out = floats(values, what, where)
    if out.shape != (n,) or not np.isfinite(out).all():
        got = f"{what} of shape {out.shape}" if out.shape != (n,) else f"{what} that are not finite"
        raise InputError(where, got, f"one finite number for each of {n} events")
    return out


def two_samples(
    reference: Any, target: Any, reference_weight: Any, target_weight: Any, where: str
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Points of reference and target, then their weights, as :func:`checked_points` and :func:`checked_weight_of`.

    Raises
    ------
    InputError : as they do
    """
    a = checked_points(reference, where, "the reference")
    b = checked_points(target, where, "the target", a.shape[1])
    w = checked_weight_of(reference_weight, len(a), where, "the reference")
    return a, b, w, checked_weight_of(target_weight, len(b), where, "the target")


def pooled_weight(first: FloatArray, second: FloatArray) -> FloatArray:
    """Weights of both samples, in the units given if their means are within a factor of 2, else each over its mean.

    Samples whose weights have one distribution keep them: a norm that depended on labels would spoil the exact level of
    permutations. Samples in other units (simulation against data) have no exact level to lose.
    """
    a, b = first.mean(), second.mean()
    return np.concatenate([first, second] if 0.5 < a / b < 2 else [first / a, second / b])


def studentised(
    score: PerEvent, weight: PerEvent, second: Bool[np.ndarray, "draw event"]
) -> Float[np.ndarray, " draw"]:
    """Compute the difference of two weighted means of a score (target − reference) over its standard error.

    The variance of a weighted mean m is Σw²(s − m)²/(Σw)², which holds for weights of any sign. Where a sum of weights is
    not positive, or the means are equal, there is no evidence and the value is 0. Where the means differ and nothing
    varies within either sample, it is ±1e12.

    Parameters
    ----------
    score : of each event
    weight : of any sign
    second : true for events of the target, one row a labelling

    Source: Welch, Biometrika 34 (1947) 28.

    >>> studentised(np.array([0.0, 2.0, 3.0, 5.0]), np.ones(4), np.array([[False, False, True, True]])).round(3)
    array([3.])
    """
    moments = np.stack([weight, weight * score, weight**2, weight**2 * score, weight**2 * score**2], 1)
    inside = second.astype(np.float64) @ moments
    mean, variance, good = [], [], np.ones(len(second), bool)
    for sums in (inside, moments.sum(0) - inside):
        w, ws, ww, wws, wwss = sums.T
        fine = w > 1e-9 * np.abs(weight).sum()
        norm = np.where(fine, w, 1.0)
        m = ws / norm
        mean.append(m)
        variance.append(np.maximum(wwss - 2 * m * wws + m * m * ww, 0.0) / norm**2)
        good &= fine
    total, size = variance[0] + variance[1], 1e-300 + mean[0] ** 2 + mean[1] ** 2
    varies = total > 1e-24 * size
    difference = np.where(varies | ((mean[0] - mean[1]) ** 2 > 1e-20 * size), mean[0] - mean[1], 0.0)
    z = np.where(varies, difference / np.sqrt(np.where(varies, total, 1.0)), 1e12 * np.sign(difference))
    return np.where(good, z, 0.0)


def randomised_p(rng: np.random.Generator, observed: float, drawn: Float[np.ndarray, " draw"]) -> float:
    """P-value of an observed statistic among draws of its null, ties at random.

    (number greater + U·(number equal + 1))/(draws + 1) is exactly uniform when all are exchangeable (Phipson & Smyth,
    arXiv:1603.05766, without the discreteness).
    """
    close = np.abs(drawn - observed) <= 1e-12 * abs(observed)
    greater = int(((drawn > observed) & ~close).sum())
    return float((greater + rng.random() * (int(close.sum()) + 1)) / (drawn.size + 1))


def quadratic(x: Float[np.ndarray, "event feature"], *, most: int = 20) -> Float[np.ndarray, "event term"]:
    """The features, and their products two at a time (their squares only for more than ``most`` features)."""
    n = x.shape[1]
    first, second = np.triu_indices(n) if n <= most else (np.arange(n), np.arange(n))
    return np.concatenate([x, x[:, first] * x[:, second]], 1)


def common_terms(reference: FloatArray, target: FloatArray, *, plain: bool) -> Pair:
    """1 and the features (with their products unless ``plain``), of one scale in both samples."""
    both = np.concatenate([reference, target])
    spread = both.std(0)
    both = (both - both.mean(0)) / np.where(spread > 0, spread, 1.0)
    both = both[:, spread > 0]
    terms = np.concatenate([np.ones((len(both), 1)), both if plain else quadratic(both)], 1)
    return terms[: len(reference)], terms[len(reference) :]
