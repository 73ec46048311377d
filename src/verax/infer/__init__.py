"""Inference: fits, intervals, tests, limits, rankings and toys, for anything that is a likelihood.

==================================  =====================================================================================
name                                question
==================================  =====================================================================================
fit                                 what are the best values, and their covariance?
local_minima                        which other minima has −log L?
interval, neyman                    which interval has one parameter? (profile likelihood; toys: near bounds, few events)
profile, scan2d                     which shape has the likelihood in one parameter, in two?
significance                        is there a signal?
limit, cls                          how large can it be?
goodness_of_fit                     does the model describe the data?
breakdown, ranking                  where does the uncertainty come from?
hessian_error                       how sharply does the likelihood fall, from a bound too?
effective_events                    does it rest on enough events for asymptotic formulae?
expected_error, fisher_information  which uncertainty is expected, as a function with a derivative?
sample_toys, campaign               what if it were done again, and how often is the truth covered?
==================================  =====================================================================================
"""

from ._breakdown import breakdown as breakdown
from ._campaign import Campaign as Campaign
from ._campaign import Estimate as Estimate
from ._campaign import campaign as campaign
from ._cls import cls as cls
from ._few_events import FEW as FEW
from ._few_events import effective_events as effective_events
from ._fit import fit as fit
from ._fit import hessian_error as hessian_error
from ._goodness import P_ERROR as P_ERROR
from ._goodness import GoodnessOfFit as GoodnessOfFit
from ._goodness import goodness_of_fit as goodness_of_fit
from ._information import expected_error as expected_error
from ._information import fisher_information as fisher_information
from ._interval import interval as interval
from ._limit import limit as limit
from ._minima import LocalMinima as LocalMinima
from ._minima import local_minima as local_minima
from ._neyman import Belt as Belt
from ._neyman import neyman as neyman
from ._profile import FURTHER as FURTHER
from ._profile import profile as profile
from ._ranking import ranking as ranking
from ._results import Breakdown as Breakdown
from ._results import CLs as CLs
from ._results import Fit as Fit
from ._results import Limit as Limit
from ._results import Ranking as Ranking
from ._results import Row as Row
from ._results import Scan as Scan
from ._scan2d import Scan2D as Scan2D
from ._scan2d import scan2d as scan2d
from ._significance import Significance as Significance
from ._significance import significance as significance
from ._toys import sample_toys as sample_toys
