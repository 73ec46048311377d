from dataclasses import replace

import equinox as eqx
import jax
import numpy as np
import pytest
from gaussians import AUC, FEATURES, make, sample, weigh
from sklearn.metrics import roc_auc_score

from verax.epistemic import bootstrap_factors
from verax.errors import InputError
from verax.events import Events, fold_number
from verax.learn import CrossEntropy, Training, blank, cross_train, fold_of, is_held_out, load, predict, save, score

LOSS = CrossEntropy(("signal",))
FOLDS, MEMBERS = 3, 2
TRAINING = Training(epochs=4, batch=128, learning_rate=1e-2)
OPTIONS = {"folds": FOLDS, "members": MEMBERS, "weigh": weigh, "training": TRAINING}


@pytest.fixture(scope="module")
def events():
    return sample(0, 3001)


@pytest.fixture(scope="module")
def trained(events):
    return cross_train(jax.random.key(5), make, LOSS, events, **OPTIONS)


def network(trained, fold, member):
    return [np.asarray(a)[fold, member] for a in jax.tree.leaves(eqx.filter(trained.network, eqx.is_array))]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.thorough
@pytest.mark.parametrize("held", [False, True])
def test_an_event_does_not_change_the_networks_that_score_it(events, trained, held):
    row = 1000 + int(np.argmax(is_held_out(events.number[1000:], 0.2) == held))
    fold = int(events.number[row]) % FOLDS
    x, process = events.x.copy(), events.process.copy()
    x[row], process[row] = 30.0, 1 - process[row]
    changed = Events(x, events.weight, process, events.number, events.columns, events.processes)
    again = cross_train(jax.random.key(5), make, LOSS, changed, **OPTIONS)
    for f in range(FOLDS):
        for m in range(MEMBERS):
            if f == fold or not held:  # a held-out event may or may not change when the others stop
                assert same(network(trained, f, m), network(again, f, m)) == (f == fold)


def test_networks_have_axes_fold_and_member_and_differ(trained):
    for leaf in jax.tree.leaves(eqx.filter(trained.network, eqx.is_array)):
        assert leaf.shape[:2] == (FOLDS, MEMBERS)
    assert not same(network(trained, 0, 0), network(trained, 0, 1))
    assert [len(h) for h in trained.histories] == [MEMBERS] * FOLDS


def test_score_is_good_and_split_by_the_law_of_total_variance(events, trained):
    p = score(trained, events)
    # Standard error of the AUC from 1,500 + 1,500 events: 0.0067.
    assert roc_auc_score(events.process, p.mean) == pytest.approx(AUC, abs=3 * 0.0067)
    np.testing.assert_allclose(p.total, p.mean * (1 - p.mean), atol=1e-6)
    assert (p.epistemic >= 0).all()
    assert p.epistemic.max() > 0


def test_each_fold_is_scored_by_its_own_networks(events, trained):
    p = score(trained, events)
    fold = fold_of(events.number, FOLDS)
    for f in range(FOLDS):
        members = jax.tree.map(lambda a, f=f: a[f] if eqx.is_array(a) else a, trained.network)
        rows = np.flatnonzero(fold == f)
        np.testing.assert_allclose(predict(members, events.take(rows)).mean, p.mean[rows], atol=1e-6)


@pytest.mark.parametrize("size", [1, 97, 1000])
def test_an_events_score_has_the_same_bits_in_any_chunk_and_order(events, trained, size):
    whole = score(trained, events, batch=256)
    order = np.random.default_rng(size).permutation(len(events))[: 40 * size]
    parts = [score(trained, events.take(order[i : i + size]), batch=256) for i in range(0, len(order), size)]
    for name in ("mean", "aleatoric", "epistemic"):
        seen = np.concatenate([getattr(p, name) for p in parts])
        np.testing.assert_array_equal(seen, getattr(whole, name)[order])


def test_one_compiled_epoch_serves_all_folds_members_and_replicas(events):
    traces = []

    class Counting(eqx.Module):
        def __call__(self, network, events, key):
            traces.append(1)
            return LOSS(network, events, key)

    factors = np.random.default_rng(0).poisson(1, (MEMBERS, len(events))).astype(np.uint8)
    options = OPTIONS | {"training": replace(TRAINING, epochs=2)}
    cross_train(jax.random.key(5), make, Counting(), events, **options, factors=factors)
    first = len(traces)
    assert first <= 4  # the training step and the validation part, each traced once (JAX may trace a scan's body twice)
    cross_train(jax.random.key(6), make, Counting(), events, **options)
    assert len(traces) == first


