"""A verdict is a value: what one check found, how bad it is, where, by which threshold, and what to do about it."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class Severity(enum.IntEnum):
    """How bad it is; NOT_MADE is a check that could not be made, which is not in order."""

    OK = 0
    NOT_MADE = 1
    NOTE = 2
    WARNING = 3
    FAILURE = 4

    @property
    def word(self) -> str:
        """As it is written."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Place:
    """Where something was found; what is empty does not matter. Bins are numbered from 0 in their channel."""

    parameter: str = ""
    process: str = ""
    channel: str = ""
    bins: tuple[int, ...] = ()

    def __str__(self) -> str:
        shown = [str(b) for b in self.bins[:MANY_BINS]] + ["…"] * (len(self.bins) > MANY_BINS)
        here = f"{self.channel}[{', '.join(shown)}]" if self.bins else self.channel
        return ", ".join(part for part in (self.parameter, self.process, here) if part)


MANY_BINS = 6
"""Bins of a place that are written out."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Parameters
    ----------
    place : where
    found : in words, with its numbers
    severity : of this alone
    numbers : the same by name
    """

    place: Place
    found: str
    severity: Severity = Severity.NOTE
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What one check found.

    Parameters
    ----------
    name : of the check
    severity : of its worst finding
    found : in a sentence
    threshold : from where on it is worth a word, and whose convention that is
    action : what can be done; empty where nothing must
    findings : each by itself, the worst first
    """

    name: str
    severity: Severity
    found: str
    threshold: str = ""
    action: str = ""
    findings: tuple[Finding, ...] = ()


def judged(name: str, found: str, findings: Sequence[Finding], threshold: str, action: str, size: str = "") -> Verdict:
    """Make a verdict that is as bad as its worst finding: in order without one.

    The worst come first, among equals those whose number called ``size`` is largest.
    """

    def order(f: Finding) -> tuple[int, float]:
        return -f.severity, -abs(f.numbers.get(size, 0.0))

    worst = max((f.severity for f in findings), default=Severity.OK)
    return Verdict(
        name, worst, found, threshold, action if worst > Severity.OK else "", tuple(sorted(findings, key=order))
    )


def not_made(name: str, why: str, action: str = "") -> Verdict:
    """Say why a check could not be made."""
    return Verdict(name, Severity.NOT_MADE, why, action=action)


def percent(share: float) -> str:
    """Write a threshold in percent, with the digits that it has.

    >>> percent(0.1), percent(0.005)
    ('10 %', '0.5 %')
    """
    return f"{100 * share:g} %"
