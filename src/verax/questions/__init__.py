"""Questions about any pyhf workspace, one a verb: answered as tables for a person, JSON for a program, and figures.

Nothing here imports JAX before a question is answered.
"""

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from verax.errors import InputError

from ._options import QUESTIONS as QUESTIONS
from ._options import Common as Common
from ._options import Options as Options
from ._options import option as option

if TYPE_CHECKING:
    from verax.report import Section
    from verax.run import Progress


def answer(verb: str, workspace: str, *, progress: "Progress | None" = None, **options: Any) -> "Section":
    """Answer the question of one verb about the workspace in a file ("-": standard input), or in the folder of a run.

    Parameters
    ----------
    progress : notified of toys
    options : of the question and of :class:`Common`

    Raises
    ------
    InputError : for whatever cannot be read, is unknown, or does not fit together
    """
    from . import _audit, _fits, _hypotheses, _toys, _yields  # noqa: F401 (each registers the questions that it answers)
    from ._ask import load_query, respond
    from ._notes import left_out

    kind = QUESTIONS[verb]
    if unread := [f"'{k}'" for k in kind.without if k in options]:
        raise InputError(verb, f"the option {', '.join(unread)}", "options that the answer depends on", "leave it out")
    own = {f.name: options.pop(f.name) for f in fields(kind) if f.name in options}
    question, common = kind(**own), Common(**options)
    question.check_data(common.data)
    query = load_query(workspace, common, needs_poi=kind.needs_poi, progress=progress)
    found = respond(question, query)
    return replace(found, warnings=[*query.notes, *left_out(query.mask), *found.warnings])
