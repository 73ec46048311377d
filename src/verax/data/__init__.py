"""Events from files: CSV, Parquet and ROOT in chunks, expressions over columns, and two published data sets."""

from verax.data.expression import Expression as Expression
from verax.data.expression import expression as expression
from verax.data.parquet import read_events as read_events
from verax.data.parquet import write_events as write_events
from verax.data.table import Table as Table
from verax.data.table import open_table as open_table
from verax.data.values import add_counts as add_counts
from verax.data.values import check_exact as check_exact
from verax.data.values import check_values as check_values
