"""An audit of a measurement: one verdict a check, with what was found, where, the threshold and its source, and what to do.

==================================  ==============================================================================
name                                question
==================================  ==============================================================================
audit                               what must a reader know before this measurement is approved?
Verdict, Finding, Place, Severity   what was found by one check, how bad is it, and where?
expected_at                         the values that a run expects its data at
is_expected                         are data expected ones (Asimov)?
==================================  ==============================================================================

Each check is a function of a fitted likelihood; what could not be checked says so, and is not in order.
"""

from ._audit import audit as audit
from ._run import expected_at as expected_at
from ._subject import is_expected as is_expected
from ._verdict import Finding as Finding
from ._verdict import Place as Place
from ._verdict import Severity as Severity
from ._verdict import Verdict as Verdict
