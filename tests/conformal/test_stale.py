"""What ``conformalize`` made belongs to one model and one score: with others it is gone, and prediction says so."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from verax.conformal import (
    ConformalizedQuantileRegressor,
    CrossConformalRegressor,
    SplitConformalClassifier,
    SplitConformalRegressor,
)

RNG = np.random.default_rng(11)
X = RNG.normal(size=(300, 2))
NUMBER = X[:, 0] + RNG.normal(size=300)
KIND = (X[:, 0] + RNG.normal(size=300) > 0).astype(int)
AGAIN = "since {}; expected scores of this model; conformalize again"


def regressor():
    return SplitConformalRegressor(LinearRegression(), spread=KNeighborsRegressor(50))


def quantiles():
    return ConformalizedQuantileRegressor([LinearRegression(), LinearRegression()])


def classifier():
    return SplitConformalClassifier(KNeighborsClassifier(20), random_state=1)


def made(build):
    target = KIND if build is classifier else NUMBER
    return build().fit(X[:150], target[:150]).conformalize(X[150:], target[150:]), target


def ask(model):
    return model.predict_set(X) if isinstance(model, SplitConformalClassifier) else model.predict_interval(X)


@pytest.mark.parametrize("build", [regressor, quantiles, classifier])
def test_a_second_fit_asks_for_conformalize_again(build):
    model, target = made(build)
    before = ask(model)
    with pytest.raises(ValueError, match=AGAIN.format("fit")):
        ask(model.fit(X[:50], target[:50]))
    fresh = model.fit(X[:150], target[:150]).conformalize(X[150:], target[150:])
    for name in ("member",) if build is classifier else ("low", "high"):
        np.testing.assert_array_equal(getattr(ask(fresh), name), getattr(before, name))


@pytest.mark.parametrize(
    ("build", "name", "value"),
    [
        (regressor, "spread", None),
        (regressor, "estimator", KNeighborsRegressor()),
        (regressor, "prefit", True),
        (regressor, "spread__n_neighbors", 3),
        (quantiles, "estimator", lambda x: x),
        (classifier, "conformity_score", "aps"),
        (classifier, "randomised", False),
        (classifier, "penalty", 0.5),
        (classifier, "free", 0),
        (classifier, "estimator__n_neighbors", 3),
    ],
)
def test_a_change_of_the_score_asks_for_conformalize_again(build, name, value):
    changes = [lambda m: m.set_params(**{name: value})] + [lambda m: setattr(m, name, value)] * ("__" not in name)
    for change in changes:
        model, _ = made(build)
        change(model)
        with pytest.raises(ValueError, match=AGAIN.format(f"a change of '{name}'")):
            model.quantile()


@pytest.mark.parametrize("build", [regressor, quantiles, classifier])
def test_what_does_not_change_the_score_keeps_it(build):
    model, _ = made(build)
    wide = ask(model.set_params(confidence_level=0.99, negative="abs"))
    assert wide.level == 0.99
    model.prefit = False  # as it was
    ask(model)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@pytest.mark.parametrize("build", [regressor, quantiles, classifier])
def test_copies_keep_what_was_made_and_forget_it_by_themselves(build, copied):
    model, target = made(build)
    twin = copied(model)
    ask(twin)
    with pytest.raises(ValueError, match="conformalize again"):
        ask(twin.fit(X[:50], target[:50]))
    ask(model)


def test_coverage_is_not_that_of_an_earlier_model():
    """Trained again on rows whose target is on another scale: the old scores would cover next to nothing."""
    model, _ = made(regressor)
    model.fit(X[:150], 100 * NUMBER[:150]).conformalize(X[150:], 100 * NUMBER[150:])
    band = model.predict_interval(X[150:])
    inside = (band.low <= 100 * NUMBER[150:]) & (100 * NUMBER[150:] <= band.high)
    assert inside.mean() >= 0.9  # of the calibration points themselves: at least the level, by its rank


def test_a_model_that_is_given_trained_is_the_one_that_predicts():
    first, second = LinearRegression().fit(X, NUMBER), LinearRegression().fit(X, -NUMBER)
    model = SplitConformalRegressor(first, prefit=True).fit(X, NUMBER).set_params(estimator=second)
    np.testing.assert_array_equal(model.predict(X), second.predict(X))


def test_weights_and_groups_are_kept_as_they_were_given():
    weight, group = np.ones(150), np.repeat([0, 1], 75)
    model = SplitConformalRegressor(LinearRegression()).fit(X[:150], NUMBER[:150])
    model.conformalize(X[150:], NUMBER[150:], weight, group=group)
    before = model.predict_interval(X[:4], group=np.array([0, 0, 1, 1]))
    weight[:] = np.linspace(0, 5, 150)
    group[:] = 0
    np.testing.assert_array_equal(model.predict_interval(X[:4], group=np.array([0, 0, 1, 1])).high, before.high)


def test_a_conformalize_that_fails_leaves_what_was_made():
    model, _ = made(classifier)
    before = model.predict_set(X, class_ratio=np.array([0.5, 1.5])).member
    with pytest.raises(ValueError, match="weights of shape"):
        model.conformalize(X[:20], KIND[:20], np.ones(3))
    np.testing.assert_array_equal(model.predict_set(X, class_ratio=np.array([0.5, 1.5])).member, before)


class Picky(LinearRegression):
    """Refuses to be trained on fewer than 250 points."""

    def fit(self, X, y):
        if len(X) < 250:
            raise ValueError("too few")
        return super().fit(X, y)


def test_a_cross_conformal_fit_that_fails_leaves_the_last_one():
    model = CrossConformalRegressor(Picky(), method="base", cv=10).fit(X, NUMBER)
    before = model.predict_interval(X)
    with pytest.raises(ValueError, match="too few"):
        model.fit(X[:260], 100 * NUMBER[:260])
    np.testing.assert_array_equal(model.predict_interval(X).high, before.high)


def test_a_spread_model_that_fails_to_train_leaves_no_interval():
    model = SplitConformalRegressor(LinearRegression(), spread=KNeighborsRegressor(50))
    model.fit(X[:150], NUMBER[:150]).conformalize(X[150:], NUMBER[150:])
    model.set_params(spread=LogisticRegression())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="continuous"):
            model.fit(X[:150], NUMBER[:150])
    with pytest.raises(ValueError, match="conformalize again"):
        model.predict_interval(X)
