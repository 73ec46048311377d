"""Did the fit find the minimum, and is it the only one?"""

import numpy as np

from verax.infer import P_ERROR, fisher_information, local_minima
from verax.infer import goodness_of_fit as saturated
from verax.report import number, with_error
from verax.results import Status

from ._subject import Subject
from ._verdict import Finding, Place, Severity, Verdict, judged, not_made

FLAT = 1e-6
"""Expected information below this, of a direction in units of the parameters' own, says that nothing determines it."""

FAR = 9.0
"""A second minimum that is higher by this in 2ΔlnL, 3 σ of one parameter, moves no interval that is quoted."""

APART = 0.1
"""Minima are another than the fit's where a parameter differs by more, in units of its σ."""

LOWER = 1e-3
"""Difference of 2 ln L that fits resolve: a minimum that is lower by more was missed."""

UNLIKELY, SEVERELY = 0.05, 0.0027
"""p-values of a fit that deserve a word: the usual 5 %, and 3 σ."""


def convergence(subject: Subject) -> Verdict:
    """The status of the fit, parameters that nothing determines, and those at a bound."""
    model, best = subject.model, subject.best
    status, found = Status(int(best.status)), list[Finding]()
    if status == Status.NOT_POSITIVE_DEFINITE:
        found = [
            Finding(Place(name), f"share {number(share, 2)} of a direction that nothing determines", Severity.FAILURE)
            for name, share in _undetermined(subject)
        ]
    if status > Status.AT_BOUND:
        found.append(Finding(Place(), f"status {status.name}: its values are no measurement", Severity.FAILURE))
    for p, value in zip(model.parameters, best.value, strict=True):
        if subject.fitted and not p.fixed and float(value) in p.bounds:
            expected = p.name == subject.poi and float(value) == 0.0
            text = f"at its bound {float(value):g}: no σ, and errors on one side only"
            found.append(Finding(Place(p.name), text, Severity.NOTE if expected else Severity.WARNING))
    if status == Status.AT_BOUND and not found:
        found.append(Finding(Place(), "the expected events of a bin are pressed against zero", Severity.WARNING))
    at = f"{subject.poi} = {_estimate(subject)}, " if subject.poi else ""
    return judged(
        "convergence",
        f"{at}status {status.name} after {int(best.steps)} evaluations, estimated distance {float(best.edm):.0e}",
        found,
        "status OK, away from all bounds",
        "fix or remove what nothing determines; widen bounds that are no limit of physics; quote one-sided errors at others",
    )


def _estimate(subject: Subject) -> str:
    i = subject.best.names.index(subject.poi)
    value, error = float(subject.best.value[i]), float(subject.best.error[i])
    return with_error(value, error) if error > 0 else f"{number(value, 4)} without σ"


def _undetermined(subject: Subject) -> list[tuple[str, float]]:
    """Parameters of the flattest direction of the expected −log L, with their share of it."""
    model, best = subject.model, subject.best
    free = [i for i, p in enumerate(model.parameters) if not p.fixed]
    information = np.asarray(fisher_information(model, best.params), np.float64)[np.ix_(free, free)]
    unit = 1 / np.sqrt(np.maximum(np.diagonal(information), 1e-12))
    value, vector = np.linalg.eigh(information * unit * unit[:, None])
    if not value[0] < FLAT:
        return []
    share = np.square(vector[:, 0])
    return [(best.names[free[i]], float(share[i])) for i in np.argsort(-share) if share[i] > 0.05]


def second_minima(subject: Subject) -> Verdict:
    """Other local minima of −log L, from starts on other sides of systematics, towards bounds and at random."""
    model, best = subject.model, subject.best
    minima = local_minima(model, subject.data, best=best)
    found = list[Finding]()
    error = np.where(best.error > 0, best.error, 1.0)
    unit = np.array([{i: w for i, _, w in subject.constrained}.get(i, e) for i, e in enumerate(error)])
    for value, t in zip(minima.value, 2 * (minima.nll - float(best.nll)), strict=True):
        apart = (value - best.value) / unit
        k = int(np.argmax(abs(apart)))
        if (abs(value - best.value) <= APART * error).all() and t > -LOWER:  # the fit itself
            continue
        numbers = {"t": float(t), "value": float(value[k]), "fit": float(best.value[k])}
        text = f"a minimum at {number(float(value[k]), 3)}, the fit at {number(float(best.value[k]), 3)}; "
        text += f"2ΔlnL {number(float(t), 3)}"
        if subject.poi:
            i = best.names.index(subject.poi)
            numbers["poi"] = float(value[i])
            text += f", {subject.poi} there {number(float(value[i]), 3)} in place of {number(float(best.value[i]), 3)}"
        severity = Severity.FAILURE if t < -LOWER else Severity.WARNING if t < FAR else Severity.NOTE
        found.append(Finding(Place(best.names[k]), text, severity, numbers))
    failed = f", {minima.failed} of them failed" if minima.failed else ""
    count = len(found)
    found.sort(key=lambda f: f.numbers["t"])
    if 2 * minima.failed > minima.starts:
        found.append(Finding(Place(), "most starts failed: there may be others"))
    return judged(
        "second minima",
        f"{count or 'no'} other minim{'um' if count == 1 else 'a'} from {minima.starts} starts{failed}",
        found,
        f"2ΔlnL < {FAR:g} (3 σ of one parameter); lower than the fit is a failure",
        "quote the union of both intervals, from a scan; symmetrise the systematic if its two sides are the same by chance",
    )


def goodness_of_fit(subject: Subject) -> Verdict:
    """The saturated model, and how far its p-value can be trusted."""
    tested, found = saturated(subject.model, subject.data, best=subject.best), list[Finding]()
    p, off = float(tested.p_value), float(tested.p_error)
    text = f"p = {number(p, 4)} (χ² = {number(float(tested.statistic), 1)} for {tested.ndf})"
    numbers = {"p_value": p, "p_error": off, "statistic": float(tested.statistic), "ndf": float(tested.ndf)}
    if tested.ndf <= 0:
        return not_made("goodness of fit", f"no degrees of freedom ({tested.ndf}): any data fit")
    if p < UNLIKELY:
        severity, by = Severity.WARNING if p < SEVERELY else Severity.NOTE, tested.channels
        worst = "" if by is None else by.names[int(np.argmax(by.statistic / np.bincount(subject.model.layout.channel)))]
        far = "the data are far from the model, most for each bin here"
        found.append(Finding(Place(channel=worst), far, severity, numbers))
    if p > 1 - SEVERELY:
        text += ": closer than counts fluctuate"
        close = "the data are too close to the model: are they expected ones, or is an error counted twice?"
        found.append(Finding(Place(), close, Severity.NOTE, numbers))
    if off > P_ERROR:
        few = f"few events: p may be wrong by {number(off, 2)}"
        found.append(Finding(Place(), few, Severity.NOTE, numbers))
    threshold = f"p < {UNLIKELY:g}; p < {SEVERELY:g} (3 σ) is a warning; the error of p by Poisson moments, {P_ERROR:g}"
    return judged("goodness of fit", text, found, threshold, "verax gof --toys N; look at the fitted distributions")
