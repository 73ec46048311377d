"""From events to a measurement, stage by stage; :func:`measure` is the whole job in one screen, to be read first."""

from verax.pipeline._measure import TYPES as TYPES
from verax.pipeline._measure import measure as measure
from verax.pipeline._report import Measurement as Measurement
