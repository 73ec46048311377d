from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from noisy import duplicated, on_device
from scipy.stats import kstest, norm

from verax.aleatoric import FlowNLL, density, flow
from verax.aleatoric._spline import EDGE, affine, affine_inverse, spline, spline_inverse
from verax.errors import InputError
from verax.events import Events, make_events
from verax.learn import Training, predict, train
from verax.problems import ThreeJets

JETS = ThreeJets()
ENDS = dict.fromkeys(JETS.features, (2 * JETS.cut - 1e-06, 1 - JETS.cut + 1e-06))
N = 20_000


def jets(seed: int, n: int) -> Events:
    x = np.asarray(JETS.nominal(jax.random.key(seed), n).x)
    return make_events({"x1": x[:, 0], "x2": x[:, 1]})


def fit(start, events, *, epochs=8, batch=250, rate=4e-3):
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, epochs * len(events) // batch))
    return train(
        jax.random.key(1), start, FlowNLL(), events, training=Training(epochs=epochs, batch=batch, optimizer=optimizer)
    ).network


@pytest.fixture(scope="module")
def of_jets():
    events = jets(1, N)
    return fit(flow(jax.random.key(2), events, ("x1", "x2"), bounds=ENDS, width=32), events)


@pytest.fixture(scope="module")
def of_gaussian():
    """y given x: N(sin 2x, (0.3 + 0.2 x)²), by a conditional affine flow."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, N)
    events = make_events({"y": 50 + 10 * (np.sin(2 * x) + (0.3 + 0.2 * x) * rng.normal(size=N)), "x": x})
    start = flow(jax.random.key(4), events, ("y",), condition=("x",), kind="affine", layers=1, width=24)
    return fit(start, events, epochs=30, rate=1e-2)


def shaken(kind, *, condition=(), columns=("a", "b", "c"), bounds=None):
    """An untrained flow of large random numbers: nothing about it is near the identity."""
    rng = np.random.default_rng(7)
    events = make_events({name: rng.uniform(1, 3, 50) for name in "abcd"})
    start = flow(
        jax.random.key(5), events, columns, condition=condition, kind=kind, bins=5, width=8, depth=1, bounds=bounds
    )
    params, fixed = eqx.partition(start.layers, eqx.is_inexact_array)
    return eqx.tree_at(lambda f: f.layers, start, eqx.combine(jax.tree.map(lambda a: 4 * a, params), fixed))


@pytest.mark.thorough
def test_three_jets_to_one_per_cent_of_the_entropy(of_jets):
    """The excess over the exact log-density of the same events is the divergence itself, free of their fluctuation."""
    test = jets(3, 20_000)
    found = np.asarray(of_jets.log_prob(test.x), np.float64)
    exact = np.asarray(JETS.log_density(test.x, {}), np.float64)[0]
    excess = exact - found
    error = excess.std() / np.sqrt(len(excess))
    assert excess.mean() > -4 * error  # no density beats the truth
    assert excess.mean() < 0.01 * abs(JETS.entropy())
    assert -found.mean() == pytest.approx(
        JETS.entropy(), abs=0.01 * abs(JETS.entropy()) + 4 * found.std() / np.sqrt(2e4)
    )


def test_three_jets_integrate_to_one(of_jets):
    """By midpoints over the whole square between the ends; 500² cells resolve the steepest spline to 10⁻³."""
    low, high = ENDS["x1"]
    middle = low + (high - low) * (np.arange(500) + 0.5) / 500
    points = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2).astype(np.float32)
    total = np.exp(np.asarray(of_jets.log_prob(points), np.float64)).sum() * ((high - low) / 500) ** 2
    assert total == pytest.approx(1, abs=0.01)


@pytest.mark.thorough
def test_three_jets_sample_is_that_of_the_density(of_jets):
    """Image of the samples under the flow is Gaussian, and their log-density has the mean that quadrature says."""
    draws = of_jets.sample(jax.random.key(9), 20_000)
    z = np.asarray(jax.jit(jax.vmap(of_jets.to_base, (0, None)))(draws, jnp.zeros(0)))
    for i in (0, 1):
        assert kstest(z[:, i], "norm").pvalue > 1e-3
    low, high = ENDS["x1"]
    middle = low + (high - low) * (np.arange(500) + 0.5) / 500
    points = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2).astype(np.float32)
    log_p = np.asarray(of_jets.log_prob(points), np.float64)
    entropy = -np.sum(np.exp(log_p) * log_p) * ((high - low) / 500) ** 2
    drawn = -np.asarray(of_jets.log_prob(draws), np.float64)
    assert drawn.mean() == pytest.approx(entropy, abs=0.005 + 4 * drawn.std() / np.sqrt(len(drawn)))
    marginal = np.exp(log_p).reshape(500, 500).sum(axis=0)
    cumulative = np.concatenate([[0], np.cumsum(marginal)]) / marginal.sum()
    edges = np.linspace(low, high, 501)
    assert kstest(np.asarray(draws[:, 0], np.float64), lambda v: np.interp(v, edges, cumulative)).pvalue > 1e-3


@pytest.mark.thorough
def test_conditional_affine_flow_is_the_gaussian(of_gaussian):
    x = np.linspace(-0.9, 0.9, 7)
    y = 50 + 10 * np.sin(2 * x)
    found = np.asarray(of_gaussian.log_prob(y[:, None], x[:, None]))
    per_bin = N / 7  # events near each point: ln σ is known to 1/√(2n), and the network smooths
    assert found == pytest.approx(norm.logpdf(0, 0, 10 * (0.3 + 0.2 * x)), abs=4 / np.sqrt(2 * per_bin) + 0.02)
    draws = np.asarray(of_gaussian.sample(jax.random.key(1), 5000, np.array([0.5])))[:, 0]
    assert draws.mean() == pytest.approx(50 + 10 * np.sin(1.0), abs=0.3)
    each = np.asarray(of_gaussian.sample(jax.random.key(1), 7, x[:, None]))
    assert each.shape == (7, 1)


@pytest.mark.parametrize(("kind", "condition", "bounds"), [("spline", ("d",), {"a": (0.5, 3.5)}), ("affine", (), {})])
def test_inverse_undoes_the_flow_and_the_jacobian_is_its_determinant(kind, condition, bounds):
    one = shaken(kind, condition=condition, bounds=bounds)
    x = np.random.default_rng(0).uniform(1.1, 2.9, (64, 3)).astype(np.float32)
    given = jnp.full(len(condition), 0.3)
    z = jax.jit(jax.vmap(one.to_base, (0, None)))(x, given)
    assert np.abs(np.asarray(z) - x).max() > 0.5  # not the identity
    back = jax.jit(jax.vmap(one.from_base, (0, None)))(z, given)
    assert np.asarray(back) == pytest.approx(x, abs=2e-4)
    slope = jax.jit(jax.vmap(jax.jacfwd(one.to_base), (0, None)))(x, given)
    expected = norm.logpdf(np.asarray(z)).sum(axis=1) + np.linalg.slogdet(np.asarray(slope, np.float64))[1]
    found = one.log_prob(x, given if condition else None)
    assert np.asarray(found) == pytest.approx(expected, abs=2e-3)


def test_spline_is_the_identity_at_zero_and_increases():
    x = jnp.linspace(-1.4 * EDGE, 1.4 * EDGE, 400)
    y, log_slope = jax.vmap(partial(spline, raw=jnp.zeros(23)))(x)
    assert np.asarray(y) == pytest.approx(np.asarray(x), abs=1e-5)
    assert np.asarray(log_slope) == pytest.approx(0, abs=1e-5)
    raw = 2 * jax.random.normal(jax.random.key(0), (23,))
    y, log_slope = jax.vmap(partial(spline, raw=raw))(x)
    assert (np.diff(np.asarray(y)) >= 0).all()  # equal, to rounding, where it is flattest
    back = jax.vmap(partial(spline_inverse, raw=raw))(y)
    # Where the spline is flat, rounding of y is magnified by its slope's inverse.
    assert (np.abs(np.asarray(back - x)) < 3e-6 * (1 + np.exp(-np.asarray(log_slope)))).all()
    y, _ = jax.vmap(partial(affine, raw=jnp.array([1.0, 2.0])))(x)
    back = jax.vmap(partial(affine_inverse, raw=jnp.array([1.0, 2.0])))(y)
    assert np.asarray(back) == pytest.approx(np.asarray(x), abs=1e-5)


def test_outside_the_ends_there_is_nothing(of_jets):
    assert np.isneginf(of_jets.log_prob(np.array([[0.99, 0.5], [0.5, 0.01]]))).all()


def test_density_of_members_has_an_epistemic_part_only(of_jets):
    members = jax.tree.map(
        lambda a: jnp.stack([a, 1.01 * a]) if eqx.is_inexact_array(a) else jnp.stack([a, a]), of_jets
    )
    x = np.array([[0.7, 0.7]])
    found = predict(members, x, moments=density)
    assert found.aleatoric[0] == 0
    assert found.epistemic[0] > 0


@pytest.mark.thorough
def test_signed_weights_give_the_signed_maximum_of_the_likelihood():
    """One affine layer of one column is a Gaussian: its fit is the weighted mean and variance, negative weights included."""
    rng = np.random.default_rng(8)
    kind = rng.choice(3, 4000, p=[0.8, 0.1, 0.1])
    x = rng.normal(size=4000) + np.where(kind, 1.5, 0)
    weight = np.where(kind == 2, -1.0, 1.0)
    events = make_events({"x": x}, weight=weight)
    start = flow(jax.random.key(0), events, ("x",), kind="affine", layers=1, width=4, depth=1)
    network = fit(start, events, epochs=400, batch=4000, rate=0.05)
    grid = np.array([[-1.0], [0.0], [2.0]])
    centre = np.average(x, weights=weight)
    expected = norm.logpdf(grid[:, 0], centre, np.sqrt(np.average((x - centre) ** 2, weights=weight)))
    assert np.asarray(network.log_prob(grid)) == pytest.approx(expected, abs=2e-3)


def test_a_flow_of_an_event_twice_is_that_of_weight_two():
    rng = np.random.default_rng(7)
    events = make_events({name: rng.uniform(1, 3, 50) for name in "abcd"})
    twice, heavier = duplicated(events)
    one, two = (
        float(eqx.filter_jit(FlowNLL())(shaken("affine"), e, jax.random.key(0))) * len(e) for e in (twice, heavier)
    )
    assert one == pytest.approx(two, rel=1e-5)
    with pytest.raises(InputError, match=r"outputs of shape \(2,\); expected outputs of shape \(\)"):
        FlowNLL()(lambda x: x[:2], on_device(events), jax.random.key(0))


def test_a_share_of_events_at_an_end_is_no_density():
    """Five in a hundred at 0: a flow of them has ∫p = 1.076. One or two may be there by rounding."""
    x = np.random.default_rng(9).uniform(0.01, 1, 1000)
    for end in (0.0, 1.0):
        piled = make_events({"a": np.where(np.arange(1000) % 20 == 0, end, x)})
        with pytest.raises(InputError, match=f"50 of 1000 values exactly at its end {end:g}; .* a density has no room"):
            flow(jax.random.key(0), piled, ("a",), bounds={"a": (0.0, 1.0)})
    rounded = make_events({"a": np.where(np.arange(1000) < 2, 1.0, x)})
    flow(jax.random.key(0), rounded, ("a",), bounds={"a": (0.0, 1.0)})


def test_bad_input_of_flows(of_jets, of_gaussian):
    events = jets(1, 100)
    make = partial(flow, jax.random.key(0), events)
    for options, message in [
        ({"columns": ("x1",), "condition": ("x1",)}, "'x1'. in both; expected columns of the distribution"),
        ({"columns": ("x1",), "bounds": {"x1": (0.5, 1.0)}}, "column 'x1': got .* values outside"),
        ({"columns": ("x1",), "bounds": {"x1": (1.0, 0.5)}}, "two finite numbers in order"),
        ({"columns": ("x1",), "bounds": {"x2": (0.0, 1.0)}}, "column 'x2'; expected a known column"),
        ({"columns": ("x1",), "bins": 0}, "bins: got 0"),
        ({"columns": ("x3",)}, "column 'x3'; expected a known column"),
        ({"columns": ()}, "no columns"),
    ]:
        with pytest.raises(InputError, match=message):
            make(**options)
    with pytest.raises(InputError, match="1 columns; expected 2: x1, x2"):
        of_jets.log_prob(np.zeros((3, 1)))
    with pytest.raises(InputError, match="no condition; expected"):
        of_gaussian.sample(jax.random.key(0), 3)
    with pytest.raises(InputError, match=r"a condition of shape \(1,\); expected none"):
        of_jets.sample(jax.random.key(0), 3, np.zeros(1))
    with pytest.raises(InputError, match="0 draws"):
        of_jets.sample(jax.random.key(0), 0)
