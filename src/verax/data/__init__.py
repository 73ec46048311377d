"""Events from files: CSV, Parquet and ROOT in chunks, expressions over columns, and published data sets.

==========================  ==========================================================================
name                        question
==========================  ==========================================================================
open_table, Table           which columns are in these files, and how are they read chunk by chunk?
expression, Expression      what is computed from columns, or selected by them?
write_events, read_events   how are events kept without loss?
check_values                are all numbers finite, and how many are not?
CATALOGUE, named            which published data sets are known, with DOI, licence, rows and columns?
recognise, check_file       of which of them is a file, and does it hold what was published?
describe_file, fetch        what is in a file, column by column, and how is a published one had?
==========================  ==========================================================================
"""

from ._against_published import Check as Check
from ._against_published import Summary as Summary
from ._against_published import check_file as check_file
from ._against_published import describe_file as describe_file
from ._against_published import recognise as recognise
from ._catalogue import CATALOGUE as CATALOGUE
from ._catalogue import Published as Published
from ._catalogue import named as named
from ._expression import Expression as Expression
from ._expression import expression as expression
from ._fetch import fetch as fetch
from ._parquet import read_events as read_events
from ._parquet import write_events as write_events
from ._table import ENDINGS as ENDINGS
from ._table import Table as Table
from ._table import open_table as open_table
from ._values import check_values as check_values
