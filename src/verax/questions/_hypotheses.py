"""Tests of hypotheses: significance, upper limits and goodness of fit."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from verax.arrays import ndtri
from verax.infer import P_ERROR, GoodnessOfFit, cls, goodness_of_fit, limit, significance
from verax.report import MISSING, Section, Table, number, with_error
from verax.results import Status

from . import _notes as notes
from . import _options as options
from ._ask import Query, figure, respond
from ._fits import POINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BANDS = ("−2σ", "−1σ", "median", "+1σ", "+2σ")


@respond.register
def answer_significance(question: options.Significance, query: Query) -> Section:
    """Test the background against a signal above zero."""
    model, data, poi, toys = query.model, query.data, query.poi, question.toys
    given: dict[str, Any] = {"beyond": not question.within, "n_toys": toys, "progress": query.count_toys}
    found = significance(model, data, poi, key=_key(question), **given)
    status, warnings = Status(int(found.status)), list[str]()
    if status > Status.AT_BOUND:
        warnings.append(f"a fit ended with status {status.name}: the p-value means nothing")
    rows = [
        ("status of the fits", status.name),
        (f"best fit of {poi}", number(float(found.value), 4)),
        ("q₀", number(float(found.q0), 3)),
        ("significance, asymptotic", f"{number(float(found.z), 2)} σ"),
        ("p-value, asymptotic", f"{float(found.p_value):.3g}"),
        ("effective events", number(float(found.events), 1)),
    ]
    if toys:
        rows += _by_toys(found.p_toys, found.p_toys_error, found.toys, found.failed)
    else:
        warnings += notes.few_events(float(found.events), notes.SIGNIFICANCE, notes.BY_TOYS)
    warnings += notes.beyond_bounds(query, question.within, {"the estimate": float(found.value)})
    shown = Table("Significance against the background alone", ("Quantity", "Value"), tuple(rows))
    draw = figure("discovery", found)
    figures = {"significance": ("The distribution of the test statistic without signal.", draw)}
    return Section("Significance", "", figures, (shown,), {"significance": found}, warnings)


def _by_toys(p: float, error: float, toys: int, failed: int) -> list[tuple[str, str]]:
    """Rows of a p-value by toys; where none is as extreme, its limit at 95 % (Poisson, 3 / n)."""
    named = f"{toys} toys ({failed} failed)"
    if p == 0:
        most = 3 / max(toys - failed, 1)
        return [(f"p-value, {named}", f"< {most:.2g} at 95 %"), ("significance, toys", f"> {number(-_z(most), 2)} σ")]
    low, high = (_z(min(max(x, 1e-12), 1.0)) for x in (p + error, max(p - error, 0.1 * p)))
    return [
        (f"p-value, {named}", with_error(p, error)),
        ("significance, toys", f"{with_error(-_z(p), (low - high) / 2)} σ"),
    ]


def _z(p: float) -> float:
    return float(ndtri(p))


def _key(question: options.Significance | options.Limit | options.Gof) -> Any:
    """The random key of the toys, None without."""
    if not question.toys:
        return None
    import jax

    return jax.random.key(question.seed)


@respond.register
def answer_limit(question: options.Limit, query: Query) -> Section:
    """Find the CLs upper limit, observed and expected."""
    level, toys, model, data, poi = question.level, question.toys, query.model, query.data, query.poi
    given: dict[str, Any] = {"level": level, "beyond": not question.within}
    if toys:
        given |= {"method": "toys", "key": _key(question), "n_toys": toys, "progress": query.count_toys}
    found = limit(model, data, poi, **given)
    columns = ("Limit", poi, "Status")
    values = [("observed", found.observed, found.observed_error, found.status)]
    values += [
        (f"expected, {band}", found.expected[i], found.expected_error[i], found.expected_status[i])
        for i, band in enumerate(BANDS)
    ]
    rows = tuple(
        (
            name,
            with_error(float(v), float(e)) if e > 0 else notes.end(float(v), 4, beyond=bool(s == Status.END_NOT_FOUND)),
            Status(int(s)).name,
        )
        for name, v, e, s in values
    )
    warnings = [] if toys else notes.few_events(float(found.events), notes.LIMITS, notes.BY_TOYS)
    limits = {"the observed limit": float(found.observed), "expected limits": float(np.nanmax(found.expected))}
    warnings += notes.beyond_bounds(query, question.within, limits)
    if lost := sum(s == Status.END_NOT_FOUND for _, _, _, s in values):
        highest = max(float(v) for _, v, _, s in values if s == Status.END_NOT_FOUND)
        warnings.append(f"{lost} of 6 limits lie above {highest:g}, where the search ended")
    note = f"{found.toys} toys of each hypothesis at each value, at most {found.failed} failed." if toys else ""
    shown = Table(f"CLs upper limits at {level:.0%}, {found.method}", columns, rows, note)

    def draw() -> "Figure":
        curve = found.curve
        if curve is None:
            top = 1.6 * float(np.nanmax([*found.expected, float(found.observed)]))
            top = min(top, notes.bounds(query)[1]) if question.within else top
            curve = cls(model, data, poi, np.linspace(top / POINTS, top, POINTS), beyond=not question.within)
        return figure(
            "limit_bands",
            curve.values,
            curve.observed,
            curve.expected,
            level=level,
            name=poi,
            observed_limit=np.nan if found.status == Status.END_NOT_FOUND else float(found.observed),
            expected_limit=np.where(found.expected_status == Status.END_NOT_FOUND, np.nan, found.expected),
        )()

    return Section("Limit", "", {"limit": ("CLs, and its expected bands.", draw)}, (shown,), {"limit": found}, warnings)


@respond.register
def answer_gof(question: options.Gof, query: Query) -> Section:
    """Test the fit against the saturated model."""
    toys = question.toys
    found = goodness_of_fit(query.model, query.data, key=_key(question), n_toys=toys, progress=query.count_toys)
    status, warnings = Status(int(found.status)), list[str]()
    if status > Status.AT_BOUND:
        unknown = np.asarray(np.nan)
        found = replace(found, p_value=unknown, p_error=unknown, p_toys=np.nan, p_toys_error=np.nan, channels=None)
        warnings = [f"the fit ended with status {status.name}: the data are compared with no model"]
    elif found.ndf > 0 and found.p_error > P_ERROR and not toys:
        off = f"the asymptotic p-value may be wrong by about {number(float(found.p_error), 2)}"
        warnings = [f"few events are expected in the bins: {off}; {notes.BY_TOYS}"]
    rows = [
        ("status of the fit", status.name),
        ("2 [nll(best) − nll(saturated)]", number(float(found.statistic), 3)),
        ("degrees of freedom", str(found.ndf)),
        ("p-value, asymptotic", number(float(found.p_value), 4)),
    ]
    if toys:
        text = f"p-value, {found.toys} toys ({found.failed} failed)"
        rows.append((text, with_error(found.p_toys, found.p_toys_error)))
    figures = {"goodness": ("The test statistic, and its distribution.", figure("goodness", found))}
    shown = [Table("Goodness of fit", ("Quantity", "Value"), tuple(rows))]
    if found.channels is not None and len(found.channels.names) > 1:
        shown.append(_table_of_channels(found))
    return Section("Goodness of fit", "", figures, shown, {"goodness_of_fit": found}, warnings)


def _table_of_channels(found: GoodnessOfFit) -> Table:
    """The statistic of each channel, with the p-values that it has."""
    by = found.channels
    assert by is not None
    rows = [
        (
            name,
            number(float(by.statistic[i]), 3),
            number(float(by.ndf[i]), 0),
            number(float(by.p_value[i]), 4),
            with_error(float(by.p_toys[i]), float(by.p_toys_error[i])) if found.toys else MISSING,
        )
        for i, name in enumerate(by.names)
    ]
    rows.append(("constraints that channels share", number(by.shared, 3), *(MISSING,) * 3))
    note = "A channel has χ² of its own only where no parameter that acts on it acts on another; by toys each has a p-value."
    columns = ("Channel", "Statistic", "Degrees of freedom", "p-value, asymptotic", "p-value, toys")
    return Table("By channel", columns, tuple(rows), note)
