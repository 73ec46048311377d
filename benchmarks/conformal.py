"""Conformal quantiles and intervals of a million calibration and a million test points, against other packages.

Usage: python benchmarks/conformal.py [POINTS]

Ours with weights and with a weight for each test point; without weights against MAPIE, crepes (where installed) and the
same lines of NumPy by hand, on the same arrays; jackknife+ against MAPIE. A quantile for each test point is compared with
a sum over the calibration points for each of them, the usual recipe, timed for some of them. Best of three, wall seconds,
one process.
"""

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from verax.calibrate import isotonic, venn_abers
from verax.conformal import CrossConformalRegressor, SplitConformalRegressor, absolute, band, conformalize, shifted


def best(action: Callable[[], Any], times: int = 3) -> tuple[Any, float]:
    """Result and the shortest of some runs."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        result = action()
        seconds.append(time.perf_counter() - start)
    return result, min(seconds)


def say(what: str, seconds: float, more: str = "") -> None:
    print(f"| {what} | {seconds:.3f} | {more} |", flush=True)


class Given:
    """A trained model that only hands over its inputs, so that packages are timed and not models."""

    n_features_in_ = 1
    __sklearn_is_fitted__ = staticmethod(lambda: True)

    def fit(self, x: Any, y: Any) -> "Given":
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x[:, 0]


def with_weights(n: int, rng: np.random.Generator) -> None:
    mean, new = rng.normal(size=n), rng.normal(size=n)
    y = mean + rng.normal(size=n)
    weight = rng.uniform(0.5, 1.5, n)
    signed = weight * np.where(rng.random(n) < 0.2, -1, 1)
    ratio, test_ratio = np.exp(0.5 * mean - 0.125), np.exp(0.5 * new - 0.125)

    def one(w: np.ndarray) -> Any:
        q = conformalize(absolute(y, mean), level=0.9, weight=w, negative="signed")
        return band(new, q.value, level=0.9)

    say("weighted intervals", best(lambda: one(weight))[1])
    say("weighted intervals, a fifth of the weights negative", best(lambda: one(signed))[1])

    def each() -> Any:
        q = shifted(absolute(y, mean), ratio=ratio, test_ratio=test_ratio, level=0.9)
        return band(new, q.value, level=0.9)

    result, seconds = best(each)
    say("covariate shift: a weighted quantile for each test point", seconds)

    some = 20
    scores = np.sort(absolute(y, mean))
    w = ratio[np.argsort(absolute(y, mean), kind="stable")]

    def by_hand() -> np.ndarray:
        sums = [np.cumsum(np.append(w, v)) for v in test_ratio[:some]]
        return np.array([scores[np.searchsorted(s[:-1], 0.9 * s[-1])] for s in sums])

    values, loop = best(by_hand, 1)
    np.testing.assert_allclose(result.high[:some] - new[:some], values)
    say(
        "the same, one sum for each test point",
        loop * n / some,
        f"{loop * n / some / seconds:.0f} ({some} points timed)",
    )

    p = 1 / (1 + np.exp(-mean))
    label = rng.random(n) < p
    say("isotonic, a fifth negative", best(lambda: isotonic(mean, label, weight=signed, negative="signed"), 1)[1])
    say("Venn–Abers, all pairs", best(lambda: venn_abers(mean, label), 1)[1])


def without_weights(n: int, rng: np.random.Generator) -> None:
    mean, new = rng.normal(size=(n, 1)), rng.normal(size=(n, 1))
    y = mean[:, 0] + rng.normal(size=n)
    model = SplitConformalRegressor(Given(), 0.9, prefit=True)
    ours, seconds = best(lambda: model.conformalize(mean, y).predict_interval(new))
    say("split intervals", seconds)

    def by_hand() -> np.ndarray:
        s = np.abs(y - mean[:, 0])
        k = -(-(n + 1) * 9 // 10) - 1
        return new[:, 0] + np.partition(s, k)[k]

    high, hand = best(by_hand)
    np.testing.assert_array_equal(ours.high, high)
    say("the same by hand, np.partition", hand, f"{hand / seconds:.2f}")
    try:
        from mapie.regression import SplitConformalRegressor as Theirs
    except ImportError:
        print("MAPIE is not installed")
    else:
        from sklearn.linear_model import LinearRegression

        line = LinearRegression().fit(np.array([[0.0], [1.0]]), np.array([0.0, 1.0]))
        mine = SplitConformalRegressor(line, 0.9, prefit=True)
        ours, ourselves = best(lambda: mine.conformalize(mean, y).predict_interval(new))
        theirs, them = best(lambda: Theirs(line, confidence_level=0.9).conformalize(mean, y).predict_interval(new))
        np.testing.assert_array_equal(ours.high, theirs[1][:, 1, 0])
        say("split intervals of a linear model", ourselves)
        say("the same, MAPIE", them, f"{them / ourselves:.1f}")
        across(rng)
    try:
        from crepes import ConformalRegressor
    except ImportError:
        print("crepes is not installed")
        return
    residual = y - mean[:, 0]
    theirs, them = best(lambda: ConformalRegressor().fit(residual).predict_int(new[:, 0], confidence=0.9))
    say("the same, crepes", them, f"{them / seconds:.1f}")
    np.testing.assert_allclose(theirs[:, 1], new[:, 0] + model.quantile_.value, rtol=1e-9)


def across(rng: np.random.Generator) -> None:
    from mapie.regression import CrossConformalRegressor as Theirs
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import KFold

    x, new = rng.normal(size=(1000, 5)), rng.normal(size=(10_000, 5))
    y = x.sum(1) + rng.normal(size=1000)
    mine = CrossConformalRegressor(LinearRegression(), cv=10, shuffle=False)
    ours, seconds = best(lambda: mine.fit(x, y).predict_interval(new))
    make = Theirs(LinearRegression(), confidence_level=0.9, cv=KFold(10)).fit_conformalize
    theirs, them = best(lambda: make(x, y).predict_interval(new), 1)
    np.testing.assert_allclose(ours.high, theirs[1][:, 1, 0], rtol=1e-9)
    say("CV+ of 10 folds, 1,000 training and 10,000 test points", seconds)
    say("the same, MAPIE", them, f"{them / seconds:.1f}")


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{n} calibration and {n} test points\n\n| what | seconds | times ours |\n| :-- | --: | --: |")
    with_weights(n, np.random.default_rng(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        without_weights(n, np.random.default_rng(2))


if __name__ == "__main__":
    main()
