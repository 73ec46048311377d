"""The stage `model`: the likelihood of the templates."""

from pathlib import Path

from verax.analysis import Modelling
from verax.model import BinnedLikelihood, binned_likelihood
from verax.run import Run
from verax.templates import Templates, select

from ._summarise import Summarised


def model(run: Run, folder: Path, modelling: Modelling, summarised: Summarised) -> BinnedLikelihood:
    """The binned likelihood of the channels that are fitted."""
    return likelihood_of(modelling, select(summarised.templates, modelling.fitted))


def likelihood_of(modelling: Modelling, templates: Templates, *, empty: bool = False) -> BinnedLikelihood:
    """The likelihood of some bins, ``empty`` ones among them or not; its parameters are those of all."""
    return binned_likelihood(
        templates,
        free={f.name: tuple(f.processes) for f in modelling.factors},
        where={f.name: [c for c in f.channels if c in templates.channels] for f in modelling.factors if f.channels},
        bounds={f.name: f.bounds for f in modelling.factors},
        initial={f.name: f.nominal for f in modelling.factors},
        functions=modelling.rates,
        simulation_statistics=modelling.simulation_statistics,
        empty=empty,
    )
