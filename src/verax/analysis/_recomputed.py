"""What must hold between systematics and what is learnt from or shown: nothing that moves goes stale."""

from collections.abc import Sequence

from verax.data import made_of
from verax.errors import InputError
from verax.systematics import Systematic, not_recomputed

from ._expressions import names
from ._schema import Analysis
from ._systematics import Sources


def check_recomputed(analysis: Analysis, sources: Sources) -> None:
    """Refuse a feature, or a variable of a figure, that a systematic would change but nothing recomputes.

    Raises
    ------
    InputError : with the feature, the systematic, and both ways out
    """
    layout, systematics = sources.layout, [s for s in sources.systematics if isinstance(s, Systematic)]
    safe = set(analysis.derived)
    if layout:
        safe |= {*layout.measured, *layout.recomputed}
    again = {name for name, _ in sources.moving}
    moving_ones = [s for s in systematics if set(s.changes) - {"weight"}]
    used = {f.variable: "figure of" for f in analysis.figures} | dict.fromkeys(analysis.features, "feature")
    frozen = set(not_recomputed([*used], layout, systematics)) if layout else set()
    for s in moving_ones:
        if undone := again & set(s.changes):
            raise InputError(
                f"systematic '{s.name}'",
                f"a change of '{min(undone)}', which is computed again from its formula under `derived`",
                "changes of columns that are read",
                "let it change what the formula is made of",
            )
        word = analysis.unaffected
        for feature, what in used.items():
            if feature in (word.get(s.name, ()) if isinstance(word, dict) else word):
                continue
            if feature in frozen or (feature not in safe and feature not in s.changes):
                raise InputError(
                    f"{what} '{feature}'",
                    f"a column that nothing recomputes when systematic '{s.name}' changes {', '.join(s.changes)}",
                    "a formula under `derived`, or your word that it does not change under `unaffected`",
                    f"unaffected: {{{s.name}: [{feature}]}} gives it; leave it out otherwise",
                )
        _check_lists(analysis, s)
    check_word(analysis, systematics)


def _check_lists(analysis: Analysis, systematic: Systematic) -> None:
    """Refuse a sum or the like over a list of which a systematic moves one element, though the whole is read as it is."""
    word, moved = analysis.unaffected, {part for c in systematic.changes for part in made_of(c)}
    kept = word.get(systematic.name, ()) if isinstance(word, dict) else word
    for column in names(*analysis.derived.values(), *(c.select for c in analysis.channels)):
        stale = moved & set(made_of(column)) if column.endswith(")") and not column.startswith("len(") else set()
        if stale and column not in (*systematic.changes, *kept):
            raise InputError(
                f"systematic '{systematic.name}'",
                f"a change of {', '.join(c for c in systematic.changes if stale & set(made_of(c)))} beside '{column}'",
                "all that changes: this number is made when files are read, and does not follow",
                f"add up elements under `derived`, or say unaffected: {{{systematic.name}: ['{column}']}}",
            )


def check_word(analysis: Analysis, systematics: Sequence[Systematic]) -> None:
    """Refuse a feature that is said to be unaffected by a systematic that changes it."""
    by_name = {s.name: s for s in systematics}
    word = analysis.unaffected
    said = word if isinstance(word, dict) else dict.fromkeys(by_name, word)
    for name, features in said.items():
        for feature in features:
            if name in by_name and feature in by_name[name].changes:
                raise InputError(
                    "unaffected",
                    f"feature '{feature}', which systematic '{name}' changes",
                    "features that it does not change",
                    "say it for each systematic, as in unaffected: {other_systematic: [feature, ...]}",
                )
