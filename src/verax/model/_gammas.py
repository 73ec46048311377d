"""Factors γ of single bins after a fit, which the likelihood profiles by itself (HistFactory, CERN-OPEN-2012-016)."""

from dataclasses import dataclass

import numpy as np

from verax.arrays import Float

from ._binned import BinnedLikelihood
from ._conventions import SIMULATION, UNCORRELATED
from ._data import Data
from ._yields import Fitted, fitted_rates


@dataclass(frozen=True)
class Gammas:
    """The γ that are not known exactly, in the order of bins.

    Parameters
    ----------
    names : "γ CHANNEL[BIN]", bins numbered from 0
    groups : row of the uncertainty breakdown that each belongs to
    value, error : best value, and its post-fit σ
    observed, prior : global observable and prior width, in units of γ
    covariance : with each parameter of the likelihood
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    value: Float[np.ndarray, " gamma"]
    error: Float[np.ndarray, " gamma"]
    observed: Float[np.ndarray, " gamma"]
    prior: Float[np.ndarray, " gamma"]
    covariance: Float[np.ndarray, "gamma parameter"]


def fitted_gammas(model: BinnedLikelihood, data: Data, best: Fitted) -> Gammas:
    """Find the γ of a fit of one data set, with their errors and their covariance with the parameters.

    γ̂ is a function of the parameters, so that the covariance is ∂γ̂ V, and the variance ∂γ̂ V ∂γ̂ᵀ and what is left of it when
    the parameters are known.

    Parameters
    ----------
    model : the likelihood
    data : one data set
    best : its fit

    >>> from types import SimpleNamespace
    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> best = SimpleNamespace(params={"mu": 1.0, "background_norm": 0.0, "jes": 0.0}, covariance=np.diag([0.25, 1.0, 1.0]))
    >>> found = fitted_gammas(model, data, best)
    >>> dict(zip(found.names, found.value.round(3).tolist()))
    {'γ SR[0]': 1.003, 'γ SR[1]': 0.999}
    """
    at = fitted_rates(model, data, best)
    width, tau = np.asarray(model.width), np.asarray(model.tau)
    where = np.flatnonzero((width > 0) | (tau > 0)) if model.simulation_statistics else np.zeros(0, int)
    counted = tau[where] > 0
    scale = np.where(counted, tau[where], 1.0)
    covariance = np.nan_to_num(best.covariance)
    slope = at.gamma_slopes[where]
    across = slope @ covariance
    return Gammas(
        tuple(f"γ {model.channels[model.layout.channel[b]]}[{model.layout.slot[b]}]" for b in where),
        tuple(UNCORRELATED if c else SIMULATION for c in counted),
        at.gamma[where],
        np.sqrt((across * slope).sum(1) + at.conditional[where]),
        np.asarray(data.auxiliary)[model.n_constraints :][where] / scale,
        np.where(counted, scale**-0.5, width[where]),
        across,
    )
