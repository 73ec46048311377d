"""Epistemic uncertainty: every method is ``method(key, make, loss, events, *, training, …) → Posterior``.

``Posterior.members(key, n)`` are networks with a leading axis ``member``, for :func:`verax.learn.predict`; ``status`` says
whether the method converged, ``notes`` what the spread over members leaves out all the same.

===================  ==============================================  =====================================================
verb                 members                                         known limit
===================  ==============================================  =====================================================
ensemble             networks trained from other starts, replicas    as many trainings as members
dropout              one network with units left out                 the rate's spread stays, however many events there are
concrete_dropout     the same, with a rate learnt for each layer     no finer than one unit more or less
variational          weights from independent Gaussians              too narrow where weights are correlated
laplace              a Gaussian at the mode                          one mode; a matrix over all weights, or the last layer
hmc                  draws from the posterior itself                 small networks and samples; look at ``status``
tta                  one network at draws of its inputs' resolution  the resolution's spread stays, however many events
===================  ==============================================  =====================================================

>>> import jax, numpy as np
>>> from functools import partial
>>> from verax.events import make_events
>>> from verax.learn import CrossEntropy, Training, classifier, predict
>>> x = np.linspace(-1, 1, 64)
>>> events = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
>>> make = partial(classifier, features=("x",), width=8, depth=1)
>>> found = dropout(jax.random.key(1), make, CrossEntropy(("s",)), events, training=Training(epochs=2, batch=64))
>>> predict(found.members(jax.random.key(2), 20), events).epistemic.shape
(64,)

``dropout_predict`` predicts with dropout in a fraction of the time that its members take one by one. For a training of
your own ``thin`` and ``masked`` leave units of a network out, and ``mean_field`` gives its weights Gaussians, which
``NegativeElbo`` trains.

``event_covariance`` and ``member_histograms`` give the covariance over members of events and of bins, ``bootstrap_factors``
the replicas of a sample. ``temper`` says what weighted events count as in a likelihood. ``cross_fit`` finds a posterior for
each fold, so that every event has members that never saw it.
"""

from ._bootstrap import bootstrap_factors as bootstrap_factors
from ._concrete import concrete_dropout as concrete_dropout
from ._covariance import MemberHistograms as MemberHistograms
from ._covariance import event_covariance as event_covariance
from ._covariance import member_histograms as member_histograms
from ._cross_fit import cross_fit as cross_fit
from ._dropout import Dropout as Dropout
from ._dropout import DropoutLoss as DropoutLoss
from ._dropout import dropout as dropout
from ._dropout import masked as masked
from ._dropout import thin as thin
from ._ensemble import ensemble as ensemble
from ._hmc import Chains as Chains
from ._hmc import hmc as hmc
from ._laplace import Laplace as Laplace
from ._laplace import laplace as laplace
from ._passes import dropout_predict as dropout_predict
from ._posterior import Ensemble as Ensemble
from ._posterior import Posterior as Posterior
from ._power_likelihood import temper as temper
from ._tta import InputResolution as InputResolution
from ._tta import tta as tta
from ._variational import MeanField as MeanField
from ._variational import NegativeElbo as NegativeElbo
from ._variational import Variational as Variational
from ._variational import mean_field as mean_field
from ._variational import variational as variational
