"""Is p(y|x) the same in two samples whose x may differ? A score test of logistic regression, with weights of any sign.

Both samples together are described by p(y|x) ∝ p₀(y|x)·exp(β_y·φ(x)), with p₀ given predictions (or 1). If p(y|x) is one
function of this form, the score of either sample at the common β̂ is zero on average whatever its p(x); Rao's score test
for a change of β between samples (the likelihood form of Chow's test), its covariance by the sandwich of White
(Econometrica 50 (1982) 1), so that weights enter as they are.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import log_softmax, softmax
from scipy.stats import chi2

from verax.results import FloatArray


@dataclass(frozen=True)
class ConceptTest:
    """χ², its degrees of freedom and p-value; NaN where the fit of β did not converge (``converged``)."""

    chi2: float
    ndf: int
    p_value: float
    converged: bool


@dataclass(frozen=True)
class Softmax:
    """A fitted logistic regression of several classes; the last class is the base, with β = 0."""

    beta: Float[np.ndarray, "class term"]
    information: Float[np.ndarray, "parameter parameter"]
    converged: bool

    def __call__(self, terms: FloatArray, offset: FloatArray | float = 0.0) -> Float[np.ndarray, "event class"]:
        """Probability of each class."""
        return np.asarray(softmax(offset + terms @ self.beta.T, axis=1))


def fit_softmax(
    terms: Float[np.ndarray, "event term"],
    label: Int[np.ndarray, " event"],
    weight: Float[np.ndarray, " event"],
    classes: int,
    *,
    offset: FloatArray | float = 0.0,
    ridge: float = 1e-3,
    steps: int = 50,
) -> Softmax:
    """Fit a logistic regression of several classes to weighted events.

    Newton's method on the weighted log-likelihood less ridge·|β|²/2, with a step that is halved until it helps. With
    negative weights the likelihood need not be concave: where its curvature is not positive, or steps run out,
    ``converged`` is false.

    Parameters
    ----------
    terms : φ(x) of each event
    label : true classes, 0, 1, …
    weight : of any sign
    classes : their number
    offset : added to the logits: ln p₀(y|x)
    ridge : precision of the prior of β
    steps : at most

    >>> fit = fit_softmax(np.ones((4, 1)), np.array([0, 1, 1, 1]), np.ones(4), 2)
    >>> fit(np.ones((1, 1))).round(2)
    array([[0.25, 0.75]])
    """
    n, many = terms.shape
    kind = np.eye(classes)[label]
    beta = np.zeros((classes, many))

    def loss(b: FloatArray) -> float:
        log_p = log_softmax(offset + terms @ b.T, axis=1)
        return float(-weight @ (log_p * kind).sum(1) + ridge * np.sum(b**2) / 2)

    here, converged = loss(beta), False
    hessian = np.eye((classes - 1) * many)
    for _ in range(steps):
        p = np.asarray(softmax(offset + terms @ beta.T, axis=1))
        slope = ((p - kind) * weight[:, None]).T @ terms + ridge * beta
        hessian = information(terms, p, weight) + ridge * np.eye((classes - 1) * many)
        try:
            np.linalg.cholesky(hessian)
        except np.linalg.LinAlgError:
            return Softmax(beta, hessian, False)
        step = np.linalg.solve(hessian, slope[:-1].ravel())
        decrease = float(step @ slope[:-1].ravel())
        if decrease < 1e-10 * max(n, 1):
            converged = True
            break
        size, full = 1.0, np.vstack([step.reshape(classes - 1, many), np.zeros(many)])
        while (new := loss(beta - size * full)) > here - 1e-4 * size * decrease and size > 1e-6:
            size /= 2
        beta, here = beta - size * full, new
    return Softmax(beta, hessian, converged)


def information(terms: FloatArray, p: FloatArray, weight: FloatArray) -> Float[np.ndarray, "parameter parameter"]:
    """Σw·(diag p − ppᵀ) ⊗ φφᵀ over all classes but the last."""
    k, many = p.shape[1] - 1, terms.shape[1]
    out = np.empty((k, many, k, many))
    for i in range(k):
        for j in range(k):
            size = weight * p[:, i] * ((i == j) - p[:, j])
            out[i, :, j] = terms.T @ (terms * size[:, None])
    return out.reshape(k * many, k * many)


def concept(
    terms: tuple[Float[np.ndarray, "first term"], Float[np.ndarray, "second term"]],
    label: tuple[Int[np.ndarray, " first"], Int[np.ndarray, " second"]],
    weight: tuple[Float[np.ndarray, " first"], Float[np.ndarray, " second"]],
    classes: int,
    *,
    probability: tuple[Float[np.ndarray, "first class"], Float[np.ndarray, "second class"]] | None = None,
) -> ConceptTest:
    """Test whether p(y|x) is the same in both samples.

    Parameters
    ----------
    terms : φ(x) of both samples, of a common scale
    label : true classes
    weight : of any sign; Σw need not agree, both samples are brought to their effective number of events
    classes : their number
    probability : p₀(y|x), which β recalibrates; None: 1

    >>> terms, label = np.ones((100, 1)), np.arange(100) % 2
    >>> round(concept((terms, terms), (label, label), (np.ones(100), np.ones(100)), 2).p_value, 3)
    1.0
    """
    w = np.concatenate([v * (v.sum() / np.sum(v**2)) for v in weight])
    t, y = np.concatenate(terms), np.concatenate(label)
    offset = 0.0 if probability is None else np.log(np.clip(np.concatenate(probability), 1e-6, 1.0))
    fit = fit_softmax(t, y, w, classes, offset=offset)
    ndf = (classes - 1) * t.shape[1]
    if not fit.converged:
        return ConceptTest(math.nan, ndf, math.nan, False)
    p = fit(t, offset)
    score = ((np.eye(classes)[y] - p)[:, :-1, None] * t[:, None, :] * w[:, None, None]).reshape(len(t), ndf)
    second = np.arange(len(t)) >= len(terms[0])
    share = np.linalg.solve(fit.information, information(t[second], p[second], w[second])).T  # H₂H⁻¹
    moved = np.where(second[:, None], score, 0.0) - score @ share.T
    return robust_test(moved)


def robust_test(moved: Float[np.ndarray, "event moment"]) -> ConceptTest:
    """χ² of sums over events that are zero on average, their covariance being that of the events' own terms."""
    total, variance = moved.sum(0), moved.T @ moved
    spread = np.sqrt(np.maximum(np.diag(variance), 1e-300))
    value, vector = np.linalg.eigh(variance / np.outer(spread, spread))
    kept = value > 1e-8
    found = float(np.sum((vector.T @ (total / spread))[kept] ** 2 / value[kept]))
    return ConceptTest(found, int(kept.sum()), float(chi2.sf(found, int(kept.sum()))), True)
