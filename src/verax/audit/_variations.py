"""The two sides of each systematic, as Combine's ValidateDatacards.py asks (arXiv:2404.06614), and how large they are."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from verax.report import number
from verax.templates import ROUNDING, acts

from ._subject import Subject
from ._verdict import Finding, Place, Severity, Verdict, judged, percent

MATTERS = 0.1
"""Size of what both sides share, in units of the error of the data, from which on it is more than a blemish."""

LARGE, IMPOSSIBLE = 0.1, 1.0
"""Change of a yield that ValidateDatacards.py reports (``--checkUncertOver``), and of a bin that leaves nothing of it."""

MIRROR = (
    "make its second side: `symmetrise` in an analysis file, ONESIDED or MAXIMUM in TRExFitter; or run both variations"
)


class _Variation:
    """One systematic, process and channel: changes of each bin, and of the yield, up and down."""

    def __init__(self, subject: Subject, k: int, i: int, c: int) -> None:
        t, here = subject.templates, subject.model.layout.channel == c
        self.bins, self.nominal = np.flatnonzero(here), np.asarray(t.nominal)[i, here]
        self.rise, self.fall = (np.asarray(side)[k, i, here] - self.nominal for side in (t.up, t.down))
        rounding = 1e3 * ROUNDING * abs(self.nominal)
        self.rise, self.fall = (np.where(abs(x) > rounding, x, 0.0) for x in (self.rise, self.fall))
        self.error = np.sqrt(subject.simulated[i, here])
        self.place = Place(t.systematics[k].name, t.processes[i], t.channels[c])
        total = abs(self.nominal.sum())
        self.up, self.down = (float(x.sum() / total) if total else 0.0 for x in (self.rise, self.fall))
        self.shared = np.sqrt(np.square((self.rise + self.fall) / 2) @ subject.weight[here])
        self.numbers = {"up": self.up, "down": self.down, "shared": float(self.shared)}

    def finding(self, text: str, bins: tuple[int, ...] = ()) -> Finding:
        severity = Severity.WARNING if self.shared >= MATTERS else Severity.NOTE
        size = f"shared part {number(float(self.shared), 2)} σ of the data"
        return Finding(replace(self.place, bins=bins), f"{text}; {size}", severity, self.numbers)

    @property
    def sizes(self) -> str:
        return f"yield {number(100 * self.up, 2, sign=True)} % and {number(100 * self.down, 2, sign=True)} %"


def _variations(subject: Subject) -> Iterator[_Variation]:
    for k, i, c in np.argwhere(acts(subject.templates)):
        found = _Variation(subject, int(k), int(i), int(c))
        if found.rise.any() or found.fall.any():
            yield found


def one_sided(subject: Subject) -> Verdict:
    """Systematics of which one side is the nominal template."""
    found, count = list[Finding](), 0
    for v in _variations(subject):
        count += 1
        if not v.rise.any() or not v.fall.any():
            found.append(v.finding(f"{'down' if v.rise.any() else 'up'} is nominal, {v.sizes}"))
    return _of_sides(
        "one-sided systematics", found, count, "have one side alone", "a side that is nominal in every bin"
    )


def same_side(subject: Subject) -> Verdict:
    """Systematics of which both sides move the yield the same way, or bins, by more than the simulation fluctuates."""
    found, count = list[Finding](), 0
    for v in _variations(subject):
        count += 1
        if not v.rise.any() or not v.fall.any():  # one-sided
            continue
        if np.array_equal(v.rise, v.fall):
            found.append(v.finding(f"up and down are the same, {v.sizes}"))
        elif v.up * v.down > ROUNDING**2:
            found.append(v.finding(f"both sides move the yield alike, {v.sizes}"))
        else:
            alike = (v.rise * v.fall > 0) & (np.minimum(abs(v.rise), abs(v.fall)) > v.error)
            alike &= abs(v.rise + v.fall) > abs(v.rise - v.fall) / 2
            if alike.any():
                found.append(v.finding("both sides move these bins alike", tuple(np.flatnonzero(alike).tolist())))
    return _of_sides(
        "same-side systematics",
        found,
        count,
        "have both sides on one",
        "yields that move alike (uncertVarySameDirect of Combine's ValidateDatacards.py), bins beyond their error",
    )


def _of_sides(name: str, found: list[Finding], count: int, what: str, rule: str) -> Verdict:
    severe = sum(f.severity == Severity.WARNING for f in found)
    text = f"{len(found)} of {count} variations {what}"
    if found:
        text += f", of {len({f.place.parameter for f in found})} systematics; {severe} of a size that matters"
    threshold = f"{rule}; a shared part of {MATTERS:g} σ of the data is a warning"
    return judged(name, text, found, threshold, MIRROR, "shared")


def large_variations(subject: Subject) -> Verdict:
    """Systematics that change a yield, or a bin, by much, or leave a bin with fewer than no events."""
    found, largest = list[Finding](), (0.0, "none")
    for v in _variations(subject):
        size = max(abs(v.up), abs(v.down))
        largest = max(largest, (size, str(v.place)))
        extreme = np.maximum(abs(v.rise), abs(v.fall))
        gone = (
            (extreme >= IMPOSSIBLE * abs(v.nominal))
            & (extreme > v.error)
            & (extreme**2 > 0.01 / subject.weight[v.bins])
        )
        if gone.any():
            place = replace(v.place, bins=tuple(np.flatnonzero(gone).tolist()))
            found.append(Finding(place, "a bin changes by 100 % or more", Severity.WARNING, {"size": size}))
        elif size > LARGE * (1 + 1e-9):
            found.append(Finding(v.place, v.sizes, Severity.NOTE, {"size": size}))
    for k, p in enumerate(subject.templates.systematics):
        totals = np.minimum(*(np.asarray(side)[k].sum(0) for side in (subject.templates.up, subject.templates.down)))
        for place in subject.place(np.flatnonzero(totals < 0), p.name):
            text = "fewer than 0 events expected in all, at one prior σ"
            found.append(Finding(place, text, Severity.WARNING, {"size": float(totals.min())}))
    return judged(
        "large variations",
        f"{len(found)} above {percent(LARGE)} of a yield, or {percent(IMPOSSIBLE)} of a bin; the largest yield "
        f"{number(100 * largest[0], 1)} %, {largest[1]}",
        found,
        f"{percent(LARGE)} of a yield (Combine's ValidateDatacards.py --checkUncertOver), {percent(IMPOSSIBLE)} of a bin",
        "a prior of this size is not Gaussian: give it a normalisation of its own (factors multiply), or merge bins",
        "size",
    )
