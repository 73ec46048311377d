"""What every epistemic method returns: members that a key decides, as many as are asked for, and how it went."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest
from epistemic_methods import FEW, FIXED, HEADS, KEY, METHODS, sample
from jaxtyping import config

from verax.epistemic import Posterior
from verax.errors import InputError
from verax.events import Events
from verax.learn import Training
from verax.results import Status

HEAD = HEADS["mean-variance"]
OTHER = jax.random.key(16)


@pytest.fixture(scope="module", params=METHODS)
def case(request) -> tuple[str, Posterior]:
    return request.param, METHODS[request.param](KEY, HEAD.make, HEAD.loss, sample(FEW))


def arrays(members: Any) -> list[np.ndarray]:
    return [np.asarray(a) for a in jax.tree.leaves(eqx.filter(members, eqx.is_array))]


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(arrays(a), arrays(b), strict=True))


@pytest.mark.thorough
def test_a_key_decides_the_members(case):
    name, found = case
    assert isinstance(found, Posterior)
    three = found.members(KEY, 3)
    assert {a.shape[0] for a in arrays(three)} == {3}
    assert same(three, found.members(KEY, 3))
    assert same(three, found.members(OTHER, 3)) == (name in FIXED)
    spread = HEAD.predict(found.members(KEY))[2]
    assert np.isfinite(spread).all()
    assert (spread > 0).all()


def test_as_many_members_as_are_asked_for_or_an_error(case):
    name, found = case
    with pytest.raises(InputError, match=r"members: \w+ 0; expected"):
        found.members(KEY, 0)
    try:
        config.update("jaxtyping_disable", True)  # as a user calls
        with pytest.raises(InputError, match=r"members: \w+ 1\.5; expected"):
            found.members(KEY, 1.5)
    finally:
        config.update("jaxtyping_disable", False)
    total = arrays(found.members(KEY))[0].shape[0]
    if name in FIXED:
        with pytest.raises(InputError, match=f"{total + 1}; expected 1 … {total}"):
            found.members(KEY, total + 1)
    else:
        assert total == 50
        assert arrays(found.members(KEY, 51))[0].shape[0] == 51


def test_it_says_how_it_went(case):
    name, found = case
    if name == "HMC":  # 100 draws are few, and it says so
        assert found.status == Status.MAX_STEPS
        assert "effective draws" in found.problem or "disagree" in found.problem
    else:
        assert [h.problem for h in found.histories] == [""] * len(found.histories) != []


class Broken(eqx.Module):
    """A loss that is not finite."""

    def __call__(self, network: Any, events: Events, key: Any) -> Any:
        return jax.numpy.nan * HEAD.loss(network, events, key)


@pytest.mark.thorough
@pytest.mark.parametrize("name", METHODS)
def test_a_training_that_breaks_is_a_status(name):
    found = METHODS[name](KEY, HEAD.make, Broken(), sample(FEW), training=Training(epochs=1, batch=200))
    assert found.status == Status.NOT_FINITE
    assert "not finite in epoch 0" in found.problem
