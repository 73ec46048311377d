"""Epistemic uncertainty: every method is ``method(key, make, loss, events, *, training, …) → Posterior``.

``Posterior.members(key, n)`` are networks with a leading axis ``member``, for :func:`verax.learn.predict`.

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
>>> events = make_events({"x": x}, process=(x > 0).astype(int), processes=("background", "signal"))
>>> make = partial(classifier, features=("x",), width=8, depth=1)
>>> found = dropout(jax.random.key(1), make, CrossEntropy(("signal",)), events, training=Training(epochs=2, batch=64))
>>> predict(found.members(jax.random.key(2), 20), events).epistemic.shape
(64,)

``dropout_predict`` predicts with dropout in a fraction of the time that its members take one by one.

``cross_fit`` finds a posterior for each fold, so that every event has members that never saw it.

``event_covariance`` and ``member_histograms`` give the covariance over members of events and of bins.
"""

from verax.epistemic.bootstrap import bootstrap_factors as bootstrap_factors
from verax.epistemic.concrete import concrete_dropout as concrete_dropout
from verax.epistemic.covariance import MemberHistograms as MemberHistograms
from verax.epistemic.covariance import event_covariance as event_covariance
from verax.epistemic.covariance import member_histograms as member_histograms
from verax.epistemic.cross_fit import cross_fit as cross_fit
from verax.epistemic.dropout import Dropout as Dropout
from verax.epistemic.dropout import DropoutLoss as DropoutLoss
from verax.epistemic.dropout import dropout as dropout
from verax.epistemic.ensemble import ensemble as ensemble
from verax.epistemic.hmc import Chains as Chains
from verax.epistemic.hmc import hmc as hmc
from verax.epistemic.laplace import Laplace as Laplace
from verax.epistemic.laplace import laplace as laplace
from verax.epistemic.passes import dropout_predict as dropout_predict
from verax.epistemic.posterior import Ensemble as Ensemble
from verax.epistemic.posterior import Posterior as Posterior
from verax.epistemic.power_likelihood import temper as temper
from verax.epistemic.tta import InputResolution as InputResolution
from verax.epistemic.tta import tta as tta
from verax.epistemic.variational import Variational as Variational
from verax.epistemic.variational import variational as variational
