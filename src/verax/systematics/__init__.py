"""Systematic uncertainties as functions of events and nuisance parameters.

==============================================  ===========================================================
name                                            question
==============================================  ===========================================================
Systematic, shift                               what is a systematic, and how are several applied?
normalisation, reweight                         which one changes weights?
scale_columns                                   which one changes plain columns?
tau_, lepton_, jet_energy_scale, soft_met       which ones change momenta of the H→ττ data sets?
derive, derive_compiled, not_recomputed         what is recomputed from momenta, and what cannot be?
interpolable, interpolate, pair                 how is one used that JAX cannot trace, or only samples show?
post_selection, rounded, fill_missing           what comes after a shift, before events are used?
==============================================  ===========================================================

A :class:`Layout` (``HIGGSML``, ``FAIR_UNIVERSE``) says which column is what. An effect of your own is a function
``Events, θ → Events``, in two stages (:class:`StagedEffect`) where others recompute the same; ``limited`` keeps it to
some processes.
"""

from verax.systematics.detector import jet_energy_scale as jet_energy_scale
from verax.systematics.detector import lepton_energy_scale as lepton_energy_scale
from verax.systematics.detector import soft_met as soft_met
from verax.systematics.detector import tau_energy_scale as tau_energy_scale
from verax.systematics.effect import Effect as Effect
from verax.systematics.effect import StagedEffect as StagedEffect
from verax.systematics.effect import Systematic as Systematic
from verax.systematics.effect import Theta as Theta
from verax.systematics.effect import limited as limited
from verax.systematics.effect import shift as shift
from verax.systematics.kinematics import DERIVED as DERIVED
from verax.systematics.kinematics import FAIR_UNIVERSE as FAIR_UNIVERSE
from verax.systematics.kinematics import HIGGSML as HIGGSML
from verax.systematics.kinematics import Derive as Derive
from verax.systematics.kinematics import Layout as Layout
from verax.systematics.kinematics import Particle as Particle
from verax.systematics.kinematics import derive as derive
from verax.systematics.kinematics import derive_compiled as derive_compiled
from verax.systematics.kinematics import fill_missing as fill_missing
from verax.systematics.kinematics import not_recomputed as not_recomputed
from verax.systematics.normalisation import normalisation as normalisation
from verax.systematics.normalisation import reweight as reweight
from verax.systematics.normalisation import scale_columns as scale_columns
from verax.systematics.paired import interpolable as interpolable
from verax.systematics.paired import interpolate as interpolate
from verax.systematics.paired import pair as pair
from verax.systematics.post_selection import post_selection as post_selection
from verax.systematics.post_selection import rounded as rounded
