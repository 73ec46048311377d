"""What the data did to the nuisance parameters: pulls, constraints, and parameters that do nothing.

A pull is (θ̂ − a)/Δθ. Its tension, (θ̂ − a)/√(Δθ² − σ²), is a unit normal where model and prior are right (Demortier and
Lyons, CDF/ANAL/PUBLIC/5776 (2002)); σ is that of expected data, since the curvature of other data is no information. At the
minimum the constraint pulls back as strongly as the channels pull together: a pull is the sum of −Δθ ∂(−ln L)/∂θ of all
channels, and that is its cause.
"""

import math

import numpy as np

from verax.arrays import ndtr
from verax.report import number

from ._subject import Subject
from ._verdict import Finding, Place, Severity, Verdict, judged

PULLED, SEVERELY_PULLED = 1.0, 2.0
"""Bands of every plot of pulls (TRExFitter, cabinetry); 2 is also ``--vtol2`` of Combine's diffNuisances.py."""

CONSTRAINED, SEVERELY_CONSTRAINED = 0.9, 0.5
"""Post-fit σ over prior σ: a change by 0.1 and by 0.5 (``--stol``, ``--stol2`` of Combine's diffNuisances.py)."""

TENSION = 0.0027
"""Probability, as of 3 σ, of the largest of all pulls in units of its expected spread."""

STEP = 1e-3
"""Of a prior width, for differences."""

SHARE = 0.1
"""Channels that are named: those with this share of the largest."""

EXPLAINED = 12
"""Parameters whose cause is looked for: those furthest off."""


def pulls(subject: Subject) -> Verdict:
    """Pulls of constrained parameters and of γ, with the channels that cause them."""
    best, found, rows = subject.best, list[Finding](), list[tuple[str, float, float, float, float]]()
    for i, observed, width in subject.constrained:
        pull, ratio = (float(best.value[i]) - observed) / width, float(best.error[i]) / width
        rows.append((best.names[i], pull, ratio, float(subject.expected_error[i]) / width, width))
    gammas = subject.gammas
    for name, x, e, a, w in zip(gammas.names, gammas.value, gammas.error, gammas.observed, gammas.prior, strict=True):
        rows.append((name, float((x - a) / w), float(e / w), float(e / w), 0.0))
    explained = sorted(range(len(rows)), key=lambda k: -abs(rows[k][1]))[:EXPLAINED]
    z = [abs(pull) / math.sqrt(1 - r**2) if 0 < r < 1 - 1e-9 else 0.0 for _, pull, _, r, _ in rows]
    for k, ((name, pull, ratio, _, width), tension) in enumerate(zip(rows, z, strict=True)):
        p = -math.expm1(len(rows) * math.log1p(-min(2 * float(ndtr(-tension)), 1 - 1e-16)))
        if abs(pull) <= PULLED and p >= TENSION:
            continue
        severity = Severity.WARNING if abs(pull) > SEVERELY_PULLED or p < TENSION else Severity.NOTE
        numbers = {"pull": pull, "error": ratio, "tension": tension, "p_of_all": p}
        text = f"{number(pull, 2, sign=True)} ± {number(ratio, 2)}; tension {number(tension, 1)} σ"
        text += f" (p = {p:.2g} among {len(rows)})"
        if width and k in explained:
            force = -width * subject.by_channel(name, STEP * width)[0]
            numbers |= {f"from {c}": float(f) for c, f in zip(subject.model.channels, force, strict=True)}
            text += f"; from {_named(subject, force, 2, sign=True)}"
        found.append(Finding(Place(name), text, severity, numbers))
    largest = max(rows, key=lambda r: abs(r[1]), default=("none", 0.0, 0.0, 0.0, 0.0))
    return judged(
        "pulls",
        f"{len(found)} of {len(rows)} beyond ±{PULLED:g} or in tension; the largest {number(largest[1], 2, sign=True)}, "
        f"{largest[0]}",
        found,
        f"±{PULLED:g} and ±{SEVERELY_PULLED:g} prior σ (bands of TRExFitter and cabinetry, Combine's vtol2); tension that "
        f"{TENSION:g} of fits have in any parameter (Demortier and Lyons 2002)",
        "look at the channels named, before and after the fit: is it this systematic, or one that the model lacks?",
        "pull",
    )


