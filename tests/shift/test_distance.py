"""Kolmogorov–Smirnov distance of weighted samples, against SciPy's of unweighted ones."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from verax.errors import InputError
from verax.shift import kolmogorov_smirnov


def test_whole_weights_are_repetitions():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=300).round(1), rng.normal(0.3, 1.2, 200).round(1)
    w, v = rng.integers(1, 5, 300), rng.integers(1, 5, 200)
    distance, resolution = kolmogorov_smirnov(a, b, w.astype(float), v.astype(float))
    assert distance == pytest.approx(ks_2samp(np.repeat(a, w), np.repeat(b, v)).statistic, abs=1e-12)
    assert resolution == pytest.approx(np.sqrt((w**2).sum() / w.sum() ** 2 + (v**2).sum() / v.sum() ** 2))


def test_without_weight_there_is_no_distance():
    with pytest.raises(InputError, match="sum of weights"):
        kolmogorov_smirnov(np.ones(2), np.ones(2), np.array([1.0, -1.0]))
