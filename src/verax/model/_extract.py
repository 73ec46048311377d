"""The templates of a likelihood: what its systematics do, for tables and figures (HistFactory, CERN-OPEN-2012-016)."""

import numpy as np

from verax.templates import Templates

from ._binned import BinnedLikelihood


def templates(model: BinnedLikelihood) -> Templates:
    """Give the nominal templates, and those at θ = ±1 of each systematic: shape times factor, as the likelihood has them.

    Bins are numbered where a workspace says no edges. Factors of single bins are no systematic: they are left out.

    Parameters
    ----------
    model : likelihood of binned data, built here or read from a workspace

    >>> from verax.model import example_model
    >>> found = templates(example_model()[0])
    >>> [s.name for s in found.systematics], found.up.shape  # systematic, process, bin
    (['background_norm', 'jes'], (2, 2, 2))
    """
    nominal, channel = np.asarray(model.nominal, np.float64), model.layout.channel
    odd, even = np.asarray(model.odd), np.asarray(model.even)
    up, down = (
        (nominal + even + sign * odd) * np.exp(np.asarray(log))[..., channel]
        for sign, log in ((1, model.log_up), (-1, model.log_down))
    )
    first = model.n_free
    names = model.parameters[first : first + len(odd)]
    variance = np.asarray(model.variance, np.float64)
    return Templates(nominal, variance, up, down, model.channels, model.edges, model.processes, names)
