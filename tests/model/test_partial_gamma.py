"""Closed forms of a γ on a part of the rate, and of its profile, against autodiff of the value."""

import jax
import jax.numpy as jnp
import jax.scipy.special as special
import numpy as np
import pytest

from likelihoods import realistic
from verax.arrays import Tree
from verax.model import AbstractLikelihood
from verax.model._constraint import HALF_LOG_2PI
from verax.model._exact_hessian import rate_slopes
from verax.model._poisson import (
    bin_responses,
    gamma_slopes,
    partial_bin_terms,
    positive_rate,
    profiled_partial_gamma,
    rate_wall,
)
from verax.workspace import from_pyhf
from workspaces import EXAMPLES

BINS = 1000


class Bins(Tree):
    """Rates with and without γ, counts, and constraints of γ: Poisson, Gaussian, or none."""

    s: np.ndarray
    t: np.ndarray
    count: np.ndarray
    auxiliary: np.ndarray
    width: np.ndarray
    tau: np.ndarray
    floor: np.ndarray

    @property
    def gamma(self):
        safe = jnp.where((self.width > 0) | (self.tau > 0), self.s, 1.0)
        return profiled_partial_gamma(safe, self.t, self.count, self.auxiliary, self.width, self.tau)

    @property
    def value(self):
        """−log of each bin's terms, written out: nothing of it is shared with the closed form's derivatives."""
        counted, normal = self.tau > 0, jnp.where(self.width > 0, self.width, 1.0)
        gamma, total = self.gamma, self.gamma * self.s + self.t
        mean = positive_rate(total, self.floor)[0]
        truth = jnp.where(counted, self.tau * jnp.maximum(gamma, 1e-300), 1.0)
        observed = jnp.where(counted, self.auxiliary, 1.0)
        gaussian = 0.5 * ((gamma - self.auxiliary) / normal) ** 2 + HALF_LOG_2PI + jnp.log(normal)
        poisson = truth - special.xlogy(observed, truth) + special.gammaln(observed + 1)
        constraint = jnp.where(counted, poisson, jnp.where(self.width > 0, gaussian, 0.0))
        own = mean - special.xlogy(self.count, mean) + special.gammaln(self.count + 1)
        return own + constraint + rate_wall(total, self.count, self.floor)[0]


def slope(function, name):
    """Derivative of a function of :class:`Bins` in one of its fields, bin by bin."""

    def derivative(bins):
        def of(x):
            fields = {k: getattr(bins, k) for k in Bins.__dataclass_fields__}
            return function(Bins(**fields | {name: x}))

        return jax.jvp(of, (getattr(bins, name),), (jnp.ones(BINS),))[1]

    return derivative


@pytest.fixture(scope="module")
def bins():
    rng = np.random.default_rng(1)
    kind = rng.integers(0, 3, BINS)
    tau = np.where(kind == 0, rng.uniform(0.5, 20, BINS), 0.0)
    width = np.where(kind == 1, rng.uniform(0.05, 0.8, BINS), 0.0)
    observed = np.where(kind == 0, rng.poisson(tau) + 0.0, np.where(kind == 1, rng.normal(1, 0.3, BINS), 1.0))
    return Bins(
        rng.choice([1e-3, 0.5, 3.0, 20.0, -2.0], BINS) * rng.uniform(0.5, 1.5, BINS),
        rng.choice([1.0, 10.0, -1.0, -0.1], BINS) * rng.uniform(0.5, 1.5, BINS),
        rng.choice([0.0, 0.0, 1.0, 3.0, 12.0], BINS),
        observed,
        width,
        tau,
        np.full(BINS, 1e-6),
    )


@pytest.fixture(scope="module")
def regular(bins):
    """Where the mean is above its floor: elsewhere autodiff differentiates the rounding of m = 0."""
    with jax.enable_x64(True):
        gamma = np.asarray(bins.gamma)
    found = (gamma * bins.s + bins.t > bins.floor) & (gamma > 1e-9)
    assert 0.3 < found.mean() < 1.0
    return found


