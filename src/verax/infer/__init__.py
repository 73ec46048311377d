"""Inference: fit, profile, interval, breakdown, ranking and toys, for anything that is a likelihood."""

from verax.infer.breakdown import breakdown as breakdown
from verax.infer.fit import fit as fit
from verax.infer.interval import interval as interval
from verax.infer.profile import profile as profile
from verax.infer.ranking import ranking as ranking
from verax.infer.results import Breakdown as Breakdown
from verax.infer.results import Fit as Fit
from verax.infer.results import Ranking as Ranking
from verax.infer.results import Row as Row
from verax.infer.results import Scan as Scan
from verax.infer.toys import toys as toys
