"""Questions about any pyhf workspace, one a verb: answered as tables for a person, JSON for a program, and figures."""

from collections.abc import Callable
from typing import Any

from ._ask import Answer as Answer
from ._ask import Asked as Asked
from ._ask import ask
from ._fits import answer_breakdown, answer_fit, answer_interval, answer_ranking, answer_scan
from ._hypotheses import answer_gof, answer_limit
from ._toys import answer_toys
from ._yields import answer_templates, answer_yields

ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    "fit": answer_fit,
    "interval": answer_interval,
    "scan": answer_scan,
    "breakdown": answer_breakdown,
    "ranking": answer_ranking,
    "limit": answer_limit,
    "toys": answer_toys,
    "gof": answer_gof,
    "yields": answer_yields,
    "templates": answer_templates,
}

WITHOUT_INTEREST = ("fit", "gof", "yields", "templates")
"""Questions that can be asked where no parameter is of interest."""


def answer(verb: str, workspace: str, **options: Any) -> Answer:
    """The answer of one verb about the workspace in a file ("-": standard input); options as in ``ask``."""
    return ANSWERS[verb](ask(workspace, needs_poi=verb not in WITHOUT_INTEREST, **options))
