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
discovery             how often would there be such an excess without signal?
estimates             do estimates of toys scatter around the truth as their errors say?
verdicts              what needs a decision before the measurement is approved?
belt                  which values do toys accept?
coverage              does the interval hold the truth as often as it says, and how wide is it?
reliability           is a predicted probability a frequency?
roc                   how well does a score separate signal from background?
overtraining          is a score another for the events that it was learnt from?
pit                   is a predicted distribution that of the outcomes?
training_history      did every network converge, and when was it stopped?
====================  =====================================================================================
"""

from ._diagnostics import coverage as coverage
from ._diagnostics import reliability as reliability
from ._diagnostics import training_history as training_history
from ._distributions import score_distribution as score_distribution
from ._distributions import template_variation as template_variation
from ._experiments import belt as belt
from ._experiments import discovery as discovery
from ._experiments import estimates as estimates
from ._experiments import goodness as goodness
from ._limits import limit_bands as limit_bands
from ._limits import limits as limits
from ._measurement import pulls as pulls
from ._measurement import pulls_and_impacts as pulls_and_impacts
from ._measurement import scan as scan
from ._scans import scan2d as scan2d
from ._scores import overtraining as overtraining
from ._scores import roc as roc
from ._style import Style as Style
from ._style import save as save
from ._transforms import pit as pit
from ._uncertainty import breakdown as breakdown
from ._uncertainty import correlation as correlation
from ._verdicts import verdicts as verdicts
