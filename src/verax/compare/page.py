"""The report of the comparison: a table and a page per problem, with the exact limits and published figures beside ours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from verax.check import Score, score
from verax.compare.approaches import OWNER, Effort, Trial
from verax.compare.cases import Case
from verax.compare.figures import distributions, uncertainty
from verax.compare.gathered import LEVEL, Limits, limits, names, of, pooled, sources
from verax.compare.published import PUBLISHED
from verax.compare.spread import spread
from verax.folder import Label, claim, publishing
from verax.report import plots
from verax.report.html import write_page
from verax.report.numbers import MISSING, number, with_error
from verax.report.record import write_json
from verax.report.section import Draw, Section
from verax.report.style import Style
from verax.report.tables import Table
from verax.results import Interval
from verax.store import Progress

TOLERANCE = 2.0
"""Errors of the coverage at random truths that the challenge allows for free."""

BEST = "exact classifier, same bins"


def table(trials: Sequence[Trial], case: Case, known: Limits) -> Table:
    """Expected uncertainty of each approach and its parts, in the case's unit; median over seeds and its spread."""
    first = next(iter(case.truths))
    exact, published = known.exact[first], PUBLISHED.get(case.name, {})
    nuisances = sources(trials, case)
    columns = ("Approach", f"σ, {case.unit}", "published", "σ / exact", "statistical", *nuisances)
    rows = []

    def paper(name: str) -> str:
        return number(published[name][0], 2) if name in published else MISSING

    def ratio(value: float) -> str:
        return number(value / exact, 3) if exact else MISSING

    rest = [MISSING] * (1 + len(nuisances))
    if exact is not None:
        rows.append(("exact likelihood", number(exact, _places(exact)), MISSING, ratio(exact), *rest))
    if (best := known.optimal) is not None:
        rows.append((BEST, number(best, _places(best)), paper("optimal classifier"), ratio(best), *rest))
    seeds = len({t.seed for t in trials})
    for name in names(trials):
        found = of(trials, case, name)
        middle, half = spread(t.total[first] for t in found)
        places = _places(middle)
        total = number(middle, places) + (f" ± {number(half, places)}" if seeds > 1 else "")
        parts = [[t.statistical for t in found], *([t.shares[n] for t in found] for n in nuisances)]
        rows.append((name, total, paper(name), ratio(middle), *(number(spread(p)[0], places) for p in parts)))
    source = "; ".join(sorted({source for _, source in published.values()}))
    note = f"Median over {seeds} seeds ± half the central 68 %." if seeds > 1 else "One seed."
    return Table(f"{case.name}: uncertainty", columns, tuple(rows), note + (f" Published: {source}." if source else ""))


def coverage_table(trials: Sequence[Trial], case: Case) -> Table:
    """Coverage of each approach at each truth, the width of its interval, and what its training costs."""
    rows = []
    for name in names(trials):
        found = of(trials, case, name)
        covers = [pooled(t.coverage[label] for t in found) for label in case.truths]
        width = covers[0].width * case.scale
        rows.append(
            (
                name,
                *(with_error(c.fraction, c.error) for c in covers),
                str(sum(c.failed for c in covers)),
                number(width, _places(width)),
                number(spread(t.seconds for t in found)[0], 1),
            )
        )
    columns = ("Truth", *(row[0] for row in rows))
    labels = (*case.truths, "failed", f"width, {case.unit}, nominal", "training, s")
    note = f"Interval at {LEVEL:.2%}; events from the simulation at each truth, model from templates around nominal."
    return Table(f"{case.name}: coverage", columns, _turned(labels, [row[1:] for row in rows]), note)


