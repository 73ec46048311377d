"""The six nuisance parameters of the FAIR Universe HiggsML Uncertainty Challenge (arXiv:2410.02867)."""

from dataclasses import replace

from ._detector import jet_energy_scale, soft_met, tau_energy_scale
from ._effect import Systematic
from ._kinematics import FAIR_UNIVERSE
from ._normalisation import normalisation

PROCESSES = ("htautau", "ztautau", "ttbar", "diboson")
"""The challenge's processes; all but the first are background."""


def systematics() -> tuple[Systematic, ...]:
    """The challenge's six nuisance parameters with their priors, in the approximation of one Gaussian θ each.

    The challenge draws all scales from Gaussians, clipped far out; normalisations are log-normal here. Its soft term is
    σ ~ LogNormal(0, 1) GeV: here θ·1 GeV, so that |θ| stands for σ and θ = 1 is the median. Draws of the diboson scale
    reach down to nothing: its θ may be as low as that of a thousandth.
    """
    diboson = normalisation("diboson_scale", 0.25, ("diboson",))
    diboson = replace(diboson, parameter=replace(diboson.parameter, bounds=(-31.0, 5.0)))
    return (
        tau_energy_scale(FAIR_UNIVERSE, 0.01),
        jet_energy_scale(FAIR_UNIVERSE, 0.01),
        soft_met(FAIR_UNIVERSE, 1.0),
        normalisation("ttbar_scale", 0.02, ("ttbar",)),
        diboson,
        normalisation("bkg_scale", 0.001, PROCESSES[1:]),
    )
