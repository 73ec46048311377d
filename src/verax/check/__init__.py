"""Judges of uncertainty: they take arrays and intervals, and know no method.

=============  ==========================================================================================
verb           question
=============  ==========================================================================================
coverage       do the intervals hold the truth as often as they say? (beside their width)
score          are they narrow and do they cover? (the FAIR Universe challenge's figure of merit)
reliability    of the events with predicted probability p, is the fraction p signal? (weights of any sign)
c2st, mmd      do two weighted samples have one distribution? (by a classifier, by a Gaussian kernel)
bbse           which class fractions has an unlabelled sample, and does label shift explain it?
diagnose       covariate, label or concept shift: which are compatible, and what to do about each
               (``diagnose_regression`` for targets that are numbers)
=============  ==========================================================================================

``reliability_sums`` of each chunk add up, and ``diagram`` of their sum is the ``Reliability`` of all events.

``nll_…`` and ``crps_…`` are proper scores of predicted distributions, one per event, and ``average`` their weighted mean.
"""

from verax.check.bbse import LabelShift as LabelShift
from verax.check.bbse import bbse as bbse
from verax.check.c2st import ClassifierTest as ClassifierTest
from verax.check.c2st import c2st as c2st
from verax.check.classwise import Classwise as Classwise
from verax.check.classwise import classwise as classwise
from verax.check.coverage import coverage as coverage
from verax.check.diagnosis import Diagnosis as Diagnosis
from verax.check.diagnosis import Finding as Finding
from verax.check.distance import kolmogorov_smirnov as kolmogorov_smirnov
from verax.check.mmd import Discrepancy as Discrepancy
from verax.check.mmd import mmd as mmd
from verax.check.proper import Average as Average
from verax.check.proper import average as average
from verax.check.proper import crps_gaussian as crps_gaussian
from verax.check.proper import crps_mixture as crps_mixture
from verax.check.proper import crps_quantiles as crps_quantiles
from verax.check.proper import crps_sample as crps_sample
from verax.check.proper import nll_gaussian as nll_gaussian
from verax.check.proper import nll_mixture as nll_mixture
from verax.check.regression_shift import diagnose_regression as diagnose_regression
from verax.check.reliability import Reliability as Reliability
from verax.check.reliability import ReliabilitySums as ReliabilitySums
from verax.check.reliability import diagram as diagram
from verax.check.reliability import reliability as reliability
from verax.check.reliability import reliability_sums as reliability_sums
from verax.check.score import Score as Score
from verax.check.score import score as score
from verax.check.shift import diagnose as diagnose
