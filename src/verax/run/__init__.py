"""How work is kept, resumed and spread: run folders, checksums, records, chunks, threads.

====================================  ================================================================
name                                  question
====================================  ================================================================
Run, stage_key                        how are stages done once, and resumed? with which random key?
Foreseen                              what would a run do, and why?
Stored                                what did a run leave in its folder?
Progress                              what does long work tell while it runs?
describe, digest, HOW                 when are two arguments equal, and what do results not depend on?
checksums, checksum_of, code_version  have files or code changed?
named, Types                          what may a stored result be made of?
record, to_json, write_json           how is a result written as JSON, with what it was made of?
plain, in_words                       what are results as plain values, with statuses by name?
inspect, claim, opened                may this folder be written to, and by whom?
write, replacing, remove              how is a file written whole or not at all, and removed?
publishing, file_names, Label         how are results put in a folder, under which names?
seal, unseal                          is a small file whole?
map_chunks, side_by_side, workers     how is work spread over chunks, over cores, and over processes?
====================================  ================================================================
"""

from ._chunks import map_chunks as map_chunks
from ._fingerprint import HOW as HOW
from ._fingerprint import checksums as checksums
from ._fingerprint import code_version as code_version
from ._fingerprint import describe as describe
from ._fingerprint import digest as digest
from ._fingerprint import stage_key as stage_key
from ._folder import Label as Label
from ._folder import checksum_of as checksum_of
from ._folder import claim as claim
from ._folder import file_names as file_names
from ._folder import inspect as inspect
from ._folder import opened as opened
from ._folder import publishing as publishing
from ._folder import remove as remove
from ._folder import replacing as replacing
from ._folder import seal as seal
from ._folder import unseal as unseal
from ._folder import write as write
from ._pack import Types as Types
from ._pack import named as named
from ._progress import Progress as Progress
from ._record import in_words as in_words
from ._record import plain as plain
from ._record import record as record
from ._record import to_json as to_json
from ._record import write_json as write_json
from ._store import Foreseen as Foreseen
from ._store import Run as Run
from ._stored import Stored as Stored
from ._threads import side_by_side as side_by_side
from ._workers import workers as workers
