"""Class fractions of an unlabelled sample under label shift, from a classifier's confusion matrix.

Black-box shift estimation (Lipton, Wang, Smola, arXiv:1802.03916): if p(x|y) is the same, the distribution of any function
of x in the target is Σ_y q_y A_·y, with A measured on reference events of each class. With more cells than classes it is
a fit by generalised least squares, whose χ² tests whether label shift explains the cells at all.

The estimates are linear in the target and are not clipped to [0, 1], so that they are unbiased with weights of any sign.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.stats import chi2

from verax.errors import InputError
from verax.given import Weights, effective_size, plain, refuse
from verax.results import FloatArray

from ._two_sample import checked_weight_of

ENOUGH = 50
"""Events a cell below which the confusion matrix's own fluctuations bias the fit: 0.4σ at 40, 1.2σ at 10, 0.2σ at 67."""


@dataclass(frozen=True)
class LabelShift:
    """Class fractions of the target, on the hypothesis of label shift.

    Parameters
    ----------
    fraction, covariance : of each class in the target, with fluctuations of target and confusion matrix
    ratio, ratio_covariance : the class weights q_y/p_y, with fluctuations of the reference's fractions as well
    reference : class fractions of the reference
    p_no_shift : p-value of equal fractions (score test, classes − 1 degrees of freedom)
    chi2, ndf, p_value : whether label shift explains the cells; NaN with as many cells as classes, where it always does
    per_cell : effective events of the smaller sample for each cell
    """

    fraction: Float[np.ndarray, " class"]
    covariance: Float[np.ndarray, "class class"]
    ratio: Float[np.ndarray, " class"]
    ratio_covariance: Float[np.ndarray, "class class"]
    reference: Float[np.ndarray, " class"]
    p_no_shift: float
    chi2: float
    ndf: int
    p_value: float
    per_cell: float

    @property
    def note(self) -> str:
        """A warning in one line; empty where there is none."""
        if self.per_cell >= ENOUGH or not self.ndf:
            return ""
        few = f"{self.per_cell:.0f} events a cell (at least {ENOUGH})"
        return f"{few}: fractions lean towards the reference's, and p_value rejects too often; use fewer cells"

    @property
    def error(self) -> Float[np.ndarray, " class"]:
        """Standard error of each fraction."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def ratio_error(self) -> Float[np.ndarray, " class"]:
        """Standard error of each class weight."""
        return np.sqrt(np.diag(self.ratio_covariance))


@plain("label shift", other="reference target reference_weight target_weight", whole="label")
def bbse(
    reference: Shaped[np.ndarray, "..."],
    label: Int[np.ndarray, " reference"],
    target: Shaped[np.ndarray, "..."],
    *,
    reference_weight: Weights = None,
    target_weight: Weights = None,
) -> LabelShift:
    """Estimate the target's class fractions.

    Parameters
    ----------
    reference : predicted cell of each event (0, 1, …: the predicted class, or a finer cell, of which each should
        have 50 events or more: see the ``note`` of the result), or one row an event that adds up to 1 (predicted
        probabilities: the soft version). Made by a model that did not learn from these events
    label : true classes of the reference, 0, 1, …
    target : the same as ``reference`` of the sample without labels
    reference_weight : of any sign; all sums are taken with weights as they are, errors from Σw²
    target_weight : the same of the target

    Raises
    ------
    InputError : for labels or predictions of no use, a class without weight, or predictions that do not tell classes apart

    Source: Lipton, Wang, Smola, arXiv:1802.03916.

    >>> rng = np.random.default_rng(1)
    >>> y, new = rng.integers(0, 2, 5000), rng.integers(0, 10, 5000) > 1
    >>> found = bbse(y ^ (rng.random(5000) < 0.1), y, new ^ (rng.random(5000) < 0.1))
    >>> bool(abs(found.fraction[1] - 0.8) < 3 * found.error[1]), found.p_no_shift < 1e-6
    (True, True)
    """
    where = "label shift"
    classes = int(label.max()) + 1 if label.size else 0
    if classes < 2 or label.min() < 0:
        got = f"labels {label.min()} … {label.max()}" if label.size else "no labels"
        raise InputError(where, got, "two classes or more, 0, 1, …, as whole numbers")
    first, second = rows_of(reference, target, where)
    if len(first) != label.size:
        raise InputError(where, f"{len(first)} predictions", f"one for each of {label.size} labels")
    w = checked_weight_of(reference_weight, len(first), where, "the reference")
    v = checked_weight_of(target_weight, len(second), where, "the target")
    w, v = w / w.sum(), v / v.sum()
    kind = np.eye(classes)[label]
    p = w @ kind
    if not (p > 0).all():
        y = int(np.argmin(p))
        raise InputError(where, f"a weight of {p[y]:g} of class {y} in the reference", "a positive one in each class")
    used = (first != 0).any(0) | (second != 0).any(0)
    cells = int(used.sum())
    if cells < classes:
        raise InputError(where, f"{cells} cells with events", f"{classes} or more, one for each class")
    h, g = first[:, used][:, :-1], second[:, used][:, :-1]  # rows add up to 1: the last cell adds no information

    mean = v @ g  # of the target
    confusion = (h * w[:, None]).T @ kind / p  # cell by class
    design, offset = confusion[:, :-1] - confusion[:, -1:], confusion[:, -1]
    if np.linalg.matrix_rank(design, tol=1e-6) < classes - 1:
        raise InputError(where, "predictions that do not tell the classes apart", "a confusion matrix of full rank")
    from_target = (g - mean) * v[:, None]
    from_reference = (h - confusion.T[label]) * (w / p[label])[:, None]  # of the confusion matrix's own column
    parts = [from_reference[label == y].T @ from_reference[label == y] for y in range(classes)]
    variance = from_target.T @ from_target
    solve, q = least_squares(design, np.eye(cells - 1), mean - offset)
    for _ in range(3):  # the variance depends on q, weakly
        total = variance + np.tensordot(q**2, np.stack(parts), 1)
        solve, q = least_squares(design, total, mean - offset)

    closed = np.vstack([solve, -solve.sum(0)])  # the last fraction is 1 less the others
    in_target, in_reference = from_target @ closed.T, -from_reference @ closed.T * q[label][:, None]
    of_p = (kind - p) * w[:, None]
    by_ratio = (in_reference - of_p * (q / p)) / p
    covariance = in_target.T @ in_target + in_reference.T @ in_reference
    of_ratio = (in_target / p).T @ (in_target / p) + by_ratio.T @ by_ratio
    residual, ndf = mean - offset - design @ q[:-1], cells - classes
    found = float(residual @ inverse(total) @ residual) if ndf else 0.0
    explains = float(chi2.sf(found, ndf)) if ndf else math.nan
    # Equal fractions: the variance of the difference as it is where they are equal. The one at q̂ grows with the distance
    # between q̂ and p where predictions confuse classes, and the test would then reject too rarely.
    solve, _ = least_squares(design, variance + np.tensordot(p**2, np.stack(parts), 1), mean - offset)
    middle = w @ h
    spread = np.concatenate([from_target, (h - middle) * w[:, None]]) @ solve.T
    changed = solve @ (mean - middle)
    score = float(changed @ inverse(spread.T @ spread) @ changed)
    same, per_cell = float(chi2.sf(score, classes - 1)), min(effective_size(w), effective_size(v)) / cells
    return LabelShift(q, covariance, q / p, of_ratio, p, same, found, ndf, explains, per_cell)


def least_squares(design: FloatArray, variance: FloatArray, observed: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The matrix that takes observations to all fractions but the last, and the fractions."""
    weight = inverse(variance)
    solve = np.linalg.solve(design.T @ weight @ design, design.T @ weight)
    q = solve @ observed
    return np.asarray(solve), np.asarray(np.append(q, 1 - q.sum()))


