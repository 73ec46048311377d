"""Statistical models of binned data: templates in, likelihood out."""

from verax.model.binned import BinnedLikelihood as BinnedLikelihood
from verax.model.build import binned_likelihood as binned_likelihood
from verax.model.histfactory import Imported as Imported
from verax.model.histfactory import from_pyhf as from_pyhf
from verax.model.likelihood import AbstractLikelihood as AbstractLikelihood
from verax.model.likelihood import Data as Data
from verax.model.templates import Templates as Templates
from verax.model.workspace import to_pyhf as to_pyhf
