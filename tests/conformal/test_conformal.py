"""The conformal quantile: exact ranks, exact coverage laws, weights of any sign, ties, shift."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import beta, betabinom, kstest, norm
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from keys import key_from
from verax.check import coverage
from verax.conformal import (
    absolute,
    band,
    conformalize,
    cqr,
    cqr_band,
    label_shift,
    mondrian,
    normalised,
    p_value,
    rank,
    ratio_from_classifier,
    shifted,
)
from verax.errors import InputError

SEEDS = 1000


def uniform(rng: np.random.Generator, inside: np.ndarray, n: int, k: int, m: int) -> float:
    """p-value of numbers of covered test points against BetaBinomial(m, k, n + 1 − k), by randomised CDF values."""
    law = betabinom(m, k, n + 1 - k)
    return kstest(law.cdf(inside - 1) + rng.random(inside.size) * law.pmf(inside), "uniform").pvalue


def test_ranks_are_exact_for_every_size_and_level():
    for percent in range(50, 100):
        wanted = [-(-(n + 1) * percent // 100) for n in range(1, 2001)]
        assert [rank(n, percent / 100) for n in range(1, 2001)] == wanted
    for n in range(1, 2001, 13):
        scores = np.arange(1.0, n + 1)
        for percent in (55, 58, 90, 95, 99):
            k = -(-(n + 1) * percent // 100)
            values = [conformalize(scores, level=percent / 100, weight=w).value for w in (None, np.full(n, 0.1))]
            assert values == [k if k <= n else math.inf] * 2


def test_levels_that_were_computed_are_the_numbers_that_they_mean():
    for n in (9, 99, 999):
        for level, meant in zip(np.arange(0.1, 1, 0.1), range(1, 10), strict=True):
            assert rank(n, float(level)) == rank(n, Fraction(meant, 10))  # 0.7000000000000001 is no more than 0.7
        assert rank(n - 1, 2 / 3) == rank(n - 1, Fraction(2, 3)) == 2 * n // 3
    assert rank(10**6, 0.682689492137) == math.ceil((10**6 + 1) * Fraction("0.682689492137"))


def test_a_float_rank_would_be_wrong():
    assert math.ceil((99 + 1) * 0.55) != rank(99, 0.55) == 55 == rank(99, Fraction(11, 20))


@pytest.mark.parametrize("n", [19, 100, 1000])
def test_coverage_of_split_intervals_follows_beta(n):
    rng, level = np.random.default_rng(n), 0.9
    covered = []
    for _ in range(SEEDS):
        mean = rng.normal(size=n)
        y = mean + rng.normal(size=n)
        covered.append(2 * norm.cdf(conformalize(absolute(y, mean), level=level).value) - 1)
    k = rank(n, level)
    assert kstest(covered, beta(k, n + 1 - k).cdf).pvalue > 0.001


@pytest.mark.parametrize("method", ["cqr", "normalised"])
def test_coverage_of_adaptive_intervals_follows_beta_binomial(method):
    rng, n, m, level = np.random.default_rng(8), 200, 300, 0.8
    inside = []
    for _ in range(SEEDS):
        x = rng.uniform(0, 2, n + m)
        y = x + rng.normal(size=n + m) * (0.3 + x)
        low, high, spread = 0.9 * x - 0.8, x + 0.5 + 0.3 * x, 0.5 + 0.5 * x  # models that are wrong
        c, t = slice(0, n), slice(n, None)
        if method == "cqr":
            q = conformalize(cqr(y[c], low[c], high[c]), level=level).value
            result = cqr_band(low[t], high[t], q, level=level)
        else:
            q = conformalize(normalised(y[c], x[c], spread[c]), level=level).value
            result = band(x[t], q, level=level, spread=spread[t])
        inside.append(int(((result.low <= y[t]) & (y[t] <= result.high)).sum()))
    assert uniform(rng, np.array(inside), n, rank(n, level), m) > 0.001


def test_mondrian_covers_each_group_and_a_common_quantile_does_not():
    rng, level, size = np.random.default_rng(3), 0.9, {"barrel": 150, "endcap": 40}
    group = np.repeat(list(size), list(size.values()))
    sigma = np.where(group == "endcap", 3.0, 1.0)
    covered = {name: [] for name in size}
    common = []
    for _ in range(SEEDS):
        scores = np.abs(rng.normal(size=group.size) * sigma)
        values = mondrian(scores, group, level=level).values(np.array(["barrel", "endcap"]))
        covered["barrel"].append(2 * norm.cdf(values[0]) - 1)
        covered["endcap"].append(2 * norm.cdf(values[1] / 3) - 1)
        common.append(2 * norm.cdf(conformalize(scores, level=level).value / 3) - 1)
    for name, n in size.items():
        k = rank(n, level)
        assert kstest(covered[name], beta(k, n + 1 - k).cdf).pvalue > 0.001
    assert np.mean(common) < 0.8


def test_too_few_points_give_an_infinite_interval_and_say_so():
    q = conformalize(np.arange(5.0), level=0.9)
    assert math.isinf(q.value)
    assert q.note == "infinite: 5 calibration points reach levels up to 0.8333, requested 0.9"
    assert coverage(band(np.zeros(3), q.value, level=0.9), 1e9).fraction == 1
    assert math.isinf(conformalize(np.zeros(0), level=0.5).value)
    heavy = conformalize(np.arange(100.0), level=0.9, weight=np.geomspace(1, 1e30, 100))
    assert math.isinf(heavy.value)
    assert heavy.n_effective < 4


def test_ties_are_told_and_can_be_broken_at_random():
    rng, n, m, level = np.random.default_rng(4), 47, 100_000, 0.8
    with_rng, always = [], []
    for _ in range(200):
        q = conformalize(rng.integers(0, 4, n).astype(float), level=level)
        new = rng.integers(0, 4, m).astype(float)
        with_rng.append(q.holds(new, key=key_from(rng)).mean())
        always.append(q.holds(new).mean())
    assert q.tied > 1
    assert "tied" in q.note
    error = np.std(with_rng) / np.sqrt(200)
    assert np.mean(with_rng) == pytest.approx(level, abs=4 * error)
    assert np.mean(always) > 0.9


def test_integer_weights_are_repeated_points():
    rng = np.random.default_rng(5)
    scores, count = rng.normal(size=200).round(1), rng.integers(0, 4, 200)
    repeated = conformalize(np.repeat(scores, count), level=0.9)
    weighted = conformalize(scores, level=0.9, weight=count, test_weight=1.0)
    assert (weighted.value, weighted.accept) == (repeated.value, pytest.approx(repeated.accept))
    plain, equal = conformalize(scores, level=0.9), conformalize(scores, level=0.9, weight=np.full(200, 0.3))
    assert plain.accept == pytest.approx(equal.accept)
    assert (plain.value, plain.tied, plain.n_effective) == (equal.value, equal.tied, pytest.approx(equal.n_effective))
    new = rng.normal(size=50).round(1)
    both = [p_value(np.repeat(scores, count), new), p_value(scores, new, weight=count, test_weight=np.ones(50))]
    np.testing.assert_allclose(*both, rtol=1e-12)


def test_p_values_are_uniform_and_invert_the_quantile():
    rng = np.random.default_rng(6)
    pairs = [rng.integers(0, 5, 31).astype(float) for _ in range(1000)]
    p = [p_value(s[:-1], s[-1:], key=key_from(rng))[0] for s in pairs]
    assert kstest(p, "uniform").pvalue > 0.001
    conservative = np.array([p_value(s[:-1], s[-1:])[0] for s in pairs])
    assert np.mean(conservative <= 0.1) < 0.1
    scores, new = rng.normal(size=60), rng.normal(size=500)
    for level in (0.5, 0.9, 0.95):
        inside = conformalize(scores, level=level).holds(new)
        np.testing.assert_array_equal(inside, p_value(scores, new) > 1 - level + 1e-12)


# --- event weights -----------------------------------------------------------------------------------------------------


def tilted(rng, n):
    """Simulation with x ~ U(0, 1) for data with density 2x, noise 0.5 + x: |y − μ| is larger where data are."""
    x = rng.random(n)
    return np.abs(rng.normal(size=n)) * (0.5 + x), 2 * x


def independent(rng, n):
    """20 % negative weights whatever the score."""
    return np.abs(rng.normal(size=n)), np.where(rng.random(n) < 0.2, -1.0, 1.0)


def correlated(rng, n):
    """Negative events from N(0, 2²), positive ones from 3/4 N(0, 1) + 1/4 N(0, 2²), 1 : 4: together N(0, 1)."""
    negative = rng.random(n) < 0.2
    wide = negative | (rng.random(n) < 0.25)
    return np.abs(rng.normal(size=n)) * np.where(wide, 2.0, 1.0), np.where(negative, -1.0, 1.0)


def narrow(q):
    return 2 * norm.cdf(q) - 1


def over_data(q):
    x = (np.arange(200) + 0.5) / 200
    return np.mean(2 * x * (2 * norm.cdf(q / (0.5 + x)) - 1))


def campaign(sample, covered, treatments, seeds=300, n=2000):
    rng = np.random.default_rng(9)
    values = {name: [] for name in treatments}
    for _ in range(seeds):
        scores, weight = sample(rng, n)
        for name in treatments:
            if name == "unweighted":
                q = conformalize(scores, level=0.9)
            elif name == "dropped":
                q = conformalize(scores[weight > 0], level=0.9)
            else:
                q = conformalize(scores, level=0.9, weight=weight, negative=name)
            values[name].append(covered(q.value))
    return {name: (np.mean(v), np.std(v)) for name, v in values.items()}


def test_weights_tilted_in_x_are_followed():
    result = campaign(tilted, over_data, ("unweighted", "error"))
    assert result["error"][0] == pytest.approx(0.9, abs=0.005)
    assert result["unweighted"][0] < 0.88


def test_negative_weights_of_any_score_allow_their_size_with_less_spread():
    result = campaign(independent, narrow, ("signed", "abs"))
    assert result["abs"][0] == pytest.approx(0.9, abs=0.005)
    assert result["signed"][0] == pytest.approx(0.9, abs=0.005)
    # (Σw)²/Σw² is 0.36 n against n
    assert result["abs"][1] == pytest.approx(0.6 * result["signed"][1], rel=0.25)


def test_negative_weights_that_follow_the_score_need_their_sign():
    result = campaign(correlated, narrow, ("signed", "abs", "dropped"))
    assert result["signed"][0] == pytest.approx(0.9, abs=0.005)
    assert result["abs"][0] > 0.95
    assert result["dropped"][0] > 0.93


def test_effective_number_of_points():
    weight = np.array([1.0, 2.0, -1.0, 3.0])
    assert conformalize(np.arange(4.0), level=0.5, weight=weight, negative="signed").n_effective == 25 / 15
    assert conformalize(np.arange(4.0), level=0.5, weight=weight, negative="abs").n_effective == 49 / 15


# --- shift -------------------------------------------------------------------------------------------------------------


def gaussian_shift(rng, n, m, move=0.8):
    """x ~ N(0, 1) in calibration and N(move, 1) in test; the noise grows with x."""
    x, new = rng.normal(size=n), rng.normal(size=m) + move

    def sigma(v):
        return np.exp(0.5 * v)

    return x, new, np.abs(rng.normal(size=n)) * sigma(x), sigma(new), lambda v: np.exp(move * v - move**2 / 2)


def test_covariate_shift_with_the_exact_ratio_restores_coverage():
    rng = np.random.default_rng(10)
    covered, without = [], []
    for _ in range(200):
        x, new, scores, sigma, ratio = gaussian_shift(rng, 2000, 500)
        result = shifted(scores, ratio=ratio(x), test_ratio=ratio(new), level=0.9)
        covered.append(np.mean(2 * norm.cdf(result.value / sigma) - 1))
        without.append(np.mean(2 * norm.cdf(conformalize(scores, level=0.9).value / sigma) - 1))
    assert np.mean(covered) == pytest.approx(0.9, abs=0.01)
    assert np.mean(without) < 0.8
    assert result.overlaps
    assert result.note == ""
    assert result.n_effective < 1500


def test_supports_that_do_not_overlap_are_told():
    rng = np.random.default_rng(11)
    x, new = rng.random(2000), 0.5 + rng.random(1000)
    with np.errstate(divide="ignore"):
        ratio, test = np.where(x > 0.5, 1.0, 0.0), np.where(new <= 1, 1.0, np.inf)
    result = shifted(np.abs(rng.normal(size=2000)), ratio=ratio, test_ratio=test, level=0.9)
    assert result.infinite == pytest.approx(0.5, abs=0.07)
    assert np.isinf(result.value[new > 1]).all()
    assert result.mean_ratio == pytest.approx(0.5, abs=4 * result.mean_ratio_error)
    assert not result.overlaps
    assert "cannot restore" in result.note
    hidden = shifted(np.abs(rng.normal(size=2000)), ratio=ratio, test_ratio=np.ones(1000), level=0.9)
    assert not hidden.overlaps  # finite everywhere, but the mean ratio gives it away


@pytest.mark.parametrize(("norm_of_ratio", "lost"), [(0.5, 0.0), (1.5, 0.17), (1.0, 0.17), (1.0, 0.0)])
def test_a_ratio_of_another_norm_does_not_pass_for_overlap(norm_of_ratio, lost):
    """A share ``lost`` of the new points lies where no calibration point can; a norm too high would make up for it."""
    rng = np.random.default_rng(16)
    x = rng.random(2000)
    ratio = norm_of_ratio * (1 - lost) * 2 * x  # the new points have density 2x where calibration points are
    scores = np.abs(rng.normal(size=2000))
    found = shifted(scores, ratio=ratio, test_ratio=np.full(50, norm_of_ratio), level=0.9)
    assert found.overlaps == ((norm_of_ratio, lost) == (1.0, 0.0))
    assert ("another norm" in found.note) == (not found.overlaps)
    assert ("do not reach all" in found.note) == (norm_of_ratio * (1 - lost) < 1 - 0.1)
    if found.overlaps:
        assert found.note == ""
    right = shifted(scores, ratio=ratio / norm_of_ratio, test_ratio=np.ones(50), level=0.9)
    np.testing.assert_array_equal(found.value, right.value)  # only the note knows of the norm


def test_a_learnt_ratio_tells_that_supports_do_not_overlap():
    rng = np.random.default_rng(15)
    x, new = rng.random(3000), 0.5 + rng.random(3000)
    ratio, test = ratio_from_classifier(
        key_from(rng), DecisionTreeClassifier(min_samples_leaf=100), x[:, None], new[:, None]
    )
    result = shifted(np.abs(rng.normal(size=3000)), ratio=ratio, test_ratio=test, level=0.9)
    assert result.infinite == pytest.approx(0.5, abs=0.07)
    assert result.mean_ratio == pytest.approx(0.5, abs=0.1)
    assert not result.overlaps


def test_covariate_shift_with_a_learnt_ratio():
    rng = np.random.default_rng(12)
    covered, errors = [], []
    for _ in range(8):
        x, new, scores, sigma, ratio = gaussian_shift(rng, 2000, 2000)
        w, test = ratio_from_classifier(key_from(rng), LogisticRegression(), x[:, None], new[:, None])
        errors.append(np.log(w / ratio(x)).std())
        value = shifted(scores, ratio=w, test_ratio=test, level=0.9).value
        covered.append(np.mean(2 * norm.cdf(value / sigma) - 1))
    assert np.mean(covered) == pytest.approx(0.9, abs=0.015)
    assert np.mean(errors) < 0.1


def test_label_shift():
    rng, share, new_share = np.random.default_rng(13), np.array([0.7, 0.3]), np.array([0.2, 0.8])
    ratio, covered, without = new_share / share, [], []
    scale = np.array([1.0, 2.0])
    for _ in range(300):
        label = (rng.random(1000) < share[1]).astype(int)
        scores = np.abs(rng.normal(size=1000)) * scale[label]
        values = label_shift(scores, label, ratio, level=0.9).value
        covered.append(np.sum(new_share * (2 * norm.cdf(values / scale) - 1)))
        without.append(np.sum(new_share * (2 * norm.cdf(conformalize(scores, level=0.9).value / scale) - 1)))
    assert np.mean(covered) == pytest.approx(0.9, abs=0.005)
    assert np.mean(without) < 0.86


def test_equal_ratios_are_no_shift():
    scores = np.random.default_rng(14).normal(size=99)
    result = shifted(scores, ratio=np.ones(99), test_ratio=np.ones(2), level=0.55)
    assert (result.value == conformalize(scores, level=0.55).value).all()


# --- bad input ---------------------------------------------------------------------------------------------------------

ONES = np.ones(4)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: conformalize(ONES, level=1.0), "got level 1.0; expected a number between 0 and 1"),
        (lambda: conformalize(ONES, level=math.nan), "got level nan"),
        (lambda: conformalize(np.array([1.0, np.nan]), level=0.5), "got 1 scores that are not numbers"),
        (lambda: conformalize(ONES, level=0.5, weight=-ONES), "got 4 negative weights of 4"),
        (lambda: conformalize(ONES, level=0.5, weight=-ONES, negative="signed"), "got total weight -4"),
        (lambda: conformalize(ONES, level=0.5, weight=0 * ONES), "got total weight 0"),
        (lambda: conformalize(ONES, level=0.5, weight=ONES[:3]), r"weights of shape \(3,\)"),
        (lambda: conformalize(ONES, level=0.5, weight=ONES, negative="sign"), "did you mean 'signed'"),
        (lambda: mondrian(ONES, np.arange(4), level=0.5).values(np.array([3, 9])), "group 9, unseen in calibration"),
        (
            lambda: mondrian(ONES, np.arange(4), level=0.5, weight=np.array([3, 1, 1, -1.0]), negative="signed"),
            "total weight -1 of group 3",
        ),
        (lambda: cqr_band(ONES, ONES, 0.1, level=0.9) and normalised(ONES, ONES, 0 * ONES), "got spread 0"),
        (lambda: shifted(ONES, ratio=-ONES, test_ratio=ONES, level=0.5), "ratio -1 at calibration points"),
        (lambda: label_shift(ONES, np.arange(4), ONES[:2], level=0.5), "got label 3"),
    ],
)
def test_bad_input_is_one_clear_line(call, line):
    with pytest.raises(InputError, match=line):
        call()


def test_constant_targets_are_told():
    q = conformalize(absolute(ONES, ONES), level=0.5)
    assert q.value == 0
    assert q.note.startswith("4 of 4 scores are tied")
