"""Systematic uncertainties as functions of events and nuisance parameters.

==============================================  ===========================================================
name                                            question
==============================================  ===========================================================
Systematic, shift                               what is a systematic, and how are several applied?
normalisation, reweight                         which one changes weights?
scale_columns                                   which one changes plain columns?
tau_energy_scale, lepton_energy_scale           which ones change momenta of the H→ττ data sets?
jet_energy_scale, soft_met
systematics                                     which ones has the FAIR Universe challenge, with their priors?
derive, derive_compiled, not_recomputed         what is recomputed from momenta, and what cannot be?
interpolable, interpolate, pair                 how is one used that JAX cannot trace, or only samples show?
together                                        how do several share a parameter?
post_selection, rounded, fill_missing           what comes after a shift, before events are used?
==============================================  ===========================================================

A :class:`Layout` (``HIGGSML``, ``FAIR_UNIVERSE``) says which column is what. An effect of your own is a function
``Events, θ → Events``, in two stages (:class:`StagedEffect`) where others recompute the same; ``limited`` keeps it to
some processes, ``aslike`` gives θ the precision of the events, and ``sin``, ``cos`` and ``arctan2`` are fast in float32.
"""

from ._detector import jet_energy_scale as jet_energy_scale
from ._detector import lepton_energy_scale as lepton_energy_scale
from ._detector import soft_met as soft_met
from ._detector import tau_energy_scale as tau_energy_scale
from ._effect import Effect as Effect
from ._effect import StagedEffect as StagedEffect
from ._effect import Systematic as Systematic
from ._effect import Theta as Theta
from ._effect import aslike as aslike
from ._effect import limited as limited
from ._effect import shift as shift
from ._fair_universe import PROCESSES as PROCESSES
from ._fair_universe import systematics as systematics
from ._kinematics import DERIVED as DERIVED
from ._kinematics import FAIR_UNIVERSE as FAIR_UNIVERSE
from ._kinematics import HIGGSML as HIGGSML
from ._kinematics import Derive as Derive
from ._kinematics import Layout as Layout
from ._kinematics import Particle as Particle
from ._kinematics import derive as derive
from ._kinematics import derive_compiled as derive_compiled
from ._kinematics import fill_missing as fill_missing
from ._kinematics import not_recomputed as not_recomputed
from ._normalisation import Normalisation as Normalisation
from ._normalisation import normalisation as normalisation
from ._normalisation import reweight as reweight
from ._normalisation import scale_columns as scale_columns
from ._paired import Interpolated as Interpolated
from ._paired import interpolable as interpolable
from ._paired import interpolate as interpolate
from ._paired import pair as pair
from ._post_selection import post_selection as post_selection
from ._post_selection import rounded as rounded
from ._together import together as together
from ._trigonometry import arctan2 as arctan2
from ._trigonometry import cos as cos
from ._trigonometry import sin as sin
