"""Statistical models of binned data: templates in, likelihood out.

===================================  =============================================================================
name                                 question
===================================  =============================================================================
binned_likelihood, BinnedLikelihood  how do templates become a likelihood?
JointLikelihood, AbstractLikelihood  how do several become one, and what is a likelihood of your own?
hold                                 how is a parameter fixed for good?
formula, Formula, Penalty            how is a factor a function of parameters, and what keeps such functions near a value?
Data, DataSets, mapped, concatenate  what is observed: one data set, a batch of them, some of it, several batches?
prefit_yields, postfit_yields        how many events does it expect, and how well is that known?
fitted_gammas                        which γ of single bins has a fit, and how do they move its parameters?
templates                            what does each systematic do, as histograms?
code0, code1, code2, code4, code4p   how is interpolated between θ = −1, 0 and +1?
linear                               the same of a factor, piecewise linear?
example_model, example_templates     which small one is there to try things on?
===================================  =============================================================================

What reads and writes likelihoods also needs ``CellModifier``, ``code4_coefficients``, ``is_combine`` and the names of groups
(``FLOATING``, ``SIMULATION``, ``UNCORRELATED``); what fits them, the batched forms (``AbstractBatched``, ``Batched``),
``EvenParts`` and ``float64_on_host``.
"""

from ._binned import BinnedLikelihood as BinnedLikelihood
from ._binwise import CellModifier as CellModifier
from ._build import binned_likelihood as binned_likelihood
from ._constraint import HALF_LOG_2PI as HALF_LOG_2PI
from ._conventions import FLOATING as FLOATING
from ._conventions import SIMULATION as SIMULATION
from ._conventions import UNCORRELATED as UNCORRELATED
from ._conventions import is_combine as is_combine
from ._data import Data as Data
from ._data import DataSets as DataSets
from ._data import concatenate as concatenate
from ._data import mapped as mapped
from ._example import example_model as example_model
from ._example import example_templates as example_templates
from ._extract import templates as templates
from ._formula import Formula as Formula
from ._formula import formula as formula
from ._gammas import Gammas as Gammas
from ._gammas import fitted_gammas as fitted_gammas
from ._hold import hold as hold
from ._interpolate import code0 as code0
from ._interpolate import code1 as code1
from ._interpolate import code2 as code2
from ._interpolate import code4 as code4
from ._interpolate import code4_coefficients as code4_coefficients
from ._interpolate import code4p as code4p
from ._interpolate import linear as linear
from ._joint import JointLikelihood as JointLikelihood
from ._likelihood import AbstractBatched as AbstractBatched
from ._likelihood import AbstractLikelihood as AbstractLikelihood
from ._likelihood import Batched as Batched
from ._likelihood import EvenParts as EvenParts
from ._likelihood import float64_on_host as float64_on_host
from ._penalty import Penalty as Penalty
from ._yields import Yields as Yields
from ._yields import postfit_yields as postfit_yields
from ._yields import prefit_yields as prefit_yields
