"""Expressions: the one language in which analysis files and formulas of models compute. Nothing else is executed.

======================  =======================================================================
name                    question
======================  =======================================================================
expression, Expression  what is computed from columns, or from parameters, or selected by them?
======================  =======================================================================

``ELEMENT`` and ``FUNCTIONS_OF_LISTS`` are how an element of a list is written, and what makes one number of a list.
"""

from ._expression import ELEMENT as ELEMENT
from ._expression import FUNCTIONS_OF_LISTS as FUNCTIONS_OF_LISTS
from ._expression import Expression as Expression
from ._expression import expression as expression
