"""Conformal intervals and sets against MAPIE, and the widths that its documentation publishes."""

import warnings

import numpy as np
import pytest
from mapie import classification, regression
from sklearn.datasets import make_regression
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor
from sklearn.model_selection import KFold, ShuffleSplit

from verax.conformal import (
    ConformalizedQuantileRegressor,
    CrossConformalRegressor,
    SplitConformalClassifier,
    SplitConformalRegressor,
)

LEVELS = (0.5, 0.8, 0.9, 0.95)


def sample(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    return x, x @ [1.0, -2.0, 0.5] + rng.normal(size=n) * (0.5 + np.abs(x[:, 0]))


def theirs(model, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        intervals = model.predict_interval(x)[1]
    return intervals[:, 0], intervals[:, 1]


@pytest.mark.parametrize("n", [40, 101, 250])
def test_split_intervals_have_the_same_bits(n):
    (x, y), (xc, yc), (xt, _) = sample(1, 100), sample(2, n), sample(3, 50)
    model = LinearRegression().fit(x, y)
    ours = SplitConformalRegressor(model, prefit=True).conformalize(xc, yc)
    them = regression.SplitConformalRegressor(model, confidence_level=list(LEVELS), prefit=True).conformalize(xc, yc)
    low, high = theirs(them, xt)
    for i, level in enumerate(LEVELS):
        mine = ours.predict_interval(xt, level)
        np.testing.assert_array_equal(mine.low, low[:, i])
        np.testing.assert_array_equal(mine.high, high[:, i])


def test_cqr_intervals_have_the_same_bits():
    (x, y), (xc, yc), (xt, _) = sample(4, 100), sample(5, 150), sample(6, 50)
    models = [QuantileRegressor(quantile=q, alpha=0).fit(x, y) for q in (0.05, 0.95, 0.5)]
    ours = ConformalizedQuantileRegressor([models[0], models[2], models[1]], prefit=True).conformalize(xc, yc)
    them = regression.ConformalizedQuantileRegressor(models, confidence_level=0.9, prefit=True).conformalize(xc, yc)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ends = them.predict_interval(xt, symmetric_correction=True)[1][:, :, 0]
    mine = ours.predict_interval(xt)
    np.testing.assert_allclose(mine.low, ends[:, 0], rtol=1e-14)
    np.testing.assert_allclose(mine.high, ends[:, 1], rtol=1e-14)


@pytest.mark.parametrize("method", ["plus", "minmax", "base"])
@pytest.mark.parametrize("cv", [5, -1])
def test_cross_conformal_intervals_agree(method, cv):
    (x, y), (xt, _) = sample(7, 60), sample(8, 30)
    model = CrossConformalRegressor(LinearRegression(), method=method, cv=cv, shuffle=False).fit(x, y)
    ours, folds = model.predict_interval(xt), KFold(5) if cv == 5 else -1
    them = regression.CrossConformalRegressor(LinearRegression(), confidence_level=0.9, method=method, cv=folds)
    # around the prediction of the model of all points, not the mean of the folds' models
    ends = them.fit_conformalize(x, y).predict_interval(xt, aggregate_point_predictions=None)[1]
    low, high = ends[:, 0], ends[:, 1]
    np.testing.assert_allclose(ours.low, low[:, 0], rtol=1e-12)
    np.testing.assert_allclose(ours.high, high[:, 0], rtol=1e-12)


def test_sets_agree():
    rng = np.random.default_rng(9)
    x = rng.normal(size=(600, 2))
    y = (x @ [[1.0, -1, 0], [0, 1, -1]] + rng.gumbel(size=(600, 3))).argmax(1)
    model = LogisticRegression().fit(x[:200], y[:200])
    ours = SplitConformalClassifier(model, prefit=True).conformalize(x[200:400], y[200:400]).predict_set(x[400:])
    them = classification.SplitConformalClassifier(model, confidence_level=0.9).conformalize(x[200:400], y[200:400])
    np.testing.assert_array_equal(ours.member, them.predict_set(x[400:])[1][:, :, 0])


# method → published width and coverage at 95 %
PUBLISHED = {
    "naive": (3.80, 0.954),
    "split": (3.89, 0.956),
    "jackknife+": (3.90, 0.952),
    "jackknife-minmax": (3.96, 0.962),
    "CV+": (3.91, 0.954),
    "CV-minmax": (4.07, 0.962),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_widths(name):
    """Trained and judged on the same 500 points, with their splits: as in MAPIE's own tests."""
    x, y = make_regression(n_samples=500, n_features=10, noise=1.0, random_state=1)
    model = LinearRegression()
    if name == "naive":
        result = SplitConformalRegressor(model, 0.95).fit(x, y).conformalize(x, y).predict_interval(x)
    elif name == "split":
        train, rest = next(ShuffleSplit(1, test_size=0.5, random_state=1).split(x))
        split = SplitConformalRegressor(model, 0.95).fit(x[train], y[train])
        result = split.conformalize(x[rest], y[rest]).predict_interval(x)
    else:
        folds = -1 if name.startswith("jackknife") else list(KFold(3, shuffle=True, random_state=1).split(x))
        method = "plus" if name.endswith("+") else "minmax"
        result = CrossConformalRegressor(model, 0.95, method=method, cv=folds).fit(x, y).predict_interval(x)
    covered = ((result.low <= y) & (y <= result.high)).mean()
    assert (result.width.mean(), covered) == pytest.approx(PUBLISHED[name], rel=0.01)
