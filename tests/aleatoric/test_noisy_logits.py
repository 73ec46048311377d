from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from noisy import duplicated, falling, on_device
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit
from sklearn.metrics import log_loss

from verax.aleatoric import CategoricalNLL, NoisyLogits, NoisyProbabilities, categorical
from verax.errors import InputError
from verax.events import Events, make_events
from verax.learn import CrossEntropy, Training, classifier, inputs, predict, train

CLASSES = (("background",), ("signal",))
GAUSS = hermegauss(80)
N = 16_000


def probability(x):
    """P(signal | x): a logit 3x with noise of width 1 + 2x², averaged exactly by Gauss and Hermite."""
    nodes, weight = GAUSS
    return expit(3 * x[:, None] + (1 + 2 * x[:, None] ** 2) * nodes) @ weight / np.sqrt(2 * np.pi)


def sample(seed: int, n: int, weight=None) -> Events:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n)
    label = (rng.uniform(size=n) < probability(x)).astype(np.int32)
    return make_events({"x": x}, process=label, processes=("background", "signal"), weight=weight)


class Given(eqx.Module):
    """A "network" with the same outputs everywhere."""

    output: Any
    features: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def __call__(self, x):
        return self.output + 0 * x[0]


@pytest.mark.thorough
def test_probabilities_and_loss_are_those_of_the_truth():
    events, test = sample(1, N), sample(2, N)
    start = classifier(jax.random.key(1), events, ("x",), width=16, depth=1, outputs=4)
    loss = NoisyLogits(CLASSES, draws=32)
    network = train(
        jax.random.key(2),
        start,
        loss,
        events,
        training=Training(epochs=15, batch=250, optimizer=falling(15 * N // 250)),
    ).network
    members = jax.tree.map(lambda a: a[None], network)
    found = predict(members, test, moments=NoisyProbabilities())
    x = np.asarray(test.column("x"), np.float64)
    for low in (-1, -0.5, 0, 0.5):
        here = (x >= low) & (x < low + 0.5)
        p = probability(x[here])
        error = np.sqrt((p * (1 - p)).mean() / here.sum())  # what the training events in the bin can tell
        assert np.mean(found.mean[here, 1] - p) == pytest.approx(0, abs=4 * error)
    assert found.mean.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert found.aleatoric == pytest.approx(found.mean * (1 - found.mean), abs=1e-6)
    exact = probability(x)
    label = np.asarray(test.process)
    excess = log_loss(label, found.mean[:, 1]) - log_loss(label, exact)
    # A fit of k numbers that matter costs k/2N nats, here k ≤ 20; over N new events it fluctuates by √(2·cost/N).
    assert abs(excess) < 10 / N + 4 * np.sqrt(2 * 10 / N / N)


def test_without_noise_it_is_the_cross_entropy():
    events = sample(3, 200, np.random.default_rng(0).uniform(0.1, 2, 200))
    network = Given(jnp.asarray([0.3, 1.1, -20.0, -20.0]))
    value = float(NoisyLogits(CLASSES)(network, on_device(events), jax.random.key(0)))
    p = np.exp(1.1) / (np.exp(0.3) + np.exp(1.1))
    expected = log_loss(events.process, np.full(200, p), sample_weight=events.weight) * events.weight.mean()
    assert value == pytest.approx(expected, rel=1e-5)


def test_draws_converge_to_the_exact_expectation():
    """Difference of two noisy logits of widths s, t is a noisy logit of width √(s² + t²)."""
    nodes, weight = GAUSS
    exact = expit(0.8 + np.hypot(1.0, 2.0) * nodes) @ weight / np.sqrt(2 * np.pi)
    spread = np.sqrt(expit(0.8 + np.hypot(1.0, 2.0) * nodes) ** 2 @ weight / np.sqrt(2 * np.pi) - exact**2)
    output = jnp.asarray([0.3, 1.1, np.log(1.0), np.log(2.0)])
    p, variance = NoisyProbabilities(4096)(output)
    assert float(p[1]) == pytest.approx(exact, abs=4 * spread / np.sqrt(4096))
    assert float(variance[1]) == pytest.approx(float(p[1] * (1 - p[1])))


@pytest.mark.parametrize("loss", [NoisyLogits, CategoricalNLL])
def test_three_classes_and_processes_in_none(loss):
    processes = ("a", "b", "c", "other")
    events = make_events({"x": np.zeros(4)}, process=np.arange(4), processes=processes)
    network = Given(jnp.asarray([0.0, 1.0, 2.0, -20.0, -20.0, -20.0][: 6 if loss is NoisyLogits else 3]))
    value = float(loss((("a",), ("b",), ("c",)))(network, on_device(events), jax.random.key(0)))
    log_p = np.log(np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum())
    assert value == pytest.approx(-log_p.sum() / 4, rel=1e-5)


def test_categorical_probabilities_are_those_of_the_binary_logit():
    """Of two classes with logits 0 and z; weights of both signs keep theirs."""
    events = sample(3, 200, np.random.default_rng(0).uniform(-0.5, 2, 200))
    two, one = Given(jnp.asarray([0.3, 1.1])), Given(jnp.asarray(0.8))
    loss = CategoricalNLL(CLASSES)(two, on_device(events), jax.random.key(0))
    assert float(loss) == pytest.approx(
        float(CrossEntropy(("signal",))(one, on_device(events), jax.random.key(0))), rel=1e-5
    )
    p, variance = categorical(jnp.asarray([0.3, 1.1]))
    assert float(p[1]) == pytest.approx(expit(0.8), rel=1e-6)
    assert np.asarray(variance) == pytest.approx(float(p[0] * p[1]), rel=1e-5)


def test_an_event_twice_is_an_event_of_weight_two():
    twice, heavier = duplicated(sample(4, 16))
    network = Given(jnp.asarray([0.3, 1.1, -20.0, -20.0]))  # draws differ between tables of other lengths
    one, two = (
        float(eqx.filter_jit(NoisyLogits(CLASSES))(network, e, jax.random.key(0))) * len(e) for e in (twice, heavier)
    )
    assert one == pytest.approx(two, rel=1e-5)


def test_bad_classes():
    events = on_device(sample(4, 16))
    call = partial(NoisyLogits(CLASSES), key=jax.random.key(0))
    with pytest.raises(InputError, match=r"outputs of shape \(2,\); expected outputs of shape \(4,\)"):
        call(Given(jnp.zeros(2)), events)
    with pytest.raises(InputError, match=r"process 'signl'.*did you mean 'signal'"):
        NoisyLogits((("signl",), ("background",)))(Given(jnp.zeros(4)), events, jax.random.key(0))
    with pytest.raises(InputError, match="each process in one of them"):
        NoisyLogits((("signal",), ("signal",)))
    with pytest.raises(InputError, match=r"CategoricalNLL: got a network with outputs of shape \(4,\)"):
        CategoricalNLL(CLASSES)(Given(jnp.zeros(4)), events, jax.random.key(0))
    with pytest.raises(InputError, match="two or more"):
        CategoricalNLL((("signal",),))
    with pytest.raises(InputError, match="draws: got 0"):
        NoisyLogits(CLASSES, draws=0)
    assert inputs(Given(jnp.zeros(4)), events).shape == (16, 1)
