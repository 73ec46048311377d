"""Distance between two weighted samples of one quantity."""

import numpy as np
from jaxtyping import Float

from verax.errors import InputError
from verax.given import plain


@plain("kolmogorov_smirnov", number="first second", finite="first_weight second_weight")
def kolmogorov_smirnov(
    first: Float[np.ndarray, " first"],
    second: Float[np.ndarray, " second"],
    first_weight: Float[np.ndarray, " first"] | None = None,
    second_weight: Float[np.ndarray, " second"] | None = None,
) -> tuple[float, float]:
    """Largest distance of the two weighted cumulative distributions, and its resolution √(1/n₁ + 1/n₂).

    n is the effective number of events (Σw)²/Σw²; samples of one distribution are beyond 1.36 resolutions apart in five
    per cent of cases (Smirnov). Weights may be negative, as long as each sum is positive.

    Raises
    ------
    InputError : for an empty sample, values that are no numbers, or a sum of weights that is not positive

    >>> kolmogorov_smirnov(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    (0.5, 1.0)
    """
    weights, values, resolution = [], [], 0.0
    for sample, given, sign in ((first, first_weight, 1), (second, second_weight, -1)):
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
