"""Pseudo-experiments as the FAIR Universe HiggsML Uncertainty Challenge draws them (arXiv:2410.02867)."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from verax.errors import InputError
from verax.systematics import systematics

STRENGTHS = (0.1, 3.0)
"""μ of a set of pseudo-experiments is uniform in this interval."""

PRIORS = {
    "tes": (1.0, 0.01, 0.9, 1.1),
    "jes": (1.0, 0.01, 0.9, 1.1),
    "soft_met": (0.0, 1.0, 0.0, 5.0),
    "ttbar_scale": (1.0, 0.02, 0.8, 1.2),
    "diboson_scale": (1.0, 0.25, 0.0, 2.0),
    "bkg_scale": (1.0, 0.001, 0.99, 1.01),
}
"""Mean, standard deviation (of ln σ for ``soft_met``, σ in GeV) and the limits that draws are clipped to."""

SMALLEST = 1e-3  # a normalisation of zero has no logarithm


def draw_nuisances(key: PRNGKeyArray, n: int) -> dict[str, Float[jax.Array, " draw"]]:
    """Draw from the challenge's six priors, as θ of :func:`verax.systematics.systematics`.

    The challenge's value of the scale is kept exactly: an energy scale s is θ = (s − 1)/width; a normalisation s, which
    is κ^θ there, is θ = ln s/ln κ with κ = 1 + width (s at least 0.001); soft_met's σ in GeV is θ itself.
    One draw in a million, beyond θ's bounds of five widths, is clipped. Only the priors of θ differ, and only in shape:
    log-normal against normal, half-normal against log-normal for σ.

    Parameters
    ----------
    key : random key
    n : number of draws

    >>> {name: theta.shape for name, theta in draw_nuisances(jax.random.key(1), 3).items()}["tes"]
    (3,)
    """
    thetas, bounds = {}, {s.name: s.parameter.bounds for s in systematics()}
    for k, (name, (centre, width, low, high)) in zip(jax.random.split(key, len(PRIORS)), PRIORS.items(), strict=True):
        drawn = centre + width * jax.random.normal(k, (n,), jnp.float32)
        value = jnp.clip(jnp.exp(drawn) if name == "soft_met" else drawn, low, high)
        if name in ("tes", "jes"):
            value = (value - 1) / width
        elif name != "soft_met":
            value = jnp.log(jnp.maximum(value, SMALLEST)) / math.log1p(width)
        thetas[name] = jnp.clip(value, *bounds[name])
    return thetas


def draw_sets(key: PRNGKeyArray, *, sets: int = 10, experiments: int = 100) -> dict[str, Float[jax.Array, "set draw"]]:
    """Parameters of sets of pseudo-experiments: one μ ~ U(0.1, 3) per set, nuisances anew in each experiment.

    The challenge's first phase had 10 sets of 100, its final one 10 sets of 1,000.

    Raises
    ------
    InputError : for less than one set or experiment
    """
    if sets < 1 or experiments < 1:
        raise InputError("draw_sets", f"{sets} sets of {experiments}", "at least one of each")
    first, second = jax.random.split(key)
    mu = jax.random.uniform(first, (sets, 1), jnp.float32, *STRENGTHS)
    thetas = draw_nuisances(second, sets * experiments)
    shaped = {name: value.reshape(sets, experiments) for name, value in thetas.items()}
    return {"mu": jnp.broadcast_to(mu, (sets, experiments)), **shaped}
