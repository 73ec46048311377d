"""Pseudo-experiments: observations and global observables drawn from the model."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from verax.arrays import Array, PRNGKeyArray, jitted
from verax.errors import check_count
from verax.model import AbstractLikelihood, Data, concatenate, mapped
from verax.parameters import Params, check_values

CHUNK = 4096

Progress = Callable[[int, int, int], None]
"""Called while toys are drawn and fitted, with the numbers of toys done, in total and failed."""


def sample_toys(
    key: PRNGKeyArray,
    model: AbstractLikelihood,
    params: Params,
    n: int,
    *,
    first: int = 0,
    profiled: Any = None,
    fluctuate_auxiliary: bool = True,
) -> Data:
    """Draw ``n`` pseudo-experiments at the given parameters, with a leading ``toy`` axis.

    Toy i depends on the key and on i alone, not on ``n``: a campaign may be cut in pieces, each with its ``first`` toy.

    The mean of estimates, and of pulls (μ̂ − μ)/σ̂, over toys at a fixed truth need not vanish. Where the expectation ν(θ)
    bends (up and down variations of different size, products of factors), maximum likelihood is biased by

        E[μ̂] − μ = −½ Σ_b (I⁻¹ ∂ν_b)_μ / ν_b · tr(I⁻¹ ∂²ν_b) + …    (Cox and Snell, J. R. Stat. Soc. B 30 (1968) 248),

    with I the information of data and global observables, and pulls by a further −cov(μ̂, σ̂)/σ². On a model of 5 channels
    of 20 bins with 30 systematics 20,000 toys gave (0.077 ± 0.007) σ for μ̂, where 0.069 is predicted (∂²ν averaged over the
    spread of θ̂), and +0.066 for the pull; pyhf with Minuit finds the same μ̂ in the same toys to 0.001 σ.

    Parameters
    ----------
    key : random key
    model : the likelihood
    params : true values by name; others are at their initial values
    n : number of toys, one at least
    first : number of the first toy
    profiled : true values of what the likelihood profiles by itself (``model.profiled``); nominal by default
    fluctuate_auxiliary : False leaves the global observables at their expectation, as is sometimes done by mistake:
        the intervals then cover too often

    Raises
    ------
    InputError : an unknown parameter (nearest name given), a value that is not finite, a truth at which a rate is
        negative, or no toys

    >>> import jax
    >>> from verax.model import example_model
    >>> model, _ = example_model()
    >>> sample_toys(jax.random.key(1), model, {"mu": 1.0}, 4000).counts.shape  # toy, bin
    (4000, 2)
    """
    import jax

    check_values(model.parameters, params, "sample_toys")
    check_count(n, 1, "sample_toys, number of toys")
    model.check_truth(params, profiled)
    with jax.enable_x64(True):
        values = {p.name: np.float64(params.get(p.name, p.init)) for p in model.parameters}
        size = min(CHUNK, 1 << max(n - 1, 0).bit_length())
        chunks = [_sample(key, model, values, profiled, first + k + np.arange(size)) for k in range(0, n, size)]
    drawn = concatenate(chunks)[:n]
    if fluctuate_auxiliary:
        return drawn
    known = np.tile(np.asarray(model.asimov(values, profiled).auxiliary), (n, 1))
    return replace(drawn, auxiliary=known)


@jitted
def _sample(key: PRNGKeyArray, model: AbstractLikelihood, params: Params, profiled: Any, index: Array) -> Data:
    import jax

    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jax.numpy.asarray(index, jax.numpy.uint32))
    return mapped(lambda k: model.sample(k, params, profiled))(keys)
