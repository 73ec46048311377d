"""The stage `model`: the likelihood of the templates."""

from pathlib import Path

from verax.analysis import Factor, Modelling
from verax.model import BinnedLikelihood, binned_likelihood
from verax.parameters import Gaussian, Poisson
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
        bounds={f.name: (max(f.bounds[0], 0.0), f.bounds[1]) if f.events else f.bounds for f in modelling.factors},
        initial={f.name: f.nominal for f in modelling.factors},
        priors={f.name: prior for f in modelling.factors if (prior := _prior(f))},
        functions=modelling.rates,
        simulation_statistics=modelling.simulation_statistics,
        empty=empty,
    )


def _prior(factor: Factor) -> tuple[str, Gaussian | Poisson] | None:
    """Group and constraint of a normalisation that does not float freely."""
    if factor.width is not None:
        return factor.group or "normalisations", Gaussian(factor.width)
    if factor.events is not None:
        return factor.group or "normalisations", Poisson(factor.events / factor.nominal)
    return None
