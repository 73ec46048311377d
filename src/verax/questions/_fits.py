"""Fits, intervals, scans, and where the uncertainty comes from."""

import jax
import numpy as np
from matplotlib.figure import Figure

from verax.errors import InputError, check_known
from verax.infer import breakdown, fit, interval, neyman, profile, ranking, scan2d, significance
from verax.model import DataSets
from verax.parameters import Gaussian
from verax.report import Table, number, plots, tables, with_ends, with_error
from verax.report.tables import fitted
from verax.results import Interval, Status

from ._ask import Answer, Asked

METHODS = ("profile", "feldman-cousins", "upper")
GRID = 25
"""Points along each side of a two-dimensional scan, and tested values of an interval by toys."""


def answer_fit(a: Asked) -> Answer:
    """Best fit of all parameters, the interval of the one of interest, and the significance of its being above zero."""
    best = fit(a.model, a.data)
    status = Status(int(best.status)).name
    free = [i for i, p in enumerate(a.model.parameters) if not p.fixed and isinstance(p.constraint, Gaussian)]
    width = np.array([c.width for p in a.model.parameters if isinstance(c := p.constraint, Gaussian) and not p.fixed])
    pull = (best.value - a.model.start(DataSets.of(a.data).batch)[0])[free] / width
    pull_error = best.error[free] / width
    names = [best.names[i] for i in free]
    content = {
        "status": status,
        "nll": float(best.nll),
        "edm": float(best.edm),
        **fitted(best),
        "pulls": {n: [float(x), float(e)] for n, x, e in zip(names, pull, pull_error, strict=True)},
    }
    shown = [tables.parameters(best, title=f"Best fit: {status}")]
    if a.poi and not next(p for p in a.model.parameters if p.name == a.poi).fixed:
        found = interval(a.model, a.data, a.poi, level=a.level or 0.6827)
        tested = significance(a.model, a.data, a.poi)
        content |= {"interval": found, "significance": tested}
        rows = (
            (f"{a.poi}, {found.level:.2%} interval", with_ends(found)),
            ("status of the interval", _status(found)),
            ("significance against zero", f"{number(float(tested.z), 2)} σ"),
        )
        shown.append(Table("Parameter of interest", ("Question", "Answer"), rows))
    figures = {
        "correlation": lambda: plots.correlation(best.names, best.correlation, keep=(a.poi,) if a.poi else ()),
        "pulls": lambda: plots.pulls(names, pull, pull_error),
    }
    return Answer(tuple(shown), content, figures if names else {"correlation": figures["correlation"]})


def answer_interval(a: Asked) -> Answer:
    """The interval of one parameter: from the profile likelihood, or by toys after Neyman's construction."""
    check_known([a.method], METHODS, "--method", "method")
    level = a.level or 0.6827
    found = interval(a.model, a.data, a.poi, level=level)
    if a.method == "profile":
        rows = ((f"{a.poi}, {level:.2%}", with_ends(found)), *_ends(found), ("status", _status(found)))
        shown = Table("Interval from the profile likelihood", ("Question", "Answer"), rows)
        return Answer((shown,), {"method": a.method, "interval": found}, {"scan": lambda: _draw_scan(a, found)})
    ordering = "upper" if a.method == "upper" else "likelihood-ratio"
    belt = neyman(
        jax.random.key(a.seed),
        a.model,
        a.data,
        a.poi,
        _around(a, found, GRID, reach=1.8),
        level=level,
        ordering=ordering,
        n_toys=a.toys or 1000,
        progress=a.told,
    )
    ends = belt.interval
    rows = (
        (f"{a.poi}, {level:.2%}", with_ends(ends)),
        ("lower end", with_error(float(ends.low), belt.low_error)),
        ("upper end", with_error(float(ends.high), belt.high_error)),
        ("status", _status(ends)),
        ("toys at each of the values", f"{belt.toys} at {len(belt.values)}"),
        ("failed toys", f"{int(belt.failed.sum())} of {belt.toys * len(belt.values)}"),
        ("profile likelihood, to compare", with_ends(found)),
    )
    shown = Table(f"Interval by toys, {a.method}", ("Question", "Answer"), rows)
    content = {"method": a.method, "interval": ends, "belt": belt, "profile": found}
    return Answer((shown,), content, {"belt": lambda: plots.belt(belt)})


def _status(found: Interval) -> str:
    return Status(int(found.status)).name


