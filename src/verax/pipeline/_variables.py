"""The section on variables that are shown beside the summary, before and after the fit."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from verax.analysis import Wording
from verax.model import Yields
from verax.report import Section, Style, plots

from ._displays import Displayed
from ._infer import Measured

TEXT = """These variables are not fitted. Their templates have the systematics and the parameters of the fit, and were \
filled from the same events; after the fit they are at its values, with its covariance. The statistical uncertainty of the \
simulation in these bins is as before the fit."""


DRAWN = "A pseudo-experiment is drawn in the fitted bins only: it has no data here."


def variables(
    wording: Wording, displayed: Sequence[Displayed], measured: Sequence[tuple[Measured, str, Style]]
) -> Section | None:
    """Present each variable before the fit, and after each; None where there are none."""
    if not displayed:
        return None
    figures, content = dict[Any, Any](), dict[str, Any]()
    for i, (one, (label, channels)) in enumerate(zip(displayed, wording.variables, strict=True)):
        first, last = measured[0], measured[-1]
        ways: list[tuple[str, str, Style, Yields, bool]] = [
            ("prefit", "Pre-fit", last[2] if one.observed is not None else first[2], first[0].displayed[i].prefit, True)
        ]
        for m, _, style in measured:
            if (after := m.displayed[i].postfit) is not None:
                kind = "control" if m.kind == "expected" else m.kind
                ways.append((kind, "Post-fit", style, after, m.kind != "pseudo-experiment"))
        for channel in channels:
            for kind, stage, style, yields, has_data in ways:
                counts = _seen(one, channel) if has_data else None
                draw = partial(
                    plots.score_distribution,
                    one.templates,
                    channel,
                    expected=yields.by_process,
                    error=yields.bin_error,
                    data=counts,
                    signal=wording.signal,
                    stage=stage,
                    data_label="Observed",
                    xlabel=label,
                    style=style,
                )
                notes = "".join(f" {note}." for note in one.notes)
                caption = f"{label} in {style.name(channel)}, {stage.lower()}, with its total uncertainty.{notes}"
                figures["variable", one.variable, channel, kind] = (caption, draw)
            content.setdefault(one.variable, {})[channel] = _content(one, channel, ways)
        content[one.variable]["notes"] = one.notes
    drawn = any(m.kind == "pseudo-experiment" for m, _, _ in measured)
    return Section("Variables", TEXT + (f" {DRAWN}" if drawn else ""), figures, content={"figures": content})


def _seen(one: Displayed, channel: str) -> np.ndarray | None:
    """Counts of all channels, where those of this one may be looked at."""
    blind = one.observed is None or np.isnan(one.observed[one.templates.slices()[channel]]).all()
    return None if blind else one.observed


def _content(one: Displayed, channel: str, ways: Sequence[tuple[str, str, Style, Yields, bool]]) -> Mapping[str, Any]:
    where, counts = one.templates.slices()[channel], _seen(one, channel)
    expected = {
        kind: {"events": yields.by_process.sum(0)[where], "error": yields.bin_error[where]}
        for kind, _, _, yields, _ in ways
    }
    edges = one.templates.edges[one.templates.channels.index(channel)]
    return {"edges": edges, "observed": None if counts is None else counts[where], "expected": expected}
