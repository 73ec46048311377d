"""Statistical models of binned data: templates in, likelihood out."""

from verax.model.arrange import correlate as correlate
from verax.model.arrange import decorrelate as decorrelate
from verax.model.arrange import mask as mask
from verax.model.arrange import merge as merge
from verax.model.arrange import rename as rename
from verax.model.arrange import select as select
from verax.model.binned import BinnedLikelihood as BinnedLikelihood
from verax.model.build import binned_likelihood as binned_likelihood
from verax.model.combine import combine as combine
from verax.model.histfactory import Imported as Imported
from verax.model.histfactory import from_pyhf as from_pyhf
from verax.model.hold import hold as hold
from verax.model.hs3 import from_hs3 as from_hs3
from verax.model.likelihood import AbstractLikelihood as AbstractLikelihood
from verax.model.likelihood import Data as Data
from verax.model.prune import Pruned as Pruned
from verax.model.prune import prune as prune
from verax.model.smooth import Smoothed as Smoothed
from verax.model.smooth import smooth as smooth
from verax.model.symmetrise import Symmetrised as Symmetrised
from verax.model.symmetrise import symmetrise as symmetrise
from verax.model.templates import Templates as Templates
from verax.model.workspace import to_pyhf as to_pyhf
