"""The tables of a comparison of approaches, with exact limits and published figures beside ours."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from verax.check import Score, score
from verax.report import MISSING, Table, number, with_error
from verax.results import Coverage, Interval

from ._approach_cases import Case, Limits
from ._approach_trial import LEVEL, Sensitivity
from ._cell import spread
from ._comparison import Trial, problems, rows_of, select
from ._published import OPTIMAL, PUBLISHED

TOLERANCE = 2.0
"""Errors of the coverage at random truths that the challenge allows for free."""

BEST = "exact classifier, same bins"


def uncertainty_table(trials: Sequence[Trial[Sensitivity]], case: Case, known: Limits) -> Table:
    """Tabulate the expected uncertainty of each approach and its parts, in the case's unit; median over seeds."""
    first = next(iter(case.truths))
    exact = known.exact[first]
    published = {row: figure for (name, row, _), figure in PUBLISHED.items() if name == case.name}
    nuisances = sources(trials, case)
    columns = ("Approach", f"σ, {case.unit}", "published", "σ / exact", "statistical", *nuisances)
    rows = []

    def paper(name: str) -> str:
        return number(published[name].value, 2) if name in published else MISSING

    def ratio(value: float) -> str:
        return number(value / exact, 3) if exact else MISSING

    rest = [MISSING] * (1 + len(nuisances))
    if exact is not None:
        rows.append(("exact likelihood", number(exact, _places(exact)), MISSING, ratio(exact), *rest))
    if (best := known.optimal) is not None:
        rows.append((BEST, number(best, _places(best)), paper(OPTIMAL), ratio(best), *rest))
    seeds = len({t.seed for t in trials})
    for name in rows_of(trials):
        found = select(trials, case.name, name)
        middle, half = spread(t.result.total[first] for t in found)
        places = _places(middle)
        total = number(middle, places) + (f" ± {number(half, places)}" if seeds > 1 else "")
        parts = (number(p, places) for p in _parts(found, nuisances))
        rows.append((name, total, paper(name), ratio(middle), *parts))
    source = "; ".join(sorted({figure.source for figure in published.values()}))
    note = f"Median over {seeds} seeds ± half the central 68 %." if seeds > 1 else "One seed."
    return Table(f"{case.name}: uncertainty", columns, tuple(rows), note + (f" Published: {source}." if source else ""))


def _parts(trials: Sequence[Trial[Sensitivity]], nuisances: Sequence[str]) -> list[float]:
    """Medians over seeds of the statistical part, and of each nuisance parameter's."""
    statistical = spread(t.result.statistical for t in trials)[0]
    return [statistical, *(spread(t.result.shares[n] for t in trials)[0] for n in nuisances)]


def coverage_table(trials: Sequence[Trial[Sensitivity]], case: Case) -> Table:
    """Tabulate the coverage of each approach at each truth, the width of its interval, and what its training costs."""
    rows = []
    for name in rows_of(trials):
        found = select(trials, case.name, name)
        covers = [pooled(t.result.coverage[label] for t in found) for label in case.truths]
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


def separation_table(trials: Sequence[Trial[Sensitivity]], case: Case) -> Table:
    """Tabulate the area under the ROC curve of each approach that gives a score, and of exact ones, at each truth."""
    found = {name: select(trials, case.name, name) for name in rows_of(trials)}
    scored = {name: mine for name, mine in found.items() if all(t.result.auc for t in mine)}
    cells = [[number(a, 5) for a in areas] for areas in case.areas.values()]
    for mine in scored.values():
        middle = [spread(t.result.auc[label] for t in mine) for label in case.truths]
        cells.append([number(m, 5) + (f" ± {number(h, 5)}" if len(mine) > 1 else "") for m, h in middle])
    note = "Median over seeds ± half the central 68 %; of the summary made for each truth, signal against background."
    columns = ("Truth", *case.areas, *scored)
    rows = _turned(tuple(case.truths), cells) if scored else ()
    return Table(f"{case.name}: area under the ROC curve", columns, rows, note)


