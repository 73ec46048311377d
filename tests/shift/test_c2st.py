"""Classifier two-sample test: its level, its power against Neyman and Pearson's, and what it is made of."""

import math
import sys

import jax
import numpy as np
import pytest
from scipy.stats import norm, ttest_ind
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from keys import key_from
from verax.errors import InputError
from verax.shift import ClassifierTest, auc, c2st, studentised

LEVEL, TOYS = 0.05, 1000
SPREAD = 3 * math.sqrt(LEVEL * (1 - LEVEL) / TOYS)  # of a rate over that many repetitions


def rates(found: list[ClassifierTest]) -> tuple[float, float]:
    p = np.array([(f.p_value, f.p_asymptotic) for f in found])
    return tuple((p < LEVEL).mean(0))


def cancelling(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """N(0, 1) events and a contamination at x = 2 that its own negative weights take out again."""
    kind = rng.choice(3, n, p=[0.7, 0.15, 0.15])
    return rng.normal(np.where(kind > 0, 2.0, 0.0), np.where(kind > 0, 0.5, 1.0)), np.where(kind == 2, -1.0, 1.0)


def tilted(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """N(0, 1) events weighted into N(½, 1), in two dimensions."""
    x = rng.normal(size=(n, 2))
    return x, np.exp(0.5 * x[:, 0] - 0.125)


@pytest.mark.thorough
def test_the_level_is_exact() -> None:
    rng = np.random.default_rng(101)

    def toy() -> ClassifierTest:  # weights of any sign, of one distribution with x in both samples
        x = rng.exponential(size=(80, 2))
        w = x[:, 0] * np.where(rng.random(80) < 0.1, -1, 1)
        return c2st(
            key_from(rng), x[:40], x[40:], reference_weight=w[:40], target_weight=w[40:], folds=3, permutations=39
        )

    found = rates([toy() for _ in range(TOYS)])
    assert found[0] == pytest.approx(LEVEL, abs=SPREAD)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["unweighted", "tilted", "cancelling"])
def test_the_level_holds_for_many_events(kind: str) -> None:
    rng = np.random.default_rng({"unweighted": 102, "tilted": 103, "cancelling": 104}[kind])

    def toy() -> ClassifierTest:
        if kind == "unweighted":
            return c2st(key_from(rng), rng.normal(size=(200, 2)), rng.normal(size=(200, 2)), permutations=59)
        x, w = tilted(rng, 300) if kind == "tilted" else cancelling(rng, 300)
        new = rng.normal(size=(300, 2)) + [0.5, 0] if kind == "tilted" else rng.normal(size=300)
        return c2st(key_from(rng), x, new, reference_weight=w, permutations=59)

    permutation, asymptotic = rates([toy() for _ in range(TOYS)])
    assert permutation == pytest.approx(LEVEL, abs=SPREAD)
    assert asymptotic == pytest.approx(LEVEL, abs=SPREAD)


def test_ignoring_the_sign_of_weights_is_found() -> None:
    rng = np.random.default_rng(105)
    x, w = cancelling(rng, 1000)
    assert c2st(key_from(rng), x, rng.normal(size=1000), reference_weight=np.abs(w)).p_value < 1e-4


def test_power_of_a_known_score_is_that_of_the_best_test() -> None:
    """Two normal samples a known direction apart: the mean difference is the Neyman–Pearson statistic (two-sided)."""
    rng, n, toys = np.random.default_rng(106), 100, 200
    for shift in (0.2, 0.4):
        found = rates(
            [
                c2st(key_from(rng), rng.normal(size=n), rng.normal(shift, 1, n), classifier=lambda x: x[:, 0])
                for _ in range(toys)
            ]
        )
        far, cut = shift * math.sqrt(n / 2), norm.isf(LEVEL / 2)
        best = norm.sf(cut - far) + norm.cdf(-cut - far)
        assert found[0] == pytest.approx(best, abs=4 * math.sqrt(best * (1 - best) / toys) + 0.01)
        assert found[1] == pytest.approx(best, abs=4 * math.sqrt(best * (1 - best) / toys) + 0.01)


@pytest.mark.thorough
def test_power_grows_with_the_shift_and_stays_below_the_best() -> None:
    rng, n, toys, power = np.random.default_rng(107), 200, 100, []
    for shift in (0.1, 0.25, 0.4):
        found = [c2st(key_from(rng), rng.normal(size=n), rng.normal(shift, 1, n), permutations=99) for _ in range(toys)]
        power.append(rates(found)[0])
        best = norm.sf(norm.isf(LEVEL) - shift * math.sqrt(n / 2))
        assert power[-1] < best + 4 * math.sqrt(best * (1 - best) / toys)
        assert power[-1] > 0.5 * best - 4 * math.sqrt(best * (1 - best) / toys)
    assert power == sorted(power)
    assert power[-1] > 0.7


def test_the_studentised_difference_is_welchs() -> None:
    rng = np.random.default_rng(108)
    x, label = rng.normal(size=60), np.arange(60) < 30
    z = studentised(x, np.ones(60), label[None])[0]
    t = ttest_ind(x[label], x[~label], equal_var=False).statistic
    assert z * math.sqrt(29 / 30) == pytest.approx(t, rel=1e-12)
    assert studentised(np.ones(60), np.ones(60), label[None])[0] == 0.0
    assert studentised(x, np.where(label, -1.0, 1.0), label[None])[0] == 0.0


def test_a_score_that_separates_exactly_is_evidence() -> None:
    """Two constants: nothing varies within a sample, and 199 labellings almost surely contain no better one."""
    label = np.repeat([0.0, 1.0], 50)
    found = c2st(jax.random.key(1), label[:50], label[50:], classifier=lambda x: x[:, 0])
    assert found.auc == 1
    assert found.p_value <= 1 / 200
    assert found.p_asymptotic < 1e-9
    same = c2st(jax.random.key(1), label[:50], label[:50], classifier=lambda x: x[:, 0])
    assert same.z[0] == 0


def test_auc_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(109)
    score, label, w = rng.integers(0, 9, 300) / 3, rng.random(300) < 0.4, rng.random(300)
    assert auc(score, w, label) == pytest.approx(roc_auc_score(label, score, sample_weight=w), rel=1e-12)


def test_any_classifier_may_be_brought() -> None:
    """A disc against a ring of equal means and covariances: a tree tells them apart, a line does not."""
    rng = np.random.default_rng(110)

    def disc(low: float, high: float) -> np.ndarray:
        r, angle = np.sqrt(rng.uniform(low, high, 600)), rng.uniform(0, 2 * np.pi, 600)
        return np.stack([r * np.cos(angle), r * np.sin(angle)], 1)

    first, second = disc(0, 1), disc(0.45, 0.55)
    tree = DecisionTreeClassifier(max_depth=5, random_state=0)
    found = c2st(key_from(rng), first, second, classifier=tree)
    assert found.p_value < 1e-4
    assert found.auc > 0.65
    assert not hasattr(tree, "tree_")
    assert c2st(key_from(rng), first, second, classifier=LogisticRegression()).auc < 0.6


def test_memory_bounds_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(111)
    a, b = rng.normal(size=80), rng.normal(0.2, 1, 90)
    whole = c2st(jax.random.key(1), a, b)
    monkeypatch.setattr(sys.modules["verax.shift._c2st"], "BLOCK", 200)
    assert c2st(jax.random.key(1), a, b).p_value == pytest.approx(whole.p_value, abs=0.1)
    np.testing.assert_array_equal(c2st(jax.random.key(1), a, b).z[0], whole.z[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": np.zeros((20, 2))}, "2 features; expected 1"),
        ({"reference": np.full(20, np.nan)}, "20 rows of the reference that are not finite"),
        ({"reference": np.zeros((0, 1))}, "shape"),
        ({"reference": np.zeros(8)}, "8 and 20 events"),
        ({"folds": 1}, "1 folds"),
        ({"reference_weight": np.ones(3)}, "one weight for each of 20"),
        ({"reference_weight": -np.ones(20)}, "total weight of the reference of -20"),
        ({"target_weight": np.full(20, np.inf)}, "weight inf"),
        ({"classifier": lambda x: np.zeros(3)}, r"scores of shape \(3,\)"),
        ({"classifier": "tree"}, "a classifier of type str"),
    ],
)
def test_bad_input_of_the_classifier_test_is_named(change: dict, said: str) -> None:
    given = {"reference": np.arange(20.0), "target": np.arange(20.0)} | change
    with pytest.raises(InputError, match=said):
        c2st(jax.random.key(1), **given)
