"""Aleatoric uncertainty: heads whose outputs are a distribution of the target, their losses and their moments.

A head is trained with :func:`verax.learn.train`, or any epistemic method, on its loss; :func:`verax.learn.predict` takes its
moments. Every loss takes weights of any sign, as they are.

======================  ==============  ==================  =====================================================
head                    loss            moments             what it says about the target
======================  ==============  ==================  =====================================================
mean_variance           GaussianNLL     gaussian            mean and width of a Gaussian
mixture_density         MixtureNLL      mixture             a mixture of Gaussians
evidential              EvidentialNLL   evidential_moments  a Student-t, and a split of its variance
quantiles               Pinball         QuantileMoments     several quantiles, which never cross
classifier, k outputs   CategoricalNLL  categorical         one of k classes, by a logit for each
classifier, 2k outputs  NoisyLogits     NoisyProbabilities  one of k classes, by logits with a noise of their own
flow                    FlowNLL         density             the density of several columns, and draws
gan                     GanLoss         (none)              draws, and no density
======================  ==============  ==================  =====================================================

A flow that is given the features predicts its columns as the other heads do: ``flow_prediction`` and ``flow_moments``.
``gaussian_log_prob``, ``mixture_log_prob`` and ``evidential_log_prob`` are the log-densities that the heads predict. A head
of your own is a :class:`Head`.

>>> import jax, numpy as np
>>> from verax.events import make_events
>>> x = np.linspace(-1, 1, 64)
>>> events = make_events({"x": x, "y": 2 * x})
>>> network = mean_variance(jax.random.key(1), events, features=("x",), target="y")
>>> loss = GaussianNLL("y")  # train(key, network, loss, events)
>>> [v.shape for v in jax.eval_shape(lambda x: gaussian(network(x)), np.zeros(1))]  # mean and variance of one event
[(), ()]
"""

from ._classification import CategoricalNLL as CategoricalNLL
from ._classification import NoisyLogits as NoisyLogits
from ._classification import NoisyProbabilities as NoisyProbabilities
from ._classification import categorical as categorical
from ._density import GaussianNLL as GaussianNLL
from ._density import MeanVariance as MeanVariance
from ._density import MixtureDensity as MixtureDensity
from ._density import MixtureNLL as MixtureNLL
from ._density import gaussian as gaussian
from ._density import gaussian_log_prob as gaussian_log_prob
from ._density import mean_variance as mean_variance
from ._density import mixture as mixture
from ._density import mixture_density as mixture_density
from ._density import mixture_log_prob as mixture_log_prob
from ._evidential import Evidential as Evidential
from ._evidential import EvidentialNLL as EvidentialNLL
from ._evidential import evidential as evidential
from ._evidential import evidential_log_prob as evidential_log_prob
from ._evidential import evidential_moments as evidential_moments
from ._flow import Flow as Flow
from ._flow import FlowNLL as FlowNLL
from ._flow import density as density
from ._flow import flow as flow
from ._flow_prediction import FlowPrediction as FlowPrediction
from ._flow_prediction import flow_moments as flow_moments
from ._flow_prediction import flow_prediction as flow_prediction
from ._gan import Gan as Gan
from ._gan import GanLoss as GanLoss
from ._gan import gan as gan
from ._head import Head as Head
from ._quantile import Pinball as Pinball
from ._quantile import QuantileMoments as QuantileMoments
from ._quantile import Quantiles as Quantiles
from ._quantile import quantiles as quantiles
