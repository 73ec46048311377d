"""Change of the best fit with the data, to first order (implicit function theorem; Pinto et al., arXiv:2307.04007)."""

from typing import Any, NamedTuple

import numpy as np

from verax.arrays import Array, Float, jitted
from verax.model import AbstractLikelihood, Data


class Response(NamedTuple):
    """Change with each observation's multiplicity [..., observation] and each global observable [..., constraint]."""

    observations: Any
    auxiliary: Any

    def first_order(self, data: Data, expected: Data) -> np.ndarray:
        """Difference of the fits of a batch from that of the ``expected`` data, dθ̂/dd · (d − d₀): [toy, parameter]."""
        moved = (data.counts - expected.counts) @ self.observations.T
        return np.asarray(moved + (data.auxiliary - expected.auxiliary) @ self.auxiliary.T)


def response(
    model: AbstractLikelihood, theta: Float[Array, " parameter"], data: Data, covariance: Float[Array, "*row parameter"]
) -> Response:
    """Change of the fit ``theta`` with its data, dθ̂ / d data, for some rows of its covariance matrix; their axis leads.

    The gradient of −log L vanishes at θ̂ for any data d, so 0 = H dθ̂/dd + ∂²(−log L)/∂θ∂d, and dθ̂/dd = −H⁻¹ ∂²(−log L)/∂θ∂d.
    With a row v of −H⁻¹ that is the gradient in d of the directional derivative v · ∂(−log L)/∂θ.
    """
    directions = np.atleast_2d(-covariance)
    if model.in_closed_form:
        found = Response(*model.mixed(theta, data, directions))
    else:
        import jax

        with jax.enable_x64(True):
            found = Response(*(np.asarray(x) for x in _mixed(model, theta, data, directions)))
    return Response(*(x[0] for x in found)) if np.ndim(covariance) == 1 else found


@jitted
def _mixed(model: AbstractLikelihood, theta: Array, data: Data, directions: Array) -> tuple[Array, Array]:
    return model.mixed(theta, data, directions)
