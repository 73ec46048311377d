"""Temperature scaling (Guo, Pleiss, Sun, Weinberger, arXiv:1706.04599), with event weights of any sign."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy.optimize import brentq
from scipy.special import logsumexp, softmax

from verax.conformal import checked_weight
from verax.errors import InputError
from verax.given import PerClass, Weights, effective_size, plain, refuse
from verax.results import FloatArray, Status

BOUNDS = (1e-4, 1e4)


@dataclass(frozen=True)
class Temperature:
    """Probabilities softmax(z/T): as many parameters as are needed to be neither too sure nor too unsure on average.

    Parameters
    ----------
    value, error : T, and its standard error from the spread of the score (sandwich: right for any weights)
    before, after : mean negative log-likelihood at T = 1 and at ``value``
    n_effective : (Σw)²/Σw²
    status : OK; AT_BOUND where the likelihood has no minimum within 1e-4 < T < 1e4 (separable, or no information);
        NOT_POSITIVE_DEFINITE where negative weights leave no minimum
    """

    value: float
    error: float
    before: float
    after: float
    n_effective: float
    status: Status

    @plain("temperature", finite="logits")
    def __call__(self, logits: PerClass) -> PerClass:
        """Calibrated probabilities."""
        return np.asarray(softmax(np.asarray(logits, np.float64) / self.value, axis=1))


@plain("temperature", other="logits weight", whole="label")
def temperature(
    logits: PerClass, label: Int[np.ndarray, " event"], *, weight: Weights = None, negative: str = "error"
) -> Temperature:
    """Fit T by weighted maximum likelihood.

    Parameters
    ----------
    logits : z of each class, or log p; for a binary score s, ``np.stack([0 * s, s], 1)``
    label : true class of each event, 0, 1, …
    weight : event weights, one an event; by default 1
    negative : what negative weights mean: "error", "abs", or "signed": they enter the likelihood as they are

    Raises
    ------
    InputError : for logits that are not finite, labels that are no column, one class only, weights of no use

    Source: Guo, Pleiss, Sun, Weinberger, arXiv:1706.04599.

    >>> z = np.array([[2.0, 0.0]] * 4)  # log-odds 2, right in three cases of four: T = 2/ln 3
    >>> round(temperature(z, np.array([0, 0, 0, 1])).value, 3)
    1.82
    """
    z = np.asarray(logits, np.float64)
    refuse(~np.isfinite(z), z, "logit {}", "temperature", "finite logits", "clip probabilities before log")
    if label.size and not 0 <= label.min() <= label.max() < z.shape[1]:
        raise InputError("temperature", f"labels {label.min()} … {label.max()}", f"0 … {z.shape[1] - 1}")
    if np.unique(label).size < 2:
        raise InputError("temperature", "events of one class", "events of at least two classes")
    w = checked_weight(weight, label.size, negative=negative, where="temperature")
    true = np.take_along_axis(z, label[:, None], 1)[:, 0]

    def residual(beta: float) -> FloatArray:
        return np.asarray(np.sum(softmax(beta * z, axis=1) * z, axis=1) - true)

    def slope(log_beta: float) -> float:
        return float(np.sum(w * residual(math.exp(log_beta))))

    def nll(beta: float) -> float:
        return float(np.sum(w * (logsumexp(beta * z, axis=1) - beta * true)) / np.sum(w))

    low, high = math.log(1 / BOUNDS[1]), math.log(1 / BOUNDS[0])
    n_effective = effective_size(w)
    if slope(low) >= 0 or slope(high) <= 0:
        t = BOUNDS[1] if slope(low) >= 0 else BOUNDS[0]
        return Temperature(t, math.inf, nll(1.0), nll(1 / t), n_effective, Status.AT_BOUND)
    beta = math.exp(brentq(slope, low, high, xtol=1e-12))
    p = softmax(beta * z, axis=1)
    curvature = float(np.sum(w * (np.sum(p * z**2, 1) - np.sum(p * z, 1) ** 2)))
    spread = math.sqrt(float(np.sum((w * residual(beta)) ** 2)))
    status = Status.OK if curvature > 0 else Status.NOT_POSITIVE_DEFINITE
    error = spread / curvature / beta**2 if curvature > 0 else math.inf
    return Temperature(1 / beta, error, nll(1.0), nll(beta), n_effective, status)
