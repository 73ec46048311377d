"""What each public function of the guarantees makes of lists, columns of a table, truth values, NaN and masks."""

import contextlib
import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pytest
from guarantees import CALIBRATORS

import verax.calibrate
import verax.check
import verax.conformal
import verax.shift
from verax.calibrate import recalibration, temperature, venn_abers
from verax.conformal import (
    CrossConformalRegressor,
    PredictionSets,
    SplitConformalClassifier,
    SplitConformalRegressor,
    mondrian,
)
from verax.errors import InputError
from verax.results import Interval

N = 60
KEY = jax.random.key(2)
RNG = np.random.default_rng(1)
Y, MEAN, NEW, OTHER = RNG.normal(size=(4, N))
WEIGHT = RNG.uniform(0.5, 1.5, N)
P = RNG.uniform(0.05, 0.95, N)
LABEL = (RNG.random(N) < P).astype(np.int64)
GROUP = np.arange(N) % 2
TABLE = np.sort(RNG.normal(size=(N, 3)), axis=1)
BOTH = np.stack([1 - P, P], 1)
LEVELS = np.array([0.25, 0.5, 0.75])
SCORES = np.abs(Y)
WEIGHTS = {"reference_weight": WEIGHT, "target_weight": WEIGHT}


def bands() -> Interval:
    return Interval("y", 0.6827, MEAN, MEAN - 1, MEAN + 1, np.zeros(N, np.int64))


def shares() -> np.ndarray:
    return np.exp(TABLE) / np.exp(TABLE).sum(1, keepdims=True)


