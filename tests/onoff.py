"""The on/off problem with everything in closed form: n ~ Poisson(μ s + b), m ~ Poisson(τ b), b unknown."""

import numpy as np
from scipy.special import xlogy
from scipy.stats import poisson

from likelihoods import make_templates
from verax.model import BinnedLikelihood, Data, binned_likelihood

S, B, TAU = 5.0, 8.0, 2.0


def on_off(bounds=(0.0, 30.0)) -> BinnedLikelihood:
    templates = make_templates([[S, 0.0], [B, TAU * B]], bins=(1, 1))
    free = {"mu": ("signal",), "norm": ("background",)}
    limits = {"mu": bounds, "norm": (0.0, 50.0)}
    return binned_likelihood(templates, free=free, bounds=limits, simulation_statistics=False)


def observed(n, m) -> Data:
    return Data(np.array([n, m], float), np.zeros(0))


def background(mu, n, m):
    """b̂(μ)."""
    s = mu * S
    p = n + m - (1 + TAU) * s
    return (p + np.sqrt(p**2 + 4 * (1 + TAU) * s * m)) / (2 * (1 + TAU))


def nll(mu, b, n, m):
    return mu * S + b + TAU * b - xlogy(n, mu * S + b) - xlogy(m, TAU * b)


def estimate(n, m, *, lowest=-np.inf):
    return np.maximum((n - m / TAU) / S, lowest)


def t(mu, n, m, *, lowest=-np.inf):
    """−2 ln λ(μ), the estimate of μ kept at or above ``lowest``."""
    hat = estimate(n, m, lowest=lowest)
    best = np.where(hat > (n - m / TAU) / S + 1e-12, nll(hat, background(hat, n, m), n, m), nll(hat, m / TAU, n, m))
    return np.maximum(2 * (nll(mu, background(mu, n, m), n, m) - best), 0.0)


def q_tilde(mu, n, m):
    return np.where(estimate(n, m) > mu, 0.0, t(mu, n, m, lowest=0.0))


def all_counts(size=120):
    n, m = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    return n.astype(float), m.astype(float)


def probability(mu, b, n, m):
    return poisson.pmf(n, mu * S + b) * poisson.pmf(m, TAU * b)