def inverse(matrix: FloatArray) -> FloatArray:
    """Inverse of a covariance; directions that do not fluctuate count as known to 1e-9 of the largest variance."""
    size = max(float(np.trace(matrix)), 1e-300)
    return np.asarray(np.linalg.inv(matrix + 1e-9 * size * np.eye(len(matrix))))


def rows_of(reference: np.ndarray, target: np.ndarray, where: str) -> tuple[FloatArray, FloatArray]:
    """Predictions of both samples as rows that add up to 1: indicators of cells, or what was given."""
    first, second = np.asarray(reference), np.asarray(target)
    if first.ndim == second.ndim == 1 and first.size and second.size:
        if not all(np.issubdtype(s.dtype, np.integer) or s.dtype == bool for s in (first, second)):
            raise InputError(where, f"predictions of type {first.dtype} and {second.dtype}", "cells as whole numbers")
        if min(first.min(), second.min()) < 0:
            raise InputError(where, f"predicted cell {min(first.min(), second.min())}", "0 or more")
        unit = np.eye(int(max(first.max(), second.max())) + 1)
        return unit[first.astype(np.int64)], unit[second.astype(np.int64)]
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or not len(first) or not len(second):
        got = f"predictions of shapes {first.shape} and {second.shape}"
        raise InputError(where, got, "one cell an event, or rows of the same number of probabilities")
    for sample in (first, second):
        sums = sample.sum(1)
        refuse(~np.isclose(sums, 1, atol=1e-4), sums, "a row that adds up to {:g}", where, "rows that add up to 1")
    return np.asarray(first, np.float64), np.asarray(second, np.float64)
