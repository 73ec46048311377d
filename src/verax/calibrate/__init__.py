"""Calibrated probabilities and distributions on plain arrays, with event weights of any sign.

=====================================  ===================================================================
verb                                   question
=====================================  ===================================================================
temperature, platt, isotonic           one calibrated probability; isotonic keeps closure exactly
venn_abers                             two probabilities, of which one is calibrated
quantile_calibration, pit_normal,      are predicted distributions calibrated, and what to ask of them so
pit_samples, uniformity,               that they are
recalibration
=====================================  ===================================================================

Negative weights are refused until ``negative="signed"`` or ``"abs"`` says what they mean.
"""

from ._isotonic import Isotonic as Isotonic
from ._isotonic import isotonic as isotonic
from ._pit import QuantileCalibration as QuantileCalibration
from ._pit import pit_normal as pit_normal
from ._pit import pit_samples as pit_samples
from ._pit import quantile_calibration as quantile_calibration
from ._pit import recalibration as recalibration
from ._pit import uniformity as uniformity
from ._platt import Platt as Platt
from ._platt import platt as platt
from ._temperature import Temperature as Temperature
from ._temperature import temperature as temperature
from ._venn_abers import VennAbers as VennAbers
from ._venn_abers import venn_abers as venn_abers