def separation_table(trials: Sequence[Trial], case: Case) -> Table:
    """Area under the ROC curve of each approach that gives a score, at each truth, and of exact ones where known."""
    found = {name: of(trials, case, name) for name in names(trials)}
    scored = {name: mine for name, mine in found.items() if all(t.auc for t in mine)}
    cells = [[number(a, 5) for a in areas] for areas in case.areas.values()]
    for mine in scored.values():
        middle = [spread(t.auc[label] for t in mine) for label in case.truths]
        cells.append([number(m, 5) + (f" ± {number(h, 5)}" if len(mine) > 1 else "") for m, h in middle])
    note = "Median over seeds ± half the central 68 %; of the summary made for each truth, signal against background."
    columns = ("Truth", *case.areas, *scored)
    rows = _turned(tuple(case.truths), cells) if scored else ()
    return Table(f"{case.name}: area under the ROC curve", columns, rows, note)


def _turned(labels: Sequence[str], columns: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Rows of a table from its columns: truths can be many, approaches are few."""
    return tuple((label, *(column[i] for column in columns)) for i, label in enumerate(labels))


def brief(uncertainty: Table, coverage: Table) -> Table:
    """What fits into a terminal: the uncertainty, and the coverage at nominal."""
    nominal, width = coverage.rows[0], coverage.rows[-2]
    covered = {name: (nominal[i], width[i]) for i, name in enumerate(coverage.columns) if i}
    rows = tuple((*row[:4], *covered.get(row[0], (MISSING, MISSING))) for row in uncertainty.rows)
    columns = (*uncertainty.columns[:4], f"coverage, {nominal[0]}", width[0])
    return Table(uncertainty.title, columns, rows, uncertainty.note)


def random_table(trials: Sequence[Trial], case: Case) -> Table:
    """Coverage, width and the FAIR Universe score over experiments at truths drawn from the priors; σ, parts and cost."""
    rows, parts = [], sources(trials, case)
    for name in names(trials):
        result, found = at_random(trials, case, name), of(trials, case, name)
        if result is None:
            continue
        sigma, half = spread(next(iter(t.total.values())) for t in found)
        shares = [[t.statistical for t in found], *([t.shares[n] for t in found] for n in parts)]
        rows.append(
            (
                name,
                str(result.n),
                str(result.failed),
                with_error(result.coverage, result.error),
                number(result.width, 3),
                number(result.score, 2),
                number(sigma, 3) + (f" ± {number(half, 3)}" if len(found) > 1 else ""),
                *(number(spread(share)[0], 3) for share in shares),
                number(spread(t.seconds for t in found)[0], 1),
            )
        )
    columns = ("Approach", "experiments", "failed", "coverage", "mean width, μ", "score", f"σ, {case.unit}")
    note = (
        "μ ~ U(0.1, 3), constrained parameters from their priors, global observables at nominal; score: arXiv:2410.02867. "
        "σ and its parts are those expected at nominal, median over seeds."
    )
    title = f"{case.name}: truths drawn at random"
    return Table(title, (*columns, "statistical", *parts, "training, s"), tuple(rows), note)


def at_random(trials: Sequence[Trial], case: Case, approach: str) -> Score | None:
    """The score of all experiments of an approach at random truths; None without any."""
    found = [t for t in of(trials, case, approach) if t.random is not None]
    if not found:
        return None
    return score(_joined([t.random for t in found if t.random]), np.concatenate([t.random_truth for t in found]))


def _joined(intervals: Sequence[Interval]) -> Interval:
    first = intervals[0]
    arrays = (np.concatenate([getattr(i, k) for i in intervals]) for k in ("value", "low", "high", "status"))
    return Interval(first.name, first.level, *arrays)


def warnings(trials: Sequence[Trial], case: Case) -> tuple[str, ...]:
    """Warnings about an approach: intervals that do not cover, failed intervals, training that went wrong."""
    lines = []
    for name in names(trials):
        found = of(trials, case, name)
        for label in case.truths:
            c = pooled(t.coverage[label] for t in found)
            if c.n and abs(c.pull) > 3:
                how = "under" if c.fraction < c.level else "over"
                lines.append(
                    f"{case.name}, {name}: {how}-covers at {label}: {with_error(c.fraction, c.error)} for {c.level:.4g}"
                )
            if c.failed:
                lines.append(f"{case.name}, {name}: {c.failed} of {c.failed + c.n} intervals failed at {label}")
        drawn = at_random(trials, case, name)
        if drawn and drawn.n and abs(drawn.coverage - LEVEL) > TOLERANCE * drawn.error:
            how = "under" if drawn.coverage < LEVEL else "over"
            lines.append(
                f"{case.name}, {name}: {how}-covers at random truths: {with_error(drawn.coverage, drawn.error)} "
                f"for {LEVEL:.4g}"
            )
        lines += [f"{case.name}, {name}, seed {t.seed}: {t.problem}" for t in found if t.problem]
    return tuple(lines)


def _places(value: float) -> int:
    """Decimals of four significant digits."""
    return max(0, 3 - math.floor(math.log10(abs(value)))) if value and math.isfinite(value) else 2


# ----------------------------------------------------------------------------------------------------------------- page


def write(
    folder: Path,
    cases: Sequence[Case],
    trials: Sequence[Trial],
    effort: Effort,
    note: str = "",
    more: Mapping[str, Sequence[Table]] | None = None,
    progress: Progress | None = None,
) -> tuple[Table, ...]:
    """comparison.html, comparison.json and figures/ of a finished comparison; returns its tables, short enough to print.

    ``note`` says what a reader must know, that the comparison is a quick one for example: exact limits are then few.
    ``more`` are further tables of a case, by its name; ``progress`` lists files that were changed.
    """
    claim(folder, OWNER)
    with publishing(folder, (progress or Progress()).note) as place:
        return _write(place, cases, trials, effort, note, more)


def _write(
    folder: Path,
    cases: Sequence[Case],
    trials: Sequence[Trial],
    effort: Effort,
    note: str,
    more: Mapping[str, Sequence[Table]] | None,
) -> tuple[Table, ...]:
    style = Style(text="Simulation")
    sections, shown, content = [], [], {}
    for case in cases:
        mine, known = [t for t in trials if t.case == case.name], limits(case, brief=bool(note))
        one = [table(mine, case, known), coverage_table(mine, case)]
        separation = separation_table(mine, case)
        if any(t.random is not None for t in mine):
            one.append(random_table(mine, case))
        one += ([separation] if separation.rows else []) + list((more or {}).get(case.name, ()))
        drawn: dict[Label, tuple[str, Draw]] = {
            (case.name, "uncertainty"): (
                "Expected uncertainty at each truth, around which the templates are made; points are seeds.",
                partial(uncertainty, mine, case, known, style=style),
            ),
            (case.name, "distributions"): (
                "The summary at nominal and shifted truths, each distribution normalised to one.",
                partial(distributions, mine, case, style=style),
            ),
        }
        for name in names(mine):
            covers = {k: pooled(t.coverage[k] for t in of(mine, case, name)) for k in case.truths}
            drawn[case.name, f"coverage {name}"] = (
                f"Coverage of {name} where events come from the simulation at each truth.",
                partial(plots.coverage, covers, style=Style(text=name)),
            )
        text = (type(case.problem).__doc__ or "").split("\n")[0]
        sections.append(Section(case.name, text, drawn, one, warnings=warnings(mine, case)))
        shown += [
            brief(*one[:2]),
            *(replace(t, columns=t.columns[:7], rows=tuple(r[:7] for r in t.rows)) for t in one[2:]),
        ]
        content[case.name] = {"limits": known, "trials": mine, "warnings": warnings(mine, case)}
    seeds = len({t.seed for t in trials})
    lead = [
        f"{len(names(trials))} approaches, {seeds} seed{'s' * (seeds > 1)}, {effort.events} events of each process."
    ]
    lead += [note] if note else []
    write_page(folder, "comparison.html", "Systematics-aware training", lead, sections)
    results: dict[str, Any] = {"effort": effort, "cases": content}
    write_json(folder / "comparison.json", results)
    return tuple(shown)
