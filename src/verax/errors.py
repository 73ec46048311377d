"""The one kind of error a user meets: what was given, what was expected, what to do."""

import difflib
import operator
from collections.abc import Iterable

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
        line = f"{where}: got {got}; expected {expected}"
        super().__init__(f"{line}; {action}" if action else line)


def nearest(name: str, known: Iterable[str]) -> str:
    """The advice for an unknown name: its nearest neighbour, and all that is known where that is a short list.

    >>> nearest("jess", ["jes", "tes"])
    "did you mean 'jes'? known: jes, tes"
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    every = "known: " + (", ".join(known) or "none")
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


def check_count(n: object, least: int, where: str) -> None:
    """Raise for what is no whole number, or one below ``least``.

    Raises
    ------
    InputError : with ``where`` it was given
    """
    if not hasattr(n, "__index__") or operator.index(n) < least:
        raise InputError(where, repr(n), f"a whole number, at least {least}")


def check_least(value: float, least: float, where: str) -> None:
    """Raise for a number below ``least``.

    Raises
    ------
    InputError : with ``where`` it was given
    """
    if value < least:
        raise InputError(where, str(value), f"at least {least}")
