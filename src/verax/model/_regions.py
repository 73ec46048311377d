"""The channels of a binned likelihood, and which parameters act on each."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from verax.arrays import Bool, Int

from ._functions import through_functions

if TYPE_CHECKING:
    from ._binned import BinnedLikelihood


class Regions(NamedTuple):
    """Parts of a likelihood whose goodness of fit is judged by itself.

    Parameters
    ----------
    names : of the regions
    size : observations in each
    acts : which parameters act on each
    """

    names: tuple[str, ...]
    size: Int[np.ndarray, " region"]
    acts: Bool[np.ndarray, "region parameter"]


def channels_as_regions(model: "BinnedLikelihood") -> Regions:
    """The channels; a parameter acts on a channel where it moves any of its bins."""
    free = np.asarray(model.normfactor_mask)[: model.n_free] > 0  # parameter, process, channel
    here = (model.layout.channel == np.arange(len(model.channels))[:, None]).T  # bin, channel
    present = (np.asarray(model.nominal) != 0) @ here  # process, channel
    bends = ((np.asarray(model.odd) != 0) | (np.asarray(model.even) != 0)) @ here
    scales = ((np.asarray(model.log_up) != 0) | (np.asarray(model.log_down) != 0)) & present
    index = np.asarray(model.cell_parameter_index)
    cells = [((index == q).any(0) @ here) for q in range(model.n_cells)]
    cell = np.reshape(cells, (model.n_cells, *present.shape)).astype(bool)
    acts = through_functions(model, np.concatenate([free, bends | scales, cell & present])).any(axis=1)
    return Regions(model.channels, np.asarray(model.layout.bins), np.asarray(acts.T))
