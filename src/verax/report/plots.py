"""Every figure of a report. Pure functions: results → matplotlib ``Figure``; ``save`` writes PDF and PNG.

====================  =====================================================================================
figure                question
====================  =====================================================================================
score_distribution    what is fitted, and do model and data agree?
template_variation    what does a systematic do, and is its simulation precise enough?
scan                  how does the likelihood look around the estimate?
scan2d                how do two parameters trade off?
limit_bands           which values of the parameter are excluded, and was that to be expected?
limits                which limits do many points or channels give?
pulls_and_impacts     which nuisance parameters matter, and did the data move them?
breakdown             where does the uncertainty come from?
correlation           which parameters does the fit confuse?
pulls                 did the data move the constrained parameters?
goodness              does the model describe the data?
estimates             do estimates of toys scatter around the truth as their errors say?
belt                  which values do toys accept?
coverage              does the interval hold the truth as often as it says, and how wide is it?
reliability           is a predicted probability a frequency?
pit                   is a predicted distribution that of the outcomes?
training_history      did every network converge, and when was it stopped?
====================  =====================================================================================
"""

from verax.report.diagnostics import coverage as coverage
from verax.report.diagnostics import reliability as reliability
from verax.report.diagnostics import training_history as training_history
from verax.report.distributions import score_distribution as score_distribution
from verax.report.distributions import template_variation as template_variation
from verax.report.experiments import belt as belt
from verax.report.experiments import estimates as estimates
from verax.report.experiments import goodness as goodness
from verax.report.limits import limit_bands as limit_bands
from verax.report.limits import limits as limits
from verax.report.measurement import pulls_and_impacts as pulls_and_impacts
from verax.report.measurement import scan as scan
from verax.report.pulls import pulls as pulls
from verax.report.scans import scan2d as scan2d
from verax.report.style import Style as Style
from verax.report.style import save as save
from verax.report.transforms import pit as pit
from verax.report.uncertainty import breakdown as breakdown
from verax.report.uncertainty import correlation as correlation
