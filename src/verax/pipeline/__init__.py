"""From events to a measurement, stage by stage; :func:`measure` is the whole job in one screen, to be read first."""

from ._measure import TYPES as TYPES
from ._measure import measure as measure
from ._report import Measurement as Measurement
