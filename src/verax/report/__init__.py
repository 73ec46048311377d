"""The report: figures, tables, one HTML page, and the record of the run.

Figures are in :mod:`verax.report.plots`, tables in :mod:`verax.report.tables` (shown by :mod:`verax.report.show`); both
are imported when asked for, so that a table in the terminal needs no matplotlib. Nothing here imports JAX.
"""

from verax.report.html import Section as Section
from verax.report.html import render as render
from verax.report.record import record as record
from verax.report.record import write_json as write_json
from verax.report.tables import Table as Table