CASES: dict[str, tuple[Callable, dict[str, Any]]] = {
    "absolute": (verax.conformal.absolute, {"y": Y, "mean": MEAN}),
    "normalised": (verax.conformal.normalised, {"y": Y, "mean": MEAN, "spread": WEIGHT}),
    "band": (verax.conformal.band, {"mean": MEAN, "quantile": SCORES, "level": 0.9, "spread": WEIGHT}),
    "cqr": (verax.conformal.cqr, {"y": Y, "low": MEAN - 1, "high": MEAN + 1}),
    "cqr_sides": (verax.conformal.cqr_sides, {"y": Y, "low": MEAN - 1, "high": MEAN + 1}),
    "cqr_band": (verax.conformal.cqr_band, {"low": Y - 1, "high": Y + 1, "quantile": 0.5, "level": 0.9, "value": Y}),
    "conformalize": (verax.conformal.conformalize, {"scores": SCORES, "level": 0.9, "weight": WEIGHT}),
    "mondrian": (mondrian, {"scores": SCORES, "group": GROUP * 1.0, "level": 0.9, "weight": WEIGHT}),
    "mondrian's values": (mondrian(SCORES, GROUP, level=0.9).values, {"group": GROUP * 1.0}),
    "shifted": (
        verax.conformal.shifted,
        {"scores": SCORES, "ratio": WEIGHT, "test_ratio": WEIGHT, "level": 0.5, "weight": WEIGHT},
    ),
    "label_shift": (
        verax.conformal.label_shift,
        {"scores": SCORES, "label": LABEL, "ratio": np.array([0.5, 1.5]), "level": 0.5, "weight": WEIGHT},
    ),
    "p_value": (
        verax.conformal.p_value,
        {"scores": SCORES, "new": np.abs(NEW), "weight": WEIGHT, "test_weight": WEIGHT},
    ),
    "jackknife": (
        verax.conformal.jackknife,
        {"residual": SCORES, "prediction": TABLE, "level": 0.5, "model": GROUP, "value": MEAN, "weight": WEIGHT},
    ),
    "lac": (verax.conformal.lac, {"probability": BOTH}),
    "aps": (verax.conformal.aps, {"key": KEY, "probability": BOTH}),
    "raps": (verax.conformal.raps, {"key": KEY, "probability": BOTH}),
    "at_label": (verax.conformal.at_label, {"scores": TABLE, "label": LABEL}),
    "sets": (verax.conformal.sets, {"scores": TABLE, "quantile": np.array([0.1, 0.2, 0.3])}),
    "sets hold": (PredictionSets(0.9, (0, 1), BOTH > 0.4).holds, {"label": LABEL}),
    **{name: (row.fit, {"score": Y, "label": LABEL, "weight": WEIGHT}) for name, row in CALIBRATORS.items()},
    **{f"{name}'s": (row.fit(Y, LABEL), {"score": NEW}) for name, row in CALIBRATORS.items()},
    "temperature": (temperature, {"logits": np.log(BOTH), "label": LABEL, "weight": WEIGHT}),
    "temperature's": (temperature(np.log(BOTH), LABEL), {"logits": TABLE}),
    "venn_abers' bounds": (venn_abers(Y, LABEL).bounds, {"score": NEW}),
    "quantile_calibration": (
        verax.calibrate.quantile_calibration,
        {"y": Y, "quantile": TABLE, "level": LEVELS, "weight": WEIGHT},
    ),
    "pit_normal": (verax.calibrate.pit_normal, {"y": Y, "mean": MEAN, "spread": WEIGHT}),
    "pit_samples": (verax.calibrate.pit_samples, {"key": KEY, "y": Y, "samples": TABLE}),
    "uniformity": (verax.calibrate.uniformity, {"pit": P, "weight": WEIGHT}),
    "recalibration": (recalibration, {"pit": P, "weight": WEIGHT}),
    "recalibration's": (recalibration(P), {"fraction": LEVELS}),
    "coverage": (verax.check.coverage, {"intervals": bands, "truth": Y, "weight": WEIGHT}),
    "coverage_by": (verax.check.coverage_by, {"group": Y > 0, "intervals": bands, "truth": Y, "weight": WEIGHT}),
    "score": (verax.check.score, {"intervals": bands, "truth": Y}),
    "reliability_sums": (verax.check.reliability_sums, {"probability": P, "label": LABEL, "weight": WEIGHT}),
    "reliability": (verax.check.reliability, {"probability": P, "label": LABEL, "weight": WEIGHT}),
    "classwise": (verax.check.classwise, {"probability": BOTH, "label": LABEL, "weight": WEIGHT}),
    "roc": (verax.check.roc, {"score": P, "label": LABEL, "weight": WEIGHT}),
    "overtraining": (
        verax.check.overtraining,
        {"seen": Y, "unseen": NEW, "seen_weight": WEIGHT, "unseen_weight": np.ones(len(NEW))},
    ),
    "kolmogorov_smirnov": (verax.shift.kolmogorov_smirnov, {"reference": Y, "target": NEW, **WEIGHTS}),
    "c2st": (verax.shift.c2st, {"key": KEY, "reference": Y, "target": NEW, **WEIGHTS}),
    "mmd": (verax.shift.mmd, {"key": KEY, "reference": Y, "target": NEW, **WEIGHTS}),
    "bbse": (verax.shift.bbse, {"reference": BOTH, "label": LABEL, "target": BOTH[::-1], **WEIGHTS}),
    "average": (verax.check.average, {"scores": Y, "weight": WEIGHT}),
    "nll_gaussian": (verax.check.nll_gaussian, {"mean": MEAN, "variance": WEIGHT, "target": Y}),
    "crps_gaussian": (verax.check.crps_gaussian, {"mean": MEAN, "variance": WEIGHT, "target": Y}),
    "nll_mixture": (
        verax.check.nll_mixture,
        {"share": shares(), "mean": TABLE, "variance": np.exp(TABLE), "target": Y},
    ),
    "crps_mixture": (
        verax.check.crps_mixture,
        {"share": shares(), "mean": TABLE, "variance": np.exp(TABLE), "target": Y},
    ),
    "crps_sample": (verax.check.crps_sample, {"draws": TABLE, "target": Y, "weight": np.exp(TABLE)}),
    "crps_quantiles": (verax.check.crps_quantiles, {"levels": LEVELS, "quantiles": TABLE, "target": Y}),
    "diagnose": (
        verax.shift.diagnose,
        {
            "key": KEY,
            "reference": Y,
            "label": LABEL,
            "target": NEW,
            "target_label": LABEL,
            "reference_weight": WEIGHT,
            "target_weight": WEIGHT,
        },
    ),
    "diagnose_regression": (
        verax.shift.diagnose_regression,
        {
            "key": KEY,
            "reference": Y,
            "y": MEAN,
            "target": NEW,
            "target_y": OTHER,
            "reference_weight": WEIGHT,
            "target_weight": WEIGHT,
        },
    ),
}
# not of numbers of events; ratio_from_classifier, whose features are its classifier's own; and parts that other functions
# are made of, which take arrays that have been checked
OTHERS = {"rank", "diagram", "coverage_penalty", "score_value", "ratio_from_classifier"}
OTHERS |= {"ordered", "check_levels", "checked_weight", "median_with_error"}
OTHERS |= {"auc", "concept", "fit_softmax", "same_moments", "studentised"}