def test_vectorised_networks_are_those_trained_one_after_another(events, trained):
    together = cross_train(
        jax.random.key(5), make, LOSS, events, **OPTIONS | {"training": replace(TRAINING, vmapped=True)}
    )
    a, b = score(trained, events).mean, score(together, events).mean
    np.testing.assert_allclose(a, b, atol=1e-3)  # other order of operations in matrix products, amplified by training
    for f in range(FOLDS):
        for m in range(MEMBERS):
            assert together.histories[f][m].best == trained.histories[f][m].best


@pytest.mark.thorough
def test_early_stopping_of_vectorised_networks_is_each_ones_own(events):
    small = events.take(np.arange(300))
    training = Training(epochs=40, learning_rate=0.1, patience=2, batch=50)
    serial = cross_train(jax.random.key(5), make, LOSS, small, **OPTIONS | {"training": training})
    together = cross_train(
        jax.random.key(5), make, LOSS, small, **OPTIONS | {"training": replace(training, vmapped=True)}
    )
    lengths = [[len(h.train) for h in fold] for fold in serial.histories]
    assert len(set(np.ravel(lengths))) > 1
    assert [[len(h.train) for h in fold] for fold in together.histories] == lengths
    assert [[h.stopped for h in fold] for fold in together.histories] == [["patience"] * MEMBERS] * FOLDS


def test_validation_part_is_a_fraction_independent_of_the_fold():
    number = np.arange(60_000, dtype=np.uint32)
    held = is_held_out(number, 0.2)
    assert held.mean() == pytest.approx(0.2, abs=3 * np.sqrt(0.16 / 60_000))
    for f in range(5):
        assert held[fold_of(number, 5) == f].mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / 12_000))
    assert not is_held_out(number, 0.0).any()
    assert is_held_out(number, 1.0).all()


def test_without_a_validation_part_all_epochs_are_run(events):
    result = cross_train(jax.random.key(5), make, LOSS, events.take(np.arange(400)), **OPTIONS, held_out=0.0)
    assert result.histories[0][0].stopped == "epochs"
    assert np.isnan(result.histories[0][0].validation).all()


def test_saved_and_loaded_networks_score_the_same(tmp_path, events, trained):
    save(tmp_path / "networks.eqx", trained.network)
    like = blank(FEATURES, width=16, depth=1, axes=(FOLDS, MEMBERS))
    again = type(trained)(load(tmp_path / "networks.eqx", like), FOLDS, trained.histories)
    np.testing.assert_array_equal(score(again, events).mean, score(trained, events).mean)


def test_bad_folds_are_refused(events):
    with pytest.raises(InputError, match="at least 2"):
        cross_train(jax.random.key(0), make, LOSS, events, folds=1)
    even = events.take(np.asarray(events.number) % 2 == 0)
    with pytest.raises(InputError, match="number % 2 == 1"):
        cross_train(jax.random.key(0), make, LOSS, even, folds=2)
    with pytest.raises(InputError, match="factors"):
        cross_train(jax.random.key(0), make, LOSS, events, folds=2, members=2, factors=np.ones((1, 3001)))


def test_wide_numbers_of_files_are_the_events_that_they_become():
    """Cut to 32 bits, 2³² + 1 would be the event 1, and in another fold than in the run."""
    wide = np.arange(40) * (2**33 + 7) + 5
    bits = fold_number(wide)
    assert not np.array_equal(bits, wide.astype(np.uint32))
    assert np.array_equal(fold_of(wide, 3), fold_of(bits, 3))
    assert np.array_equal(is_held_out(wide, 0.4), is_held_out(bits, 0.4))
    zero = np.zeros(40, int)
    draws = [bootstrap_factors(jax.random.key(1), n, zero, members=2) for n in (wide, bits)]
    assert np.array_equal(*draws)
    with pytest.raises(InputError, match="event number: got 1 of 2 that are not whole"):
        fold_of(np.array([1.0, 2.5]), 3)
