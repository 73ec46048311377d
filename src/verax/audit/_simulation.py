"""How many events stand behind the templates, and bins without any.

n_eff = (Σw)²/Σw² of a bin. One Gaussian γ a bin stands for many events: Combine's autoMCStats gives each process of its own
Poisson terms below a threshold, usually 10 (arXiv:2404.06614), and verax's own binning keeps 10.
"""

import numpy as np

from verax.report import number

from ._subject import Subject
from ._verdict import Finding, Place, Severity, Verdict, judged, not_made

FEW = 10.0
"""Effective events."""

COUNTS = 0.5
"""A process of few events counts where its own simulation error is this share of the Poisson error of the bin."""


def few_simulated_events(subject: Subject) -> Verdict:
    """Bins and processes whose templates rest on few effective events."""
    name, variance, nominal = "few simulated events", subject.simulated, np.asarray(subject.model.nominal)
    if not variance.any():
        why = "the workspace has no errors of the simulation (staterror, shapesys): they are in no uncertainty either"
        return not_made(name, why, "add staterror, unless all templates come from data or formulae")
    known = variance > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(known, np.square(nominal) / variance, np.inf)
        whole = np.square((nominal * known).sum(0)) / variance.sum(0)
    whole = np.where(known.any(0), whole, np.inf)
    found = list[Finding]()
    for place in subject.place(np.flatnonzero(whole < FEW)):
        found.append(_few(place, subject, whole, Severity.WARNING))
    noisy = (each < FEW) & (variance > COUNTS**2 * np.maximum(nominal.sum(0), 0.0)) & (whole >= FEW)
    for i, process in enumerate(subject.model.processes):
        for place in subject.place(np.flatnonzero(noisy[i]), process=process):
            found.append(_few(place, subject, each[i], Severity.NOTE))
    least = int(np.argmin(whole))
    missing = [p for p, k, n in zip(subject.model.processes, known, nominal, strict=True) if n.any() and not k.any()]
    more = f"; no errors of {', '.join(missing[:4])}{' …' * (len(missing) > 4)}" if missing else ""
    fewer = int((whole < np.maximum(subject.rates.sum(0), 0.0)).sum())
    return judged(
        name,
        f"the least {number(float(whole[least]), 1)} effective events, {subject.place(np.array([least]))[0]}; fewer than "
        f"are expected in data in {fewer} of {len(whole)} bins{more}",
        found,
        f"{FEW:g} effective events (Combine's autoMCStats, arXiv:2404.06614); of one process where its error counts",
        "merge bins, or simulate more; γ of so few events are no Gaussians (see toys)",
        "lost",
    )


def _few(place: Place, subject: Subject, events: np.ndarray, severity: Severity) -> Finding:
    here = subject.bins(place)
    least = float(events[here].min())
    return Finding(
        place, f"as few as {number(least, 1)} effective events", severity, {"events": least, "lost": FEW - least}
    )


def empty_bins(subject: Subject) -> Verdict:
    """Bins without background, and with fewer than no events."""
    model, found, counts = subject.model, list[Finding](), np.asarray(subject.data.counts)
    total = subject.rates.sum(0)
    none = total <= 1e-6
    if subject.poi:
        theta = subject.theta.copy()
        theta[model.names.index(subject.poi)] = 0.0
        none = np.asarray(model.rates(theta)).sum(0) <= 1e-6 * np.maximum(total, 1.0)
    for place in subject.place(np.flatnonzero(none)):
        here = subject.bins(place)
        seen = float(counts[here].sum())
        text = f"no background expected, {number(seen, 1)} events observed"
        severity = Severity.WARNING if seen > 0 or not subject.poi else Severity.NOTE
        found.append(Finding(place, text, severity, {"observed": seen}))
    for i, process in enumerate(model.processes):
        for place in subject.place(np.flatnonzero(np.asarray(model.nominal)[i] < 0), process=process):
            least = float(np.asarray(model.nominal)[i, subject.bins(place)].min())
            found.append(Finding(place, f"{number(least, 3)} events expected", Severity.NOTE, {"least": least}))
    return judged(
        "empty bins",
        f"{int(none.sum())} of {len(total)} bins without background; the least total {number(float(total.min()), 2)} events",
        found,
        "no background (emptyBkgBin of Combine's ValidateDatacards.py), or a negative template",
        "merge the bin: where no event is expected, any event is a discovery",
    )
