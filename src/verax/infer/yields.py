"""Expected events with their uncertainty, before and after a fit: one pass with the covariance, no refits."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from verax.infer.results import Fit
from verax.model import BinnedLikelihood, Data
from verax.parameters import Gaussian


@dataclass(frozen=True)
class Yields:
    """Expected events (γ included) and their standard errors, all correlations taken along.

    Parameters
    ----------
    by_process : expected events of each process in each bin
    bin_error : of the sum of processes, per bin
    process_error : of each process, summed over bins
    total_error : of everything
    """

    by_process: Float[np.ndarray, "process bin"]
    bin_error: Float[np.ndarray, " bin"]
    process_error: Float[np.ndarray, " process"]
    total_error: float


def prefit_yields(model: BinnedLikelihood) -> Yields:
    """Expected events at nominal, with the errors of the priors; free parameters count as known."""
    width = [p.constraint.width if isinstance(p.constraint, Gaussian) else 0.0 for p in model.parameters]
    theta = np.array([p.init for p in model.parameters])
    return _propagate(model, theta, np.diag(np.square(width)), np.ones_like(model.width), np.square(model.width))


def postfit_yields(model: BinnedLikelihood, data: Data, best: Fit) -> Yields:
    """Expected events at the best fit of one data set, with the errors of its covariance."""
    with jax.enable_x64(True):
        theta = jnp.asarray(best.value)

        def gammas(values: jax.Array) -> jax.Array:
            return jnp.asarray(model.profiled(dict(zip(model.names, values, strict=True)), data))

        gamma, slope = np.asarray(gammas(theta)), np.asarray(jax.jacfwd(gammas)(theta))
    # Curvature of −log L in γ at fixed θ: what is left of γ's variance when θ is known.
    width = np.asarray(model.width)
    curvature = np.asarray(data.counts) / np.maximum(gamma, 1e-12) ** 2
    conditional = np.where(width > 0, 1 / (curvature + 1 / np.where(width > 0, width, 1.0) ** 2), 0.0)
    return _propagate(model, np.asarray(best.value), np.nan_to_num(best.covariance), gamma, conditional, slope)


def _propagate(
    model: BinnedLikelihood,
    theta: Float[np.ndarray, " parameter"],
    covariance: Float[np.ndarray, "parameter parameter"],
    gamma: Float[np.ndarray, " bin"],
    conditional: Float[np.ndarray, " bin"],
    slope: Float[np.ndarray, "bin parameter"] | None = None,
) -> Yields:
    """Errors of γ(θ)·rates(θ): var = J C Jᵀ + rates² var(γ | θ), the two parts being independent."""
    with jax.enable_x64(True):
        rates = np.asarray(model.rates(jnp.asarray(theta)))
        jacobian = np.asarray(jax.jacfwd(model.rates)(jnp.asarray(theta))) * gamma[:, None]
    if slope is not None:
        jacobian = jacobian + rates[:, :, None] * slope
    in_bin, of_process, total = jacobian.sum(0), jacobian.sum(1), jacobian.sum((0, 1))
    simulated = np.square(rates) * conditional

    def error(lever: np.ndarray, extra: np.ndarray | float) -> np.ndarray:
        variance = np.einsum("...i,ij,...j", lever, covariance, lever) + extra
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    whole = np.square(rates.sum(0)) * conditional
    return Yields(
        rates * gamma, error(in_bin, whole), error(of_process, simulated.sum(1)), float(error(total, whole.sum()))
    )
