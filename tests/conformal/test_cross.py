"""Which points train and which test the models of a cross-conformal regressor, and with which weights."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, ShuffleSplit
from sklearn.neighbors import KNeighborsRegressor

from verax.conformal import CrossConformalRegressor
from verax.errors import InputError

X = np.random.default_rng(1).normal(size=(60, 2))
Y = X[:, 0] + np.random.default_rng(2).normal(size=60)
FOLDS = list(KFold(5, shuffle=True, random_state=3).split(X))


def fitted(cv, x=X, y=Y, **options):
    return CrossConformalRegressor(LinearRegression(), cv=cv).fit(x, y, **options)


def twins(rng, pairs):
    """Points that come in pairs of one x and one target, as an event and its mirror image do; the target is noise."""
    x, y = rng.uniform(size=(pairs, 1)), rng.normal(size=pairs)
    return np.repeat(x, 2, axis=0), np.repeat(y, 2), np.repeat(np.arange(pairs), 2)


@pytest.mark.parametrize("how", ["pairs", "splitter", "number and groups", "one group at a time"])
def test_twins_that_folds_keep_apart_do_not_train_each_other(how):
    """A nearest neighbour knows a point from its twin: residuals of twins that train each other are 0."""
    rng = np.random.default_rng(4)
    x, y, event = twins(rng, 200)
    options = {"groups": event}
    if how == "pairs":  # a twin is tested elsewhere, and trains in neither's pair
        fold = np.random.default_rng(5).integers(0, 5, 400)
        banned = [np.isin(event, event[fold == k]) for k in range(5)]
        cv, options = [(np.flatnonzero(~b), np.flatnonzero(fold == k)) for k, b in enumerate(banned)], {}
    else:
        cv = {"splitter": GroupKFold(5), "number and groups": 5, "one group at a time": LeaveOneGroupOut()}[how]
    model = CrossConformalRegressor(KNeighborsRegressor(1), 0.8, method="base", cv=cv).fit(x, y, **options)
    assert (model.residual_ > 0).all()
    new_x, new = rng.uniform(size=(2000, 1)), rng.normal(size=2000)
    band = model.predict_interval(new_x)
    # 200 pairs calibrate as 200 points do: sd √(0.16 (1/200 + 1/2000)) = 0.030
    assert np.mean((band.low <= new) & (new <= band.high)) == pytest.approx(0.8, abs=4 * 0.03)
    together = CrossConformalRegressor(KNeighborsRegressor(1), 0.8, cv=5, random_state=1).fit(x, y)
    assert (together.residual_ == 0).mean() > 0.5


def test_sorted_rows_make_no_wide_intervals():
    """y = x², sorted in x: folds of neighbours have the model say what it has seen nothing of."""
    x = np.linspace(-1, 1, 200)[:, None]
    y = x[:, 0] ** 2 + np.random.default_rng(6).normal(0, 0.05, 200)
    found = {s: CrossConformalRegressor(KNeighborsRegressor(5), shuffle=s).fit(x, y) for s in (True, False)}
    width = {s: float(np.median(m.predict_interval(x).width)) for s, m in found.items()}
    assert width[True] < 1.3 * 2 * 1.645 * 0.05 * np.sqrt(6 / 5)  # of noise, and of five neighbours' mean
    assert width[False] > 1.5 * width[True]


def test_a_number_of_folds_is_dealt_by_its_seed():
    same = [fitted(5).fold_, fitted(np.int64(5)).fold_]
    np.testing.assert_array_equal(*same)
    assert sorted(np.bincount(same[0])) == [12] * 5
    other = CrossConformalRegressor(LinearRegression(), random_state=1).fit(X, Y).fold_
    assert (other != same[0]).any()
    plain = CrossConformalRegressor(LinearRegression(), shuffle=False).fit(X, Y).fold_
    np.testing.assert_array_equal(plain, np.repeat(np.arange(5), 12))


@pytest.mark.parametrize(
    "cv",
    [
        KFold(5, shuffle=True, random_state=3),
        iter(FOLDS),
        [(np.isin(np.arange(60), a), np.isin(np.arange(60), b)) for a, b in FOLDS],
        np.argmax([np.isin(np.arange(60), b) for _, b in FOLDS], axis=0),
        np.argmax([np.isin(np.arange(60), b) for _, b in FOLDS], axis=0).tolist(),
    ],
    ids=["splitter", "generator", "masks", "fold of each point", "list of it"],
)
def test_all_ways_to_say_the_same_folds(cv):
    np.testing.assert_array_equal(fitted(cv).residual_, fitted(FOLDS).residual_)


def swapped(k):
    return [(b, a) if i == k else (a, b) for i, (a, b) in enumerate(FOLDS)]


@pytest.mark.parametrize(
    ("cv", "options", "line"),
    [
        ([(np.arange(60), b) for _, b in FOLDS], {}, "12 points that pair 0 trains and tests"),
        ([(a[:0], b) for a, b in FOLDS], {}, "no points that train pair 0"),
        (swapped(2), {}, "each of 60 points in one of two or more folds"),
        (ShuffleSplit(5), {}, r"got ShuffleSplit.*each of 60 points"),
        ([(a + 1, b) for a, b in FOLDS], {}, "each of 60 points"),
        ("five", {}, "cv of type str"),
        (None, {}, "cv of type NoneType"),
        (5.0, {}, "cv of type float"),
        (True, {}, "1 folds of 60 points"),
        (np.arange(60) % 5 - 1, {}, "cv of type ndarray"),
        (np.arange(60) % 5 * 1.0, {}, "cv of type ndarray"),
        (iter([]), {}, "used up after one fit"),
        (FOLDS, {"groups": np.arange(60)}, "make folds of whole groups"),
        (5, {"groups": np.arange(3)}, r"groups of shape \(3,\)"),
        (5, {"groups": np.arange(60) % 3}, "5 folds of 3 groups"),
        (5, {"fit_weight": "none"}, "fit_weight 'none'"),
        (5, {"fit_weight": np.ones(3)}, r"weights of shape \(3,\)"),
        (5, {"sample_weight": np.ones(3)}, r"weights of shape \(3,\)"),
    ],
)
def test_folds_of_no_use_are_one_clear_line(cv, options, line):
    with pytest.raises(InputError, match=line):
        fitted(cv, **options)


class Strict(LinearRegression):
    """Says no to negative weights, as most models do."""

    def fit(self, X, y, sample_weight=None):
        if sample_weight is not None and np.min(sample_weight) < 0:
            raise ValueError("Negative values in data passed to `sample_weight`.")
        return super().fit(X, y, sample_weight=sample_weight)


@pytest.mark.thorough
def test_weights_of_the_fit_have_their_own_name():
    rng = np.random.default_rng(7)
    covered = []
    for _ in range(20):
        x, new = rng.normal(size=(2, 300, 1))
        w = np.where(rng.random(300) < 0.15, -1.0, 1.0)
        y, truth = rng.normal(size=(2, 300)) + np.stack([x[:, 0], new[:, 0]])
        model = CrossConformalRegressor(Strict(), 0.8, negative="signed")
        with pytest.raises(InputError, match=r"negative weights for Strict: Negative values .* give fit_weight"):
            model.fit(x, y, w)
        band = model.fit(x, y, w, fit_weight=np.abs(w)).predict_interval(new)
        covered.append(np.mean((band.low <= truth) & (truth <= band.high)))
    # n_eff = 300·0.7² = 147: sd √(0.16 (1/147 + 1/300)/20) = 0.009; signed ranks err to the larger side
    assert np.mean(covered) == pytest.approx(0.8, abs=4 * 0.009 + 0.01)
    alone = model.fit(x, y, w, fit_weight=None)
    np.testing.assert_array_equal(alone.model_.coef_, LinearRegression().fit(x, y).coef_)
    np.testing.assert_array_equal(alone.weight_, w)
    CrossConformalRegressor(KNeighborsRegressor(), negative="abs").fit(x, y, w, fit_weight=None).predict_interval(x)
