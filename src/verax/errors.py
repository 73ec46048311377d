"""The one kind of error a user meets: what was given, what was expected, what to do."""

import difflib
import operator
import unicodedata
from collections.abc import Iterable
from pathlib import Path

SHORT_LIST = 40
"""Choices that an error names in full, beside the nearest one."""


class InputError(ValueError):
    """Bad input, told in one line.

    Parameters
    ----------
    where : what was being read: a file, a key of the analysis, an argument
    got : the offending value, as given
    expected : what would have been accepted
    action : what the user can do next
    """

    def __init__(self, where: str, got: str, expected: str, action: str = "") -> None:
        self.where, self.got, self.expected, self.action = where, got, expected, action
        line = f"{shown(where, 240)}: got {shown(got, 240)}; expected {shown(expected)}"
        super().__init__(f"{line}; {shown(action)}" if action else line)


def shown(text: str, most: int = 600) -> str:
    r"""Text as a part of a line that leaves a terminal as it is: control characters as escapes, the ends of what is long.

    >>> shown("a\n\x1b[31mb")
    'a\\n\\x1b[31mb'
    """
    kept = text if len(text) <= most else f"{text[: most * 3 // 4]} … {text[-most // 4 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in kept)


def has_controls(text: str) -> bool:
    """Whether text holds what a terminal acts on (turning the direction of writing, too), or half a character: no name."""
    turning = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    return any(unicodedata.category(c) in ("Cc", "Cs") or unicodedata.bidirectional(c) in turning for c in text)


def check_ends(path: Path, where: str) -> None:
    """Raise for a device, which may have no end.

    Raises
    ------
    InputError : with ``where`` it was to be read
    """
    if path.is_char_device():
        raise InputError(where, "a device", "a file")


def nearest(name: str, known: Iterable[str]) -> str:
    """The advice for an unknown name: its nearest neighbour, and what is known, all of it where that is a short list.

    >>> nearest("jess", ["jes", "tes"])
    "did you mean 'jes'? known: jes, tes"
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    few = known if len(known) <= SHORT_LIST else [*known[:10], f"and {len(known) - 10} more"]
    every = "known: " + (", ".join(few) or "none")
    if not close:
        return every
    return f"did you mean '{close[0]}'?" + (f" {every}" if len(known) <= SHORT_LIST else "")


def check_known(names: Iterable[str], known: Iterable[str], where: str, what: str) -> None:
    """Raise for the first of ``names`` that is not ``known``, naming its nearest neighbour.

    Raises
    ------
    InputError : with ``where`` it was asked and ``what`` kind of thing it is
    """
    known = list(known)
    for name in names:
        if name not in known:
            raise InputError(where, f"{what} '{name}'", f"a known {what}", nearest(name, known))


def check_count(n: object, least: int, where: str, most: int | None = None) -> None:
    """Raise for what is no whole number, or one below ``least`` or above ``most``.

    Raises
    ------
    InputError : with ``where`` it was given
    """
    if not hasattr(n, "__index__") or operator.index(n) < least or (most is not None and operator.index(n) > most):
        raise InputError(where, repr(n), f"a whole number, at least {least}{f' and at most {most}' if most else ''}")


def check_least(value: float, least: float, where: str) -> None:
    """Raise for a number below ``least``.

    Raises
    ------
    InputError : with ``where`` it was given
    """
    if value < least:
        raise InputError(where, str(value), f"at least {least}")
