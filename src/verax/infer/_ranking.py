"""Pulls of the nuisance parameters, and their impacts on one parameter from refits (as CMS Combine, arXiv:2404.06614)."""

import numpy as np

from verax.model import AbstractLikelihood, Data
from verax.parameters import Gaussian

from ._evaluate import Values
from ._newton import minimise
from ._profile import best_fits, conditional_start
from ._results import Fit, Ranking


def ranking(
    model: AbstractLikelihood, data: Data, poi: str, *, fixed: Values = None, best: Fit | None = None
) -> Ranking:
    """Rank the other parameters by impact on one: each is fixed at θ̂ ± σ̂ and at θ̂ ± its prior width, all else refitted.

    All refits are one batch. Values may lie beyond the parameter's bounds. Parameters that are fixed are left out.

    Parameters
    ----------
    model : the likelihood
    data : one data set
    poi : name of the parameter of interest
    fixed : parameters held at these values
    best : what ``fit`` returned for the same data and ``fixed``, which is then not done again

    Raises
    ------
    InputError : a parameter that is unknown (nearest name given) or fixed, a batch of data sets, or data that do not
        fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> found = ranking(model, data, "mu")
    >>> dict(zip(found.names, found.up.round(2).tolist()))
    {'background_norm': -0.31, 'jes': -0.1}
    """
    fits = best_fits(model, data, poi, "ranking", fixed, best, single=True)
    batch, index, limits, minimum = fits.batch, fits.index, fits.limits, fits.best
    others = np.flatnonzero((limits[0] < limits[1]) & (np.arange(len(model.names)) != index))
    constraints = [model.parameters[i].constraint for i in others]
    width = np.array([c.width if isinstance(c, Gaussian) else np.nan for c in constraints])
    value, error = minimum.theta[0, others], np.sqrt(np.diagonal(minimum.covariance[0]))[others]

    shift = np.stack([error, -error, width, -width])  # [shift, other]
    tested = np.isfinite(shift) & (shift != 0)
    which = np.tile(others, (4, 1))[tested]
    row = np.zeros(len(which), int)
    start = conditional_start(minimum, row, which, minimum.theta[0, which] + shift[tested])
    free = np.arange(len(model.names)) != which[:, None]
    # Values beyond the bounds are allowed for the parameter that is shifted: it is not free there.
    there = minimise(model, batch[row], start, free, covariance=False, limits=limits)
    change = np.where(np.isnan(shift), np.nan, 0.0)
    change[tested] = there.theta[:, index] - minimum.theta[0, index]
    status = np.full(shift.shape, minimum.status[0])
    status[tested] = np.maximum(status[tested], there.status)
    return Ranking(
        poi,
        tuple(model.names[i] for i in others),
        tuple(model.parameters[i].group for i in others),
        (value - model.start(batch.gather())[0, others]) / width,
        error / width,
        change[0],
        change[1],
        change[2],
        change[3],
        status.max(axis=0),
    )
