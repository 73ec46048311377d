"""The estimators: scikit-learn's own checks, weights, groups, shift, any callable, and clear errors."""

import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import check_estimator

from verax.check import coverage
from verax.conformal import (
    ConformalizedQuantileRegressor,
    CrossConformalRegressor,
    SplitConformalClassifier,
    SplitConformalRegressor,
    conformalize,
    label_shift,
)
from verax.errors import InputError

ESTIMATORS = [
    SplitConformalRegressor(LinearRegression()),
    CrossConformalRegressor(LinearRegression()),
    ConformalizedQuantileRegressor([LinearRegression(), LinearRegression()]),
    SplitConformalClassifier(LogisticRegression()),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_scikit_learn_checks(estimator):
    """All that scikit-learn runs for the kind, but array-API input, which it skips unless asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of LinearRegression and of the checks themselves
        results = check_estimator(estimator, on_fail=None, on_skip=None)
    status = {r["check_name"]: r["status"] for r in results}
    # the second gives the constructor strings for numbers, which the type checks of these tests refuse
    known = {"check_array_api_input", "check_do_not_raise_errors_in_init_or_set_params"}
    # skipped where pandas is not installed
    known |= {name for name, s in status.items() if s == "skipped" and ("pandas" in name or "not_an_array" in name)}
    assert {name for name, s in status.items() if s != "passed"} <= known
    assert sum(s == "passed" for s in status.values()) > 40


def regression(rng, n):
    x = rng.uniform(0, 2, (n, 1))
    return x, 1 + 2 * x[:, 0] + (0.2 + x[:, 0]) * rng.normal(size=n)


@pytest.mark.parametrize("kind", ["split", "spread", "cqr", "cqr of one callable", "cross"])
def test_intervals_cover(kind):
    rng = np.random.default_rng(1)
    fractions, width = [], {}
    for _ in range(20):
        (x, y), (xc, yc), (xt, yt) = regression(rng, 200), regression(rng, 300), regression(rng, 300)
        if kind == "cross":
            model = CrossConformalRegressor(LinearRegression(), 0.8).fit_conformalize(x, y)
        elif kind == "cqr":
            pair = [QuantileRegressor(quantile=q, alpha=0) for q in (0.1, 0.5, 0.9)]
            model = ConformalizedQuantileRegressor(pair, 0.8, levels=(0.1, 0.5, 0.9)).fit(x, y).conformalize(xc, yc)
        elif kind == "cqr of one callable":
            model = ConformalizedQuantileRegressor(lambda x: np.column_stack([2 * x[:, 0], 2 + 2 * x[:, 0]]), 0.8)
            model.conformalize(xc, yc)
        else:
            spread = (lambda x: 0.2 + x[:, 0]) if kind == "spread" else None
            model = SplitConformalRegressor(LinearRegression(), 0.8, spread=spread).fit(x, y).conformalize(xc, yc)
        intervals = model.predict_interval(xt)
        fractions.append(coverage(intervals, yt).fraction)
        width = intervals.width
    # sd of one fraction: sqrt(0.16 (1/300 + 1/300)) = 0.033
    assert np.mean(fractions) == pytest.approx(0.8, abs=4 * 0.033 / np.sqrt(20))
    assert (np.ptp(width) > 0.5) == (kind in ("spread", "cqr"))


def test_each_end_of_an_asymmetric_band_misses_its_own_share():
    """Skewed noise around a band that is wrong on both sides: one common quantile covers, but misses on one side only."""
    rng, missed = np.random.default_rng(21), {True: [], False: []}
    for _ in range(20):
        xc, xt = rng.uniform(size=(2, 300, 1))
        yc, yt = (x[:, 0] + rng.exponential(size=300) for x in (xc, xt))
        for symmetric, out in missed.items():
            model = ConformalizedQuantileRegressor(lambda x: np.column_stack([x, x + 1]), 0.8, symmetric=symmetric)
            band = model.conformalize(xc, yc).predict_interval(xt)
            out.append([np.mean(yt < band.low), np.mean(yt > band.high)])
    own, common = np.mean(missed[False], axis=0), np.mean(missed[True], axis=0)
    # sd of one fraction: √(0.09 (1/300 + 1/300)) = 0.025; the rank's own excess is 1/301
    np.testing.assert_allclose(own, 0.1, atol=4 * 0.025 / np.sqrt(20) + 0.004)
    assert common[0] < 0.02
    assert common[1] == pytest.approx(0.2, abs=0.03)
    assert len(model.quantile_) == 2
    assert model.get_params()["symmetric"] is False


def test_models_of_the_spread_are_trained_on_residuals():
    rng = np.random.default_rng(2)
    (x, y), (xc, yc), (xt, yt) = (regression(rng, 1000) for _ in range(3))
    model = SplitConformalRegressor(LinearRegression(), spread=KNeighborsRegressor(200)).fit(x, y).conformalize(xc, yc)
    wide = model.predict_interval(xt).width
    assert wide[xt[:, 0] > 1.7].mean() > 3 * wide[xt[:, 0] < 0.3].mean()
    assert coverage(model.predict_interval(xt, 0.95), yt).fraction == pytest.approx(0.95, abs=0.04)


def test_weights_groups_and_shift_reach_the_quantile():
    rng = np.random.default_rng(3)
    x, y = regression(rng, 500)
    w = rng.uniform(0.5, 1.5, 500) * np.where(rng.random(500) < 0.1, -1, 1)
    model = SplitConformalRegressor(lambda x: 1 + 2 * x[:, 0], negative="signed").conformalize(x, y, w)
    low = model.predict_interval(x[:3])
    scores = np.abs(y - 1 - 2 * x[:, 0])
    assert low.high[0] - low.value[0] == pytest.approx(
        conformalize(scores, level=0.9, weight=w, negative="signed").value
    )
    assert model.quantile_.n_effective < 450
    group = (x[:, 0] > 1).astype(int)
    model = SplitConformalRegressor(lambda x: 1 + 2 * x[:, 0]).conformalize(x, y, group=group)
    assert len(set(model.predict_interval(x, group=group).width.round(9))) == 2
    with pytest.raises(InputError, match="got no groups"):
        model.predict_interval(x)
    model = SplitConformalRegressor(lambda x: 1 + 2 * x[:, 0]).conformalize(x, y)
    moved = model.predict_interval(x[:2], ratio=(np.exp(x[:, 0]), np.array([0.1, 1e9])))
    assert np.isfinite(moved.high[0])
    assert np.isinf(moved.high[1])
    assert "infinite sets" in model.quantile_.note


def test_sample_weight_reaches_the_model():
    rng = np.random.default_rng(4)
    x, y = regression(rng, 100)
    count = rng.integers(0, 3, 100)
    a = SplitConformalRegressor(DecisionTreeRegressor(max_depth=2)).fit(x, y, sample_weight=count)
    b = SplitConformalRegressor(DecisionTreeRegressor(max_depth=2)).fit(np.repeat(x, count, 0), np.repeat(y, count))
    np.testing.assert_allclose(a.predict(x), b.predict(x))
    scaled = SplitConformalRegressor(make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=2)))
    np.testing.assert_allclose(scaled.fit(x, y, sample_weight=count).predict(x), b.predict(x))
    for model in (KNeighborsRegressor(), make_pipeline(StandardScaler(), KNeighborsRegressor())):
        with pytest.raises(InputError, match="weights for KNeighborsRegressor"):
            SplitConformalRegressor(model).fit(x, y, sample_weight=count)


def test_weights_are_routed_where_scikit_learn_is_told_to_ask():
    """Weights move the mean from −0.1 to 0.6 or so; what was not asked for is scikit-learn's own error."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 1))
    y = x[:, 0] + rng.normal(size=200)
    w = np.where(y > 0, 5.0, 0.1)
    line = LinearRegression().fit(x, y, w)
    with config_context(enable_metadata_routing=True):
        asking = SplitConformalRegressor(LinearRegression()).set_fit_request(sample_weight=True)
        grid = GridSearchCV(asking.set_score_request(sample_weight=True), {"confidence_level": [0.8]})
        steps = [step.set_fit_request(sample_weight=True) for step in (StandardScaler(), LinearRegression())]
        inside = SplitConformalRegressor(make_pipeline(*steps)).fit(x, y, w)
        around = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), asking).fit(x, y, sample_weight=w)
        for model in (grid.fit(x, y, sample_weight=w), inside, around):
            np.testing.assert_allclose(model.predict(x), line.predict(x), rtol=1e-6)
        with pytest.raises(ValueError, match="not explicitly set as requested"):
            GridSearchCV(SplitConformalRegressor(LinearRegression()), {}).fit(x, y, sample_weight=w)
        with pytest.raises(InputError, match=r"argument of fit 'sample_weights'.*did you mean 'sample_weight'"):
            asking.set_fit_request(sample_weights=True)


