"""Events from files: CSV, Parquet and ROOT in chunks, expressions over columns, and published data sets.

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
CATALOGUE, named            which published data sets are known, with DOI, licence, rows and columns?
recognise, check_file       of which of them is a file, and does it hold what was published?
describe_file, fetch        what is in a file, column by column, and how is a published one had?
==========================  ==========================================================================
"""

from verax.expressions import Expression as Expression
from verax.expressions import expression as expression

from ._against_published import Check as Check
from ._against_published import Summary as Summary
from ._against_published import check_file as check_file
from ._against_published import describe_file as describe_file
from ._against_published import recognise as recognise
from ._catalogue import CATALOGUE as CATALOGUE
from ._catalogue import Published as Published
from ._catalogue import named as named
from ._columns import write_columns as write_columns
from ._fetch import fetch as fetch
from ._histogram import Histogram as Histogram
from ._histogram import read_histogram as read_histogram
from ._joined import Joined as Joined
from ._joined import open_table as open_table
from ._lists import made_of as made_of
from ._parquet import read_events as read_events
from ._parquet import write_events as write_events
from ._sums import sum_of_weights as sum_of_weights
from ._table import ENDINGS as ENDINGS
from ._table import Table as Table
from ._table import paths as paths
from ._values import check_values as check_values
