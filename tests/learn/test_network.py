import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gaussians import FEATURES, make, sample

from verax.errors import InputError
from verax.learn import blank, inputs, load, save, standardise, trainable


def test_standardised_features_have_weighted_mean_zero_and_deviation_one():
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(500, 3)) * [1, 10, 1e-3] + [5, -200, 1e-2]).astype(np.float32)
    weight = rng.uniform(0.1, 3, 500).astype(np.float32)
    first = standardise(x, weight)
    z = np.asarray(jax.vmap(first)(jnp.asarray(x)), np.float64)
    mean = np.average(z, axis=0, weights=weight)
    np.testing.assert_allclose(mean, 0, atol=2e-5)
    np.testing.assert_allclose(np.average((z - mean) ** 2, axis=0, weights=weight), 1, atol=2e-5)


@pytest.mark.parametrize("missing", [-999.0, -999.9, float("nan")])
def test_missing_values_become_zero_and_do_not_enter_the_statistics(missing):
    rng = np.random.default_rng(2)
    full = rng.normal(3, 2, size=(400, 2)).astype(np.float32)
    weight = np.ones(400, np.float32)
    holes = full.copy()
    holes[::4, 1] = missing
    first = standardise(holes, weight, missing=missing)
    alone = standardise(full[np.arange(400) % 4 != 0], weight[:300])
    assert float(first.centre[1]) == pytest.approx(float(alone.centre[1]), abs=1e-6)
    assert float(first.scale[1]) == pytest.approx(float(alone.scale[1]), abs=1e-6)
    z = np.asarray(jax.vmap(first)(jnp.asarray(holes)))
    assert (z[::4, 1] == 0).all()
    assert (z[1::4, 1] != 0).all()


def test_constant_and_absent_features_are_harmless():
    x = np.stack([np.full(10, 7.3), np.full(10, -999.0)], axis=1).astype(np.float32)
    first = standardise(x, np.ones(10, np.float32), missing=-999.0)
    assert np.isfinite(np.asarray(jax.vmap(first)(jnp.asarray(x)))).all()
    assert np.abs(np.asarray(jax.vmap(first)(jnp.asarray(x)))).max() < 1e-5


def test_a_feature_that_is_not_finite_is_refused():
    x = np.array([[1.0, 2.0], [np.inf, 1.0]], np.float32)
    with pytest.raises(InputError, match="1 NaN or infinite"):
        standardise(x, np.ones(2, np.float32))


def test_network_reads_its_features_by_name():
    events = sample(0, 64)
    network = make(jax.random.key(0), events)
    logits = jax.vmap(network)(jnp.asarray(inputs(network, events)))
    assert logits.shape == (64,)
    shuffled = events.replace({"unused": events.column("x0") * 100})
    np.testing.assert_array_equal(logits, jax.vmap(network)(jnp.asarray(inputs(network, shuffled))))


def test_unknown_feature_names_the_nearest():
    from verax.learn import classifier

    with pytest.raises(InputError, match="did you mean 'unused'"):
        classifier(jax.random.key(0), sample(0, 8), ("x0", "unusd"))


def test_only_the_perceptron_is_trainable():
    marks = trainable(make(jax.random.key(0), sample(0, 16)))
    assert not any(jax.tree.leaves(marks.standardise))
    assert all(layer.weight and layer.bias for layer in marks.layers)


def test_saved_networks_come_back_with_the_same_bits(tmp_path):
    events = sample(0, 64)
    members = jax.tree.map(
        lambda *a: jnp.stack(a) if isinstance(a[0], jax.Array) else a[0],
        *[make(jax.random.key(i), events) for i in range(3)],
    )
    save(tmp_path / "net.eqx", members)
    again = load(tmp_path / "net.eqx", blank(FEATURES, width=16, depth=1, axes=(3,)))
    assert jax.tree.structure(again) == jax.tree.structure(members)
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(members), strict=True):
        np.testing.assert_array_equal(a, b)


def test_networks_of_another_shape_are_refused(tmp_path):
    save(tmp_path / "net.eqx", make(jax.random.key(0), sample(0, 16)))
    with pytest.raises(InputError, match=r"net\.eqx"):
        load(tmp_path / "net.eqx", blank(FEATURES, width=32, depth=1))
    with pytest.raises(InputError, match=r"absent\.eqx"):
        load(tmp_path / "absent.eqx", blank(FEATURES, width=16, depth=1))
