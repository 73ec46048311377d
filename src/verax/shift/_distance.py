"""Distance between two weighted samples of one quantity."""

import numpy as np
from jaxtyping import Float

from verax.errors import InputError
from verax.given import plain


@plain("kolmogorov_smirnov", number="reference target", finite="reference_weight target_weight")
def kolmogorov_smirnov(
    reference: Float[np.ndarray, " reference"],
    target: Float[np.ndarray, " target"],
    reference_weight: Float[np.ndarray, " reference"] | None = None,
    target_weight: Float[np.ndarray, " target"] | None = None,
) -> tuple[float, float]:
    """Measure the largest distance of two weighted cumulative distributions.

    Parameters
    ----------
    reference : values of one quantity
    target : values of it in the other sample
    reference_weight : of any sign, as long as the sum is positive; by default 1
    target_weight : the same of the target

    Returns
    -------
    The distance, and its resolution √(1/n₁ + 1/n₂) with n = (Σw)²/Σw²: samples of one distribution are beyond 1.36
    resolutions apart in five per cent of cases

    Raises
    ------
    InputError : for an empty sample, values that are no numbers, or a sum of weights that is not positive

    Source: Smirnov, Annals of Mathematical Statistics 19 (1948) 279.

    >>> kolmogorov_smirnov(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    (0.5, 1.0)
    """
    weights, values, resolution = [], [], 0.0
    for sample, given, sign in ((reference, reference_weight, 1), (target, target_weight, -1)):
        w = np.ones(len(sample)) if given is None else np.asarray(given, np.float64)
        total = w.sum()
        if not total > 0:
            raise InputError("kolmogorov_smirnov", f"a sum of weights of {total}", "a positive one")
        weights.append(sign * w / total)
        values.append(np.asarray(sample, np.float64))
        resolution += float((w**2).sum() / total**2)
    x = np.concatenate(values)
    order = np.argsort(x, kind="stable")
    difference = np.cumsum(np.concatenate(weights)[order])
    last = np.append(np.diff(x[order]) > 0, True)  # only where all equal values are counted
    return float(np.abs(difference[last]).max()), float(np.sqrt(resolution))
