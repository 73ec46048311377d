"""Expected events with their uncertainty, before and after a fit: one pass with the covariance, no refits."""

from dataclasses import dataclass

import equinox as eqx
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
    prior = [p.constraint.width if isinstance(p.constraint, Gaussian) else 0.0 for p in model.parameters]
    nominal = {p.name: p.init for p in model.parameters}
    rates, slopes, _, _ = _derivatives(model, nominal, model.asimov(nominal))
    tau = np.asarray(model.tau)
    spread = np.where(tau > 0, 1 / np.where(tau > 0, tau, 1.0), np.square(model.width))
    return _propagate(rates, slopes, np.diag(np.square(prior)), rates * np.asarray(model.dressed), spread)


def postfit_yields(model: BinnedLikelihood, data: Data, best: Fit) -> Yields:
    """Expected events at the best fit of one data set, with the errors of its covariance."""
    rates, slopes, gamma, gamma_slope = _derivatives(model, best.params, data)
    dressed, width, tau = (np.asarray(a) for a in (model.dressed, model.width, model.tau))
    factor, lever = 1 + dressed * (gamma - 1), rates * dressed
    # Curvature of −log L in γ at fixed θ: what is left of γ's variance when θ is known.
    counts, mean = np.asarray(data.counts), np.maximum((rates * factor).sum(0), 1e-300)
    own = np.where(tau > 0, tau, 1 / np.where(width > 0, width, 1.0) ** 2)
    curvature = counts * np.square(lever.sum(0) / mean) + own / np.where(tau > 0, np.maximum(gamma, 1e-12), 1.0)
    conditional = np.where((width > 0) | (tau > 0), 1 / curvature, 0.0)
    slopes = slopes * factor[:, :, None] + lever[:, :, None] * gamma_slope
    return _propagate(rates * factor, slopes, np.nan_to_num(best.covariance), lever, conditional)


def _derivatives(
    model: BinnedLikelihood, params: dict[str, float], data: Data
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rates [process, bin] and γ̂ [bin], each followed by its derivative in the parameters (last axis)."""
    with jax.enable_x64(True):
        theta = jnp.asarray([params[name] for name in model.names])
        rates, slopes, gamma, gamma_slopes = (np.asarray(a) for a in _derivatives_in_jax(model, theta, data))
    return rates, slopes, gamma, gamma_slopes


@eqx.filter_jit
def _derivatives_in_jax(model: BinnedLikelihood, theta: jax.Array, data: Data) -> tuple[jax.Array, ...]:
    def gamma(values: jax.Array) -> jax.Array:
        return jnp.asarray(model.profiled(dict(zip(model.names, values, strict=True)), data))

    return model.rates(theta), jax.jacfwd(model.rates)(theta), gamma(theta), jax.jacfwd(gamma)(theta)  # type: ignore[return-value]


def _propagate(
    events: Float[np.ndarray, "process bin"],
    slopes: Float[np.ndarray, "process bin parameter"],
    covariance: Float[np.ndarray, "parameter parameter"],
    lever: Float[np.ndarray, "process bin"],
    conditional: Float[np.ndarray, " bin"],
) -> Yields:
    """Errors of the events: J C Jᵀ + lever² · var(γ | θ) with lever = ∂ events / ∂ γ; the two parts are independent."""

    def error(slope: np.ndarray, lever: np.ndarray) -> np.ndarray:
        simulation = np.sum(np.square(lever) * conditional, axis=-1)
        return np.asarray(np.sqrt(np.einsum("...i,ij,...j", slope, covariance, slope) + simulation))

    whole, by_bin = lever.sum(0), slopes.sum(0)
    variance = np.einsum("bi,ij,bj->b", by_bin, covariance, by_bin) + np.square(whole) * conditional
    total = float(error(by_bin.sum(0), whole))
    return Yields(events, np.sqrt(variance), error(slopes.sum(1), lever), total)
