"""Further parameters of interest: what is asked of each beside the first, and the section that presents it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from verax.analysis import Inference
from verax.infer import Breakdown, Fit, Ranking, Scan2D, breakdown, interval, ranking, scan2d
from verax.model import BinnedLikelihood, Data
from verax.report import Section, Style, plots, tables, with_ends
from verax.results import Interval, Status
from verax.run import in_words, plain

LEVELS, POINTS, REACH = (0.6827, 0.95), 25, 3.0
"""Of contours; points along each axis, up to that many ends of the interval away."""


@dataclass(frozen=True)
class Further:
    """All answers on one further parameter of interest, and t of the pair that it makes with the first."""

    interval: Interval
    breakdowns: tuple[Breakdown, ...]
    ranking: Ranking
    contour: Scan2D


def further(
    inference: Inference, likelihood: BinnedLikelihood, data: Data, best: Fit, first: Interval
) -> tuple[Further, ...]:
    """Interval, breakdown by both definitions and ranking of each further parameter, and its contours with the first."""
    found = []
    for name in inference.further:
        own = interval(likelihood, data, name, level=inference.level, best=best)
        found.append(
            Further(
                own,
                tuple(
                    breakdown(likelihood, data, name, method=m, best=best) for m in ("shifted-observables", "freeze")
                ),
                ranking(likelihood, data, name, best=best),
                scan2d(likelihood, data, (first.name, name), (_grid(likelihood, first), _grid(likelihood, own))),
            )
        )
    return tuple(found)


def _grid(likelihood: BinnedLikelihood, found: Interval) -> np.ndarray:
    """Values around the estimate of a parameter, inside its bounds."""
    low, high = likelihood.parameters[likelihood.names.index(found.name)].bounds
    down, up = (float(x) if np.isfinite(x) and x > 0 else 1.0 for x in (found.down, found.up))
    value = float(found.value)
    return np.linspace(max(value - REACH * down, low), min(value + REACH * up, high), POINTS)


def present(measured: Mapping[str, tuple[str, tuple[Further, ...]]], style: Style) -> Section | None:
    """Present the further parameters of each data set, by title with its kind; None where there are none."""
    figures, shown, rows, content = {}, [], [], dict[str, Any]()
    for title, (kind, found) in measured.items():
        for one in found:
            name = style.name(one.interval.name)
            word = Status(int(one.interval.status)).name.lower().replace("_", " ")
            rows.append((title, name, with_ends(one.interval), word))
            shown.append(tables.breakdown(*one.breakdowns, title=f"Uncertainty on {name}: {title}"))
            draw = partial(plots.pulls_and_impacts, one.ranking, style=style)
            figures[f"ranking_{kind}", one.interval.name] = (f"{title}: impacts on {name} from refits.", draw)
            figures[f"contour_{kind}", one.interval.name] = (
                f"{title}: profile likelihood ratio of {' and '.join(style.names_of(one.contour.names))}.",
                partial(_contour, one.contour, style),
            )
            content.setdefault(kind, {})[one.interval.name] = {
                "interval": in_words(plain(one.interval)),
                "breakdown": {b.method: b.rows for b in one.breakdowns},
                "impacts": {n: [one.ranking.up[i], one.ranking.down[i]] for i, n in enumerate(one.ranking.names)},
            }
    if not rows:
        return None
    columns = ("Data", "Parameter", "Value", "Status")
    table = tables.Table("Further parameters of interest", columns, tuple(rows))
    return Section("Further parameters", "", figures, (table, *shown), {"further": content})


def _contour(found: Scan2D, style: Style) -> Any:
    t = np.where(found.status > Status.AT_BOUND, np.nan, found.t)
    best = (float(found.best[0]), float(found.best[1]))
    return plots.scan2d(found.first, found.second, t, found.names, best=best, levels=LEVELS, style=style)


def doubts(found: tuple[Further, ...]) -> list[str]:
    """Say which interval failed, and of how many points of a contour nothing is known."""
    lines = []
    for one in found:
        if int(one.interval.status) != Status.OK:
            lines.append(f"interval of {one.interval.name} ended with status {Status(int(one.interval.status)).name}")
        if failed := int((one.contour.status > Status.AT_BOUND).sum()):
            lines.append(f"contour of {', '.join(one.contour.names)}: {failed} of {one.contour.t.size} points failed")
        lines += [
            f"{one.interval.name}: {b.method}, {r.name}: {r.note}" for b in one.breakdowns for r in b.rows if r.note
        ]
    return lines
