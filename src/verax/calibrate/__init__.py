"""Conformal prediction and calibration on plain arrays, with event weights of any sign."""

from verax.calibrate.classification import aps as aps
from verax.calibrate.classification import at_label as at_label
from verax.calibrate.classification import lac as lac
from verax.calibrate.classification import raps as raps
from verax.calibrate.classification import sets as sets
from verax.calibrate.classifiers import PredictionSets as PredictionSets
from verax.calibrate.classifiers import SplitConformalClassifier as SplitConformalClassifier
from verax.calibrate.conformal import Quantile as Quantile
from verax.calibrate.conformal import conformalize as conformalize
from verax.calibrate.conformal import p_value as p_value
from verax.calibrate.conformal import rank as rank
from verax.calibrate.cqr import cqr as cqr
from verax.calibrate.cqr import cqr_band as cqr_band
from verax.calibrate.cross import CrossConformalRegressor as CrossConformalRegressor
from verax.calibrate.jackknife import jackknife as jackknife
from verax.calibrate.mondrian import Mondrian as Mondrian
from verax.calibrate.mondrian import mondrian as mondrian
from verax.calibrate.regressors import ConformalizedQuantileRegressor as ConformalizedQuantileRegressor
from verax.calibrate.regressors import SplitConformalRegressor as SplitConformalRegressor
from verax.calibrate.shift import Shifted as Shifted
from verax.calibrate.shift import label_shift as label_shift
from verax.calibrate.shift import ratio_from_classifier as ratio_from_classifier
from verax.calibrate.shift import shifted as shifted
from verax.calibrate.split import absolute as absolute
from verax.calibrate.split import band as band
from verax.calibrate.split import normalised as normalised
