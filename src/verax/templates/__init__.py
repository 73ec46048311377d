"""Templates: events to histograms, the bins that measure best, and how variations are treated.

=====================================  ==========================================================================
name                                   question
=====================================  ==========================================================================
templates, Templates, Varied           which histograms have events, and their variations?
templates_of, Filling                  which have several summaries, in one pass?
fine_edges, choose_edges, information  which bins measure best?
WeightSet, members, combined           how are sets of weights (scales, PDFs) filled, and combined in bins?
Envelope, Hessian, Replicas            which combinations are there?
smooth, symmetrise, prune              how are variations smoothed and symmetrised, and negligible ones left out?
select, mask, merge, rename            how are channels, processes and systematics chosen, added up and named?
correlate, decorrelate, restrict       which systematics move together, and where does one act?
combine                                how do two analyses become one?
normalisation_part, shape_part         how does a variation split into its factor and its shape?
acts, largest_change                   what does a variation change at all, and by how much?
histogram, exact_sum, find_bins        how are weights summed to the same bits in any order?
=====================================  ==========================================================================

A :data:`Summary` is a function of events; a :class:`Layout` says how the bins of several channels lie side by side.
"""

from ._arrange import mask as mask
from ._arrange import merge as merge
from ._arrange import rename as rename
from ._arrange import select as select
from ._binning import choose_edges as choose_edges
from ._binning import information as information
from ._combine import combine as combine
from ._correlate import correlate as correlate
from ._correlate import decorrelate as decorrelate
from ._correlate import restrict as restrict
from ._fill import Filling as Filling
from ._fill import Summary as Summary
from ._fill import Varied as Varied
from ._fill import fine_edges as fine_edges
from ._fill import templates as templates
from ._fill import templates_of as templates_of
from ._histogram import ExactSum as ExactSum
from ._histogram import Sums as Sums
from ._histogram import exact_sum as exact_sum
from ._histogram import find_bins as find_bins
from ._histogram import histogram as histogram
from ._layout import Layout as Layout
from ._prune import ROUNDING as ROUNDING
from ._prune import Pruned as Pruned
from ._prune import largest_change as largest_change
from ._prune import prune as prune
from ._smooth import Smoothed as Smoothed
from ._smooth import smooth as smooth
from ._split import normalisation_part as normalisation_part
from ._split import shape_part as shape_part
from ._symmetrise import Symmetrised as Symmetrised
from ._symmetrise import symmetrise as symmetrise
from ._templates import Templates as Templates
from ._treatment import acts as acts
from ._weight_set import Combination as Combination
from ._weight_set import Envelope as Envelope
from ._weight_set import Hessian as Hessian
from ._weight_set import Replicas as Replicas
from ._weight_set import Reweighted as Reweighted
from ._weight_set import WeightSet as WeightSet
from ._weight_set import combined as combined
from ._weight_set import members as members
