"""Events from files: CSV, Parquet and ROOT in chunks, expressions over columns, and two published data sets.

==========================  ==========================================================================
name                        question
==========================  ==========================================================================
open_table, Table           which columns are in these files, and how are they read chunk by chunk?
expression, Expression      what is computed from columns, or selected by them?
write_events, read_events   how are events kept without loss?
check_values                are all numbers finite, and how many are not?
==========================  ==========================================================================
"""

from ._expression import Expression as Expression
from ._expression import expression as expression
from ._parquet import read_events as read_events
from ._parquet import write_events as write_events
from ._table import ENDINGS as ENDINGS
from ._table import Table as Table
from ._table import open_table as open_table
from ._values import check_values as check_values
