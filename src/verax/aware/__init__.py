"""Systematics-aware training: augmentation, adversaries, parameterised networks, INFERNO.

Each is a transformer of a loss, a network or both, for any systematic that JAX can trace.
"""

from verax.aware.adversarial import Adversarial as Adversarial
from verax.aware.adversarial import AdversarialLoss as AdversarialLoss
from verax.aware.adversarial import Adversary as Adversary
from verax.aware.adversarial import adversarial as adversarial
from verax.aware.adversarial import minimax as minimax
from verax.aware.adversarial import with_adversary as with_adversary
from verax.aware.adversarial import without_adversary as without_adversary
from verax.aware.approach import APPROACHES as APPROACHES
from verax.aware.approach import Approach as Approach
from verax.aware.augment import Augmented as Augmented
from verax.aware.augment import augment as augment
from verax.aware.augment import draw as draw
from verax.aware.augment import given as given
from verax.aware.dependence import Dependence as Dependence
from verax.aware.dependence import dependence as dependence
from verax.aware.inferno import Inferno as Inferno
from verax.aware.inferno import align as align
from verax.aware.inferno import inferno as inferno
from verax.aware.inferno import softmax as softmax
from verax.aware.parameterised import at as at
from verax.aware.parameterised import parameterise as parameterise
from verax.aware.parameterised import parameterised as parameterised
