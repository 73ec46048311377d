"""From events to a measurement, stage by stage; :func:`measure` is the whole job in one screen, to be read first."""

from ._folds import write_folds as write_folds
from ._measure import measure as measure
from ._report import Measurement as Measurement
from ._types import TYPES as TYPES
