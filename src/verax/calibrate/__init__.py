"""Conformal prediction and calibration on plain arrays, with event weights of any sign.

=====================================  ===================================================================
verb                                   question
=====================================  ===================================================================
conformalize                           up to which score does a set cover? (exact ranks, weights, ties)
mondrian, shifted, label_shift         the same by group, under covariate shift, under label shift
p_value                                how strange is a new point among calibration points?
absolute, normalised, cqr, cqr_sides   scores of regression; band and cqr_band make intervals of a quantile
jackknife                              intervals from models that left out points (jackknife+, CV+, minmax)
lac, aps, raps                         scores of classes; sets makes prediction sets of a quantile
temperature, platt, isotonic           one calibrated probability; isotonic keeps closure exactly
venn_abers                             two probabilities, of which one is calibrated
quantile_calibration, pit_normal,      are predicted distributions calibrated, and what to ask of them so
pit_samples, uniformity,               that they are
recalibration
=====================================  ===================================================================

``SplitConformalRegressor``, ``ConformalizedQuantileRegressor``, ``CrossConformalRegressor`` and
``SplitConformalClassifier`` do this around any model with ``fit`` and ``predict``, or any callable on arrays.
Negative weights are refused until ``negative="signed"`` or ``"abs"`` says what they mean.

>>> import numpy as np
>>> rng = np.random.default_rng(1)
>>> mean, y = rng.normal(size=(2, 999))
>>> quantile = conformalize(absolute(y, mean), level=0.9, weight=np.ones(999))
>>> interval = band(np.array([0.0]), quantile.value, level=0.9)
>>> round(float(interval.high[0]), 2), quantile.n_effective
(2.3, 999.0)
"""

from verax.calibrate.classification import aps as aps
from verax.calibrate.classification import at_label as at_label
from verax.calibrate.classification import lac as lac
from verax.calibrate.classification import raps as raps
from verax.calibrate.classification import sets as sets
from verax.calibrate.classifiers import PredictionSets as PredictionSets
from verax.calibrate.classifiers import SplitConformalClassifier as SplitConformalClassifier
from verax.calibrate.conformal import Quantile as Quantile
from verax.calibrate.conformal import conformalize as conformalize
from verax.calibrate.conformal import rank as rank
from verax.calibrate.cqr import cqr as cqr
from verax.calibrate.cqr import cqr_band as cqr_band
from verax.calibrate.cqr import cqr_sides as cqr_sides
from verax.calibrate.cross import CrossConformalRegressor as CrossConformalRegressor
from verax.calibrate.isotonic import Isotonic as Isotonic
from verax.calibrate.isotonic import isotonic as isotonic
from verax.calibrate.jackknife import jackknife as jackknife
from verax.calibrate.mondrian import Mondrian as Mondrian
from verax.calibrate.mondrian import mondrian as mondrian
from verax.calibrate.p_value import p_value as p_value
from verax.calibrate.pit import QuantileCalibration as QuantileCalibration
from verax.calibrate.pit import pit_normal as pit_normal
from verax.calibrate.pit import pit_samples as pit_samples
from verax.calibrate.pit import quantile_calibration as quantile_calibration
from verax.calibrate.pit import recalibration as recalibration
from verax.calibrate.pit import uniformity as uniformity
from verax.calibrate.platt import Platt as Platt
from verax.calibrate.platt import platt as platt
from verax.calibrate.regressors import ConformalizedQuantileRegressor as ConformalizedQuantileRegressor
from verax.calibrate.regressors import SplitConformalRegressor as SplitConformalRegressor
from verax.calibrate.shift import Shifted as Shifted
from verax.calibrate.shift import label_shift as label_shift
from verax.calibrate.shift import ratio_from_classifier as ratio_from_classifier
from verax.calibrate.shift import shifted as shifted
from verax.calibrate.split import absolute as absolute
from verax.calibrate.split import band as band
from verax.calibrate.split import normalised as normalised
from verax.calibrate.temperature import Temperature as Temperature
from verax.calibrate.temperature import temperature as temperature
from verax.calibrate.venn_abers import VennAbers as VennAbers
from verax.calibrate.venn_abers import venn_abers as venn_abers
