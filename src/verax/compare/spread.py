"""A figure over seeds: its middle, and how far the seeds lie apart."""

from collections.abc import Iterable

import numpy as np


def spread(values: Iterable[float]) -> tuple[float, float]:
    """Median, and half the distance of the 16 and 84 % quantiles.

    >>> spread([0.0, 25.0, 50.0, 75.0, 100.0])
    (50.0, 34.0)
    """
    found = np.asarray(list(values), np.float64)
    low, high = np.quantile(found, [0.16, 0.84])
    return float(np.median(found)), float((high - low) / 2)
