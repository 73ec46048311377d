"""The report: figures, tables and one HTML page.

======================================  =================================================================================
name                                    question
======================================  =================================================================================
Section, Draw                           what is presented: text, warnings, tables and figures that are drawn when needed?
write_page                              how do sections become a page?
Table, to_rich, to_markdown             how is a table shown, in a terminal or a text?
number, with_error, with_ends,          how is a number written, with its uncertainty?
decimals, end, MISSING
limit_table, significance_table         how are upper limits and a significance shown?
Style, canvas, heading, drawing, save,  how does a figure look, what stands below it, and how is it kept?
footnote
check_formula                           can a label be drawn?
COLOURS, SIGNAL                         in which colours?
======================================  =================================================================================

Figures are in :mod:`verax.report.plots`, tables in :mod:`verax.report.tables`.
"""

from verax.results import MISSING as MISSING
from verax.results import decimals as decimals
from verax.results import number as number
from verax.results import with_ends as with_ends
from verax.results import with_error as with_error

from ._html import write_page as write_page
from ._hypotheses import end as end
from ._hypotheses import limit_table as limit_table
from ._hypotheses import significance_table as significance_table
from ._section import Draw as Draw
from ._section import Section as Section
from ._show import to_markdown as to_markdown
from ._show import to_rich as to_rich
from ._style import COLOURS as COLOURS
from ._style import SIGNAL as SIGNAL
from ._style import Style as Style
from ._style import canvas as canvas
from ._style import check_formula as check_formula
from ._style import drawing as drawing
from ._style import footnote as footnote
from ._style import heading as heading
from ._style import save as save
from .tables import Table as Table
