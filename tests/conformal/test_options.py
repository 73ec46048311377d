"""Options of the estimators: each has its effect or is refused, and random numbers go on from call to call."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

from verax.conformal import (
    ConformalizedQuantileRegressor,
    CrossConformalRegressor,
    SplitConformalClassifier,
    SplitConformalRegressor,
)
from verax.errors import InputError

MAKERS = (
    SplitConformalRegressor,
    ConformalizedQuantileRegressor,
    CrossConformalRegressor,
    SplitConformalClassifier,
)
X = np.random.default_rng(1).normal(size=(200, 2))
GROUP = (X[:, 1] > 0).astype(int)
DENSITY_RATIO = (np.exp(X[:, 0]), np.exp(X[:, 0]))
KIND = (X[:, 0] + np.random.default_rng(2).logistic(size=200) > 0).astype(int)
RATIO = np.array([0.5, 1.5])


def probability(x):
    p = 1 / (1 + np.exp(-x[:, 0]))
    return np.stack([1 - p, p], 1)


@pytest.mark.parametrize("level", [90, 0, 1, -1, float("nan"), True])
@pytest.mark.parametrize("maker", MAKERS)
def test_a_level_that_is_none_is_refused_at_once(maker, level):
    with pytest.raises(InputError, match=f"{maker.__name__}: got level .*expected a number between 0 and 1"):
        maker(len, level)
    with pytest.raises(InputError, match="got level"):
        maker(len).set_params(confidence_level=level)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"group": GROUP}, {"group": GROUP, "ratio": DENSITY_RATIO}),
        ({"group": GROUP}, {"ratio": DENSITY_RATIO}),
        ({"group": GROUP}, {}),
        ({}, {"group": GROUP, "ratio": DENSITY_RATIO}),
        ({}, {"group": GROUP}),
    ],
)
def test_no_option_of_a_regressor_is_ignored(before, after):
    model = SplitConformalRegressor(lambda x: x[:, 0]).conformalize(X, X[:, 1], **before)
    with pytest.raises(InputError, match="group"):
        model.predict_interval(X, **after)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (
            {"group": "class"},
            {"ratio": DENSITY_RATIO},
            "ratio, and group='class' in conformalize; expected one of them",
        ),
        ({"group": "class"}, {"group": GROUP}, "group, and group='class'"),
        ({"group": "class"}, {"class_ratio": RATIO}, "sets by class hold under any label shift"),
        ({"group": GROUP}, {"class_ratio": RATIO}, "class_ratio and groups in conformalize"),
        ({"group": GROUP}, {"class_ratio": RATIO, "group": GROUP}, "class_ratio and groups in conformalize"),
        ({"group": GROUP}, {"ratio": DENSITY_RATIO, "group": GROUP}, "groups and a ratio"),
        ({"group": GROUP}, {"ratio": DENSITY_RATIO}, "groups and a ratio"),
        ({}, {"class_ratio": RATIO, "ratio": DENSITY_RATIO}, "class_ratio and ratio"),
        ({}, {"class_ratio": RATIO, "group": GROUP}, "class_ratio and group"),
        ({}, {"group": GROUP}, "groups in conformalize and in prediction"),
    ],
)
def test_no_option_of_a_classifier_is_ignored(before, after, line):
    model = SplitConformalClassifier(probability, classes=[0, 1]).conformalize(X, KIND, **before)
    with pytest.raises(InputError, match=line):
        model.predict_set(X, **after)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ({"group": GROUP}, {"group": GROUP[:3]}, r"groups of shape \(3,\); expected one for each of 200 points"),
        ({"group": GROUP}, {"group": "class"}, r"groups of shape \(\); expected one for each of 200 points"),
        (
            {},
            {"ratio": (DENSITY_RATIO[0], DENSITY_RATIO[1][:3])},
            r"ratios of shape \(3,\); expected one for each of 200 points",
        ),
        (
            {},
            {"ratio": (DENSITY_RATIO[0][:3], DENSITY_RATIO[1])},
            r"ratio of shape \(3,\); expected 200 along axis 'point'",
        ),
    ],
)
def test_groups_and_ratios_are_one_a_point(before, after, line):
    made = (
        SplitConformalRegressor(lambda x: x[:, 0]).conformalize(X, X[:, 1], **before).predict_interval,
        SplitConformalClassifier(probability, classes=[0, 1]).conformalize(X, KIND, **before).predict_set,
    )
    for predict in made:
        with pytest.raises(InputError, match=line):
            predict(X, **after)


def test_classes_and_scores_are_those_that_were_named():
    model = SplitConformalClassifier(LogisticRegression(), classes=["a", "b"]).fit(X, KIND)
    with pytest.raises(InputError, match="classes a, b for a model of 0, 1"):
        model.predict_proba(X)
    with pytest.raises(InputError, match="mean 'aps'"):
        SplitConformalClassifier(probability, classes=[0, 1], conformity_score="asp").conformalize(X, KIND)


def aps(seed, score="aps"):
    return SplitConformalClassifier(probability, 0.8, conformity_score=score, classes=[0, 1], random_state=seed)


@pytest.mark.thorough
@pytest.mark.parametrize("score", ["aps", "raps"])
def test_rows_one_by_one_are_covered_as_they_are_together(score):
    """400 rows of one seed: the level within 4 sd of a binomial, and of the calibration set of 2,000."""
    rng = np.random.default_rng(3)
    x, new = rng.normal(size=(2000, 1)), rng.normal(size=(400, 1))
    y, truth = (rng.random(len(a)) < probability(a)[:, 1] for a in (x, new))
    for seed in range(4):
        model = aps(seed, score).conformalize(x, y.astype(int))
        held = [model.predict_set(new[i : i + 1]).holds(truth[i : i + 1].astype(int))[0] for i in range(400)]
        spread = np.sqrt(0.16 * (1 / 400 + 1 / 2000))
        assert np.mean(held) == pytest.approx(0.8, abs=4 * spread)


@pytest.mark.parametrize("cuts", [[], [1], [7, 8, 150]])
def test_sets_do_not_depend_on_how_rows_are_cut_into_calls(cuts):
    whole = aps(5).conformalize(X, KIND).predict_set(X).member
    model = aps(5).conformalize(X, KIND)
    parts = [model.predict_set(part).member for part in np.split(X, cuts)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(model.conformalize(X, KIND).predict_set(X).member, whole)  # begins anew
    assert (model.predict_set(X).member != whole).any()  # goes on


def test_the_same_row_again_has_a_number_of_its_own():
    """Without x the sets differ by their random numbers alone: of 500 calls the share with two classes is as in one."""
    model = aps(6).conformalize(X, KIND)
    row = np.zeros((1, 2))
    two = sum(int(model.predict_set(row).size[0] == 2) for _ in range(500))
    together = int((model.predict_set(np.zeros((20_000, 2))).size == 2).sum())
    low, high = binom(500, together / 20_000).ppf([1e-4, 1 - 1e-4])
    assert 0 < together < 20_000
    assert low <= two <= high


def test_a_class_that_no_calibration_point_has_is_in_each_set():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(300, 2))

    def three(x):
        p = np.exp(np.stack([x[:, 0], x[:, 1], 0 * x[:, 0] - 3], 1))
        return p / p.sum(1, keepdims=True)

    y = np.array(["b", "s", "t"])[(three(x)[:, :2].cumsum(1) < rng.random((300, 1))).sum(1)]
    seen = y != "t"
    model = SplitConformalClassifier(three, classes=["b", "s", "t"]).conformalize(x[seen], y[seen], group="class")
    made = model.predict_set(x)
    assert made.member[:, 2].all()
    assert not made.member[:, :2].all()
    assert model.quantile_.note == "group t: infinite: 0 calibration points reach levels up to 0, requested 0.9"
