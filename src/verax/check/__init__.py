"""Measures of uncertainties on plain arrays and intervals, whatever method made them.

=============================  ===========================================================================================
function                       question
=============================  ===========================================================================================
coverage                       how often is the truth in the intervals, and how wide are they? (weights of any sign)
coverage_by                    the same for each group, class or size of sets
median_with_error              what is the median of widths, and its error?
score                          are intervals narrow, and do they cover? (the FAIR Universe challenge's figure of merit)
score_value, coverage_penalty  its parts: the score of a width and a coverage, and the factor for missing 68.27 %
reliability                    of the events with predicted probability p, is the fraction p signal? (weights of any sign)
reliability_sums, diagram      the same in chunks: their sums add up to the Reliability of all events
classwise                      the same for each of several classes, and for the one with the largest probability
roc                            how well does a score separate signal from background? (weights of any sign)
overtraining                   is a score another for the events that it was learnt from?
nll_gaussian, nll_mixture      proper scores of predicted densities, one per event: −ln p(y)
crps_gaussian, crps_mixture    the same by the distribution function (CRPS), in the unit of y
crps_quantiles, crps_sample    the same of predicted quantiles, and of draws
average                        weighted mean of scores, and its error
=============================  ===========================================================================================
"""

from ._classwise import Classwise as Classwise
from ._classwise import classwise as classwise
from ._coverage import coverage as coverage
from ._coverage import coverage_by as coverage_by
from ._coverage import median_with_error as median_with_error
from ._proper import Average as Average
from ._proper import average as average
from ._proper import crps_gaussian as crps_gaussian
from ._proper import crps_mixture as crps_mixture
from ._proper import crps_quantiles as crps_quantiles
from ._proper import crps_sample as crps_sample
from ._proper import nll_gaussian as nll_gaussian
from ._proper import nll_mixture as nll_mixture
from ._reliability import Reliability as Reliability
from ._reliability import ReliabilitySums as ReliabilitySums
from ._reliability import diagram as diagram
from ._reliability import reliability as reliability
from ._reliability import reliability_sums as reliability_sums
from ._score import Score as Score
from ._score import coverage_penalty as coverage_penalty
from ._score import score as score
from ._score import score_value as score_value
from ._separation import Overtraining as Overtraining
from ._separation import Roc as Roc
from ._separation import overtraining as overtraining
from ._separation import roc as roc
