"""Problems with a known answer: events of any number at any parameter values, and what is exactly known of them.

``mixture``, ``pivot``, ``rotating``, ``three_jets`` and ``on_off`` have exact densities, hence exact limits; ``collider``
looks like data, and only its truth is known.
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
