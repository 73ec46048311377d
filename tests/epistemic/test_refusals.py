"""What every method refuses in one line: weights that say nothing, and a training where it always trains."""

from functools import partial

import jax
import numpy as np
import pytest

from verax.epistemic import concrete_dropout, dropout, ensemble, hmc, laplace, tta, variational
from verax.errors import InputError
from verax.events import make_events
from verax.learn import CrossEntropy, Training, classifier

METHODS = {
    "ensemble": ensemble,
    "dropout": dropout,
    "concrete dropout": concrete_dropout,
    "variational": variational,
    "laplace": laplace,
    "hmc": partial(hmc, training=Training(epochs=1)),
    "tta": partial(tta, resolution={"x": 0.3}),
}
MAKE, LOSS = partial(classifier, features=("x",), width=4, depth=1), CrossEntropy(("s",))


def events(weight):
    x = np.linspace(-1, 1, 20)
    return make_events({"x": x}, weight=np.full(20, weight), process=(x > 0).astype(int), processes=("b", "s"))


@pytest.mark.parametrize("weight", [0.0, -1.0])
@pytest.mark.parametrize("method", METHODS)
def test_weights_without_a_positive_sum_are_refused(method, weight):
    with pytest.raises(
        InputError, match=f"training weights: got 20 events with weights that sum to {20 * weight:g}; expected"
    ):
        METHODS[method](jax.random.key(1), MAKE, LOSS, events(weight))


@pytest.mark.parametrize("method", ["ensemble", "concrete dropout", "variational"])
def test_a_method_that_always_trains_needs_a_training(method):
    with pytest.raises(InputError, match="training: got None; expected options of a training"):
        METHODS[method](jax.random.key(1), MAKE, LOSS, events(1.0), training=None)
