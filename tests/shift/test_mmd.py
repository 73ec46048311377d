"""Maximum mean discrepancy: its value, its level and its power."""

import math
import sys

import jax
import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics.pairwise import rbf_kernel

from keys import key_from
from verax.errors import InputError
from verax.shift import mmd

LEVEL, TOYS = 0.05, 1000


def test_the_value_is_the_kernel_sum() -> None:
    rng = np.random.default_rng(201)
    a, b = rng.normal(size=(40, 2)), rng.normal(0.3, 2, (50, 2))
    w = rng.normal(1, 1, 40)  # some negative
    found = mmd(key_from(rng), a, b, reference_weight=w, bandwidth=0.8)
    spread = np.concatenate([a, b]).std(0)
    x, y, u = a / spread, b / spread, w / w.sum()
    gamma = 1 / (2 * 0.8**2)
    direct = u @ rbf_kernel(x, x, gamma) @ u + rbf_kernel(y, y, gamma).mean() - 2 * u @ rbf_kernel(x, y, gamma).mean(1)
    assert found.squared == pytest.approx(direct, rel=1e-9)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.random.default_rng(202).normal(size=(2, 60, 3))
    whole = mmd(jax.random.key(1), a, b)
    monkeypatch.setattr(sys.modules["verax.shift._mmd"], "BLOCK", 500)
    parts = mmd(jax.random.key(1), a, b)
    assert parts.squared == pytest.approx(whole.squared, rel=1e-9)
    assert parts.p_value == whole.p_value


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["exact", "tilted", "negative"])
def test_the_level_of_mmd(kind: str) -> None:
    rng = np.random.default_rng({"exact": 203, "tilted": 204, "negative": 205}[kind])

    def toy() -> float:
        if kind == "exact":
            x = rng.exponential(size=(60, 2))
            w = x[:, 0] * np.where(rng.random(60) < 0.1, -1, 1)
            given = {"reference_weight": w[:30], "target_weight": w[30:], "null": "permutation"}
            return mmd(key_from(rng), x[:30], x[30:], **given, permutations=39).p_value
        x, new = rng.normal(size=(80, 2)), rng.normal(size=(80, 2))
        w = np.where(rng.random(80) < 0.15, -1.0, 1.0)
        if kind == "tilted":
            w, new = np.exp(0.5 * x[:, 0] - 0.125), new + [0.5, 0]
        return mmd(key_from(rng), x, new, reference_weight=w, permutations=59).p_value

    rate = np.mean([toy() < LEVEL for _ in range(TOYS)])
    assert rate == pytest.approx(LEVEL, abs=3 * math.sqrt(LEVEL * (1 - LEVEL) / TOYS))


def test_power_of_mmd_grows_and_stays_below_the_best() -> None:
    """In one dimension a wide Gaussian kernel sees a shift of the mean nearly as well as the mean itself."""
    rng, n, toys, power = np.random.default_rng(206), 100, 100, []
    for shift in (0.15, 0.3, 0.45):
        found = [mmd(key_from(rng), rng.normal(size=n), rng.normal(shift, 1, n), permutations=99) for _ in range(toys)]
        power.append(np.mean([f.p_value < LEVEL for f in found]))
        far, cut = shift * math.sqrt(n / 2), norm.isf(LEVEL / 2)
        best = norm.sf(cut - far) + norm.cdf(-cut - far)
        spread = 4 * math.sqrt(best * (1 - best) / toys)
        assert 0.75 * best - spread < power[-1] < best + spread
    assert power == sorted(power)


def test_mmd_sees_what_no_mean_sees() -> None:
    rng = np.random.default_rng(207)
    found = mmd(key_from(rng), rng.normal(size=300), rng.choice([-1.0, 1.0], 300))
    assert found.p_value < 0.01
    assert found.squared > 5 * found.expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"null": "wlid"}, "did you mean 'wild'"),
        ({"bandwidth": 0.0}, "bandwidth 0"),
        ({"permutations": 0}, "0 permutations"),
        ({"target_weight": -np.ones(9)}, "total weight of the target"),
    ],
)
def test_bad_input_of_mmd_is_named(change: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        mmd(jax.random.key(1), np.arange(9.0), np.arange(9.0), **change)
