"""Inference: fits, intervals, tests, limits, rankings and toys, for anything that is a likelihood.

| question | verb |
| --- | --- |
| best values, covariance | `fit` |
| interval of one parameter | `interval` (profile), `neyman` (toys: near bounds, few events) |
| shape of the likelihood | `profile` (one parameter), `scan2d` (two) |
| is there a signal? | `significance` |
| how large can it be? | `limit`, `cls` |
| does the model describe the data? | `goodness_of_fit` |
| where does the uncertainty come from? | `breakdown`, `ranking` |
| what if it were done again? | `sample_toys`, `campaign` |
"""

from verax.infer.breakdown import breakdown as breakdown
from verax.infer.campaign import Campaign as Campaign
from verax.infer.campaign import Estimate as Estimate
from verax.infer.campaign import campaign as campaign
from verax.infer.cls import cls as cls
from verax.infer.fit import fit as fit
from verax.infer.goodness import GoodnessOfFit as GoodnessOfFit
from verax.infer.goodness import goodness_of_fit as goodness_of_fit
from verax.infer.information import expected_error as expected_error
from verax.infer.information import fisher_information as fisher_information
from verax.infer.interval import interval as interval
from verax.infer.limit import limit as limit
from verax.infer.neyman import Belt as Belt
from verax.infer.neyman import neyman as neyman
from verax.infer.profile import profile as profile
from verax.infer.ranking import ranking as ranking
from verax.infer.results import Breakdown as Breakdown
from verax.infer.results import CLs as CLs
from verax.infer.results import Fit as Fit
from verax.infer.results import Limit as Limit
from verax.infer.results import Ranking as Ranking
from verax.infer.results import Row as Row
from verax.infer.results import Scan as Scan
from verax.infer.scan2d import Scan2D as Scan2D
from verax.infer.scan2d import scan2d as scan2d
from verax.infer.significance import Significance as Significance
from verax.infer.significance import significance as significance
from verax.infer.toys import sample_toys as sample_toys
