"""Aleatoric uncertainty: heads whose outputs are a distribution of the target, their losses and their moments.

A head is trained with :func:`verax.learn.train`, or any epistemic method, on its loss; :func:`verax.learn.predict` takes its
moments. Every loss takes weights of any sign, as they are.

======================  =============  ==================  =====================================================
head                    loss           moments             what it says about the target
======================  =============  ==================  =====================================================
mean_variance           GaussianNLL    gaussian            mean and width of a Gaussian
mixture_density         MixtureNLL     mixture             a mixture of Gaussians
evidential              EvidentialNLL  evidential_moments  a Student-t, and a split of its variance
quantiles               Pinball        QuantileMoments     several quantiles, which never cross
classifier, 2k outputs  NoisyLogits    NoisyProbabilities  one of k classes, by logits with a noise of their own
flow                    FlowNLL        density             the density of several columns, and draws
gan                     GanLoss        (none)              draws, and no density
======================  =============  ==================  =====================================================

A flow that is given the features predicts its columns as the other heads do: ``flow_prediction`` and ``flow_moments``.
``gaussian_log_prob``, ``mixture_log_prob`` and ``evidential_log_prob`` are the log-densities that the heads predict.

>>> import jax, numpy as np
>>> from verax.events import make_events
>>> from verax.learn import Training, train
>>> x = np.linspace(-1, 1, 64)
>>> events = make_events({"x": x, "y": 2 * x})
>>> network = mean_variance(jax.random.key(1), events, features=("x",), target="y")
>>> trained = train(jax.random.key(2), network, GaussianNLL("y"), events, training=Training(epochs=1))
>>> trained.history.stopped
'epochs'
"""

from verax.aleatoric.classification import NoisyLogits as NoisyLogits
from verax.aleatoric.classification import NoisyProbabilities as NoisyProbabilities
from verax.aleatoric.density import GaussianNLL as GaussianNLL
from verax.aleatoric.density import MeanVariance as MeanVariance
from verax.aleatoric.density import MixtureDensity as MixtureDensity
from verax.aleatoric.density import MixtureNLL as MixtureNLL
from verax.aleatoric.density import gaussian as gaussian
from verax.aleatoric.density import gaussian_log_prob as gaussian_log_prob
from verax.aleatoric.density import mean_variance as mean_variance
from verax.aleatoric.density import mixture as mixture
from verax.aleatoric.density import mixture_density as mixture_density
from verax.aleatoric.density import mixture_log_prob as mixture_log_prob
from verax.aleatoric.evidential import Evidential as Evidential
from verax.aleatoric.evidential import EvidentialNLL as EvidentialNLL
from verax.aleatoric.evidential import evidential as evidential
from verax.aleatoric.evidential import evidential_log_prob as evidential_log_prob
from verax.aleatoric.evidential import evidential_moments as evidential_moments
from verax.aleatoric.flow import Flow as Flow
from verax.aleatoric.flow import FlowNLL as FlowNLL
from verax.aleatoric.flow import density as density
from verax.aleatoric.flow import flow as flow
from verax.aleatoric.flow_prediction import FlowPrediction as FlowPrediction
from verax.aleatoric.flow_prediction import flow_moments as flow_moments
from verax.aleatoric.flow_prediction import flow_prediction as flow_prediction
from verax.aleatoric.gan import Gan as Gan
from verax.aleatoric.gan import GanLoss as GanLoss
from verax.aleatoric.gan import gan as gan
from verax.aleatoric.quantile import Pinball as Pinball
from verax.aleatoric.quantile import QuantileMoments as QuantileMoments
from verax.aleatoric.quantile import Quantiles as Quantiles
from verax.aleatoric.quantile import quantiles as quantiles
