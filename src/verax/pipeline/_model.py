"""The stage `model`: the likelihood of the templates."""

from pathlib import Path

from verax.analysis import Factor
from verax.model import BinnedLikelihood, binned_likelihood
from verax.run import Run

from ._summarise import Summarised


def model(
    run: Run, folder: Path, factors: tuple[Factor, ...], simulation_statistics: bool, summarised: Summarised
) -> BinnedLikelihood:
    """The binned likelihood of the templates."""
    return binned_likelihood(
        summarised.templates,
        free={f.name: tuple(f.processes) for f in factors},
        where={f.name: tuple(f.channels) for f in factors if f.channels},
        bounds={f.name: f.bounds for f in factors},
        simulation_statistics=simulation_statistics,
    )
