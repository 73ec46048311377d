"""Result of a diagnosis of shift: the tests, the kinds of shift that they leave, and what to do about each."""

import math
from dataclasses import dataclass

from ._bbse import LabelShift

ACTIONS = {
    "none": "use the model as it is",
    "covariate": (
        "weight reference events by r(x) = p_target(x)/p_reference(x) for training and for conformal prediction "
        "(verax.conformal: ratio_from_classifier, shifted); p(y|x) needs no change where the supports overlap"
    ),
    "label": (
        "weight reference events by q(y)/p(y) for training and for conformal prediction (verax.conformal.label_shift); "
        "with classes, multiply predicted probabilities by it and normalise"
    ),
    "concept": (
        "no weights can help: retrain, or recalibrate with labels from the target (verax.calibrate: temperature, isotonic; "
        "verax.conformal: conformalize)"
    ),
}


@dataclass(frozen=True)
class Finding:
    """A hypothesis and the p-value of its test; NaN where it could not be tested, with the reason in ``note``."""

    hypothesis: str
    p_value: float
    note: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Which kinds of shift the events are compatible with.

    Parameters
    ----------
    significance : p-value below which a hypothesis is rejected
    findings : the tests
    compatible : of "none", "covariate", "label", "concept", what the tests do not reject; concept shift only where they
        reject all others, or cannot see it
    untested : kinds that these inputs cannot exclude
    fractions : class fractions of the target and class weights; None where predictions do not tell classes apart
    """

    significance: float
    findings: tuple[Finding, ...]
    compatible: tuple[str, ...]
    untested: tuple[str, ...]
    fractions: LabelShift | None

    @property
    def verdict(self) -> str:
        """The one kind that is left, the simplest first; "undecided" where several are."""
        kinds = [kind for kind in self.compatible if kind not in self.untested]
        if "none" in kinds:
            return "none"
        return kinds[0] if len(kinds) == 1 and not self.untested else "undecided"

    @property
    def lines(self) -> tuple[str, ...]:
        """The tests, what is left, and what to do about it."""
        out = []
        for f in self.findings:
            result = "not tested" if math.isnan(f.p_value) else f"p = {f.p_value:.2g}"
            rejected = " (rejected)" if f.p_value < self.significance else ""
            out.append(f"{f.hypothesis}: {result}{rejected}" + (f"; {f.note}" if f.note else ""))
        if self.verdict == "none":
            out.append("no shift found")
        else:
            out.append(f"compatible: {' or '.join(self.compatible)} shift")
        if self.untested:
            out.append(f"{' and '.join(self.untested)} shift cannot be excluded without labels in the target")
        for kind in ("none",) if self.verdict == "none" else self.compatible:
            out.append(f"{kind if kind != 'none' else 'no'} shift: {ACTIONS[kind]}")
            if kind == "label" and self.fractions is not None:
                r = self.fractions
                each = ", ".join(f"{a:.2f} ± {b:.2f}" for a, b in zip(r.ratio, r.ratio_error, strict=True))
                out.append(f"class weights: {each}")
        return tuple(out)


def conclude(
    findings: tuple[Finding, ...],
    significance: float,
    *,
    given_y: int | None,
    given_x: int | None,
    untestable: tuple[str, ...],
    fractions: LabelShift | None = None,
) -> Diagnosis:
    """Conclude what the findings leave; what is not tested is not rejected.

    Parameters
    ----------
    given_x, given_y : which finding tests that p(y|x), or p(x|y), is the same; None where none does
    untestable : kinds that nothing can exclude here as soon as anything differs; empty where the target has labels
    """
    rejected = [f.p_value < significance for f in findings]
    kinds = {
        "none": not any(rejected),
        "covariate": given_x is None or not rejected[given_x],
        "label": given_y is None or not rejected[given_y],
    }
    compatible = [kind for kind, left in kinds.items() if left]
    if untestable or not compatible:
        compatible.append("concept")
    untested = ("concept",) if untestable and kinds["none"] else untestable
    return Diagnosis(significance, findings, tuple(compatible), untested, fractions)
