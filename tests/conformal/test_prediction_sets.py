"""LAC, APS and RAPS: exact coverage, sizes of the sets, weights, classes and groups."""

from functools import partial

import jax
import numpy as np
import pytest
from scipy.stats import betabinom, kstest

from keys import key_from
from verax.conformal import aps, at_label, conformalize, label_shift, lac, mondrian, rank, raps, sets
from verax.errors import InputError
from verax.given import generator

N, M, SEEDS, LEVEL = 150, 200, 1000, 0.9
METHODS = {"lac": lambda p, key: lac(p), "aps": aps, "raps": partial(raps, penalty=0.05, free=1)}


def draw(rng: np.random.Generator, n: int, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are too sharp, and labels."""
    logit = rng.normal(size=(n, classes))
    true = np.exp(logit)
    label = (true.cumsum(1) / true.sum(1, keepdims=True) < rng.random((n, 1))).sum(1)
    sharp = np.exp(2 * logit)
    return sharp / sharp.sum(1, keepdims=True), label


@pytest.mark.thorough
@pytest.mark.parametrize("method", METHODS)
def test_coverage_follows_beta_binomial(method):
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(SEEDS):
        p, label = draw(rng, N + M)
        scores = METHODS[method](p, key=key_from(rng))
        mine = at_label(scores, label)
        inside.append(int((mine[N:] <= conformalize(mine[:N], level=LEVEL).value).sum()))
    law, inside = betabinom(M, rank(N, LEVEL), N + 1 - rank(N, LEVEL)), np.array(inside)
    assert kstest(law.cdf(inside - 1) + rng.random(SEEDS) * law.pmf(inside), "uniform").pvalue > 0.001


def test_sizes_are_ordered_as_their_papers_say():
    rng = np.random.default_rng(2)
    p, label = draw(rng, 20_000, 10)
    size, spread = {}, {}
    for name, method in METHODS.items():
        scores = method(p, key=key_from(rng))
        made = sets(scores[10_000:], conformalize(at_label(scores, label)[:10_000], level=LEVEL).value)
        size[name], spread[name] = made.sum(1).mean(), made.sum(1).std()
        assert made[np.arange(10_000), label[10_000:]].mean() == pytest.approx(LEVEL, abs=4 * np.sqrt(2 * 0.09 / 1e4))
    assert spread["raps"] < 0.8 * spread["aps"]
    assert size["lac"] < size["aps"]


def test_without_random_numbers_aps_covers_too_much():
    rng = np.random.default_rng(3)
    logit = np.log([0.7, 0.2, 0.1])
    p = np.exp(logit)[None] * np.ones((20_000, 1))
    label = rng.choice(3, 20_000, p=p[0])
    covered = {}
    for name, source in (("random", key_from(rng)), ("fixed", None)):
        scores = aps(p, key=source)
        q = conformalize(at_label(scores, label)[:10_000], level=0.8).value
        covered[name] = (at_label(scores, label)[10_000:] <= q).mean()
    assert covered["random"] == pytest.approx(0.8, abs=4 * np.sqrt(2 * 0.16 / 1e4))
    assert covered["fixed"] > 0.88  # its scores are 0.7, 0.9 and 1: all ties


def test_mondrian_by_class_and_label_shift_cover_each_class():
    rng = np.random.default_rng(4)
    p, label = draw(rng, 40_000)
    p = p * np.array([1, 1, 1, 1, 0.1])
    p /= p.sum(1, keepdims=True)
    scores = lac(p)
    c, t = slice(0, 20_000), slice(20_000, None)
    mine = at_label(scores, label)
    by_class = mondrian(mine[c], label[c], level=LEVEL).values(np.arange(5))
    one = conformalize(mine[c], level=LEVEL).value
    error = 4 * np.sqrt(2 * 0.09 / 4000)
    for k in range(5):
        assert (mine[t][label[t] == k] <= by_class[k]).mean() == pytest.approx(LEVEL, abs=error)
    worst = min((mine[t][label[t] == k] <= one).mean() for k in range(5))
    assert worst < LEVEL - error
    ratio = np.array([1.5, 1.5, 1, 0.5, 0.5])
    made = sets(scores[t], label_shift(mine[c], label[c], ratio, level=LEVEL).value)
    w = ratio[label[t]]
    covered = made[np.arange(20_000), label[t]]
    assert np.average(covered, weights=w) == pytest.approx(LEVEL, abs=0.01)


def test_raps_without_a_penalty_is_aps_and_the_score_is_its_formula():
    p = np.array([[0.2, 0.5, 0.3]])
    np.testing.assert_allclose(aps(p), [[1.0, 0.5, 0.8]])
    np.testing.assert_allclose(raps(p, penalty=0.1, free=1), [[1.2, 0.5, 0.9]])
    u = generator(jax.random.key(5), "test").random()
    np.testing.assert_allclose(aps(p, key=jax.random.key(5)), [[0.8 + 0.2 * u, 0.5 * u, 0.5 + 0.3 * u]])


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: lac(np.array([[1.2, -0.2]])), r"probability 1.2; expected values in \[0, 1\]"),
        (lambda: aps(np.array([[0.2, 0.2]])), "add up to 0.4"),
        (lambda: at_label(np.ones((1, 2)), np.array([2])), "got label 2; expected 0 … 1"),
        (lambda: raps(np.array([[1.0, 0.0]]), penalty=-1.0), "penalty -1"),
    ],
)
def test_bad_input_is_one_clear_line(call, line):
    with pytest.raises(InputError, match=line):
        call()
