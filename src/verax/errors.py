"""The one kind of error a user meets: what was seen, what was expected, what to do."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input, told in one line.

    Parameters
    ----------
    where : what was being read: a file, a key of the analysis, an argument
    seen : the offending value, as given
    expected : what would have been accepted
    action : what the user can do next
    """

    def __init__(self, where: str, seen: str, expected: str, action: str = "") -> None:
        self.where, self.seen, self.expected, self.action = where, seen, expected, action
        line = f"{where}: seen {seen}; expected {expected}"
        super().__init__(f"{line}; {action}" if action else line)


def nearest(name: str, known: Iterable[str]) -> str:
    """The advice for an unknown name: its nearest neighbour, or all that is known.

    >>> nearest("jess", ["jes", "tes"])
    "did you mean 'jes'?"
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else "known: " + (", ".join(known) or "none")


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
