"""Platt scaling: a logistic curve through a score (Platt, "Probabilistic outputs for support vector machines", 1999)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from verax.conformal import checked_weight
from verax.errors import InputError
from verax.given import Labels, PerEvent, Weights, effective_size, plain, refuse
from verax.results import FloatArray, Status

MAX_STEPS, TOLERANCE = 100, 1e-10


@dataclass(frozen=True)
class Platt:
    """Probability 1/(1 + exp(−(slope·s + offset))).

    Closure holds by the likelihood's own equation: Σwp = Σwy on the calibration events (without ``smooth``).
    ``covariance`` of slope and offset is the sandwich estimate, right for any weights. ``status`` is MAX_STEPS for
    classes that a threshold separates (the slope has no finite value), NOT_POSITIVE_DEFINITE where negative weights leave
    no maximum.
    """

    slope: float
    offset: float
    covariance: Float[np.ndarray, "2 2"]
    n_effective: float
    status: Status

    @plain("Platt", finite="score")
    def __call__(self, score: PerEvent) -> PerEvent:
        """Calibrated probability of label 1."""
        return np.asarray(expit(self.slope * np.asarray(score, np.float64) + self.offset))


@plain("Platt", other="score label weight")
def platt(
    score: PerEvent, label: Labels, *, weight: Weights = None, negative: str = "error", smooth: bool = False
) -> Platt:
    """Fit slope and offset by weighted maximum likelihood, by Newton's method with halved steps.

    Parameters
    ----------
    score : of any range; log-odds are best
    label : true or false, 0 or 1
    weight : event weights, one an event; by default 1
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`verax.conformal.checked_weight`
    smooth : Platt's targets (Σw₊ + 1)/(Σw₊ + 2) and 1/(Σw₋ + 2) instead of 1 and 0, for small samples

    Raises
    ------
    InputError : for scores that are not finite, labels that are neither 0 nor 1, one class only, weights of no use

    Source: Platt, "Probabilistic outputs for support vector machines", 1999.

    >>> curve = platt(np.array([-1.0, -1.0, 1.0, 1.0]), np.array([0, 1, 0, 1]))
    >>> curve(np.array([-1.0, 1.0]))
    array([0.5, 0.5])
    """
    s, y = checked_score(score, label, "Platt")
    w = checked_weight(weight, s.size, negative=negative, where="Platt")
    plus, minus = float(np.sum(w * y)), float(np.sum(w * (1 - y)))
    if not (plus > 0 and minus > 0):
        raise InputError("Platt", f"weights {plus:g} of label 1 and {minus:g} of label 0", "both positive")
    target = np.where(y == 1, (plus + 1) / (plus + 2), 1 / (minus + 2)) if smooth else y
    centre, scale = float(s.mean()), float(s.std()) or 1.0
    x = np.stack([(s - centre) / scale, np.ones_like(s)], 1)
    theta = np.array([0.0, np.log(plus / minus)])

    def loss(t: FloatArray) -> float:
        eta = x @ t
        return float(np.sum(w * (np.logaddexp(0, eta) - target * eta)))

    status = Status.MAX_STEPS
    for _ in range(MAX_STEPS):
        p = expit(x @ theta)
        gradient = x.T @ (w * (p - target))
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x
        if not np.linalg.eigvalsh(hessian).min() > 1e-12 * (plus + minus):
            status = Status.MAX_STEPS if abs(theta[0]) > 20 else Status.NOT_POSITIVE_DEFINITE
            break
        step = np.linalg.solve(hessian, gradient)
        if np.abs(step).max() < TOLERANCE:
            theta, status = theta - step, Status.OK
            break
        length, here = 1.0, loss(theta)
        while loss(theta - length * step) > here and length > 1e-6:
            length /= 2
        theta = theta - length * step
    p = expit(x @ theta)
    hessian = (x * (w * p * (1 - p))[:, None]).T @ x
    residual = x * (w * (p - target))[:, None]
    inverse = np.linalg.pinv(hessian)
    to_score = np.array([[1 / scale, 0.0], [-centre / scale, 1.0]])
    covariance = to_score @ inverse @ (residual.T @ residual) @ inverse @ to_score.T
    slope, offset = to_score @ theta
    return Platt(float(slope), float(offset), covariance, effective_size(w), status)


def checked_score(score: PerEvent, label: Labels, where: str) -> tuple[FloatArray, FloatArray]:
    """Score and label as float64.

    Raises
    ------
    InputError : for scores that are not finite, labels that are neither 0 nor 1, or no events
    """
    s, y = np.asarray(score, np.float64), np.asarray(label, np.float64)
    if s.ndim != 1 or s.shape != y.shape or not s.size:
        raise InputError(where, f"scores of shape {s.shape}, labels of shape {y.shape}", "one of each an event")
    refuse(~np.isfinite(s), s, "score {}", where, "finite scores")
    refuse(~np.isin(y, (0.0, 1.0)), y, "label {:g}", where, "0 or 1")
    return s, y
