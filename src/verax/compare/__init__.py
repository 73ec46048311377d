"""Approaches and methods side by side, with published figures beside ours.

================================  ================================================================================
name                              question
================================  ================================================================================
compare_approaches                systematics-aware training, on problems with a known answer or on an analysis
compare_methods                   uncertainties of regression (UCI sets), or of classification (an analysis, digits)
on_table, on_digits, CORRUPTIONS  a table of one's own; images of ten classes, corrupted more and more
Comparison, Trial                 what each of them is: rows, seeds and subjects, kept as they finish
cases, Case, measure_approach     problems that approaches are compared on, and the measurement of one of them
Response                          the histogram of a summary at any parameters, from one sample
METHODS, PUBLISHED, PLAIN         methods of regression, and published figures of them
CLASSIFIERS, judge                methods of classification, and how one is judged
Data, read_set, published_splits  sets of regression, as they are read and as they were split
================================  ================================================================================

A comparison writes a page, ``comparison.html``, with the same as ``comparison.json``. An approach is one of
:data:`verax.approaches.APPROACHES`, a method a line in ``METHODS`` or ``CLASSIFIERS``.
"""

from ._approach_cases import Case as Case
from ._approach_cases import cases as cases
from ._approach_comparison import ApproachComparison as ApproachComparison
from ._approach_tables import approach_warnings as approach_warnings
from ._approach_tables import random_table as random_table
from ._approach_tables import uncertainty_table as uncertainty_table
from ._approach_trial import ApproachEffort as ApproachEffort
from ._approach_trial import area as area
from ._approach_trial import covered as covered
from ._approach_trial import measure_approach as measure_approach
from ._classification_comparison import ClassificationComparison as ClassificationComparison
from ._classification_comparison import training_sample as training_sample
from ._classifiers import CLASSIFIERS as CLASSIFIERS
from ._classifiers import Chances as Chances
from ._classifiers import Row as Row
from ._classifiers import judge as judge
from ._classifiers import plain_sets as plain_sets
from ._comparison import Comparison as Comparison
from ._comparison import Trial as Trial
from ._corruptions import CORRUPTIONS as CORRUPTIONS
from ._corruptions import corrupted as corrupted
from ._deep_ensemble import adversarial as adversarial
from ._deep_ensemble import softplus_network as softplus_network
from ._deep_ensemble import total_variance as total_variance
from ._dropout import SETTINGS as SETTINGS
from ._dropout import mean_network as mean_network
from ._dropout import mixture_nll as mixture_nll
from ._labelled_comparison import LabelledComparison as LabelledComparison
from ._labelled_comparison import on_digits as on_digits
from ._own_table import on_table as on_table
from ._pipeline_comparison import PipelineComparison as PipelineComparison
from ._predictions import LEVELS as LEVELS
from ._predictions import QUANTILES as QUANTILES
from ._predictions import Bands as Bands
from ._predictions import Gaussian as Gaussian
from ._predictions import Mixture as Mixture
from ._predictions import Quantiles as Quantiles
from ._predictions import score as score
from ._predictions import take as take
from ._published import PLAIN as PLAIN
from ._published import PUBLISHED as PUBLISHED
from ._regression_comparison import RegressionComparison as RegressionComparison
from ._regression_data import SETS as SETS
from ._regression_data import TARGET as TARGET
from ._regression_data import Data as Data
from ._regression_data import find_sets as find_sets
from ._regression_data import published_splits as published_splits
from ._regression_data import read_set as read_set
from ._regression_data import read_sets as read_sets
from ._regression_data import shifted_splits as shifted_splits
from ._regression_tables import cell as cell
from ._regression_tables import published_table as published_table
from ._regression_tables import regression_warnings as regression_warnings
from ._regression_training import RegressionEffort as RegressionEffort
from ._regression_training import Task as Task
from ._regressors import METHODS as METHODS
from ._response import Response as Response
from ._run import compare_approaches as compare_approaches
from ._run import compare_methods as compare_methods
