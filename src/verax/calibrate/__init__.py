"""Calibrated probabilities and distributions on plain arrays, with event weights of any sign.

=====================================  ===================================================================
function                               question
=====================================  ===================================================================
temperature, platt, isotonic           one calibrated probability; isotonic keeps closure exactly
venn_abers                             two probabilities, of which one is calibrated
quantile_calibration, uniformity       are predicted quantiles, or distributions, calibrated?
pit_normal, pit_samples                u = F(y|x) of predicted distributions, for uniformity
recalibration                          which levels to use of predicted distributions so that they are calibrated
=====================================  ===================================================================

Negative weights are refused unless ``negative`` is "signed" (sums are taken as they are) or "abs" (|w| is taken).
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
