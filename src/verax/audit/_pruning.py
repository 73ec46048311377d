"""What a pruning would change: TRExFitter's thresholds, and the measurement without what they remove."""

from verax.errors import InputError
from verax.infer import fit
from verax.report import number
from verax.results import good
from verax.workspace import edit, from_pyhf, to_pyhf

from ._subject import Subject
from ._verdict import Finding, Place, Severity, Verdict, judged, not_made, percent

THRESHOLD = 0.005
"""Of shapes and of normalisations: SystPruningShape and SystPruningNorm of public TRExFitter configurations (ttZ)."""

NEGLIGIBLE = 0.01
"""Change of estimate and error, in units of the error, that pruning may make."""


def pruning(subject: Subject) -> Verdict:
    """Prune at the usual threshold, fit again, and compare."""
    model, data, poi, best = subject.model, subject.data, subject.poi, subject.best
    try:
        made, gone = edit.prune(to_pyhf(model, data, poi=poi), shape=THRESHOLD, normalisation=THRESHOLD)
        if not gone:
            again = best
        else:
            left = from_pyhf(made, poi=poi)
            again = fit(left.model, left.data)
    except InputError as error:
        return not_made("pruning", str(error))
    parts = [p for p in gone if p.process and p.size > 0]
    whole = sum(not p.process for p in gone)
    if not good(again.status):
        return not_made("pruning", f"without {len(parts)} effects the fit fails")
    (x, s), (y, r) = ((float(f.value[i]), float(f.error[i])) for f in (best, again) for i in [f.names.index(poi)])
    if not (s > 0 and r > 0):
        return not_made("pruning", f"{poi} has no σ to compare, with or without {len(parts)} effects")
    shift, change = (y - x) / s, r / s - 1
    numbers = {"effects": float(len(parts)), "parameters": float(whole), "shift": shift, "error_change": change}
    text = (
        f"{len(parts)} effects and {whole} whole parameters would go; {poi} moves by {number(shift, 3, sign=True)} σ, "
    )
    text += f"σ by {number(100 * change, 2, sign=True)} %"
    found = list[Finding]()
    if max(abs(shift), abs(change)) > NEGLIGIBLE:
        found.append(Finding(Place(poi), "what is pruned is not negligible together", Severity.NOTE, numbers))
    return judged(
        "pruning",
        text,
        found,
        f"shapes and yields below {percent(THRESHOLD)}, as SystPruningShape and SystPruningNorm of public TRExFitter "
        f"configurations; {percent(NEGLIGIBLE)} of σ",
        "prune at a lower threshold (verax workspace prune), or not at all",
    )
