"""Systematics-aware training: augmentation, adversaries, parameterised networks, INFERNO.

Each is a transformer of a loss, a network or both, for any systematic that JAX can trace.
"""

from ._adversarial import Adversarial as Adversarial
from ._adversarial import AdversarialLoss as AdversarialLoss
from ._adversarial import Adversary as Adversary
from ._adversarial import adversarial as adversarial
from ._adversarial import minimax as minimax
from ._adversarial import with_adversary as with_adversary
from ._adversarial import without_adversary as without_adversary
from ._approach import APPROACHES as APPROACHES
from ._approach import Approach as Approach
from ._approach import approach as approach
from ._augment import Augmented as Augmented
from ._augment import augment as augment
from ._augment import draw as draw
from ._augment import given as given
from ._dependence import Dependence as Dependence
from ._dependence import dependence as dependence
from ._inferno import Inferno as Inferno
from ._inferno import align as align
from ._inferno import inferno as inferno
from ._inferno import softmax as softmax
from ._parameterised import at as at
from ._parameterised import parameterise as parameterise
from ._parameterised import parameterised as parameterised
