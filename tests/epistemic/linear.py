"""Bayesian linear regression with known noise: the posterior of the weights is Gaussian and exact.

y = w·(1, x) + σ ε with prior N(0, 1/τ) on each weight: Λ = τ + Φᵀ W Φ/σ², mean = Λ⁻¹ Φᵀ W y/σ², where W holds the
weights as numbers of observations. The predictive variance of the mean at φ is φᵀ Λ⁻¹ φ.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from verax.events import Events, make_events
from verax.learn import inputs

NOISE, TAU = 0.5, 1.0


class Line(eqx.Module):
    """w·(1, x₀, x₁)."""

    weight: jax.Array
    features: tuple[str, ...] = eqx.field(static=True, default=("x0", "x1"))

    def __call__(self, x):
        return self.weight[0] + jnp.dot(self.weight[1:], x)


class Known(eqx.Module):
    """Gaussian likelihood with known noise, constants left out."""

    def __call__(self, network, events, key):
        found = jax.vmap(network)(inputs(network, events))
        return jnp.mean(events.weight * 0.5 * ((events.column("y") - found) / NOISE) ** 2)


def moments(output):
    return output, jnp.full(jnp.shape(output), NOISE**2)


def start(key, events):
    return Line(jax.random.normal(key, (3,)))


def regression(n=60, *, weight=None, seed=3) -> Events:
    """Correlated inputs that do not have mean zero: the posterior is far from diagonal."""
    rng = np.random.default_rng(seed)
    x0 = rng.normal(0.7, 1, n)
    x1 = 0.8 * x0 + 0.5 * rng.normal(size=n)
    y = 0.5 + 1.0 * x0 - 0.7 * x1 + NOISE * rng.normal(size=n)
    return make_events({"x0": x0, "x1": x1, "y": y}, weight=weight)


def design(events):
    x = np.asarray(events.features(("x0", "x1")), np.float64)
    return np.column_stack([np.ones(len(x)), x])


def exact(events, counts=None):
    """Mean and precision matrix of the weights, for ``counts`` observations of each row."""
    phi, y = design(events), np.asarray(events.column("y"), np.float64)
    w = np.ones(len(y)) if counts is None else np.asarray(counts, np.float64)
    precision = TAU * np.eye(3) + (phi * w[:, None]).T @ phi / NOISE**2
    return np.linalg.solve(precision, (phi * w[:, None]).T @ y / NOISE**2), precision


GRID = np.asarray([[0.0, 0.0], [1.0, 1.0], [2.0, 0.5], [-1.0, -2.0]], np.float32)
PHI = np.column_stack([np.ones(4), GRID.astype(np.float64)])
