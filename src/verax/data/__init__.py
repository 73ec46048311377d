"""Events from files: CSV, Parquet and ROOT in chunks, expressions over columns, and two published data sets.

==========================  ==========================================================================
name                        question
==========================  ==========================================================================
open_table, Table, Joined   which columns are in these files, and how are they read chunk by chunk?
expression, Expression      what is computed from columns, or selected by them?
sum_of_weights              how many events were simulated, by what the files say beside them?
read_histogram, Histogram   what is in a histogram of a ROOT file?
paths                       which files do these patterns match?
made_of                     which columns of files is a column made of?
write_events, read_events   how are events kept without loss?
write_columns               how are plain columns written for others to read?
check_values                are all numbers finite, and how many are not?
==========================  ==========================================================================
"""

from verax.expressions import Expression as Expression
from verax.expressions import expression as expression

from ._columns import write_columns as write_columns
from ._histogram import Histogram as Histogram
from ._histogram import read_histogram as read_histogram
from ._joined import Joined as Joined
from ._joined import open_table as open_table
from ._lists import made_of as made_of
from ._parquet import read_events as read_events
from ._parquet import write_events as write_events
from ._sums import sum_of_weights as sum_of_weights
from ._table import Table as Table
from ._table import paths as paths
from ._values import check_values as check_values
