"""From events to a measurement, stage by stage; :func:`measure` is the whole job in one screen, to be read first.

:func:`foresee` says what a run would do, :func:`load` reads back what it left.
"""

from ._folds import write_folds as write_folds
from ._foresee import Outlook as Outlook
from ._foresee import foresee as foresee
from ._load import RunResults as RunResults
from ._load import load as load
from ._measure import measure as measure
from ._report import Measurement as Measurement
from ._score_files import Scored as Scored
from ._score_files import score_files as score_files
from ._types import TYPES as TYPES
