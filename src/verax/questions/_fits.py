"""Fits, intervals, scans, and where the uncertainty comes from."""

import math
from typing import TYPE_CHECKING

import numpy as np

from verax.arrays import ndtri
from verax.errors import InputError, check_known
from verax.infer import (
    FURTHER,
    Fit,
    Ranking,
    breakdown,
    effective_events,
    fit,
    hessian_error,
    interval,
    neyman,
    profile,
    ranking,
    scan2d,
    significance,
)
from verax.model import DataSets, Gammas, fitted_gammas
from verax.parameters import Gaussian
from verax.report import Section, Table, decimals, end, number, tables, with_ends, with_error
from verax.report.tables import fitted
from verax.results import Interval, Status

from . import _notes as notes
from . import _options as options
from ._ask import Query, figure, grouped, respond

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 41
"""Of a curve that is drawn, unless a number is given."""

GRID = 25
"""Points along each side of a two-dimensional scan, and tested values of an interval by toys."""

TOYS = 1000
"""At each of these values, unless a number is given."""

SHOWN = 20
"""Most γ in a table."""

LEVELS = (0.6827, 0.95)
"""Of the interval or, of two parameters, of contours, unless one is given."""


@respond.register
def answer_fit(question: options.Fit, query: Query) -> Section:
    """Fit all parameters; find the interval of the one of interest, and the significance of its being above zero."""
    model, data, poi = query.model, query.data, query.poi
    best = fit(model, data)
    status = Status(int(best.status)).name
    free = [i for i, p in enumerate(model.parameters) if not p.fixed and isinstance(p.constraint, Gaussian)]
    width = np.array([c.width for p in model.parameters if isinstance(c := p.constraint, Gaussian) and not p.fixed])
    pull = (best.value - model.start(DataSets.of(data).batch)[0])[free] / width
    pull_error = best.error[free] / width
    names = [best.names[i] for i in free]
    pulls = {n: (float(x), float(e)) for n, x, e in zip(names, pull, pull_error, strict=True)}
    content = {
        "status": status,
        "nll": float(best.nll),
        "edm": float(best.edm),
        **fitted(best),
        "pulls": pulls,
    }
    fixed = {p.name for p in model.parameters if p.fixed}
    shown, warnings = [tables.parameters(best, pulls, title=f"Best fit: {status}", fixed=fixed)], list[str]()
    if best.status > Status.AT_BOUND:
        flat = int(best.status) == Status.NOT_POSITIVE_DEFINITE
        what = "some parameters are not determined, none has an error" if flat else "its values are no minimum"
        warnings.append(f"the fit ended with status {status}: {what}")
    gammas = fitted_gammas(model, data, best)
    content["gammas"] = {
        n: [float(x), float(e)] for n, x, e in zip(gammas.names, gammas.value, gammas.error, strict=True)
    }
    if gammas.names:
        shown.append(_table_of_gammas(gammas))
    if poi and not next(p for p in model.parameters if p.name == poi).fixed:
        beyond = not question.within
        found = interval(model, data, poi, level=question.level, best=best, beyond=beyond)
        tested = significance(model, data, poi, best=best, beyond=beyond)
        content |= {"interval": found, "significance": tested}
        warnings += notes.beyond_bounds(query, question.within, notes.ends_of(found))
        instead = "verax significance --toys N throws pseudo-experiments"
        warnings += notes.few_events(float(tested.events), notes.SIGNIFICANCE, instead)
        rows = (
            (f"{poi}, {found.level:.2%} interval", with_ends(found)),
            ("status of the interval", _status(found)),
            ("significance against zero", f"{number(float(tested.z), 2)} σ"),
        )
        shown.append(Table("Parameter of interest", ("Quantity", "Value"), rows))
    if ended := _at_bounds(query, best, question.level):
        content["at_bound"] = {n: dict(zip(AT_BOUND, values, strict=True)) for n, *values in ended}
        shown.append(_table_of_bounds(ended))
        warnings += [
            f"{n} is at its bound {b:g}: its errors are one-sided, {with_ends(i)} at {i.level:.2%}; σ of the Hessian "
            f"there {number(s, decimals(s))}"
            for n, b, i, s in ended
        ]
    draw = figure("correlation", best.names, best.correlation, keep=(poi,) if poi else ())
    figures = {"correlation": ("Correlations of the fit.", draw)}
    of_gammas, errors, chosen = _pulls_of_gammas(gammas)
    names += [gammas.names[i] for i in chosen]
    if names:
        both = np.concatenate([pull, of_gammas[chosen]]), np.concatenate([pull_error, errors[chosen]])
        figures["pulls"] = (
            f"Pulls of the constrained parameters and of γ. {tables.PULL}",
            figure("pulls", names, *both),
        )
    return Section("Best fit", "", figures, shown, content, warnings)


