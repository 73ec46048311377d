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

An :class:`Approach` is one of these for a measurement (``APPROACHES`` are their names): what is trained, on what loss,
and the score that comes of it.

>>> from verax.learn import CrossEntropy
>>> from verax.systematics import scale_columns
>>> augment(CrossEntropy(("signal",)), [scale_columns("scale", 0.1, ("x",))]).per
'event'
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