def _turned(labels: Sequence[str], columns: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Rows of a table from its columns: truths can be many, approaches are few."""
    return tuple((label, *(column[i] for column in columns)) for i, label in enumerate(labels))


def brief_table(uncertainty: Table, coverage: Table) -> Table:
    """Shorten two tables to one for a terminal: the uncertainty, and the coverage at nominal."""
    nominal, width = coverage.rows[0], coverage.rows[-2]
    covered = {name: (nominal[i], width[i]) for i, name in enumerate(coverage.columns) if i}
    rows = tuple((*row[:4], *covered.get(row[0], (MISSING, MISSING))) for row in uncertainty.rows)
    columns = (*uncertainty.columns[:4], f"coverage, {nominal[0]}", width[0])
    return Table(uncertainty.title, columns, rows, uncertainty.note)


def random_table(trials: Sequence[Trial[Sensitivity]], case: Case) -> Table:
    """Tabulate coverage, width and FAIR Universe score at truths drawn from the priors; σ, its parts and cost."""
    rows, parts = [], sources(trials, case)
    for name in rows_of(trials):
        result, found = at_random(trials, case, name), select(trials, case.name, name)
        if result is None:
            continue
        sigma, half = spread(next(iter(t.result.total.values())) for t in found)
        rows.append(
            (
                name,
                str(result.n),
                str(result.failed),
                with_error(result.coverage, result.error),
                number(result.width, 3),
                number(result.score, 2),
                number(sigma, 3) + (f" ± {number(half, 3)}" if len(found) > 1 else ""),
                *(number(p, 3) for p in _parts(found, parts)),
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


def at_random(trials: Sequence[Trial[Sensitivity]], case: Case, approach: str) -> Score | None:
    """The score of all experiments of an approach at random truths; None without any."""
    found = [t for t in select(trials, case.name, approach) if t.result.random is not None]
    if not found:
        return None
    return score(
        _joined([t.result.random for t in found if t.result.random]),
        np.concatenate([t.result.random_truth for t in found]),
    )


def _joined(intervals: Sequence[Interval]) -> Interval:
    first = intervals[0]
    arrays = (np.concatenate([getattr(i, k) for i in intervals]) for k in ("value", "low", "high", "status"))
    return Interval(first.name, first.level, *arrays)


def approach_warnings(trials: Sequence[Trial[Sensitivity]], case: Case) -> tuple[str, ...]:
    """Warn of intervals that do not cover or failed, and of training that went wrong."""
    lines = []
    for name in rows_of(trials):
        found = select(trials, case.name, name)
        for label in case.truths:
            c = pooled(t.result.coverage[label] for t in found)
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
        lines += problems(found)
    return tuple(lines)


def _places(value: float) -> int:
    """Decimals of four significant digits."""
    return max(0, 3 - math.floor(math.log10(abs(value)))) if value and math.isfinite(value) else 2


def pooled(results: Iterable[Coverage]) -> Coverage:
    """Pool the coverage of several campaigns at the same level; width: mean of the medians."""
    found = [c for c in results if c.n > 0]
    n = sum(c.n for c in found)
    failed = sum(c.failed for c in found)
    if n == 0:
        return Coverage(LEVEL, math.nan, math.nan, math.nan, math.nan, 0, failed)
    level = found[0].level
    fraction = sum(c.fraction * c.n for c in found) / n
    error = math.sqrt(level * (1 - level) / n)
    width = float(np.mean([c.width for c in found]))
    width_error = math.sqrt(sum(c.width_error**2 for c in found)) / len(found)
    return Coverage(level, fraction, error, width, width_error, n, failed)


def sources(trials: Sequence[Trial[Sensitivity]], case: Case) -> list[str]:
    """What has a share in the uncertainty: the case's systematics, and simulation statistics where they count."""
    more = [name for t in trials for name in t.result.shares]
    return list(dict.fromkeys([*(s.name for s in case.problem.systematics), *more]))
