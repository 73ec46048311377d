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
:class:`AbstractDensityProblem`.
"""

from verax.simulate.collider import Collider as Collider
from verax.simulate.density import AbstractDensityProblem as AbstractDensityProblem
from verax.simulate.information import information as information
from verax.simulate.information import summary_information as summary_information
from verax.simulate.information import uncertainty as uncertainty
from verax.simulate.mixture import Mixture as Mixture
from verax.simulate.on_off import OnOff as OnOff
from verax.simulate.pivot import Pivot as Pivot
from verax.simulate.problem import AbstractProblem as AbstractProblem
from verax.simulate.rotating import Rotating as Rotating
from verax.simulate.three_jets import ThreeJets as ThreeJets
