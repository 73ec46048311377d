"""Judges of uncertainty: they take arrays and intervals, and know no method.

=============  ==========================================================================================
verb           question
=============  ==========================================================================================
coverage       do the intervals hold the truth as often as they say? (beside their width)
score          are they narrow and do they cover? (the FAIR Universe challenge's figure of merit)
reliability    of the events with predicted probability p, is the fraction p signal? (weights of any sign)
=============  ==========================================================================================

``reliability_sums`` of each chunk add up, and ``diagram`` of their sum is the ``Reliability`` of all events.
"""

from verax.check.classwise import Classwise as Classwise
from verax.check.classwise import classwise as classwise
from verax.check.coverage import coverage as coverage
from verax.check.distance import kolmogorov_smirnov as kolmogorov_smirnov
from verax.check.reliability import Reliability as Reliability
from verax.check.reliability import ReliabilitySums as ReliabilitySums
from verax.check.reliability import diagram as diagram
from verax.check.reliability import reliability as reliability
from verax.check.reliability import reliability_sums as reliability_sums
from verax.check.score import Score as Score
from verax.check.score import score as score
