"""The report: figures, tables, one HTML page, and the record of the run.

Figures are in :mod:`verax.report.plots`, the page in :mod:`verax.report.html`; both are imported when asked for, so that a
table (:mod:`verax.report.tables`, shown by :mod:`verax.report.show`) needs no matplotlib. Nothing here imports JAX.
"""

from verax.report.record import record as record
from verax.report.record import write_json as write_json
from verax.report.section import Section as Section
from verax.report.tables import Table as Table
