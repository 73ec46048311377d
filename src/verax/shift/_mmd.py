"""Maximum mean discrepancy of two weighted samples with a Gaussian kernel.

Gretton et al., JMLR 13 (2012) 723: MMD² = ‖Σ aᵢφ(xᵢ) − Σ bⱼφ(yⱼ)‖², a and b the weights over their sums. The bandwidth is
the median distance of pooled points, features in units of their pooled spread; neither depends on labels.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, PRNGKeyArray, Shaped
from scipy.spatial.distance import cdist, pdist

from verax.errors import InputError, check_known
from verax.given import Weights, effective_size, generator, plain
from verax.results import FloatArray

from ._two_sample import BLOCK, pooled_weight, randomised_p, two_samples


@dataclass(frozen=True)
class Discrepancy:
    """Maximum mean discrepancy and its p-value.

    Parameters
    ----------
    squared : MMD² with its diagonal (never negative); ``expected`` is its mean for equal distributions
    p_value : by ``null``: "permutation" or "wild"
    bandwidth : of the kernel exp(−d²/2h²), in units of the pooled spread of each feature
    n_effective : (Σw)²/Σw² of both samples
    """

    squared: float
    expected: float
    p_value: float
    null: str
    bandwidth: float
    n_effective: tuple[float, float]


@plain("maximum mean discrepancy", other="reference target reference_weight target_weight")
def mmd(
    key: PRNGKeyArray,
    reference: Shaped[np.ndarray, "..."],
    target: Shaped[np.ndarray, "..."],
    *,
    reference_weight: Weights = None,
    target_weight: Weights = None,
    bandwidth: float | None = None,
    null: str | None = None,
    permutations: int = 199,
) -> Discrepancy:
    """Test whether two weighted samples have one distribution.

    Time grows as the square of the number of events; memory holds one number per event and permutation, and one block of
    the kernel.

    Parameters
    ----------
    key : draws the null distribution
    reference : one row an event (one axis: one feature)
    target : the same features of the other sample
    reference_weight : of any sign; they enter as they are (signed means in feature space are unbiased)
    target_weight : the same of the target
    bandwidth : of the kernel, in units of the pooled spread; None takes the median distance
    null : "permutation": labels are permuted, each event keeping its weight; exact where events and weights have the same
        distribution in both samples. "wild": each event's centred contribution gets a random sign (Leucht & Neumann 2013;
        Chwialkowski et al., arXiv:1408.5404), right for many events whatever the weights. None: "wild" with weights,
        "permutation" without
    permutations : draws of the null

    Raises
    ------
    InputError : for points or weights of no use, an unknown null, a bandwidth that is not positive

    Source: Gretton et al., JMLR 13 (2012) 723.

    >>> import jax
    >>> rng = np.random.default_rng(1)
    >>> mmd(jax.random.key(1), rng.normal(size=200), rng.normal(1, 1, 200)).p_value < 0.01
    True
    """
    where = "maximum mean discrepancy"
    rng = generator(key, where)
    a, b, wa, wb = two_samples(reference, target, reference_weight, target_weight, where)
    if permutations < 1 or min(len(a), len(b)) < 2:
        got = f"{len(a)} and {len(b)} events, {permutations} permutations"
        raise InputError(where, got, "two events or more in each sample, a permutation")
    if bandwidth is not None and not bandwidth > 0:
        raise InputError(where, f"bandwidth {bandwidth}", "a positive one, or None")
    weighted = reference_weight is not None or target_weight is not None
    chosen = null or ("wild" if weighted else "permutation")
    check_known([chosen], ("permutation", "wild"), where, "null distribution")
    x, label = np.concatenate([a, b]), np.repeat([False, True], [len(a), len(b)])
    spread = x.std(0)
    x = (x - x.mean(0)) / np.where(spread > 0, spread, 1.0)
    h = bandwidth or median_distance(rng, x)
    w = pooled_weight(wa, wb)
    observed = coefficients(w, label[None])
    if chosen == "permutation":
        drawn = coefficients(w, rng.permuted(np.tile(label, (permutations, 1)), axis=1))
    else:
        drawn = wild(rng, observed[0], label, permutations)
    squared = quadratic_form(np.concatenate([observed, drawn]), x, h)
    p, found = randomised_p(rng, float(squared[0]), squared[1:]), float(squared[0])
    worth = effective_size(wa), effective_size(wb)
    return Discrepancy(found, float(squared[1:].mean()), p, chosen, h, worth)


def coefficients(weight: FloatArray, second: np.ndarray) -> Float[np.ndarray, "draw event"]:
    """Coefficient of each event in the difference of means; all 0 (no evidence) where a sum of weights is not positive."""
    inside = np.where(second, weight, 0.0)
    outside = weight - inside
    one, two = outside.sum(1, keepdims=True), inside.sum(1, keepdims=True)
    least = 1e-9 * np.abs(weight).sum()
    good = (one > least) & (two > least)
    return np.where(good, outside / np.where(good, one, 1.0) - inside / np.where(good, two, 1.0), 0.0)


def wild(
    rng: np.random.Generator, coefficient: FloatArray, second: np.ndarray, draws: int
) -> Float[np.ndarray, "draw event"]:
    """Random signs on contributions aᵢ(φ(xᵢ) − φ̄), φ̄ = Σaφ of the same sample, as coefficients of φ.

    E‖φᵢ − φ̄‖² falls short of the variance by 1 − 2aᵢ + Σa²; dividing by its root takes that out.
    """
    signs = rng.integers(0, 2, (draws, coefficient.size)) * 2.0 - 1.0
    out = np.empty_like(signs)
    for part in (~second, second):
        share = np.abs(coefficient[part].sum()) and coefficient[part] / coefficient[part].sum()
        short = 1 - 2 * share + np.sum(share**2)
        moved = signs[:, part] * share / np.sqrt(np.maximum(short, 1e-3))
        out[:, part] = moved - share * moved.sum(1, keepdims=True)
    return out


def quadratic_form(
    coefficient: Float[np.ndarray, "draw event"], x: Float[np.ndarray, "event feature"], bandwidth: float
) -> Float[np.ndarray, " draw"]:
    """CᵀKc for each row of coefficients, the kernel made a block of rows at a time."""
    total, step = np.zeros(len(coefficient)), max(1, BLOCK // len(x))
    for begin in range(0, len(x), step):
        rows = slice(begin, begin + step)
        kernel = np.exp(cdist(x[rows], x, "sqeuclidean") / (-2 * bandwidth**2))
        total += np.einsum("di,di->d", coefficient[:, rows] @ kernel, coefficient)
    return np.maximum(total, 0.0)


def median_distance(rng: np.random.Generator, x: Float[np.ndarray, "event feature"], *, most: int = 500) -> float:
    """Median distance of (at most 500) pooled points; 1 where all are equal."""
    some = x if len(x) <= most else x[rng.choice(len(x), most, replace=False)]
    return float(np.median(pdist(some))) or 1.0
