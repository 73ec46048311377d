"""Conformal prediction on plain arrays, with event weights of any sign.

=====================================  ===================================================================
function                               question
=====================================  ===================================================================
conformalize                           up to which score does a set cover? (exact ranks, weights, ties)
mondrian, shifted, label_shift         the same by group, under covariate shift, under label shift
p_value                                how strange is a new point among calibration points?
absolute, normalised, cqr, cqr_sides   scores of regression; band and cqr_band make intervals of a quantile
jackknife                              intervals from models that left out points (jackknife+, CV+, minmax)
lac, aps, raps                         scores of classes; sets makes prediction sets of a quantile
at_label, rank, ordered                parts: scores of the true classes, rank ⌈(n + 1)·level⌉, sorted scores
ratio_from_classifier                  the density ratio that shifted takes, learnt from two samples
checked_weight, check_levels           are weights, or levels of quantiles, such that something is guaranteed?
=====================================  ===================================================================

``SplitConformalRegressor``, ``ConformalizedQuantileRegressor``, ``CrossConformalRegressor`` and
``SplitConformalClassifier`` do this around any model with ``fit`` and ``predict``, or any callable on arrays.
Negative weights are refused unless ``negative`` is "signed" (sums are taken as they are) or "abs" (|w| is taken).

>>> import numpy as np
>>> rng = np.random.default_rng(1)
>>> mean, y = rng.normal(size=(2, 999))
>>> quantile = conformalize(absolute(y, mean), level=0.9, weight=np.ones(999))
>>> interval = band(np.array([0.0]), quantile.value, level=0.9)
>>> round(float(interval.high[0]), 2), quantile.n_effective
(2.3, 999.0)
"""

from ._classification import aps as aps
from ._classification import at_label as at_label
from ._classification import lac as lac
from ._classification import raps as raps
from ._classification import sets as sets
from ._classifiers import PredictionSets as PredictionSets
from ._classifiers import SplitConformalClassifier as SplitConformalClassifier
from ._conformal import Ordered as Ordered
from ._conformal import Quantile as Quantile
from ._conformal import conformalize as conformalize
from ._conformal import ordered as ordered
from ._conformal import rank as rank
from ._cqr import check_levels as check_levels
from ._cqr import cqr as cqr
from ._cqr import cqr_band as cqr_band
from ._cqr import cqr_sides as cqr_sides
from ._cross import CrossConformalRegressor as CrossConformalRegressor
from ._jackknife import jackknife as jackknife
from ._mondrian import Mondrian as Mondrian
from ._mondrian import mondrian as mondrian
from ._p_value import p_value as p_value
from ._regressors import ConformalizedQuantileRegressor as ConformalizedQuantileRegressor
from ._regressors import SplitConformalRegressor as SplitConformalRegressor
from ._shift import Shifted as Shifted
from ._shift import label_shift as label_shift
from ._shift import ratio_from_classifier as ratio_from_classifier
from ._shift import shifted as shifted
from ._split import absolute as absolute
from ._split import band as band
from ._split import normalised as normalised
from ._weights import checked_weight as checked_weight
