"""The on/off problem as a likelihood of this package, and its closed forms: n ~ Poisson(μ s + b), m ~ Poisson(τ b)."""

import numpy as np

from likelihoods import make_templates
from verax.model import BinnedLikelihood, Data, binned_likelihood
from verax.problems import OnOff

S, B, TAU = 5.0, 8.0, 2.0
EXACT = OnOff(S, B, TAU)
background, nll, estimate, t = EXACT.background, EXACT.nll, EXACT.estimate, EXACT.t
q_tilde, probability = EXACT.q_tilde, EXACT.probability


def on_off(bounds=(0.0, 30.0)) -> BinnedLikelihood:
    templates = make_templates([[S, 0.0], [B, TAU * B]], bins=(1, 1))
    free = {"mu": ("signal",), "norm": ("background",)}
    limits = {"mu": bounds, "norm": (0.0, 50.0)}
    return binned_likelihood(templates, free=free, bounds=limits, simulation_statistics=False)


def observed(n, m) -> Data:
    return Data(np.array([n, m], float), np.zeros(0))


def all_counts(size=120):
    n, m = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    return n.astype(float), m.astype(float)
