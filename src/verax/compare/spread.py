"""A figure over seeds: its middle, and how far the seeds lie apart."""

from collections.abc import Iterable

import numpy as np


def spread(values: Iterable[float]) -> tuple[float, float]:
    """Median, and half the distance of the 16 and 84 % quantiles.

    >>> spread([1.0, 2.0, 3.0])
    (2.0, 0.68)
    """
    found = np.asarray(list(values), np.float64)
    low, high = np.quantile(found, [0.16, 0.84])
    return float(np.median(found)), float((high - low) / 2)
