"""Systematics-aware training, for any systematic that JAX can trace: transformers of a loss, a network or both.

====================================  ====================================================================
name                                  question
====================================  ====================================================================
augment, draw                         how does a network see its events at θ drawn from the priors?
adversarial, with_adversary, minimax  how does it lose what tells of θ, by an adversary that guesses θ?
without_adversary                     which network is left for use?
dependence                            how much does an output tell about θ? (asked of a new adversary)
parameterise, parameterised, given    how does a network read θ beside the columns, f(x; θ)?
at                                    which summary is it at one θ?
inferno, softmax, align               which bins make the expected uncertainty of the measurement small?
====================================  ====================================================================

``approach`` chooses one of these for a measurement by its name (``APPROACHES``): an :class:`Approach` says what is trained,
on what loss, and the score that comes of it.

>>> from verax.learn import CrossEntropy
>>> from verax.systematics import scale_columns
>>> augment(CrossEntropy(("signal",)), [scale_columns("scale", 0.1, ("x",))]).per
'event'
"""

from verax.choices import APPROACHES as APPROACHES

from ._adversarial import Adversarial as Adversarial
from ._adversarial import AdversarialLoss as AdversarialLoss
from ._adversarial import Adversary as Adversary
from ._adversarial import adversarial as adversarial
from ._adversarial import minimax as minimax
from ._adversarial import with_adversary as with_adversary
from ._adversarial import without_adversary as without_adversary
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