def _ends(found: Interval) -> tuple[tuple[str, str], ...]:
    return (("lower end", number(float(found.low), 4)), ("upper end", number(float(found.high), 4)))


def _around(a: Asked, found: Interval, points: int, *, reach: float, name: str | None = None) -> np.ndarray:
    """Increasing values around an interval, within the parameter's bounds."""
    bounds = next(p.bounds for p in a.model.parameters if p.name == (name or a.poi))
    known = [float(x) for x in (found.down, found.up) if np.isfinite(x) and x > 0]
    low, high = (
        reach * (float(x) if np.isfinite(x) and x > 0 else max(known, default=1.0)) for x in (found.down, found.up)
    )
    value = float(found.value)
    return np.linspace(max(value - low, bounds[0]), min(value + high, bounds[1]), points)


def _draw_scan(a: Asked, found: Interval) -> Figure:
    curve = profile(a.model, a.data, a.poi, _around(a, found, a.points, reach=2.4))
    return plots.scan({"Total": curve}, interval=found)


def answer_scan(a: Asked) -> Answer:
    """The profile likelihood ratio over the interval and beyond; of two parameters with ``against``."""
    if a.against is not None:
        return _scan2d(a, a.against)
    found = interval(a.model, a.data, a.poi, level=a.level or 0.6827)
    values = _around(a, found, a.points, reach=2.4)
    curve = profile(a.model, a.data, a.poi, values)
    rows = tuple(
        (number(float(x), 4), number(float(t), 4), Status(int(s)).name)
        for x, t, s in zip(values, curve.t, curve.status, strict=True)
    )
    shown = Table(f"t({a.poi}); interval {with_ends(found)}", (a.poi, "t", "Status"), rows)
    figure = {"scan": lambda: plots.scan({"Total": curve}, interval=found)}
    return Answer((shown,), {"interval": found, "scan": curve}, figure)


def _scan2d(a: Asked, other: str) -> Answer:
    check_known([other], [p.name for p in a.model.parameters if not p.fixed], "--against", "free parameter")
    if other == a.poi:
        raise InputError("--against", f"'{other}', the parameter of interest", "another one")
    ends = [interval(a.model, a.data, name) for name in (a.poi, other)]
    grids = tuple(_around(a, e, GRID, reach=2.8, name=e.name) for e in ends)
    found = scan2d(a.model, a.data, (a.poi, other), (grids[0], grids[1]))
    failed = int((found.status > Status.AT_BOUND).sum())
    rows = (
        (f"best {a.poi}, {other}", f"{number(float(found.best[0]), 4)}, {number(float(found.best[1]), 4)}"),
        *((f"interval of {e.name}, {e.level:.2%}", with_ends(e)) for e in ends),
        *((f"t on the contour of {level:.4g}", number(found.threshold(level), 3)) for level in (0.6827, 0.95)),
        ("failed points", f"{failed} of {found.t.size}"),
    )
    shown = Table(f"t({a.poi}, {other})", ("Question", "Answer"), rows)

    def draw() -> Figure:
        t = np.where(found.status > Status.AT_BOUND, np.nan, found.t)
        best = (float(found.best[0]), float(found.best[1]))
        return plots.scan2d(found.first, found.second, t, found.names, best=best)

    return Answer((shown,), {"scan2d": found, "intervals": ends}, {"scan2d": draw})


def answer_breakdown(a: Asked) -> Answer:
    """The uncertainty by source, by both definitions."""
    both = [breakdown(a.model, a.data, a.poi, method=m) for m in ("shifted-observables", "freeze")]
    content = {b.method: b.rows for b in both}
    shown = tables.breakdown(*both, title=f"Uncertainty on {a.poi}")
    return Answer((shown,), content, {"breakdown": lambda: plots.breakdown(*both)})


def answer_ranking(a: Asked) -> Answer:
    """Pulls, and impacts from refits."""
    found = ranking(a.model, a.data, a.poi)
    order = np.argsort(-np.fmax(abs(found.up), abs(found.down)), kind="stable")
    cells = [
        (found.names[i], *(number(float(x[i]), 4) for x in (found.pull, found.pull_error, found.up, found.down)))
        for i in order
    ]
    columns = ("Parameter", "Pull", "Post-fit / prior σ", f"Impact on {a.poi}, θ̂ + σ̂", "θ̂ − σ̂")
    shown = Table("Ranking, from refits", columns, tuple(cells))
    return Answer((shown,), {"ranking": found}, {"ranking": lambda: plots.pulls_and_impacts(found)})
