"""Arguments are arrays or refused, and copies of models know nothing of what the model has seen."""

import sys

import jax
import numpy as np
import pytest
from sklearn.linear_model import SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from verax.calibrate import temperature
from verax.check import reliability
from verax.conformal import CrossConformalRegressor, SplitConformalRegressor, absolute, band, ratio_from_classifier
from verax.errors import InputError
from verax.given import generator, split_key, untrained
from verax.shift import c2st


def test_a_missing_argument_is_told_by_the_function_itself():
    with pytest.raises(TypeError, match="mean"):
        absolute(np.zeros(2))
    with pytest.raises(InputError, match=r"absolute: got mean of shape \(2, 1\); expected shape \(point\)"):
        absolute(np.zeros(2), np.zeros((2, 1)))
    assert absolute(np.zeros(2, np.float32), np.ones(2, np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: temperature(np.zeros(3), np.ones(3)), r"logits of shape \(3,\); expected shape \(event, class\)"),
        (lambda: temperature(np.zeros((3, 2)), np.ones(2)), r"label of shape \(2,\); expected 3 along axis 'event'"),
        (lambda: temperature(np.zeros((3, 2)), None), "label of None; expected an array"),
        (lambda: reliability(np.full(3, 0.5), np.ones(3), 1.0), r"weight of shape \(\); expected shape \(event\)"),
        (lambda: band(np.zeros(3), np.ones(2), level=0.9), r"quantile of shape \(2,\); expected 3 along axis 'test'"),
    ],
)
def test_arrays_have_the_axes_that_the_signature_names(call, line):
    with pytest.raises(InputError, match=line):
        call()
    assert band(np.zeros(2), 1.0, level=0.9, spread=None).high.tolist() == [
        1.0,
        1.0,
    ]  # one number, and none, where told


class Memory:
    """Says for a point that it was trained on what it was then told, and goes on remembering at each fit."""

    def __init__(self, warm_start=True):
        self.warm_start = warm_start

    def get_params(self, deep=True):
        return {"warm_start": self.warm_start}

    def fit(self, X, y):
        known = dict(self.known_) if self.warm_start and hasattr(self, "known_") else {}
        self.known_ = known | dict(zip(X[:, 0].tolist(), np.asarray(y).tolist(), strict=True))
        return self

    def predict(self, X):
        return np.array([self.known_.get(x, 0.0) for x in X[:, 0].tolist()])


class Bare(Memory):
    """The same without parameters to be made anew from."""

    get_params = None

    def __getattribute__(self, name):
        if name == "get_params":
            raise AttributeError(name)
        return super().__getattribute__(name)


def test_intervals_cover_around_a_model_that_was_trained_before():
    """It knows all 400 targets, N(0, 1): copies that went on from there would leave residuals of 0."""
    rng = np.random.default_rng(5)
    x, (y, new) = np.arange(400.0)[:, None], rng.normal(size=(2, 400))
    model = Memory().fit(x, y)
    band = CrossConformalRegressor(model, 0.9).fit(x, y).predict_interval(x + 1000)
    # both sets of 400 fluctuate: sd √(2·0.09/400) = 0.021
    assert np.mean((band.low <= new) & (new <= band.high)) == pytest.approx(0.9, abs=4 * 0.021)
    assert len(model.known_) == 400


@pytest.mark.parametrize("installed", [True, False])
def test_a_copy_has_the_parameters_and_nothing_else(installed, monkeypatch):
    if not installed:
        monkeypatch.setitem(sys.modules, "sklearn.base", None)
    x = np.random.default_rng(6).normal(size=(50, 2))
    model = make_pipeline(StandardScaler(), SGDRegressor(warm_start=True, alpha=0.5)).fit(x, x[:, 0])
    copied = untrained(model)
    assert copied[1].alpha == 0.5
    assert copied[1].warm_start
    assert not hasattr(copied[1], "coef_")
    assert not hasattr(copied[0], "mean_")
    inner = untrained(SplitConformalRegressor(model, 0.7))
    assert inner.confidence_level == 0.7
    assert not hasattr(inner.estimator[1], "coef_")


def test_a_trained_model_that_would_go_on_is_refused():
    x = np.arange(5.0)[:, None]
    with pytest.raises(InputError, match=r"Bare with warm_start, trained already \(known_\)"):
        SplitConformalRegressor(Bare().fit(x, x[:, 0])).fit(x, x[:, 0])
    untrained(Bare())
    untrained(Bare(warm_start=False).fit(x, x[:, 0]))


class Moved(SGDRegressor):
    """Cannot be made anew: its constructor changes what it is given."""

    def __init__(self, alpha=0.5):
        self.alpha = alpha + 0.25


def test_a_model_that_cannot_be_made_anew_is_named():
    with pytest.raises(InputError, match="model: got Moved: Cannot clone"):
        untrained(Moved())


class ByHeart:
    """A classifier that knows the labels it was told, and goes on remembering at each fit; ½ for all other points."""

    def get_params(self, deep=True):
        return {}

    def fit(self, X, y, sample_weight=None):
        known = dict(zip(X[:, 0].tolist(), np.asarray(y).tolist(), strict=True))
        self.known_ = getattr(self, "known_", {}) | known
        return self

    def predict_proba(self, X):
        label = np.array([self.known_.get(x, 0.5) for x in X[:, 0].tolist()])
        p = 0.5 + 0.8 * (label - 0.5) + 0.01 * np.sin(1e3 * X[:, 0])
        return np.stack([1 - p, p], 1)


def samples(seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 200, 1))
    return a, b, ByHeart().fit(np.concatenate([a, b]), np.repeat([0, 1], 200))


def test_a_two_sample_test_takes_no_advantage_of_a_trained_classifier():
    a, b, trained = samples(7)
    assert c2st(jax.random.key(1), a, b, classifier=trained).p_value > 1e-3


def test_a_ratio_of_samples_takes_no_advantage_of_a_trained_classifier():
    a, b, trained = samples(8)
    for ratio in ratio_from_classifier(jax.random.key(1), trained, a, b):
        np.testing.assert_allclose(ratio, 1, atol=0.1)


def test_equal_keys_give_equal_numbers_and_others_give_others():
    one, two = jax.random.split(jax.random.key(1))
    first, again, other = (generator(key, "f").random(1000) for key in (one, one, two))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 4 / np.sqrt(1000)
    # keys of small seeds are not NumPy's generators of these seeds, which draw the events in many a script
    assert generator(jax.random.key(1), "f").random() != np.random.default_rng(1).random()
    assert len({float(generator(key, "f").random()) for key in split_key(one, 5, "f")}) == 5


@pytest.mark.parametrize(
    ("key", "got"),
    [
        (np.random.default_rng(1), "a key of type Generator"),
        (1, "a key of type int"),
        (None, "a key of type NoneType"),
        (jax.random.split(jax.random.key(1), 3), r"keys of shape \(3,\)"),
    ],
)
def test_what_is_no_key_is_refused(key, got):
    for use in (lambda: generator(key, "f"), lambda: split_key(key, 2, "f")):
        with pytest.raises(InputError, match=rf"f: got {got}; expected one key of JAX; give jax\.random\.key\(1\)"):
            use()
