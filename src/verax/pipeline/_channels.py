"""The section on channels: their roles, and what a fit of some bins says of all."""

from functools import partial
from typing import Any

import numpy as np

from verax.analysis import Wording
from verax.report import MISSING, Section, Style, plots, tables, with_error
from verax.templates import Templates

from ._infer import Everywhere, Measured

SIGNAL_FREE = "the parameter of interest and normalisations that act nowhere else are held at their initial values"


def channels(wording: Wording, templates: Templates, measured: tuple[Measured, ...], style: Style) -> Section | None:
    """Present the channels beside the fit: control regions while others are blind, and validation; None without any."""
    control = measured[0].control
    everywhere = control.everywhere if control else measured[-1].everywhere
    if everywhere is None:
        return None
    when = "before the fit" if everywhere.postfit is None else "after the fit"
    figures, shown = {}, [_table(wording, templates, everywhere, style)]
    for channel, where in templates.slices().items():
        if np.isnan(everywhere.observed[where]).all():
            continue
        draw = partial(
            plots.score_distribution,
            templates,
            channel,
            expected=everywhere.expected.by_process,
            error=everywhere.expected.bin_error,
            data=everywhere.observed,
            signal=wording.signal,
            stage="Pre-fit" if everywhere.postfit is None else "Post-fit",
            xlabel=wording.axis,
            style=style,
        )
        kind = "fitted" if everywhere.fitted[where].any() else "not fitted"
        figures["channel", channel] = (
            f"{style.name(channel)} ({wording.roles[channel]}, {kind}), {when}.",
            draw,
        )
    content: dict[str, Any] = {"channels": _content(wording, templates, everywhere)}
    if control is None:
        told = "what the fit of the others says" if everywhere.postfit else "what is expected before any bin is fitted"
        return Section("Channels", f"Channels for validation are compared with {told}.", figures, shown, content)
    statistic, ndf, p, error = control.goodness
    content["control"] = {
        "held": control.held,
        "fit": tables.fitted(control.fit),
        "goodness_of_fit": [statistic, ndf, p, error],
    }
    shown.append(tables.parameters(control.fit, title="Fitted in the bins that are not blind", fixed={*control.held}))
    text = (
        f"Bins that are not blind are fitted; {SIGNAL_FREE}. Goodness of fit: p = {p:.2g} (χ² = {statistic:.1f} for {ndf}). "
        "Expected results are those at the values fitted here."
    )
    return Section("Channels", text, figures, shown, content)


def _sums(templates: Templates, everywhere: Everywhere) -> dict[str, tuple[float, float, float, float]]:
    """Observed (NaN where a bin is blind) and expected events of each channel, with the error and the pull."""
    found = {}
    for k, (channel, where) in enumerate(templates.slices().items()):
        expected, error = (
            float(everywhere.expected.by_process[:, where].sum()),
            float(everywhere.expected.channel_error[k]),
        )
        observed = float(everywhere.observed[where].sum())
        found[channel] = observed, expected, error, (observed - expected) / np.sqrt(max(expected, 0.0) + error**2)
    return found


def _table(wording: Wording, templates: Templates, everywhere: Everywhere, style: Style) -> tables.Table:
    rows = []
    before = {c: (everywhere.prefit.by_process[:, w].sum(), k) for k, (c, w) in enumerate(templates.slices().items())}
    for channel, (observed, expected, error, pull) in _sums(templates, everywhere).items():
        where = templates.slices()[channel]
        value, k = before[channel]
        is_fitted = "all" if everywhere.fitted[where].all() else "some" if everywhere.fitted[where].any() else "no"
        unseen = np.isnan(observed)
        rows.append(
            (
                style.name(channel),
                wording.roles[channel],
                is_fitted,
                "blind" if unseen else f"{observed:.0f}",
                with_error(float(value), float(everywhere.prefit.channel_error[k])),
                MISSING if everywhere.postfit is None else with_error(expected, error),
                MISSING if unseen or is_fitted != "no" else f"{pull:+.1f}",
            )
        )
    columns = ("Channel", "Role", "Bins fitted", "Observed", "Before the fit", "After the fit", "Pull")
    note = "Pull, where nothing is fitted: (observed − expected) / √(expected + error²)."
    return tables.Table("Channels", columns, tuple(rows), note)


def _content(wording: Wording, templates: Templates, everywhere: Everywhere) -> dict[str, Any]:
    return {
        channel: {
            "role": wording.roles[channel],
            "observed": [None if np.isnan(n) else float(n) for n in everywhere.observed[where]],
            "prefit": everywhere.prefit.by_process[:, where].sum(0),
            **(
                {"postfit": after.by_process[:, where].sum(0), "postfit_error": after.bin_error[where]}
                if (after := everywhere.postfit)
                else {}
            ),
            "fitted": everywhere.fitted[where],
        }
        for channel, where in templates.slices().items()
    }
