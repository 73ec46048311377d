"""Workspaces of pyhf and HS3: read, written and rearranged.

==========================  ================================================
name                        question
==========================  ================================================
from_pyhf, Imported         which likelihood and data does a workspace hold?
to_pyhf                     how are a likelihood and data written as one?
from_hs3, is_hs3            which likelihood and data does an HS3 file hold?
likelihoods, notes          which other ones does it hold, and what was taken for granted?
read_json, check_workspace  is a file what the schema says?
==========================  ================================================

Workspaces are rearranged, without a likelihood, in :mod:`verax.workspace.edit`.
"""

from ._hs3 import from_hs3 as from_hs3
from ._hs3 import is_hs3 as is_hs3
from ._hs3 import likelihoods as likelihoods
from ._hs3 import notes as notes
from ._read import Imported as Imported
from ._read import from_pyhf as from_pyhf
from ._schema import Json as Json
from ._schema import check_workspace as check_workspace
from ._schema import read_json as read_json
from ._write import to_pyhf as to_pyhf
