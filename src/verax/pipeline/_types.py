"""What results of stages are made of."""

from verax.analysis import Scale, Stored
from verax.check import Overtraining, Reliability, Roc
from verax.infer import Breakdown, CLs, Fit, Limit, Ranking, Row, Scan, Scan2D, Significance
from verax.learn import History
from verax.model import BinnedLikelihood, CellModifier, Data, Formula, Yields, code0, code1, code2, code4, code4p
from verax.parameters import Gaussian, Parameter, Poisson
from verax.report import Table as ReportTable
from verax.results import Coverage, Interval
from verax.run import named
from verax.templates import Templates

from ._check import Checked
from ._displays import Displayed
from ._further import Further
from ._infer import Control, Everywhere, Foretold, Measured
from ._learn import Kept, Learned
from ._report import Measurement
from ._simulate import Table, Yield
from ._summarise import Summarised

TYPES = {
    **named(Yield, Scale, Stored, Table, Learned, Kept, History, Summarised, Templates, Parameter, Gaussian, Poisson),
    **named(BinnedLikelihood, Data, CellModifier, Formula, code0, code1, code2, code4, code4p),
    **named(Limit, CLs, Significance, Scan2D, Further, Control, Everywhere, Displayed, Foretold),
    **named(
        Measured,
        Fit,
        Interval,
        Scan,
        Breakdown,
        Row,
        Ranking,
        Yields,
        Checked,
        Coverage,
        Reliability,
        Roc,
        Overtraining,
    ),
    "Measurement": Measurement,
    "ReportTable": ReportTable,
}
"""All that a stage's result may be made of, by the name in its file."""
