"""INFERNO: its loss is the expected uncertainty of the likelihood that fits, and learning makes it small."""

from functools import partial

import jax
import numpy as np
import pytest

from verax.approaches import align, inferno, softmax
from verax.errors import InputError
from verax.events import make_events
from verax.infer import expected_error
from verax.learn import Training, classifier, member, predict, train
from verax.model import binned_likelihood
from verax.problems import Mixture
from verax.systematics import reweight, shift
from verax.templates import Templates

BINS = 4
FREE = {"mu": ("signal",)}


@pytest.fixture(scope="module")
def problem():
    return Mixture(benchmark=4)


@pytest.fixture(scope="module")
def events(problem):
    return jax.tree.map(np.asarray, problem.sample(jax.random.key(3), {}, 4000))


@pytest.fixture(scope="module")
def make(problem):
    return partial(classifier, features=problem.features, width=16, depth=1, outputs=BINS)


@pytest.fixture(scope="module")
def trained(problem, events, make):
    loss = inferno(events, problem.systematics, FREE)
    return train(
        jax.random.key(2),
        make(jax.random.key(1), events),
        loss,
        events,
        training=Training(epochs=6, batch=1000, learning_rate=5e-3),
    ).network


def soft_counts(network, events, temperature):
    """Expected events [process, bin] of the softly sorted events."""
    members = jax.tree.map(lambda a: a[None] if hasattr(a, "shape") else a, network)
    shares = predict(members, events, moments=softmax(temperature)).mean
    weight, process = np.asarray(events.weight, np.float64), np.asarray(events.process)
    return np.stack([(weight * (process == p)) @ shares for p in range(len(events.processes))])


@pytest.mark.thorough
def test_the_loss_is_what_the_likelihood_expects(problem, events, make):
    """Soft histograms made by hand, slopes by finite differences, the same likelihood in float64."""
    loss, network = inferno(events, problem.systematics, FREE, temperature=0.5), make(jax.random.key(1), events)
    nominal = soft_counts(network, events, 0.5)
    step, up, down = 0.05, [], []
    for s in problem.systematics:
        sides = [soft_counts(network, shift(events, problem.systematics, {s.name: t}), 0.5) for t in (step, -step)]
        slope = (sides[0] - sides[1]) / (2 * step)
        up, down = [*up, nominal + slope], [*down, nominal - slope]
    parameters = tuple(s.parameter for s in problem.systematics)
    edges = (tuple(float(i) for i in range(BINS + 1)),)
    templates = Templates(
        nominal, 0 * nominal, np.array(up), np.array(down), ("all",), edges, problem.processes, parameters
    )
    model = binned_likelihood(templates, free=FREE, simulation_statistics=False)
    expected = np.log(float(expected_error(model, "mu")))
    assert float(loss(network, events, jax.random.key(0))) == pytest.approx(expected, abs=2e-3)


@pytest.mark.thorough
def test_scaled_weights_of_a_process_change_nothing(problem, events, make):
    """A batch is scaled to each process's expected events: how many of them it happens to hold does not matter."""
    loss, network = inferno(events, problem.systematics, FREE), make(jax.random.key(1), events)
    factor = np.where(np.asarray(events.process) == 0, 3.0, 0.5).astype(np.float32)
    value = float(loss(network, events, jax.random.key(0)))
    assert float(loss(network, events.reweight(factor), jax.random.key(0))) == pytest.approx(value, abs=1e-4)


@pytest.mark.thorough
def test_learning_makes_the_expected_uncertainty_small(problem, events, make, trained):
    loss = inferno(events, problem.systematics, FREE)
    before, after = (float(loss(n, events, jax.random.key(0))) for n in (make(jax.random.key(1), events), trained))
    assert after < before - 0.1


def test_bins_of_another_numbering_are_brought_into_one_order(events, trained):
    """A network and the same with its outputs permuted agree after alignment; bins then rise in purity."""
    network = trained
    order = np.array([2, 0, 3, 1])
    layer = network.layers[-1]
    other = type(network)(
        network.features,
        network.standardise,
        (*network.layers[:-1], jax.tree.map(lambda a: a[order] if hasattr(a, "shape") else a, layer)),
    )
    both = jax.tree.map(lambda a, b: np.stack([a, b]) if hasattr(a, "shape") else a, network, other)
    aligned = align(both, events, ("signal",))
    counts = [soft_counts(member(aligned, i), events, 0.01) for i in (0, 1)]
    np.testing.assert_allclose(counts[0], counts[1], atol=1e-3)
    assert (counts[0].sum(axis=0) > 1).sum() > 2
    purity = counts[0][0] / counts[0].sum(axis=0)
    filled = counts[0].sum(axis=0) > 1
    assert (np.diff(purity[filled]) > -0.02).all()


def test_what_cannot_be_differentiated_is_named(events):
    plain = reweight("plain", lambda e, t: 1 + t * np.asarray(e.column("x0")), traceable=False)
    with pytest.raises(InputError, match=r"systematic 'plain' in INFERNO.*interpolate"):
        inferno(events, [plain], FREE)


def test_bad_input(problem, events):
    with pytest.raises(InputError, match=r"normalisation factor 'mu'.*signal"):
        inferno(events, problem.systematics, {"mu": ("signl",)})
    with pytest.raises(InputError, match="temperature"):
        inferno(events, problem.systematics, FREE, temperature=0.0)
    nothing = make_events({"x0": np.ones(3)}, weight=np.array([1.0, -1.0, 0.0]), processes=("signal",))
    with pytest.raises(InputError, match=r"process 'signal'.*sum to 0"):
        inferno(nothing, (), FREE)
