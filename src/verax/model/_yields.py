"""Expected events with their uncertainty, before and after a fit, from the covariance and without refits.

Linear error propagation (Cowan, Statistical Data Analysis (1998), section 1.6).
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from verax.arrays import Bool, Float
from verax.choices import PREFIT_ERRORS
from verax.errors import check_known
from verax.parameters import prior_width
from verax.results import Brief, Shown, with_error

from ._binned import BinnedLikelihood
from ._data import Data
from ._exact_hessian import rate_slopes


@dataclass(frozen=True, repr=False)
class Yields(Brief):
    """Expected events (γ included) and their standard errors, all correlations taken along.

    Parameters
    ----------
    by_process : expected events of each process in each bin
    bin_error : of the sum of processes, per bin
    process_error : of each process, summed over bins
    process_channel_error : of each process, summed over the bins of a channel
    channel_error : of the sum of processes in each channel
    total_error : of everything
    """

    by_process: Float[np.ndarray, "process bin"]
    bin_error: Float[np.ndarray, " bin"]
    process_error: Float[np.ndarray, " process"]
    process_channel_error: Float[np.ndarray, "process channel"]
    channel_error: Float[np.ndarray, " channel"]
    total_error: float

    def _shown(self) -> Shown:
        total = with_error(float(self.by_process.sum()), self.total_error)
        processes, bins = self.by_process.shape
        return f"Yields of {processes} processes in {bins} bins: {total} events", (), ()


def prefit_yields(model: BinnedLikelihood, *, error: str = "slope") -> Yields:
    """Compute expected events at nominal, with the errors of the priors; free parameters count as known.

    Parameters
    ----------
    model : the likelihood
    error : of each parameter, "slope": its prior width times the slope there, as after the fit; or "half-difference" of the
        yields at both prior widths (cabinetry, EPJ Web Conf. 251 (2021) 03067), which differs where their effects do

    Raises
    ------
    InputError : for another word

    >>> from verax.model import example_model
    >>> model, _ = example_model()
    >>> before = prefit_yields(model)
    >>> before.by_process.sum(0).tolist(), before.bin_error.round(1).tolist()
    ([55.0, 55.0], [5.2, 4.5])
    """
    prior = [0.0 if p.fixed else prior_width(p) for p in model.parameters]
    nominal = {p.name: p.init for p in model.parameters}
    rates, slopes, _, _ = _derivatives(model, nominal, model.asimov(nominal))
    check_known([error], PREFIT_ERRORS, "prefit_yields", "error")
    if error == "half-difference":
        slopes = _half_differences(model, np.asarray([p.init for p in model.parameters], float), np.asarray(prior))
    gamma_events = rates * np.asarray(model.gamma_mask)
    return _propagate(model, rates, slopes, np.diag(np.square(prior)), gamma_events, _prior_variance(model))


def _prior_variance(model: BinnedLikelihood) -> Float[np.ndarray, " bin"]:
    """Variance of each γ before a fit."""
    tau = np.asarray(model.tau)
    return np.where(tau > 0, 1 / np.where(tau > 0, tau, 1.0), np.square(model.width))


def _half_differences(
    model: BinnedLikelihood, nominal: np.ndarray, prior: np.ndarray
) -> Float[np.ndarray, "process bin parameter"]:
    """Change of the rates between θ = −1 and +1 prior width, over two widths; 0 without a prior."""
    slopes = np.zeros((*model.nominal.shape, len(prior)))
    for k in np.flatnonzero(prior):
        step = prior[k] * (np.arange(len(prior)) == k)
        slopes[..., k] = (np.asarray(model.rates(nominal + step)) - np.asarray(model.rates(nominal - step))) / (
            2 * prior[k]
        )
    return slopes


@runtime_checkable
class Fitted(Protocol):
    """A fit of one data set: best values, and their covariance [parameter, parameter]."""

    @property
    def params(self) -> dict[str, float]: ...

    @property
    def covariance(self) -> np.ndarray: ...


def postfit_yields(
    model: BinnedLikelihood, data: Data, best: Fitted, *, seen: Bool[np.ndarray, " bin"] | None = None
) -> Yields:
    """Compute expected events at the best fit of one data set, with the errors of its covariance.

    Parameters
    ----------
    model : the likelihood, whose parameters are those of the fit
    data : one data set
    best : its fit
    seen : bins whose counts were fitted, by default all; in others γ is as before the fit, whatever their counts

    >>> from types import SimpleNamespace
    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> best = SimpleNamespace(params={"mu": 1.0, "background_norm": 0.0, "jes": 0.0}, covariance=np.diag([0.25, 1.0, 1.0]))
    >>> postfit_yields(model, data, best).by_process.sum(1).round(1).tolist()
    [20.0, 90.1]
    """
    at = fitted_rates(model, data, best)
    if seen is not None:
        gamma, prior = np.where(seen, at.gamma, 1.0), np.where(seen, at.conditional, _prior_variance(model))
        at = at._replace(gamma=gamma, gamma_slopes=at.gamma_slopes * seen[:, None], conditional=prior)
    gamma_events = at.rates * np.asarray(model.gamma_mask)
    events = at.rates + gamma_events * (at.gamma - 1)
    through = 1 + np.asarray(model.gamma_mask) * (at.gamma - 1)
    slopes = at.slopes * through[:, :, None] + gamma_events[:, :, None] * at.gamma_slopes
    return _propagate(model, events, slopes, np.nan_to_num(best.covariance), gamma_events, at.conditional)


class FittedRates(NamedTuple):
    """Rates and γ̂, their derivatives in the parameters (last axis), and γ's variance when the parameters are known."""

    rates: Float[np.ndarray, "process bin"]
    slopes: Float[np.ndarray, "process bin parameter"]
    gamma: Float[np.ndarray, " bin"]
    gamma_slopes: Float[np.ndarray, "bin parameter"]
    conditional: Float[np.ndarray, " bin"]