class Frame:
    """A table of which rows are taken by position, as polars': no index, no ``iloc``."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def __getitem__(self, rows):
        return Frame(self.values[rows])

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


@pytest.mark.parametrize(
    "maker",
    [
        lambda x, y, w: (
            SplitConformalRegressor(LinearRegression()).fit(x, y, w).conformalize(x, y, w).predict_interval(x)
        ),
        lambda x, y, w: CrossConformalRegressor(LinearRegression()).fit(x, y, w).predict_interval(x),
        lambda x, y, w: (
            ConformalizedQuantileRegressor([LinearRegression()] * 2)
            .fit(x, y, w)
            .conformalize(x, y, w)
            .predict_interval(x)
        ),
    ],
    ids=["split", "cross", "cqr"],
)
def test_tables_of_any_kind_say_what_arrays_say(maker):
    rng = np.random.default_rng(4)
    x, y, w = rng.normal(size=(50, 2)), rng.normal(size=50), rng.uniform(0.5, 1.5, 50)
    found, known = maker(Frame(x), Frame(y), Frame(w)), maker(x, y, w)
    np.testing.assert_array_equal([found.low, found.high], [known.low, known.high])


def test_a_spread_that_is_not_positive_is_refused_and_a_floor_needs_no_new_fit():
    """A straight line through |y − μ(x)| falls below zero; intervals cover with any floor below it."""
    rng = np.random.default_rng(6)
    x = rng.uniform(0, 2, (1500, 1))
    y = 0.5 * np.maximum(x[:, 0] - 0.8, 0.02) * rng.normal(size=1500)
    fit, calibrate, test = np.split(np.arange(1500), 3)
    model = SplitConformalRegressor(LinearRegression(), spread=LinearRegression()).fit(x[fit], y[fit])
    wrong = int((model.spread_.predict(x[calibrate]) <= 0).sum())
    assert wrong > 20
    with pytest.raises(InputError, match=rf"spread -0.*, one of {wrong} in 500 that are not positive; .*np.maximum"):
        model.conformalize(x[calibrate], y[calibrate])
    line = model.spread_
    model.set_params(spread=lambda x: np.maximum(line.predict(x), 0.01)).conformalize(x[calibrate], y[calibrate])
    assert coverage(model.predict_interval(x[test]), y[test]).fraction == pytest.approx(0.9, abs=4 * 0.019)


def test_parameters_can_be_searched():
    x = np.random.default_rng(5).random((60, 1))
    model = SplitConformalRegressor(DecisionTreeRegressor())
    search = GridSearchCV(model, {"estimator__max_depth": [1, 3]}, cv=2).fit(x, x[:, 0] ** 2)
    assert search.best_params_ == {"estimator__max_depth": 3}


def classification(rng, n):
    x = rng.normal(size=(n, 2))
    logit = np.column_stack([x[:, 0], x[:, 1], np.zeros(n)]) * 2
    p = np.exp(logit) / np.exp(logit).sum(1, keepdims=True)
    return x, np.array(["qcd", "top", "w"])[(p.cumsum(1) < rng.random((n, 1))).sum(1)]


@pytest.mark.parametrize("score", ["lac", "aps", "raps"])
def test_sets_cover(score):
    rng = np.random.default_rng(6)
    fractions = []
    x, y = classification(rng, 500)
    model = SplitConformalClassifier(LogisticRegression(), 0.8, conformity_score=score, random_state=1).fit(x, y)
    for _ in range(30):
        (xc, yc), (xt, yt) = classification(rng, 300), classification(rng, 300)
        made = model.conformalize(xc, yc).predict_set(xt)
        fractions.append(made.holds(yt).mean())
    assert np.mean(fractions) == pytest.approx(0.8, abs=4 * 0.033 / np.sqrt(30))
    assert made.classes == ("qcd", "top", "w")
    made = model.conformalize(xc, yc, group="class").predict_set(xt, 0.9)
    for name in made.classes:
        assert made.holds(yt)[yt == name].mean() > 0.75
    ratio = np.array([0.1, 1.9, 1.0])
    model.conformalize(xc, yc).predict_set(xt, class_ratio=ratio)
    expected = label_shift(model.scores_, model.label_, ratio, level=0.8)
    np.testing.assert_array_equal(model.quantile_.value, expected.value)


X = np.linspace(0, 1, 20)[:, None]
Y = X[:, 0]


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (
            lambda: SplitConformalRegressor(lambda x: x).conformalize(np.ones((20, 2)), Y),
            r"model: got output of shape \(20, 2\); expected shape \(20,\)",
        ),
        (lambda: SplitConformalRegressor(lambda x: 0 / Y).conformalize(X, Y), "prediction nan"),
        (lambda: SplitConformalRegressor(3).fit(X, Y), "model: got int; expected a callable, or an object with fit"),
        (lambda: SplitConformalRegressor(LinearRegression(), 95).fit(X, Y), "level 95"),
        (
            lambda: ConformalizedQuantileRegressor([LinearRegression()] * 2, levels=(0.95, 0.05)).fit(X, Y),
            "quantile levels: got 0.95, 0.05; expected increasing levels",
        ),
        (lambda: CrossConformalRegressor(LinearRegression(), cv=50).fit(X, Y), "50 folds of 20 points"),
        (lambda: CrossConformalRegressor(LinearRegression(), cv=np.zeros(20, int)).fit(X, Y), "two or more folds"),
        (
            lambda: SplitConformalClassifier(lambda x: np.ones((20, 2)), classes=[0, 1]).conformalize(X, Y > 2),
            "add up to 2",
        ),
        (
            lambda: SplitConformalClassifier(lambda x: np.ones((20, 1)), classes=[0, 1]).predict_proba(X),
            r"output of shape \(20, 1\); expected shape \(20, 2\)",
        ),
        (
            lambda: SplitConformalClassifier(lambda x: np.ones((20, 1)), classes=["a"]).conformalize(
                X, np.full(20, "b")
            ),
            "got class b; expected a",
        ),
        (lambda: SplitConformalClassifier(LogisticRegression(), conformity_score="asp").fit(X, Y > 0.5), "mean 'aps'"),
        (lambda: SplitConformalRegressor(LinearRegression()).set_params(level=3), "parameter 'level'"),
        (lambda: SplitConformalRegressor(np.ravel).conformalize(X, Y, -Y), "19 negative weights of 20"),
        (lambda: SplitConformalRegressor(np.ravel).conformalize(X, Y, 0 * Y), "total weight 0"),
        (lambda: SplitConformalRegressor(np.ravel).conformalize(X, Y, Y[:3]), r"weights of shape \(3,\)"),
        (lambda: SplitConformalRegressor(np.ravel).conformalize(X, Y, group=Y[:3]), r"groups of shape \(3,\)"),
        (lambda: SplitConformalRegressor(np.ravel).conformalize(X, Y[:3]), r"y of shape \(3,\)"),
        (
            lambda: SplitConformalRegressor(np.ravel).conformalize(object(), Y),
            "X of type object; expected an array, or",
        ),
        (lambda: SplitConformalRegressor(np.ravel).conformalize(X, Y.astype(str)), "y of type <U32; expected numbers"),
        (
            lambda: SplitConformalRegressor(np.ravel).conformalize(X, Y, ["a"] * 20),
            "the weights of type <U1; expected n",
        ),
        (lambda: SplitConformalRegressor(lambda x: ["a"] * 20).predict(X), "the prediction of type <U1; expected n"),
        (
            lambda: CrossConformalRegressor(LinearRegression()).fit(X, Y, ["a"] * 20),
            "the weights of type <U1; expected n",
        ),
        (
            lambda: SplitConformalRegressor(np.ravel).conformalize(X, Y, group=Y > 2).predict_interval(X, group=Y > -1),
            "group True, unseen in calibration",
        ),
    ],
)
def test_bad_input_is_one_clear_line(call, line):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(InputError, match=line):
            call()


def test_constant_targets_and_small_calibration_sets_are_told():
    model = SplitConformalRegressor(LinearRegression()).fit(X, 1 + 0 * Y).conformalize(X, 1 + 0 * Y)
    assert model.predict_interval(X).width == pytest.approx(0, abs=1e-12)
    assert "tied" in SplitConformalRegressor(lambda x: 0 * Y).conformalize(X, 1 + 0 * Y).quantile()[0].note
    small = SplitConformalRegressor(np.ravel).conformalize(X[:5], Y[:5])
    assert np.isinf(small.predict_interval(X).high).all()
    assert small.quantile_.note.startswith("infinite: 5 calibration points reach levels up to 0.8333")


def test_verbs_in_the_wrong_order():
    with pytest.raises(ValueError, match="SplitConformalRegressor: got no call of fit so far"):
        SplitConformalRegressor(LinearRegression()).predict(X)
    with pytest.raises(ValueError, match="no call of conformalize so far"):
        SplitConformalRegressor(LinearRegression()).fit(X, Y).predict_interval(X)
