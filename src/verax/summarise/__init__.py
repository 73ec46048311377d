"""Summaries: from events to histograms, and the bins that measure best."""

from verax.summarise.binning import choose_edges as choose_edges
from verax.summarise.binning import information as information
from verax.summarise.histogram import ExactSum as ExactSum
from verax.summarise.histogram import Sums as Sums
from verax.summarise.histogram import exact_sum as exact_sum
from verax.summarise.histogram import find_bins as find_bins
from verax.summarise.histogram import histogram as histogram
from verax.summarise.templates import Binning as Binning
from verax.summarise.templates import Summary as Summary
from verax.summarise.templates import TemplateSums as TemplateSums
from verax.summarise.templates import Varied as Varied
from verax.summarise.templates import fill as fill
from verax.summarise.templates import fine_edges as fine_edges
from verax.summarise.templates import templates as templates