def fitted_rates(model: BinnedLikelihood, data: Data, best: Fitted) -> FittedRates:
    """What is expected at the best fit of one data set, and how it changes with the parameters."""
    rates, slopes, gamma, gamma_slopes = _derivatives(model, best.params, data)
    # Curvature of −log L in γ at fixed θ: what is left of γ's variance when θ is known.
    width, tau = np.asarray(model.width), np.asarray(model.tau)
    gamma_events = rates * np.asarray(model.gamma_mask)
    events = rates + gamma_events * (gamma - 1)
    observed = np.asarray(data.auxiliary)[-width.size :] if model.simulation_statistics else gamma
    prior = np.where(tau > 0, observed / np.maximum(gamma, 1e-12) ** 2, 1 / np.where(width > 0, width, 1.0) ** 2)
    curvature = np.asarray(data.counts) * np.square(gamma_events.sum(0) / np.maximum(events.sum(0), 1e-12)) + prior
    conditional = np.where((width > 0) | (tau > 0), 1 / curvature, 0.0)
    return FittedRates(rates, slopes, gamma, gamma_slopes, conditional)


def _derivatives(
    model: BinnedLikelihood, params: dict[str, float], data: Data
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rates [process, bin] and γ̂ [bin], each followed by its derivative in the parameters (last axis)."""
    theta = np.array([params[name] for name in model.names], np.float64)
    rates, gamma = np.asarray(model.rates(theta)), np.asarray(model.profiled(params, data))
    slopes = np.moveaxis(np.asarray(rate_slopes(model, theta)), 0, -1)
    return rates, slopes, gamma, np.asarray(model.gamma_slopes(theta, data))


def _propagate(
    model: BinnedLikelihood,
    events: Float[np.ndarray, "process bin"],
    slopes: Float[np.ndarray, "process bin parameter"],
    covariance: Float[np.ndarray, "parameter parameter"],
    gamma_events: Float[np.ndarray, "process bin"],
    conditional: Float[np.ndarray, " bin"],
) -> Yields:
    """Errors of the events: J C Jᵀ + (∂events/∂γ)² · var(γ | θ); the two parts are independent."""

    def error(lever: np.ndarray, by_gamma: np.ndarray) -> np.ndarray:
        simulation = np.sum(np.square(by_gamma) * conditional, axis=-1)
        return np.asarray(np.sqrt(np.einsum("...i,ij,...j", lever, covariance, lever) + simulation))

    places = [model.layout.channel == c for c in range(len(model.channels))]
    part = [error(slopes[:, here].sum(1), np.where(here, gamma_events, 0.0)) for here in places]
    whole = [error(slopes[:, here].sum((0, 1)), np.where(here, gamma_events.sum(0), 0.0)) for here in places]
    by_bin = np.einsum("bi,ij,bj->b", slopes.sum(0), covariance, slopes.sum(0))
    return Yields(
        events,
        np.sqrt(by_bin + np.square(gamma_events.sum(0)) * conditional),
        error(slopes.sum(1), gamma_events),
        np.stack(part, axis=1),
        np.stack(whole),
        float(error(slopes.sum((0, 1)), gamma_events.sum(0))),
    )