AT_BOUND = ("bound", "interval", "hessian_error")
"""What is said of an estimate at a bound, which has no σ."""


def _at_bounds(query: Query, best: Fit, level: float) -> list[tuple[str, float, Interval, float]]:
    """Parameters at a bound: its value, the interval within the bounds, and σ of the Hessian."""
    parameters = query.model.parameters
    held = [
        i for i, (p, x) in enumerate(zip(parameters, best.value, strict=True)) if not p.fixed and float(x) in p.bounds
    ]
    if not held or best.status > Status.AT_BOUND:
        return []
    sigma, names = hessian_error(query.model, query.data, best), [parameters[i].name for i in held]
    ends = [interval(query.model, query.data, n, level=level, best=best) for n in names]
    return list(zip(names, best.value[held].tolist(), ends, sigma[held].tolist(), strict=True))


def _table_of_bounds(ended: list[tuple[str, float, Interval, float]]) -> Table:
    columns = ("Parameter", "Bound", f"{ended[0][2].level:.2%} interval within bounds", "σ of the Hessian")
    rows = tuple((n, f"{b:g}", with_ends(i), number(s, decimals(s))) for n, b, i, s in ended)
    note = "An estimate at a bound has no σ: its interval has one end, and the Hessian's σ is of the curvature there alone."
    return Table("Parameters at a bound", columns, rows, note)


def _pulls_of_gammas(gammas: Gammas) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pulls, their errors, and which are shown: the largest where there are many."""
    pull, ratio = (gammas.value - gammas.observed) / gammas.prior, gammas.error / gammas.prior
    many = len(pull) > SHOWN
    return pull, ratio, np.argsort(-abs(pull), kind="stable")[:SHOWN] if many else np.arange(len(pull))


def _table_of_gammas(gammas: Gammas) -> Table:
    """The γ of single bins, the largest pulls first where there are many."""
    pull, ratio, chosen = _pulls_of_gammas(gammas)
    rows = [
        (
            gammas.names[i],
            with_error(float(gammas.value[i]), float(gammas.error[i])),
            number(pull[i], 2),
            number(ratio[i], 2),
        )
        for i in chosen
    ]
    note = f"The largest pulls; all {len(pull)} with --json." if len(pull) > SHOWN else ""
    return Table("γ of single bins", ("γ", "Value", "Pull", "Post-fit / prior σ"), tuple(rows), note)


@respond.register
def answer_interval(question: options.Interval, query: Query) -> Section:
    """Find the interval of one parameter: from the profile likelihood, or by toys after Neyman's construction."""
    model, data, poi, level, method = query.model, query.data, query.poi, question.level, question.method
    best = fit(model, data)
    beyond = method == "profile" and not question.within
    found = interval(model, data, poi, level=level, best=best, beyond=beyond)
    warnings = notes.beyond_bounds(query, not beyond, notes.ends_of(found))
    if method == "profile":
        lost, bounds = int(found.status) == Status.END_NOT_FOUND, notes.bounds(query)
        low = end(float(found.low), 4, beyond=lost and float(found.low) == bounds[0], upper=False)
        high = end(float(found.high), 4, beyond=lost and float(found.high) == bounds[1])
        ends = (("lower end", low), ("upper end", high))
        sides = [float(end) for end in (found.low, found.high) if np.isfinite(end) and end != best.params[poi]]
        events = min((effective_events(model, data, best.params, poi, end) for end in sides), default=np.nan)
        warnings += notes.few_events(events, notes.INTERVAL, "--method feldman-cousins throws pseudo-experiments")
        cells = ((f"{poi}, {level:.2%}", with_ends(found)), *ends, ("status", _status(found)))
        shown = Table("Interval from the profile likelihood", ("Quantity", "Value"), cells)
        figures = {"scan": ("Profile likelihood ratio.", lambda: _draw_scan(query, found, beyond=beyond))}
        return Section("Interval", "", figures, (shown,), {"method": method, "interval": found}, warnings)
    import jax

    ordering = "upper" if method == "upper" else "likelihood-ratio"
    belt = neyman(
        jax.random.key(question.seed),
        model,
        data,
        poi,
        _around(query, found, GRID, reach=1.8),
        level=level,
        ordering=ordering,
        n_toys=question.toys or TOYS,
        progress=query.count_toys,
    )
    made = belt.interval
    rows = (
        (f"{poi}, {level:.2%}", with_ends(made)),
        ("lower end", with_error(float(made.low), belt.low_error)),
        ("upper end", with_error(float(made.high), belt.high_error)),
        ("status", _status(made)),
        ("toys at each of the values", f"{belt.toys} at {len(belt.values)}"),
        ("failed toys", f"{int(belt.failed.sum())} of {belt.toys * len(belt.values)}"),
        ("profile likelihood, to compare", with_ends(found)),
    )
    shown = Table(f"Interval by toys, {method}", ("Quantity", "Value"), rows)
    figures = {"belt": ("Values that toys accept.", figure("belt", belt))}
    content = {"method": method, "interval": made, "belt": belt, "profile": found}
    return Section("Interval", "", figures, (shown,), content, warnings)


