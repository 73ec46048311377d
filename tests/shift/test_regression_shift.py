"""Diagnosis of shift where the target is a number: the textbook constructions, and levels of its own tests."""

import jax
import numpy as np
import pytest
from scipy.stats import binom

from keys import key_from
from verax.errors import InputError
from verax.shift import Diagnosis, diagnose_regression, same_moments

SEEDS, EVENTS = 40, 800
LEAST = int(binom.ppf(1e-3, SEEDS, 0.96))  # four tests at 1 %
LEVEL = 0.05


def sample(rng: np.random.Generator, kind: str, n: int = EVENTS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and weights, a tenth negative. x and y are jointly Gaussian, so that both regressions are straight lines."""
    if kind == "label":
        y = rng.normal(0.6, 1.2, n)
        x = np.stack([0.6 * y + 0.8 * rng.normal(size=n), rng.normal(size=n)], 1)
    else:
        x = rng.normal(size=(n, 2))
        if kind == "covariate":
            x = x * [1.2, 1] + [0.6, 0]
        noise = 1.2 if kind == "noise" else 0.8
        y = (0.1 if kind == "concept" else 0.6) * x[:, 0] + noise * rng.normal(size=n)
    return x, y, np.where(rng.random(n) < 0.1, -1.0, 1.0)


def campaign(seed: int, kind: str, how: str) -> list[Diagnosis]:
    rng, out = np.random.default_rng(seed), []
    for _ in range(SEEDS):
        (x, y, w), (new_x, new_y, new_w) = sample(rng, "none"), sample(rng, kind)
        given: dict = {"reference_weight": w, "target_weight": new_w} if how == "weighted" else {}
        if how == "predictions":
            given = {"prediction": (0.5 * x[:, 0], 0.5 * new_x[:, 0])}
        out.append(diagnose_regression(key_from(rng), x, y, new_x, target_y=new_y, **given))
    return out


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["predictions", "weighted"])
@pytest.mark.parametrize("kind", ["none", "covariate", "label", "concept", "noise"])
def test_textbook_shifts_of_a_number_are_named(kind: str, how: str) -> None:
    found = campaign(600 + 10 * len(kind) + len(how), kind, how)
    expected = "concept" if kind == "noise" else kind  # the spread of y alone is a change of p(y|x) too
    assert sum(f.verdict == expected for f in found) >= LEAST
    assert all(not f.untested for f in found)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_level_of_equal_moments(weighted: bool) -> None:
    """Under covariate shift, with a variance that depends on x: five per cent of false alarms."""
    rng, toys, p = np.random.default_rng(701 + weighted), 1000, []
    for _ in range(toys):
        x = [rng.normal(size=400) + move for move in (0.0, 0.5)]
        y = [(a + np.sqrt(np.maximum(1 + 0.2 * a, 0.1)) * rng.normal(size=400))[:, None] for a in x]
        w = [np.where(rng.random(400) < 0.1, -1.0, 1.0) if weighted else np.ones(400) for _ in x]
        terms = tuple(np.stack([np.ones(400), a], 1) for a in x)
        p.append(same_moments((terms[0], terms[1]), (terms[0], terms[1]), (y[0], y[1]), (w[0], w[1])).p_value)
    assert np.isfinite(p).all()
    assert np.mean(np.array(p) < LEVEL) == pytest.approx(LEVEL, abs=3 * np.sqrt(LEVEL * (1 - LEVEL) / toys))


def test_without_targets_only_the_features_are_compared() -> None:
    rng = np.random.default_rng(703)
    (x, y, _), (new_x, _, _) = sample(rng, "none"), sample(rng, "covariate")
    found = diagnose_regression(key_from(rng), x, y, new_x)
    assert found.verdict == "undecided"
    assert found.untested == ("covariate", "label", "concept")
    assert [f.hypothesis for f in found.findings] == ["same p(x)"]
    same = diagnose_regression(key_from(rng), x, y, sample(rng, "none")[0])
    assert (same.verdict, same.untested) == ("none", ("concept",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y": np.arange(3.0)}, r"shape \(3,\)"),
        ({"target_y": np.full(40, np.nan)}, "not finite"),
        ({"target_y": np.zeros(40), "y": np.zeros(40)}, "constant y"),
        ({"prediction": (np.full(40, np.nan), np.zeros(40))}, "predictions that are not finite"),
        ({"target": np.zeros((40, 3))}, "3 features"),
        ({"significance": 5.0}, "significance 5"),
    ],
)
def test_bad_input_of_the_regression_diagnosis_is_named(change: dict, said: str) -> None:
    given = {"reference": np.zeros((40, 1)), "y": np.arange(40.0), "target": np.zeros((40, 1))} | change
    with pytest.raises(InputError, match=said):
        diagnose_regression(jax.random.key(1), **given)
