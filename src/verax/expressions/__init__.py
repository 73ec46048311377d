"""Expressions: the one language in which analysis files and formulas of models compute. Nothing else is executed.

======================  =======================================================================
name                    question
======================  =======================================================================
expression, Expression  what is computed from columns, or from parameters, or selected by them?
======================  =======================================================================
"""

from ._expression import Expression as Expression
from ._expression import expression as expression