def _status(found: Interval) -> str:
    return Status(int(found.status)).name


def _around(query: Query, found: Interval, points: int, *, reach: float, name: str | None = None) -> np.ndarray:
    """Spread increasing values around an interval, within the parameter's bounds unless its ends lie beyond."""
    bounds = next(p.bounds for p in query.model.parameters if p.name == (name or query.poi))
    value, low, high = float(found.value), float(found.low), float(found.high)
    # Where a search beyond the bounds came to its own end, far away, there is nothing to see.
    bounds = (
        low if FURTHER * bounds[0] < low < bounds[0] else min(bounds[0], value),
        high if bounds[1] < high < FURTHER * bounds[1] else max(bounds[1], value),
    )
    known = [float(x) for x in (found.down, found.up) if np.isfinite(x) and x > 0]
    low, high = (
        reach * (float(x) if np.isfinite(x) and x > 0 else max(known, default=1.0)) for x in (found.down, found.up)
    )
    return np.linspace(max(value - low, bounds[0]), min(value + high, bounds[1]), points)


def _draw_scan(query: Query, found: Interval, *, beyond: bool) -> "Figure":
    values = _around(query, found, POINTS, reach=2.4)
    curve = profile(query.model, query.data, query.poi, values, beyond=beyond)
    return figure("scan", {"Total": curve}, interval=found)()


@respond.register
def answer_scan(question: options.Scan, query: Query) -> Section:
    """Scan the profile likelihood ratio over the interval and beyond; of two parameters with ``against``."""
    levels = LEVELS if question.level is None else (question.level,)
    if question.against is not None:
        return _scan2d(query, question.against, levels, question.points or GRID)
    best = fit(query.model, query.data)
    beyond = not question.within
    found = interval(query.model, query.data, query.poi, level=levels[0], best=best, beyond=beyond)
    values = _around(query, found, question.points or POINTS, reach=2.4)
    curve = profile(query.model, query.data, query.poi, values, best=best, beyond=beyond)
    warnings = notes.beyond_bounds(query, question.within, notes.ends_of(found))
    rows = tuple(
        (number(float(x), 4), number(float(t), 4), Status(int(s)).name)
        for x, t, s in zip(values, curve.t, curve.status, strict=True)
    )
    shown = Table(f"t({query.poi}); interval {with_ends(found)}", (query.poi, "t", "Status"), rows)
    figures = {"scan": ("Profile likelihood ratio.", figure("scan", {"Total": curve}, interval=found))}
    return Section("Scan", "", figures, (shown,), {"interval": found, "scan": curve}, warnings)


