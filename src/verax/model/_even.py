"""Even parts of systematics, which may cause a second minimum (see :mod:`verax.infer`)."""

from typing import TYPE_CHECKING

import numpy as np

from verax.parameters import Poisson

from ._functions import Chain
from ._likelihood import EvenParts

if TYPE_CHECKING:
    from ._binned import BinnedLikelihood

NOTHING = 1e-9
"""Share of a bin's events below which a change of them is none."""


def even_parts(model: "BinnedLikelihood") -> EvenParts | None:
    """Systematics whose two sides move the events of any bin the same way; one that scales like e^(±aα) is none.

    Shapes and logarithms of factors are taken apart into odd and even parts, at the initial values of the other
    parameters (a free factor of zero counts as one). None where there is no such systematic.
    """
    up, down, normfactor_mask = (np.asarray(x) for x in (model.log_up, model.log_down, model.normfactor_mask))
    values = np.array([p.init for p in model.parameters], np.float64)
    first = np.arange(len(values)) - model.n_free
    values = np.where((values == 0) & ((first < 0) | (first >= len(up))), 1.0, values)
    free, _, kappa = (np.asarray(x) for x in model.blocks(values))
    free = np.where(free == 0, 1.0, free)
    of_channel, cell_parameter_index = model.layout.channel, np.asarray(model.cell_parameter_index)
    through = np.prod(np.where(normfactor_mask > 0, free[:, None, None], 1.0), axis=0)[:, of_channel]
    through = through * np.prod(np.append(kappa, 1.0)[cell_parameter_index], axis=0)
    rates = np.asarray(model.nominal) * through
    even = (np.asarray(model.even) * through + (up + down)[:, :, of_channel] / 2 * rates).sum(1)
    odd = (np.asarray(model.odd) * through + (up - down)[:, :, of_channel] / 2 * rates).sum(1)
    total = np.maximum(rates.sum(0), np.asarray(model.floor))
    which = np.flatnonzero((abs(even) > NOTHING * total).any(1))
    if not which.size:
        return None
    by_free = (normfactor_mask[:, :, of_channel] * rates).sum(1) / free[:, None]
    by_cell = [((cell_parameter_index == q).any(0) * rates).sum(0) / k for q, k in enumerate(kappa)]
    prior = [
        0.0 if (c := p.constraint) is None else c.tau / p.init if isinstance(c, Poisson) else 1 / c.width**2
        for p in model.parameters
    ]
    jacobian = np.concatenate([by_free, odd, np.reshape(by_cell, (-1, len(total)))])
    return EvenParts(
        which + model.n_free,
        even[which],
        np.asarray(Chain.of(model, values).slopes(jacobian)) if model.functions else jacobian,
        1 / (total * (1 + total * np.asarray(model.width) ** 2)),
        np.array(prior),
    )
