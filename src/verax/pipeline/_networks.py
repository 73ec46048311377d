"""The section on networks: how they were trained, and what their scores are worth."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from verax.analysis import Learning, Wording
from verax.check import Overtraining
from verax.report import Section, Style, plots

from ._check import Checked
from ._learn import Learned

APPROACHES = {
    "propagate": "The systematics move the templates only; training does not use them.",
    "augment": "Training events have nuisance parameters drawn from the priors (data augmentation).",
    "adversarial": "An adversary that infers the nuisance parameters from the scores acts against the networks in training.",
    "parameterised": "Nuisance parameters are inputs of the networks, in training at the values that each event has; "
    "they are fixed here at one value, the same for every template and the data.",
    "inferno": "The networks sort events into bins that minimise the expected uncertainty of this measurement (INFERNO).",
}
"""How networks of each approach take systematics into account."""

GIVEN = {"column": "column", "function": "function", "onnx": "ONNX model", "histogram": "histogram"}
"""Kinds of summaries that are not learnt here."""

ROC = """Efficiencies above a threshold of the score, of events that the networks never saw; a channel that expects no \
signal, or no background, has none."""

OVERLAY = """Scores of events by networks that learnt from them (points) and by networks that did not (lines), no event in \
both; below, their difference in units of its error."""

CHANCE = 0.01
"""p-value below which scores of seen and unseen events differ beyond chance."""


def _overtrained(found: Mapping[str, Overtraining]) -> str:
    """Say whether networks score the events that they saw in another way."""
    if not found:
        return ""
    told = "; ".join(f"{name}: distance {o.distance:.2g}, p = {o.p_value:.2g}" for name, o in found.items())
    if all(o.p_value >= CHANCE for o in found.values()):
        return f" Networks score events that they learnt from as they score others, within chance ({told})."
    return (
        f" Networks score events that they learnt from otherwise than others, beyond chance ({told}): they are overtrained. "
        "No template has such a score; a smaller or less trained network may separate better."
    )


def given(wording: Wording) -> str:
    """Say what a summary that is not learnt here does to the measurement, and on which condition."""
    text = (
        f"No network was trained here: the summary is a given {GIVEN[wording.kind]}. As a summary of events it can cost "
        "precision, not correctness, so no uncertainty enters on its account, whatever it is"
    )
    if wording.kind in ("column", "histogram"):
        return f"{text}."
    knows = "what a model remembers of the simulation it does not know of data"
    if wording.folds:
        own = (
            f"each of the {wording.folds} folds is scored by a model that did not learn from it, as this analysis says"
        )
        return f"{text}, provided that {own}: {knows}."
    return (
        f"{text}, provided that it did not learn from the events that fill the templates: {knows}, and that is a bias. "
        "Models of folds (summary.folds, summary.models) never score what they saw."
    )


def networks(wording: Wording, learning: Learning | None, learned: Learned, checked: Checked, style: Style) -> Section:
    """Present the networks in use, and the uncertainty that enters because of them."""
    content: dict[str, Any] = {
        "reliability": checked.reliability,
        "roc": {name or "all": {"area": r.area, "error": r.error} for name, r in checked.roc.items()},
        "overtraining": {k: {"distance": o.distance, "p_value": o.p_value} for k, o in checked.overtraining.items()},
        "posteriors": [{"status": status, "problem": problem} for status, problem in learned.ended],
        "epistemic_notes": learned.notes,
    }
    if learning is None:
        return Section("Networks", given(wording), content=content)
    options = learning.options
    content["learn"] = {k: getattr(options, k) for k in ("epistemic", "head", "approach", "folds", "members")}
    histories = {f"fold {i + 1}": fold for i, fold in enumerate(learned.histories)}
    figures = {}
    if any(learned.histories):
        draw = partial(plots.training_history, histories, style=style)
        figures["training"] = ("Training and validation loss of every network; a dot marks the epoch kept.", draw)
    if checked.reliability is not None:
        draw = partial(plots.reliability, checked.reliability, style=style)
        figures["reliability"] = ("Reliability of the score with both classes at equal weight.", draw)
    if checked.roc:
        draw = partial(plots.roc, checked.roc, style=style)
        figures["roc"] = (ROC, draw)
    if checked.overtraining:
        draw = partial(plots.overtraining, checked.overtraining, style=style)
        figures["overtraining"] = (OVERLAY, draw)
    between = ", ".join(learned.interpolated)
    between = f"In training {between} acted on each event by interpolation between θ = ±1. " if between else ""
    notes = f" Of the spread over members: {'; '.join(learned.notes)}." if learned.notes else ""
    text = (
        f"{options.folds} folds of {options.members} networks ({options.depth} hidden layers of {options.width}), "
        f"{options.described} (epistemic: {options.epistemic}; head: {options.head}), on {learned.rows} events; "
        f"each event is scored by the mean of networks that were not trained on it. {APPROACHES[options.approach]} "
        f"{between}These networks make a summary of events (an optimality question): how well they are trained affects "
        "the size of the uncertainty, not its correctness, "
        "because the same fixed function is applied to every template and to the data. No nuisance parameter enters on "
        "their account. Another seed, or another type of processor, trains other networks, and the result moves with "
        "them. No network makes the statistical model (a correctness question) in this analysis; one that did "
        f"would bring its members' spread into the fit.{notes}"
        f"{_overtrained(checked.overtraining)}"
    )
    return Section("Networks", text, figures, content=content)