def agree(found, function, bins, regular):
    with jax.enable_x64(True):
        expected = np.asarray(jax.jit(function)(bins))
    np.testing.assert_allclose(np.asarray(found)[regular], expected[regular], rtol=1e-7, atol=1e-9)


def value(bins):
    return bins.value


def gamma(bins):
    return bins.gamma


def test_terms_of_a_bin_and_their_derivatives(bins, regular):
    fields = bins.s, bins.t, bins.count, bins.auxiliary, bins.width, bins.tau, bins.floor
    with np.errstate(all="ignore"):
        terms, slopes, curvatures, _ = partial_bin_terms(*fields)
    agree(terms, value, bins, np.isfinite(terms))
    agree(slopes[0], slope(value, "s"), bins, regular)
    agree(slopes[1], slope(value, "t"), bins, regular)
    agree(curvatures[0], slope(slope(value, "s"), "s"), bins, regular)
    agree(curvatures[1], slope(slope(value, "s"), "t"), bins, regular)
    agree(curvatures[2], slope(slope(value, "t"), "t"), bins, regular)


def test_gamma_moves_with_rates_and_data(bins, regular):
    with jax.enable_x64(True):
        known = np.asarray(bins.gamma)
    found = gamma_slopes(bins.s, bins.t, bins.count, bins.auxiliary, known, bins.width, bins.tau)
    branch = (
        (bins.count == 0) & (bins.s < 0) & (bins.width > 0)
    )  # γ̂ of no events, which autodiff takes for constant in n
    for part, name in zip(found, ("s", "t", "count", "auxiliary"), strict=True):
        agree(part, slope(gamma, name), bins, regular & ~branch if name == "count" else regular)


def test_slopes_of_a_bin_move_with_its_data(bins, regular):
    with jax.enable_x64(True):
        known = np.asarray(bins.gamma)
    found = bin_responses(bins.s, bins.t, bins.count, bins.auxiliary, known, bins.width, bins.tau)
    for both, datum in zip(found, ("count", "auxiliary"), strict=True):
        for part, rate in zip(both, ("s", "t"), strict=True):
            agree(part, slope(slope(value, rate), datum), bins, regular)


def test_an_empty_bin_held_at_zero_stays_there():
    """Without events γ = −T/S keeps m at 0 where S < 0: γ_S = −γ/S, γ_T = −1/S, and no datum moves it."""
    s, t, zero = np.array([-2.0]), np.array([1.0]), np.zeros(1)
    found = gamma_slopes(s, t, zero, np.ones(1), np.array([0.5]), np.full(1, 0.5), zero)
    np.testing.assert_allclose(np.concatenate(found), [0.25, 0.5, 0.0, 0.0])


MODELS = {
    "realistic": realistic,
    **{
        name: (lambda name=name: from_pyhf(EXAMPLES[name]).model)
        for name in ("shapesys", "staterror of some samples", "everything")
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_rates_and_data_of_a_model_move_as_autodiff_says(name):
    model, rng = MODELS[name](), np.random.default_rng(3)
    data = model.asimov({})
    data = type(data)(rng.poisson(data.counts) + 0.0, data.auxiliary)
    theta = np.array([p.init for p in model.parameters]) + rng.uniform(-0.2, 0.2, len(model.parameters))
    directions = rng.normal(size=(2, len(theta)))
    with jax.enable_x64(True):
        slopes = jax.jit(jax.jacfwd(model.rates))(jnp.asarray(theta))
        expected = jax.jit(lambda t: AbstractLikelihood.mixed_observed(model, t, data, directions))(theta)
    np.testing.assert_allclose(rate_slopes(model, theta), np.moveaxis(slopes, -1, 0), rtol=1e-10, atol=1e-9)
    for found, autodiff in zip(model.mixed_observed(theta, data, directions), expected, strict=True):
        np.testing.assert_allclose(found, autodiff, rtol=1e-8, atol=1e-9)
