"""Approaches and methods side by side, with published figures beside ours.

======================  ===================================================================================
compare_approaches      systematics-aware training, on problems with a known answer or on an analysis
compare_methods         uncertainties of regression on the UCI sets, or of classification on an analysis
======================  ===================================================================================

Each is a :class:`Comparison`: trials that are kept as they finish, and a page, ``comparison.html``, with the same as
``comparison.json``. An approach is one of :data:`verax.approaches.APPROACHES`, a method a line in ``METHODS`` or
``CLASSIFIERS``.
"""

from verax.compare._approach_cases import Case as Case
from verax.compare._approach_cases import cases as cases
from verax.compare._approach_comparison import ApproachComparison as ApproachComparison
from verax.compare._approach_tables import approach_warnings as approach_warnings
from verax.compare._approach_tables import random_table as random_table
from verax.compare._approach_tables import uncertainty_table as uncertainty_table
from verax.compare._approach_trial import ApproachEffort as ApproachEffort
from verax.compare._approach_trial import area as area
from verax.compare._approach_trial import covered as covered
from verax.compare._approach_trial import measure_approach as measure_approach
from verax.compare._classification_comparison import ClassificationComparison as ClassificationComparison
from verax.compare._classification_comparison import training_sample as training_sample
from verax.compare._classifiers import CLASSIFIERS as CLASSIFIERS
from verax.compare._classifiers import Row as Row
from verax.compare._classifiers import judge as judge
from verax.compare._classifiers import plain_sets as plain_sets
from verax.compare._classifiers import two_classes as two_classes
from verax.compare._comparison import Comparison as Comparison
from verax.compare._comparison import Trial as Trial
from verax.compare._deep_ensemble import adversarial as adversarial
from verax.compare._deep_ensemble import softplus_network as softplus_network
from verax.compare._deep_ensemble import total_variance as total_variance
from verax.compare._dropout import SETTINGS as SETTINGS
from verax.compare._dropout import mean_network as mean_network
from verax.compare._dropout import mixture_nll as mixture_nll
from verax.compare._pipeline_comparison import PipelineComparison as PipelineComparison
from verax.compare._predictions import LEVELS as LEVELS
from verax.compare._predictions import QUANTILES as QUANTILES
from verax.compare._predictions import Bands as Bands
from verax.compare._predictions import Gaussian as Gaussian
from verax.compare._predictions import Mixture as Mixture
from verax.compare._predictions import Quantiles as Quantiles
from verax.compare._predictions import score as score
from verax.compare._predictions import take as take
from verax.compare._published import PLAIN as PLAIN
from verax.compare._published import PUBLISHED as PUBLISHED
from verax.compare._regression_comparison import RegressionComparison as RegressionComparison
from verax.compare._regression_data import SETS as SETS
from verax.compare._regression_data import TARGET as TARGET
from verax.compare._regression_data import Data as Data
from verax.compare._regression_data import find_sets as find_sets
from verax.compare._regression_data import published_splits as published_splits
from verax.compare._regression_data import read_set as read_set
from verax.compare._regression_data import read_sets as read_sets
from verax.compare._regression_data import shifted_splits as shifted_splits
from verax.compare._regression_tables import cell as cell
from verax.compare._regression_tables import published_table as published_table
from verax.compare._regression_tables import regression_warnings as regression_warnings
from verax.compare._regression_training import RegressionEffort as RegressionEffort
from verax.compare._regression_training import Task as Task
from verax.compare._regressors import METHODS as METHODS
from verax.compare._response import Response as Response
from verax.compare._run import compare_approaches as compare_approaches
from verax.compare._run import compare_methods as compare_methods
