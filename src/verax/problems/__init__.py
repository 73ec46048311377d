"""Problems with a known answer: events of any number at any parameter values, and what is exactly known of them.

===========  ===============================================================================================
problem      what is known
===========  ===============================================================================================
Mixture      INFERNO's three-dimensional mixture: exact densities, hence limits
Pivot        the example of learning to pivot: exact densities
Rotating     rotating Gaussians, the example of uncertainty-aware learning: exact densities
ThreeJets    e⁺e⁻ → q q̄ g at tree level: an exact density and its entropy
OnOff        a counting measurement with a control region: the likelihood and all distributions in closed form
Collider     H→ττ beside its backgrounds: looks like data, and only its truth is known
===========  ===============================================================================================

``information`` and ``summary_information`` are the expected Fisher information of counts, ``uncertainty`` what it
promises of one parameter. A problem of your own is an :class:`AbstractProblem`, with a density an
:class:`AbstractDensityProblem`, whose ``quadrature`` is made of ``midpoints`` and ``product``. ``draw_nuisances`` draws what
the FAIR Universe challenge drew.
"""

from ._challenge import draw_nuisances as draw_nuisances
from ._collider import LAYOUT as LAYOUT
from ._collider import Collider as Collider
from ._density import AbstractDensityProblem as AbstractDensityProblem
from ._density import midpoints as midpoints
from ._density import product as product
from ._information import information as information
from ._information import summary_information as summary_information
from ._information import uncertainty as uncertainty
from ._mixture import Mixture as Mixture
from ._on_off import OnOff as OnOff
from ._pivot import ENTROPY as ENTROPY
from ._pivot import Pivot as Pivot
from ._problem import AbstractProblem as AbstractProblem
from ._rotating import NOMINAL as NOMINAL
from ._rotating import WIDTH as WIDTH
from ._rotating import Rotating as Rotating
from ._three_jets import ThreeJets as ThreeJets
