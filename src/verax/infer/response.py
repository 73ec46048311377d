"""How the best fit follows the data, to first order."""

import jax
import numpy as np
from jaxtyping import Float

from verax.arrays import Array
from verax.model.likelihood import AbstractLikelihood, Data


def response(
    model: AbstractLikelihood, theta: Float[Array, " parameter"], data: Data, covariance: Float[Array, "*row parameter"]
) -> Data:
    """Change of the fit ``theta`` with its data, dθ̂ / d data, for some rows of its covariance matrix; their axis leads.

    By the implicit function theorem it is −covariance · ∂²(−log L)/∂θ∂data.
    """
    with jax.enable_x64(True):
        slope = _mixed(model, theta, data, np.atleast_2d(-covariance))
    counts, auxiliary = np.asarray(slope.counts), np.asarray(slope.auxiliary)
    single = np.ndim(covariance) == 1
    return Data(counts[0], auxiliary[0]) if single else Data(counts, auxiliary)


@jax.jit
def _mixed(model: AbstractLikelihood, theta: jax.Array, data: Data, directions: jax.Array) -> Data:
    def along(data: Data, direction: jax.Array) -> jax.Array:
        slope: jax.Array = jax.jvp(lambda t: -model.log_density(t, data), (theta,), (direction,))[1]
        return slope

    mixed: Data = jax.vmap(jax.grad(along), (None, 0))(data, directions)
    return mixed
