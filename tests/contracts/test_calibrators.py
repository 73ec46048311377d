"""What every calibrator of a score promises; a new one joins by one line in ``CALIBRATORS``."""

import copy
import dataclasses
import pickle
import re

import numpy as np
import pytest
from guarantees import CALIBRATORS
from scipy.special import expit

from verax.errors import InputError

RNG = np.random.default_rng(21)
SCORE = (2 * RNG.normal(size=300)).round(2)  # with ties
LABEL = (RNG.random(300) < expit(SCORE)).astype(int)
SIGNED = RNG.uniform(0.5, 1.5, 300) * np.where(RNG.random(300) < 0.1, -1, 1)
NEW = np.linspace(-5, 5, 101)

pytestmark = pytest.mark.parametrize("method", CALIBRATORS.values(), ids=CALIBRATORS)


def refusal(call) -> str:
    """The line that refuses the input; empty where it is taken."""
    try:
        call()
    except InputError as error:
        return str(error)
    return ""


LINE = re.compile(r"[^\n]+: got [^\n]+; expected [^\n]+")


def test_it_returns_increasing_probabilities(method):
    p = method.fit(SCORE, LABEL)(NEW)
    assert p.shape == NEW.shape
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p) >= 0).all()
    assert p[-1] - p[0] > 0.5
    # an event's probability does not depend on the events that it comes with
    np.testing.assert_allclose(
        np.concatenate([method.fit(SCORE, LABEL)(s) for s in np.split(NEW, [1, 50])]), p, rtol=1e-12
    )


def test_negative_weights_are_refused_until_a_word_says_what_they_mean(method):
    with pytest.raises(InputError, match=f"{(SIGNED < 0).sum()} negative weights of 300.*choose negative='signed'"):
        method.fit(SCORE, LABEL, weight=SIGNED)
    signed = method.fit(SCORE, LABEL, weight=SIGNED, negative="signed")(NEW)
    assert ((signed >= 0) & (signed <= 1)).all()
    size = method.fit(SCORE, LABEL, weight=SIGNED, negative="abs")(NEW)
    np.testing.assert_array_equal(size, method.fit(SCORE, LABEL, weight=np.abs(SIGNED))(NEW))
    assert (size != signed).any()
    with pytest.raises(InputError, match="known: error, signed, abs"):
        method.fit(SCORE, LABEL, weight=SIGNED, negative="ignore")


def test_signed_weights_are_taken_as_they_are(method):
    """An event that comes again with the opposite weight is taken out; a new event's weight is Σw²/Σw = 1.4 then."""
    again = np.concatenate([np.arange(300), np.arange(60), np.arange(60)])
    weight = np.repeat([1.0, 1.0, -1.0], [300, 60, 60])
    more = method.fit(SCORE[again], LABEL[again], weight=weight, negative="signed")(NEW)
    np.testing.assert_allclose(more, method.fit(SCORE, LABEL)(NEW), atol=1e-9 if method.repeats else 0.05)


@pytest.mark.parametrize("bad", [np.zeros(300), -np.ones(300), np.full(300, np.nan), np.full(300, np.inf), np.ones(3)])
def test_weights_of_no_use_are_refused(method, bad):
    assert LINE.fullmatch(refusal(lambda: method.fit(SCORE, LABEL, weight=bad, negative="signed")))


def test_few_events_calibrate_or_are_refused(method):
    for n, label in ((0, []), (1, [0]), (1, [1]), (2, [0, 1]), (2, [1, 0]), (2, [1, 1])):
        score = np.arange(float(n))
        line = refusal(lambda score=score, label=label: method.fit(score, np.array(label, int)))
        if line:
            assert LINE.fullmatch(line)
        else:
            p = method.fit(score, np.array(label))(NEW)
            assert ((p >= 0) & (p <= 1)).all()
    assert method.fit(SCORE, LABEL)(NEW[:1]).shape == (1,)
    assert method.fit(SCORE, LABEL)(NEW[:0]).shape == (0,)


def test_values_that_are_not_there_are_refused(method):
    hole = np.where(np.arange(300) == 7, np.nan, 1.0)
    for score, label, weight in ((hole * SCORE, LABEL, None), (SCORE, hole * LABEL, None), (SCORE, LABEL, hole)):
        assert LINE.fullmatch(refusal(lambda s=score, y=label, w=weight: method.fit(s, y, weight=w)))
    assert LINE.fullmatch(refusal(lambda: method.fit(SCORE, LABEL)(np.array([0.0, np.nan]))))


def test_a_second_fit_knows_nothing_of_the_first(method):
    first = method.fit(SCORE, LABEL)
    before = first(NEW)
    method.fit(-SCORE, LABEL)
    np.testing.assert_array_equal(first(NEW), before)
    np.testing.assert_array_equal(method.fit(SCORE, LABEL)(NEW), before)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(first, dataclasses.fields(first)[0].name, None)


def test_the_caller_may_change_his_arrays_afterwards(method):
    score, label, weight = SCORE.copy(), LABEL.copy(), np.abs(SIGNED)
    fit = method.fit(score, label, weight=weight)
    before = fit(NEW)
    score[:], label[:], weight[:] = 0, 0, 0
    np.testing.assert_array_equal(fit(NEW), before)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))])
def test_copies_give_the_same_probabilities(method, copied):
    fit = method.fit(SCORE, LABEL)
    np.testing.assert_array_equal(copied(fit)(NEW), fit(NEW))


@pytest.mark.parametrize("negative", ["error", "signed"])
def test_the_order_of_events_means_nothing(method, negative):
    order, weight = RNG.permutation(300), SIGNED if negative == "signed" else np.abs(SIGNED)
    here, there = (
        method.fit(SCORE[i], LABEL[i], weight=weight[i], negative=negative)(NEW) for i in (slice(None), order)
    )
    np.testing.assert_allclose(there, here, rtol=1e-7, atol=1e-9)


def test_weights_count_events_in_any_unit(method):
    count = RNG.integers(0, 3, 300)
    weighted = method.fit(SCORE, LABEL, weight=count)(NEW)
    np.testing.assert_allclose(method.fit(SCORE, LABEL, weight=0.001 * count)(NEW), weighted, rtol=1e-6, atol=1e-8)
    there = count > 0  # an event of weight zero is not there
    absent = method.fit(SCORE[there], LABEL[there], weight=count[there])(NEW)
    np.testing.assert_allclose(absent, weighted, rtol=1e-6, atol=1e-8)
    repeated = method.fit(np.repeat(SCORE, count), np.repeat(LABEL, count))(NEW)
    assert np.allclose(repeated, weighted, rtol=1e-6, atol=1e-8) == method.repeats
