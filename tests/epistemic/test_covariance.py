import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear import Line, design, moments, regression

from verax.epistemic import event_covariance, member_histograms
from verax.errors import InputError
from verax.learn import member_means, predict, predict_chunks

MEMBERS = 30
EDGES = np.linspace(-1.5, 2.5, 6)


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(5).normal([0.5, 1, -0.7], [0.2, 0.1, 0.1], (MEMBERS, 3))


@pytest.fixture(scope="module")
def members(vectors):
    return Line(jnp.asarray(vectors, jnp.float32))


@pytest.fixture(scope="module")
def events():
    weight = np.random.default_rng(6).choice([0.3, 1.7, -0.4], 500)
    return regression(n=500, weight=weight)


def test_covariance_between_events_is_that_of_the_weights(members, vectors, events):
    few = events.take(np.arange(50))
    found = event_covariance(members, few, moments=moments, batch=16)
    phi = design(few)
    np.testing.assert_allclose(found, phi @ np.cov(vectors.T, bias=True) @ phi.T, atol=1e-5)
    np.testing.assert_allclose(np.diag(found), predict(members, few, moments=moments).epistemic, rtol=1e-4)


def by_hand(vectors, events):
    said = (design(events) @ np.float32(vectors).T.astype(np.float64)).T
    said = np.clip(said, EDGES[0], np.nextafter(EDGES[-1], 0))
    return np.stack([np.histogram(row, EDGES, weights=np.asarray(events.weight, np.float64))[0] for row in said])


def test_histograms_of_members_and_their_covariance(members, vectors, events):
    found = member_histograms(members, events, EDGES, moments=moments, batch=128)
    expected = by_hand(vectors, events)
    np.testing.assert_allclose(found.counts, expected, atol=1e-4)
    np.testing.assert_allclose(found.mean, expected.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(found.covariance, np.cov(expected.T), atol=1e-2)
    np.testing.assert_allclose(found.correlation, np.corrcoef(expected.T), atol=1e-3)
    # Every event is in some bin: what one bin loses others gain.
    np.testing.assert_allclose(found.covariance.sum(axis=0), 0, atol=1e-3)
    total = math.fsum(np.asarray(events.weight, np.float64))
    np.testing.assert_allclose(found.counts.sum(axis=1), total, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 61, 500])
def test_chunks_and_order_give_the_same_bits(members, events, size):
    order = np.random.default_rng(size).permutation(500)[: 20 * size]
    whole = member_histograms(members, events.take(np.sort(order)), EDGES, moments=moments, batch=128)
    chunks = (events.take(order[i : i + size]) for i in range(0, len(order), size))
    np.testing.assert_array_equal(
        member_histograms(members, chunks, EDGES, moments=moments, batch=128).counts, whole.counts
    )


def test_shifts_are_nuisance_parameters_of_that_covariance(members, events):
    found = member_histograms(members, events, EDGES, moments=moments, batch=128)
    shifts = found.shifts(1.0)
    np.testing.assert_allclose(shifts.T @ shifts, found.covariance, atol=1e-8 * np.trace(found.covariance))
    part = found.shifts(0.6)
    assert 1 <= len(part) < len(shifts)
    assert np.sum(part**2) >= 0.6 * np.trace(found.covariance)
    assert (np.diff(np.sum(shifts**2, axis=1)) <= 0).all()
    still = Line(jnp.tile(jnp.asarray([0.5, 1.0, -0.7]), (3, 1)))
    assert member_histograms(still, events, EDGES, moments=moments, batch=128).shifts().shape == (0, 5)


def test_member_means_are_each_members_own(members, vectors, events):
    found = np.concatenate([v for _, v in member_means(members, events, moments=moments, batch=128)], axis=1)
    np.testing.assert_allclose(found, vectors @ design(events).T, atol=1e-5)


def test_chunks_predicted_one_by_one_are_the_whole(members, events):
    whole = predict(members, events, moments=moments, batch=128)
    parts = list(
        predict_chunks(
            members, (events.take(np.arange(i, i + 100)) for i in range(0, 500, 100)), moments=moments, batch=128
        )
    )
    np.testing.assert_array_equal(np.concatenate([p.epistemic for p in parts]), whole.epistemic)
    np.testing.assert_array_equal(np.concatenate([p.mean for p in parts]), whole.mean)


def test_bad_input_is_told(members, events):
    with pytest.raises(InputError, match="increase"):
        member_histograms(members, events, np.asarray([0.0, 0.0, 1.0]), moments=moments)
    with pytest.raises(InputError, match="no events"):
        member_histograms(members, iter(()), EDGES, moments=moments)
    with pytest.raises(InputError, match="at least 2"):
        member_histograms(jax.tree.map(lambda a: a[:1], members), events, EDGES, moments=moments, batch=128)
    with pytest.raises(InputError, match=r"target of shape \(2,\)"):
        event_covariance(members, events, moments=lambda out: (jnp.stack([out, out]),) * 2, batch=128)
    first = member_histograms(members, events, EDGES, moments=moments, batch=128)
    other = member_histograms(members, events, EDGES[:4], moments=moments, batch=128)
    with pytest.raises(InputError, match="30 members, 3 bins"):
        _ = first + other
    with pytest.raises(InputError, match="share"):
        first.shifts(0.0)
