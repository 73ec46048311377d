"""What makes no sense is refused in one line, by every verb."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from jaxtyping import config

from likelihoods import counting, realistic
from likelihoods_unbinned import Peak
from verax import infer
from verax.errors import InputError
from verax.model import Data, hold

MODEL = realistic(systematics=1)
DATA = MODEL.asimov({})
KEY = jax.random.key(1)
VALUES = np.array([0.5, 1.0])
VERBS = {
    "fit": lambda d=DATA, **k: infer.fit(MODEL, d, **k),
    "interval": lambda d=DATA, **k: infer.interval(MODEL, d, "mu", **k),
    "significance": lambda d=DATA, **k: infer.significance(MODEL, d, "mu", **k),
    "limit": lambda d=DATA, **k: infer.limit(MODEL, d, "mu", **k),
    "cls": lambda d=DATA, **k: infer.cls(MODEL, d, "mu", VALUES, **k),
    "profile": lambda d=DATA, **k: infer.profile(MODEL, d, "mu", VALUES, **k),
    "scan2d": lambda d=DATA, **k: infer.scan2d(MODEL, d, ("mu", "theta0"), (VALUES, VALUES), **k),
    "neyman": lambda d=DATA, **k: infer.neyman(KEY, MODEL, d, "mu", VALUES, **k),
    "breakdown": lambda d=DATA, **k: infer.breakdown(MODEL, d, "mu", **k),
    "ranking": lambda d=DATA, **k: infer.ranking(MODEL, d, "mu", **k),
    "goodness_of_fit": lambda d=DATA, **k: infer.goodness_of_fit(MODEL, d, **k),
}


@pytest.fixture(autouse=True)
def unchecked():
    """As a user calls, for whom no annotation is checked at run time."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


NO_NUMBERS = [np.nan, np.inf, -np.inf, None, "1", np.ones(2)]


@pytest.mark.parametrize("verb", VERBS)
def test_values_to_fix_are_finite_numbers(verb):
    for value in NO_NUMBERS:
        with pytest.raises(InputError, match=r"parameter 'norm'.*expected a finite number"):
            VERBS[verb](fixed={"norm": value})
    with pytest.raises(InputError, match="expected values by name"):
        VERBS[verb](fixed="norm")


@pytest.mark.parametrize("verb", VERBS)
def test_no_data_sets_and_other_things_than_data_are_refused(verb):
    with pytest.raises(InputError, match="a batch of no data sets; expected one or more"):
        VERBS[verb](Data(np.zeros((0, DATA.counts.size)), np.zeros((0, DATA.auxiliary.size))))
    for data in ([1, 2], np.ones(7)):
        with pytest.raises(InputError, match=r"expected Data\(counts, auxiliary\)"):
            VERBS[verb](data)


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_truths_and_starting_values_are_finite_numbers(value):
    at = {"norm": value}
    asked = [
        lambda: infer.fit(MODEL, DATA, init=at),
        lambda: infer.sample_toys(KEY, MODEL, at, 2),
        lambda: infer.campaign(KEY, MODEL, at, 2),
        lambda: infer.expected_error(MODEL, "mu", at),
        lambda: infer.expected_error(MODEL, "mu", fixed=at),
        lambda: MODEL.asimov(at),
        lambda: MODEL.expected(at),
        lambda: MODEL.spread(at, DATA),
        lambda: MODEL.log_prob(at, DATA),
        lambda: Peak().asimov(at),
        lambda: hold(MODEL, at),
    ]
    for ask in asked:
        with pytest.raises(InputError, match=r"parameter 'norm'.*expected a finite number"):
            ask()


def test_no_events_are_drawn_from_a_negative_density():
    """−3 · 100 events of a peak over 400 flat ones: toys were of 100 events."""
    with pytest.raises(InputError, match="negative"):
        infer.sample_toys(KEY, Peak(), {"mu": -3.0}, 2)


def test_negative_values_have_no_cls():
    """q̃ is not defined below zero; CLs there was 1 or more, with status OK."""
    for model, data in ((MODEL, DATA), (Peak(), Peak().asimov({}))):
        for method in ({}, {"method": "toys", "key": KEY}):
            with pytest.raises(InputError, match=r"cls, values: got -1; expected finite numbers that are at least 0"):
                infer.cls(model, data, "mu", [-1.0, -0.5, 0.0], **method)
    wrong = counting(bounds=(-2.0, 1.0))
    wrong = replace(wrong, parameters=tuple(replace(p, init=-1.0, bounds=(-2.0, -0.5)) for p in wrong.parameters))
    for ask in (infer.limit, lambda *a: infer.cls(*a, [0.5])):
        with pytest.raises(InputError, match=r"'mu' up to -0\.5; expected a parameter that can be above zero"):
            ask(wrong, wrong.asimov({}), "mu")


def test_values_are_a_list_of_finite_numbers():
    for values in (1.0, np.ones((2, 2)), [], [np.nan, 1.0]):
        asked = [
            lambda v=values: infer.profile(MODEL, DATA, "mu", v),
            lambda v=values: infer.cls(MODEL, DATA, "mu", v),
            lambda v=values: infer.neyman(KEY, MODEL, DATA, "mu", v),
            lambda v=values: infer.scan2d(MODEL, DATA, ("mu", "norm"), (VALUES, v)),
        ]
        for ask in asked:
            with pytest.raises(InputError, match="values: got"):
                ask()
    with pytest.raises(InputError, match="significance, null, values: got nan"):
        infer.significance(MODEL, DATA, "mu", null=np.nan)


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_toys_are_one_at_least(n):
    asked = [
        lambda: infer.sample_toys(KEY, MODEL, {}, n),
        lambda: infer.neyman(KEY, MODEL, DATA, "mu", VALUES, n_toys=n),
        lambda: infer.limit(MODEL, DATA, "mu", method="toys", key=KEY, n_toys=n),
        lambda: infer.cls(MODEL, DATA, "mu", VALUES, method="toys", key=KEY, n_toys=n),
        lambda: infer.goodness_of_fit(MODEL, DATA, key=KEY, n_toys=n - 1 if n < 1 else n),
    ]
    for ask in asked:
        with pytest.raises(InputError, match=r"expected a whole number, at least [01]"):
            ask()


def test_expected_errors_fix_values_as_other_verbs_do():
    """Of a counting experiment √(μ s + b) / s; where the background is held at twice its size, of twice as many events."""
    one = infer.expected_error(MODEL, "mu", {"norm": 2.0}, fixed={"theta0": 0.0})
    both = infer.expected_error(MODEL, "mu", {"norm": 2.0}, fixed={"theta0": 0.0, "norm": 1.0})
    assert both < one
    assert both == pytest.approx(
        float(infer.expected_error(hold(MODEL, {"theta0": 0.0, "norm": 1.0}), "mu")), rel=1e-12
    )
    with pytest.raises(InputError, match="'mu', which is fixed at 1; expected a parameter that can move"):
        infer.expected_error(MODEL, "mu", fixed={"mu": 1.0})
    for given in ("norm", ("norm",)):
        with pytest.raises(InputError, match="expected values by name"):
            infer.expected_error(MODEL, "mu", fixed=given)


def test_values_by_name_are_those_of_one_fit():
    with pytest.raises(InputError, match="a fit of 2 data sets; expected one data set"):
        _ = infer.fit(MODEL, infer.sample_toys(KEY, MODEL, {}, 2)).params


def test_lists_are_taken_for_arrays():
    best = infer.fit(counting(20.0, 100.0), Data([120.0], [1.0]))
    assert best.params["mu"] == pytest.approx(1.0, abs=1e-4)