def _scan2d(query: Query, other: str, levels: tuple[float, ...], points: int) -> Section:
    check_known([other], [p.name for p in query.model.parameters if not p.fixed], "--against", "free parameter")
    if other == query.poi:
        raise InputError("--against", f"'{other}', the parameter of interest", "another one")
    best = fit(query.model, query.data)
    ends = [interval(query.model, query.data, name, level=levels[0], best=best) for name in (query.poi, other)]
    widest = math.sqrt(-2 * math.log1p(-levels[-1])) / float(ndtri(0.5 + 0.5 * levels[0]))  # of a contour, in intervals
    grids = tuple(_around(query, e, points, reach=1.15 * widest, name=e.name) for e in ends)
    found = scan2d(query.model, query.data, (query.poi, other), (grids[0], grids[1]))
    failed = int((found.status > Status.AT_BOUND).sum())
    rows = (
        (f"best {query.poi}, {other}", f"{number(float(found.best[0]), 4)}, {number(float(found.best[1]), 4)}"),
        *((f"interval of {e.name}, {e.level:.2%}", with_ends(e)) for e in ends),
        *((f"t on the contour of {level:.4g}", number(found.threshold(level), 3)) for level in levels),
        ("failed points", f"{failed} of {found.t.size}"),
    )
    shown = Table(f"t({query.poi}, {other})", ("Quantity", "Value"), rows)

    def draw() -> "Figure":
        t = np.where(found.status > Status.AT_BOUND, np.nan, found.t)
        best = (float(found.best[0]), float(found.best[1]))
        return figure("scan2d", found.first, found.second, t, found.names, best=best, levels=levels)()

    figures = {"scan2d": ("Profile likelihood ratio of two parameters.", draw)}
    return Section("Scan", "", figures, (shown,), {"scan2d": found, "intervals": ends, "levels": levels})


@respond.register
def answer_breakdown(question: options.Breakdown, query: Query) -> Section:
    """Find the uncertainty by source, by both definitions."""
    model = grouped(query.model, question.groups)
    best, methods = fit(model, query.data), ("shifted-observables", "freeze")
    both = [breakdown(model, query.data, query.poi, method=m, best=best) for m in methods]
    figures = {"breakdown": ("Uncertainty by source.", figure("breakdown", *both))}
    shown = tables.breakdown(*both, title=f"Uncertainty on {query.poi}")
    return Section("Uncertainty breakdown", "", figures, (shown,), {b.method: b.rows for b in both})


@respond.register
def answer_ranking(_: options.Ranking, query: Query) -> Section:
    """Find pulls, and impacts from refits; those of γ from the covariance."""
    best = fit(query.model, query.data)
    found = _with_gammas(ranking(query.model, query.data, query.poi, best=best), query, best)
    order = np.argsort(-np.fmax(abs(found.up), abs(found.down)), kind="stable")
    cells = [
        (found.names[i], *(number(float(x[i]), 4) for x in (found.pull, found.pull_error, found.up, found.down)))
        for i in order
    ]
    columns = ("Parameter", "Pull", "Post-fit / prior σ", f"Impact on {query.poi}, θ̂ + σ̂", "θ̂ − σ̂")
    note = f"{tables.PULL} Impacts of γ are from the covariance."
    shown = Table("Ranking, from refits", columns, tuple(cells), note)
    figures = {"ranking": (f"Pulls and impacts from refits. {tables.PULL}", figure("pulls_and_impacts", found))}
    return Section("Ranking", "", figures, (shown,), {"ranking": found})


def _with_gammas(found: Ranking, query: Query, best: Fit) -> Ranking:
    """The ranking with the γ of single bins: moved by σ, one moves the estimate by its covariance with it over σ."""
    gammas = fitted_gammas(query.model, query.data, best)
    slope = gammas.covariance[:, best.names.index(query.poi)] / gammas.error**2
    impacts = (gammas.error, -gammas.error, gammas.prior, -gammas.prior)
    before = (found.pull, found.pull_error, found.up, found.down, found.prefit_up, found.prefit_down, found.status)
    pulls = (gammas.value - gammas.observed) / gammas.prior, gammas.error / gammas.prior
    more = (*pulls, *(slope * size for size in impacts), np.full(len(gammas.names), int(best.status)))
    joined = (np.concatenate(both) for both in zip(before, more, strict=True))
    return Ranking(found.name, found.names + gammas.names, found.groups + gammas.groups, *joined)
