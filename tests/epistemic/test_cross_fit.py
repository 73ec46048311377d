"""Posteriors of folds: found from the events outside the fold, and looked at before members are taken."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

from verax.epistemic import cross_fit, laplace, variational
from verax.errors import InputError
from verax.events import make_events
from verax.learn import CrossEntropy, Training, balance, classifier, cross_train, is_held_out, score
from verax.results import Status

KEY = jax.random.key(6)
MAKE = partial(classifier, features=("x",), width=4, depth=1)
LOSS, WEIGH = CrossEntropy(("s",)), partial(balance, signal=("s",))
FIXED = Training(epochs=1, batch=64)


@pytest.fixture(scope="module")
def events():
    """Two Gaussians, 60 events each, with weights that are not balanced."""
    rng = np.random.default_rng(4)
    label = np.repeat([0, 1], 60)
    x, weight = rng.normal(2 * label - 1.0), np.where(label, 0.1, 3.0)
    return make_events({"x": x}, weight=weight, process=label, processes=("b", "s"))


def spied(method, seen):
    """The method, which keeps what it is given."""

    def found(key, make, loss, events, **options):
        seen.append((events, options.get("validation")))
        return method(key, make, loss, events, **options)

    return found


@pytest.mark.thorough
@pytest.mark.parametrize("held_out", [0.0, 0.25])
def test_a_posterior_is_found_from_the_balanced_events_outside_its_fold(events, held_out):
    seen, done = [], []
    trained, found = cross_fit(
        KEY,
        spied(partial(laplace, precision=1.0, steps=1), seen),
        MAKE,
        LOSS,
        events,
        training=FIXED,
        folds=2,
        members=4,
        weigh=WEIGH,
        held_out=held_out,
        progress=lambda *each: done.append(each),
    )
    assert done == [(1, 2), (2, 2)]
    number = np.arange(len(events))
    for f, (part, validation) in enumerate(seen):
        outside, held = number % 2 != f, is_held_out(number, held_out)
        np.testing.assert_array_equal(part.number, number[outside & ~held])
        assert (validation is None) == (held_out == 0)
        for each in (part, validation) if validation else (part,):
            signal = np.asarray(each.is_process(["s"]))
            assert np.sum(each.weight[signal]) == pytest.approx(np.sum(each.weight[~signal]))
    assert len(found) == trained.folds == 2
    assert trained.histories == tuple(posterior.histories for posterior in found)
    # Event i is scored by the members of fold i % 2.
    member = found[1].members(jax.random.split(jax.random.fold_in(KEY, 1))[1], 4)
    logit = jax.vmap(lambda network: jax.vmap(network)(events.x))(member)
    expected = np.asarray(jax.nn.sigmoid(logit)).mean(axis=0)
    np.testing.assert_allclose(score(trained, events).mean[1::2], expected[1::2], rtol=1e-5)


@pytest.mark.thorough
def test_members_of_folds_differ_as_those_of_one_posterior(events):
    trained, found = cross_fit(KEY, variational, MAKE, LOSS, events, training=FIXED, folds=2, members=200, held_out=0)
    last = np.asarray(trained.network.layers[-1].weight)
    for f in range(2):
        sigma = np.asarray(found[f].posterior.sigma)[-5:-1]  # of the last layer's weights, before its bias
        np.testing.assert_allclose(last[f].std(axis=0).ravel(), sigma, rtol=4 / np.sqrt(2 * 200))


def test_a_posterior_that_is_not_finite_is_refused(events):
    def broken(*arguments, **options):
        return replace(
            laplace(*arguments, **options), status=Status.NOT_FINITE, problem="a curvature that is not finite"
        )

    with pytest.raises(InputError, match=r"fold 1: got a curvature that is not finite; expected a posterior"):
        cross_fit(KEY, broken, MAKE, LOSS, events, training=FIXED, folds=2, members=2)


def test_folds_are_those_of_cross_training(events):
    for folds in (1, 200):
        with pytest.raises(InputError) as caught:
            cross_fit(KEY, laplace, MAKE, LOSS, events, training=FIXED, folds=folds)
        with pytest.raises(InputError) as same:
            cross_train(KEY, MAKE, LOSS, events, training=FIXED, folds=folds)
        assert str(caught.value) == str(same.value)
