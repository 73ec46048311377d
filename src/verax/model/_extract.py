"""The templates of a likelihood: what its systematics do, for tables and figures."""

import numpy as np

from verax.templates import Templates

from ._binned import BinnedLikelihood


def templates(model: BinnedLikelihood) -> Templates:
    """Nominal templates, and those at θ = ±1 of each systematic: shape times factor, as the likelihood has them.

    Bins are numbered where a workspace says no edges. Factors of single bins are no systematic: they are left out.
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
