"""Questions about any pyhf workspace, one a verb: answered as tables for a person, JSON for a program, and a figure."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from verax.check import coverage
from verax.errors import InputError, check_known
from verax.infer import breakdown, fit, goodness_of_fit, interval, limit, profile, ranking, significance, toys
from verax.infer import cls as cls_of
from verax.model import BinnedLikelihood, Data, from_pyhf
from verax.parameters import by_name
from verax.report import plots, tables
from verax.report.numbers import number, with_ends, with_error
from verax.report.tables import Table
from verax.results import Status

BANDS = ("−2σ", "−1σ", "median", "+1σ", "+2σ")


@dataclass(frozen=True)
class Asked:
    """A likelihood, the data to ask about, the parameter of interest, and what else a question needs."""

    model: BinnedLikelihood
    data: Data
    poi: str
    fixed: dict[str, float] = field(default_factory=dict)
    level: float | None = None
    points: int = 41
    toys: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """Tables, their content as plain values, and how to draw a figure of it (None: there is none)."""

    tables: tuple[Table, ...]
    content: dict[str, Any]
    draw: Callable[[], Figure] | None = None


def read(path: str) -> Any:
    """JSON from a file, ``-`` for standard input.

    Raises
    ------
    InputError : when the file cannot be read or holds no whole JSON
    """
    try:
        return json.loads(sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, error.strerror or str(error), "a readable JSON file") from error
    except ValueError as error:
        raise InputError(path, str(error), "whole JSON") from error


def ask(
    model: BinnedLikelihood, observed: Data, poi: str | None, *, data: str, fixed: Sequence[str], **options: Any
) -> Asked:
    """What to ask about: ``data`` is observed, asimov (at the initial values), or a JSON file of counts by channel.

    Raises
    ------
    InputError : for an unknown parameter or channel (nearest name given), or no parameter of interest
    """
    if not poi:
        raise InputError("workspace", "no parameter of interest", "one in the measurement", "name it with --poi")
    held = dict(_held(setting) for setting in fixed)
    by_name(model.parameters, [poi, *held], "workspace")
    if data == "asimov":
        observed = model.asimov({p.name: p.init for p in model.parameters})
    elif data != "observed":
        counts = read(data)
        check_known(counts, model.channels, data, "channel")
        check_known(model.channels, counts, data, "channel")
        observed = Data(np.concatenate([np.asarray(counts[c], np.float64) for c in model.channels]), observed.auxiliary)
    return Asked(model, observed, poi, held, **options)


def _held(setting: str) -> tuple[str, float]:
    name, _, value = setting.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise InputError("--fixed", f"'{setting}'", "NAME=NUMBER") from None


def answer_fit(a: Asked) -> Answer:
    """Best fit of all parameters, the interval of the one of interest, and the significance of its being above zero."""
    best = fit(a.model, a.data, fixed=a.fixed)
    status = Status(int(best.status)).name
    content = {
        "status": status,
        "nll": float(best.nll),
        "edm": float(best.edm),
        "parameters": best.params,
        "errors": dict(zip(best.names, best.error.tolist(), strict=True)),
        "covariance": best.covariance,
    }
    shown = [tables.parameters(best, title=f"Best fit: {status}")]
    if not a.fixed:
        found = interval(a.model, a.data, a.poi, level=a.level or 0.6827)
        tested = significance(a.model, a.data, a.poi)
        content |= {"interval": found, "significance": tested}
        rows = (
            (f"{a.poi}, {found.level:.2%} interval", with_ends(found)),
            ("significance against zero", f"{number(float(tested.z), 2)} σ"),
        )
        shown.append(Table("Parameter of interest", ("Question", "Answer"), rows))
    return Answer(tuple(shown), content, lambda: plots.correlation(best.names, best.correlation, keep=(a.poi,)))


def answer_scan(a: Asked) -> Answer:
    """The profile likelihood ratio over the interval and beyond."""
    found = interval(a.model, a.data, a.poi, level=a.level or 0.6827)
    low, high = (2.4 * float(x) if np.isfinite(x) else 1.0 for x in (found.down, found.up))
    bounds = next(p.bounds for p in a.model.parameters if p.name == a.poi)
    values = np.clip(found.value + np.linspace(-low, high, a.points), *bounds)
    curve = profile(a.model, a.data, a.poi, values)
    rows = tuple((number(float(x), 4), number(float(t), 4)) for x, t in zip(values, curve.t, strict=True))
    shown = Table(f"t({a.poi}); interval {with_ends(found)}", (a.poi, "t"), rows)
    return Answer((shown,), {"interval": found, "scan": curve}, lambda: plots.scan({"Total": curve}, interval=found))


def answer_breakdown(a: Asked) -> Answer:
    """The uncertainty by source, by both definitions."""
    both = [breakdown(a.model, a.data, a.poi, method=m) for m in ("shifted-observables", "freeze")]
    content = {b.method: b.rows for b in both}
    return Answer((tables.breakdown(*both, title=f"Uncertainty on {a.poi}"),), content, lambda: plots.breakdown(*both))


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
    return Answer((shown,), {"ranking": found}, lambda: plots.pulls_and_impacts(found))


def answer_limit(a: Asked) -> Answer:
    """The CLs upper limit, observed and expected."""
    level = a.level or 0.95
    method = {"method": "toys", "key": jax.random.key(a.seed), "toys": a.toys} if a.toys else {}
    found = limit(a.model, a.data, a.poi, level=level, **method)  # type: ignore[arg-type]
    columns = ("Limit", a.poi, "Status")
    values = [("observed", found.observed, found.observed_error, found.status)]
    values += [
        (f"expected, {band}", found.expected[i], found.expected_error[i], found.expected_status[i])
        for i, band in enumerate(BANDS)
    ]
    rows = tuple(
        (name, with_error(float(v), float(e)) if e > 0 else number(float(v), 4), Status(int(s)).name)
        for name, v, e, s in values
    )
    shown = Table(f"CLs upper limits at {level:.0%}, {found.method}", columns, rows)

    def draw() -> Figure:
        top = 1.6 * float(np.nanmax([*found.expected, float(found.observed)]))
        points = np.linspace(top / a.points, top, a.points)
        curve = cls_of(a.model, a.data, a.poi, points)
        return plots.limit_bands(points, curve.observed, curve.expected, level=level, name=a.poi)

    return Answer((shown,), {"limit": found}, draw)


def answer_toys(a: Asked) -> Answer:
    """Pseudo-experiments at the initial values: coverage of the interval, its width, and failures."""
    truth = {p.name: p.init for p in a.model.parameters}
    level = a.level or 0.6827
    drawn = toys(jax.random.key(a.seed), a.model, truth, a.toys or 1000)
    found = coverage(interval(a.model, drawn, a.poi, level=level), truth[a.poi])
    shown = tables.coverage({f"{a.poi} = {truth[a.poi]:g}": found})
    return Answer((shown,), {"truth": truth, "coverage": found})


def answer_gof(a: Asked) -> Answer:
    """Goodness of fit against the saturated model."""
    key = jax.random.key(a.seed) if a.toys else None
    found = goodness_of_fit(a.model, a.data, key=key, toys=a.toys)
    rows = [
        ("2 [nll(best) − nll(saturated)]", number(float(found.statistic), 3)),
        ("degrees of freedom", str(found.ndf)),
        ("p-value, asymptotic", number(float(found.p_value), 4)),
    ]
    if a.toys:
        rows.append(
            (f"p-value, {found.toys} toys ({found.failed} failed)", with_error(found.p_toys, found.p_toys_error))
        )
    return Answer((Table("Goodness of fit", ("Question", "Answer"), tuple(rows)),), {"goodness_of_fit": found})


ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    "fit": answer_fit,
    "scan": answer_scan,
    "breakdown": answer_breakdown,
    "ranking": answer_ranking,
    "limit": answer_limit,
    "toys": answer_toys,
    "gof": answer_gof,
}


def answer(
    verb: str,
    workspace: str,
    *,
    measurement: str | None = None,
    patch: str | None = None,
    patchname: str | None = None,
    poi: str | None = None,
    **options: Any,
) -> Answer:
    """The answer of one verb about the workspace in a file ("-": standard input)."""
    change = read(patch) if patch else None
    found = from_pyhf(workspace, measurement=measurement, poi=poi, patch=change, patchname=patchname)
    return ANSWERS[verb](ask(found.model, found.data, found.poi, **options))
