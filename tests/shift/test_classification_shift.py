"""Diagnosis of shift on the three textbook constructions, and the test of p(y|x)."""

import jax
import numpy as np
import pytest
from scipy.stats import binom

from keys import key_from
from verax.errors import InputError
from verax.shift import Diagnosis, concept, diagnose, fit_softmax

SEEDS, EVENTS = 50, 1000
LEAST = int(binom.ppf(1e-3, SEEDS, 0.95))  # five tests at 1 %: a true kind is left in 95 % of cases or more
Sample = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def sample(rng: np.random.Generator, kind: str, n: int = EVENTS) -> Sample:
    """x, y, the reference's p(y|x), and weights of which a tenth are negative; ``kind`` is what differs from "none"."""
    if kind in ("none", "label"):
        y = (rng.random(n) < (0.25 if kind == "label" else 0.5)).astype(int)
        x = rng.normal(size=(n, 2)) + np.outer(1.5 * y - 0.75, [1, 0])
        p = 1 / (1 + np.exp(-1.5 * x[:, 0]))
    else:
        x = rng.normal(size=(n, 2)) + [0.5 if kind == "covariate" else 0.0, 0]
        p = 1 / (1 + np.exp(x[:, 1] - 1.5 * x[:, 0]))
        new = 1 / (1 + np.exp(-1.5 * x[:, 0])) if kind == "concept" else p
        y = (rng.random(n) < new).astype(int)
    return x, y, np.stack([1 - p, p], 1), np.where(rng.random(n) < 0.1, -1.0, 1.0)


def campaign(seed: int, kind: str, how: str) -> list[Diagnosis]:
    rng, out = np.random.default_rng(seed), []
    for _ in range(SEEDS):
        x, y, p, w = sample(rng, "none" if kind in ("none", "label") else "logistic")
        new_x, new_y, new_p, new_w = sample(rng, kind)
        given: dict = {"target_label": None if how == "unlabelled" else new_y}
        if how == "weighted":
            given |= {"reference_weight": w, "target_weight": new_w}
        if how == "predictions":
            given |= {"probability": (p, new_p)}
        out.append(diagnose(key_from(rng), x, y, new_x, **given))
    return out


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["predictions", "weighted"])
@pytest.mark.parametrize("kind", ["none", "covariate", "label", "concept"])
def test_the_textbook_shifts_are_named(kind: str, how: str) -> None:
    found = campaign(400 + len(kind) * 10 + len(how), kind, how)
    assert sum(f.verdict == kind for f in found) >= LEAST
    assert all(not f.untested for f in found)


@pytest.mark.thorough
def test_without_target_labels_only_what_can_be_known_is_claimed() -> None:
    concept_shift, label = (campaign(seed, kind, "unlabelled") for seed, kind in ((501, "concept"), (502, "label")))
    # p(x) is the same: nothing is seen, and that is said
    assert sum(f.verdict == "none" and f.untested == ("concept",) for f in concept_shift) >= LEAST
    assert any("concept shift cannot be excluded" in line for line in concept_shift[0].lines)
    assert sum("label" in f.compatible for f in label) >= LEAST
    assert all(f.verdict == "undecided" and "covariate" in f.untested for f in label if "none" not in f.compatible)
    pulls = np.array([(f.fractions.fraction[1] - 0.25) / f.fractions.error[1] for f in label if f.fractions])
    assert len(pulls) == SEEDS
    assert abs(pulls.mean()) < 4 / np.sqrt(SEEDS)
    assert pulls.std() == pytest.approx(1.0, abs=0.4)  # 4 standard deviations of the width of 50 pulls


@pytest.mark.thorough
@pytest.mark.parametrize("negative", [False, True])
def test_the_level_of_the_test_of_concept(negative: bool) -> None:
    """Under covariate shift p(y|x) is the same: five per cent of false alarms."""
    rng, toys, p = np.random.default_rng(503 + negative), 1000, []
    for _ in range(toys):
        first, second = sample(rng, "logistic", 400), sample(rng, "covariate", 400)
        terms = [np.concatenate([np.ones((400, 1)), s[0]], 1) for s in (first, second)]
        w = (first[3], second[3]) if negative else (np.ones(400), np.full(400, 0.01))
        p.append(concept((terms[0], terms[1]), (first[1], second[1]), w, 2).p_value)
    assert np.isfinite(p).all()
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / toys))


def test_logistic_regression_finds_its_truth() -> None:
    rng = np.random.default_rng(505)
    x = np.concatenate([np.ones((20_000, 1)), rng.normal(size=(20_000, 2))], 1)
    beta = np.array([[0.5, 1.0, 0.0], [-0.2, 0.3, -1.0], [0, 0, 0]])
    logit = x @ beta.T + rng.gumbel(size=(20_000, 3))
    fit = fit_softmax(x, logit.argmax(1), np.ones(20_000), 3)
    error = np.sqrt(np.diag(np.linalg.inv(fit.information))).reshape(2, 3)
    assert fit.converged
    assert np.abs((fit.beta - beta)[:2] / error).max() < 4


def test_a_fit_that_cannot_converge_says_so() -> None:
    x = np.ones((4, 1))
    assert not fit_softmax(x, np.array([0, 1, 0, 1]), np.array([1.0, -3.0, -3.0, 1.0]), 2).converged


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": np.zeros(40, int)}, "classes 0; expected 0, 1"),
        ({"label": np.arange(3)}, "3 labels"),
        ({"target_label": np.full(40, 7)}, "class 7 in the target"),
        ({"target": np.zeros((40, 3))}, "3 features"),
        ({"reference_weight": -np.ones(40)}, "total weight of the reference"),
        ({"probability": (np.zeros((40, 2)), np.zeros((40, 2)))}, "not adding up to 1"),
        ({"probability": (np.full((40, 3), 1 / 3), np.full((40, 3), 1 / 3))}, r"shape \(40, 3\)"),
        ({"significance": 5}, "significance 5"),
    ],
)
def test_bad_input_of_the_diagnosis_is_named(change: dict, said: str) -> None:
    given = {"reference": np.zeros((40, 1)), "label": np.arange(40) % 2, "target": np.zeros((40, 1))} | change
    with pytest.raises(InputError, match=said):
        diagnose(jax.random.key(1), **given)