def over_constraints(subject: Subject) -> Verdict:
    """Parameters that the data know better than their prior, with the channels that tell."""
    best, found = subject.best, list[Finding]()
    known = [(float(best.error[i]) / w, best.names[i], w) for i, _, w in subject.constrained if best.error[i] > 0]
    for k, (ratio, name, width) in enumerate(sorted(known)):
        if ratio >= CONSTRAINED:
            break
        numbers, text = {"ratio": ratio, "lost": 1 - ratio}, f"σ_post/σ_prior = {number(ratio, 2)}"
        if k < EXPLAINED:
            curvature = np.maximum(width**2 * subject.by_channel(name, 10 * STEP * width)[1], 0.0)
            alone = 1 / np.sqrt(1 + curvature)
            numbers |= {f"σ from {c}": float(x) for c, x in zip(subject.model.channels, alone, strict=True)}
            shown = [j for j in np.argsort(alone) if curvature[j] > SHARE * curvature.max()][:3]
            text += "; one channel alone, all else known: "
            text += ", ".join(f"{subject.model.channels[j]} {number(float(alone[j]), 2)}" for j in shown)
        severity = Severity.WARNING if ratio < SEVERELY_CONSTRAINED else Severity.NOTE
        found.append(Finding(Place(name), text, severity, numbers))
    for ratio, name, _ in sorted(known, reverse=True):
        if ratio <= 2 - CONSTRAINED:
            break
        text = f"σ_post/σ_prior = {number(ratio, 2)}: −log L is flatter here than its prior, it bends the other way"
        found.append(Finding(Place(name), text, Severity.NOTE, {"ratio": ratio, "lost": 1 - ratio}))
    least, tight = min(known, default=(1.0, "none", 0.0)), sum(ratio < CONSTRAINED for ratio, _, _ in known)
    severe = sum(f.severity == Severity.WARNING for f in found)
    return judged(
        "over-constraints",
        f"{tight} of {len(known)} below {CONSTRAINED:g}, {severe} below {SEVERELY_CONSTRAINED:g}; the least "
        f"{number(least[0], 2)}, {least[1]}",
        found,
        f"σ_post/σ_prior beyond 1 ± {1 - CONSTRAINED:.1g}; < {SEVERELY_CONSTRAINED:g} is a warning (Combine's stol, stol2)",
        "is the prior a measurement that the data may improve, or one shape for several effects? decorrelate it and compare",
        "lost",
    )


def parameters_without_effect(subject: Subject) -> Verdict:
    """Parameters that move no expected event by a prior width, or a tenth where they have none."""
    model, nominal, found = subject.model, subject.rates.sum(0), list[Finding]()
    width = {i: w for i, _, w in subject.constrained}
    for i, p in enumerate(model.parameters):
        if p.fixed:
            continue
        step = width.get(i, 0.1) * (np.arange(len(model.parameters)) == i)
        there = [np.asarray(model.rates(subject.theta + side * step)).sum(0) for side in (1, -1)]
        if all((abs(r - nominal) <= 1e-9 * abs(nominal)).all() for r in there):
            kind = "its prior alone" if i in width else "nothing"
            found.append(Finding(Place(p.name), f"acts on no bin; {kind} determines it"))
    return judged(
        "parameters without effect",
        f"{len(found)} of {sum(not p.fixed for p in model.parameters)} act on no bin",
        found,
        "a change of 10⁻⁹ of a bin (as emptySystematicShape of Combine's ValidateDatacards.py)",
        "was it lost on the way, by name or by pruning? else leave it out",
    )


def _named(subject: Subject, values: np.ndarray, places: int, *, sign: bool) -> str:
    """The channels with a share of the largest value, at most three."""
    order = [k for k in np.argsort(-abs(values)) if abs(values[k]) > SHARE * abs(values).max()]
    shown = [f"{subject.model.channels[k]} {number(float(values[k]), places, sign=sign)}" for k in order[:3]]
    return ", ".join(shown) + (f" and {len(order) - 3} more" if len(order) > 3 else "")