def test_no_public_function_is_left_out():
    public = {
        name
        for package in (verax.calibrate, verax.conformal, verax.shift, verax.check)
        for name, value in vars(package).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    assert public - set(CASES) == OTHERS


class Column:
    """As a table's column: arithmetic and comparison go by its index, which runs backwards here."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.values, dtype)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: Any) -> Any:
        return Column(self.values[::-1][key])

    def __sub__(self, other: Any) -> "Column":
        return Column(self.values - np.asarray(other)[::-1])

    def __rsub__(self, other: Any) -> "Column":
        return Column(np.asarray(other)[::-1] - self.values)


def call(name: str, **changed: Any) -> Any:
    function, given = CASES[name]
    given = {k: v() if v is bands else v for k, v in given.items() if not isinstance(v, np.ndarray)} | {
        k: v for k, v in given.items() if isinstance(v, np.ndarray)
    }
    return function(**(given | changed))


def numbers(result: Any) -> Iterator[np.ndarray]:
    """All numbers of a result, in order."""
    if dataclasses.is_dataclass(result):
        result = [getattr(result, field.name) for field in dataclasses.fields(result)]
    if isinstance(result, (tuple, list)):
        for part in result:
            yield from numbers(part)
    elif not isinstance(result, str) and result is not None:
        yield np.asarray(result)


def same(one: Any, two: Any) -> None:
    for a, b in zip(numbers(one), numbers(two), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", CASES)
def test_lists_and_columns_say_what_arrays_say(name):
    expected = call(name)
    for argument, value in CASES[name][1].items():
        if isinstance(value, np.ndarray):
            same(call(name, **{argument: value.tolist()}), expected)
            same(call(name, **{argument: Column(value)}), expected)
            same(call(name, **{argument: np.ma.array(value, mask=False)}), expected)
            if argument in ("label", "model", "target_label") and value.dtype.kind == "i":
                same(call(name, **{argument: value.astype(bool)}), expected)


@pytest.mark.parametrize("name", CASES)
def test_values_that_are_not_there_are_refused(name):
    for argument, value in CASES[name][1].items():
        if isinstance(value, np.ndarray):
            hole = value.astype(np.float64)
            hole[1] = np.nan
            mask = np.zeros(value.shape, bool)
            mask[1] = True
            for bad in (hole, Column(hole), hole.tolist(), np.ma.array(value, mask=mask)):
                with pytest.raises(InputError):
                    call(name, **{argument: bad})


@pytest.mark.parametrize("name", CASES)
def test_none_and_other_shapes_are_refused_or_taken_and_no_error_of_numpy(name):
    function, given = CASES[name]
    needed = {k for k, p in inspect.signature(function).parameters.items() if p.default is p.empty}
    for argument, value in given.items():
        if isinstance(value, np.ndarray):
            for bad in (value[:-1], value[None]):
                with contextlib.suppress(InputError):
                    call(name, **{argument: bad})
            if argument in needed:
                with pytest.raises(InputError):
                    call(name, **{argument: None})


# where an infinite number has a meaning: a score beyond all, an interval without end, a point without calibration points
INFINITE = {
    ("band", "quantile"),
    ("conformalize", "scores"),
    ("mondrian", "scores"),
    ("mondrian", "group"),
    ("shifted", "scores"),
    ("shifted", "test_ratio"),
    ("label_shift", "scores"),
    ("p_value", "scores"),
    ("p_value", "new"),
    ("at_label", "scores"),
    ("sets", "scores"),
    ("sets", "quantile"),
    ("quantile_calibration", "quantile"),
    ("pit_samples", "samples"),
    ("kolmogorov_smirnov", "reference"),
    ("kolmogorov_smirnov", "target"),
}


@pytest.mark.parametrize("name", CASES)
def test_infinite_numbers_are_refused_where_they_mean_nothing(name):
    for argument, value in CASES[name][1].items():
        if isinstance(value, np.ndarray) and (name, argument) not in INFINITE:
            bad = value.astype(np.float64)
            bad[1] = np.inf
            with pytest.raises(InputError):
                call(name, **{argument: bad})


@pytest.mark.parametrize("bad", [np.ma.array(Y, mask=np.arange(N) == 3), np.where(np.arange(N) == 3, np.nan, Y)])
def test_estimators_refuse_targets_and_features_that_are_not_there(bad):
    x, masked = Y[:, None], isinstance(bad, np.ma.MaskedArray)
    made = SplitConformalRegressor(lambda x: MEAN)
    for use in (
        lambda: made.conformalize(x, bad),
        lambda: made.conformalize(x, Y, np.abs(bad)),
        lambda: made.conformalize(x, Y, group=bad).predict_interval(x, group=GROUP),
        lambda: made.conformalize(x, Y).predict_interval(x, ratio=(np.abs(bad), WEIGHT)),
        lambda: made.conformalize(x, Y).predict_interval(x, ratio=(WEIGHT, np.abs(bad))),
        lambda: SplitConformalRegressor(lambda x: bad).predict(x),
        lambda: CrossConformalRegressor(lambda x: x[:, 0]).fit(x, Y, np.abs(bad)),
        lambda: SplitConformalClassifier(lambda x: BOTH, classes=[0, 1]).conformalize(x, bad > 0 if masked else bad),
    ):
        with pytest.raises(InputError):
            use()
    if masked:
        with pytest.raises(InputError, match="1 masked values of X"):
            SplitConformalRegressor(lambda x: x[:, 0]).predict(bad[:, None])
