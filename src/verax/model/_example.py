"""A small analysis for examples: signal over background in two bins (a HistFactory model, CERN-OPEN-2012-016)."""

import numpy as np

from verax.parameters import nuisance
from verax.templates import Templates

from ._binned import BinnedLikelihood
from ._build import binned_likelihood
from ._data import Data


def example_templates() -> Templates:
    """Make the templates of a small analysis: one channel, two bins, two processes, a systematic of each.

    >>> example_templates().processes, example_templates().nominal.tolist()
    (('signal', 'background'), [[5.0, 15.0], [50.0, 40.0]])
    """
    nominal = np.array([[5.0, 15.0], [50.0, 40.0]])
    variance = np.array([[0.1, 0.3], [2.0, 1.5]])
    up = np.stack([nominal * [[1.0, 1.0], [1.1, 1.1]], nominal * [[0.9, 1.1], [1.0, 1.0]]])
    down = np.stack([nominal * [[1.0, 1.0], [0.9, 0.9]], nominal * [[1.1, 0.9], [1.0, 1.0]]])
    systematics = (nuisance("background_norm", "theory"), nuisance("jes", "experiment/jets"))
    return Templates(nominal, variance, up, down, ("SR",), ((0.0, 0.5, 1.0),), ("signal", "background"), systematics)


def example_model() -> tuple[BinnedLikelihood, Data]:
    """Make the likelihood of :func:`example_templates`, with the signal strength "mu", and data of 59 and 53 events.

    >>> model, data = example_model()
    >>> model.names, data.counts.tolist()
    (('mu', 'background_norm', 'jes'), [59.0, 53.0])
    """
    model = binned_likelihood(example_templates(), free={"mu": ("signal",)})
    return model, Data(np.array([59.0, 53.0]), np.array([0.0, 0.0, 1.0, 1.0]))
