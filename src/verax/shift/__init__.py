"""Do two weighted samples have one distribution, and if not, what has changed between them?

=====================  ======================================================================================
function               question
=====================  ======================================================================================
c2st, mmd              do two weighted samples have one distribution? (by a classifier, by a Gaussian kernel)
kolmogorov_smirnov     how far apart are two weighted samples of one quantity?
auc, studentised       how well does a score tell two weighted samples apart? (ranks, means)
bbse                   which class fractions has an unlabelled sample, and does label shift explain it?
diagnose               covariate, label or concept shift: which are compatible, and what to do about each
diagnose_regression    the same where y is a number
concept, same_moments  is p(y|x) the same in both? (of classes, of the mean and variance of numbers)
fit_softmax            the logistic regression of several classes that these tests are made of
=====================  ======================================================================================
"""

from ._bbse import LabelShift as LabelShift
from ._bbse import bbse as bbse
from ._c2st import ClassifierTest as ClassifierTest
from ._c2st import auc as auc
from ._c2st import c2st as c2st
from ._classification import diagnose as diagnose
from ._concept import concept as concept
from ._concept import fit_softmax as fit_softmax
from ._diagnosis import Diagnosis as Diagnosis
from ._diagnosis import Finding as Finding
from ._distance import kolmogorov_smirnov as kolmogorov_smirnov
from ._mmd import Discrepancy as Discrepancy
from ._mmd import mmd as mmd
from ._regression import diagnose_regression as diagnose_regression
from ._regression import same_moments as same_moments
from ._two_sample import studentised as studentised
