"""Tests of hypotheses: significance, upper limits and goodness of fit."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from verax.infer import P_ERROR, GoodnessOfFit, cls, goodness_of_fit, limit, significance
from verax.report import MISSING, Section, Table, limit_table, number, significance_table, with_error
from verax.results import Status

from . import _notes as notes
from . import _options as options
from ._ask import Query, figure, respond
from ._fits import POINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@respond.register
def answer_significance(question: options.Significance, query: Query) -> Section:
    """Test the background against a signal above zero."""
    model, data, poi, toys = query.model, query.data, query.poi, question.toys
    given: dict[str, Any] = {"beyond": not question.within, "n_toys": toys, "progress": query.count_toys}
    found = significance(model, data, poi, key=_key(question), **given)
    status, warnings = Status(int(found.status)), list[str]()
    if status > Status.AT_BOUND:
        warnings.append(f"a fit ended with status {status.name}: the p-value means nothing")
    if not toys:
        warnings += notes.few_events(float(found.events), notes.SIGNIFICANCE, notes.BY_TOYS)
    warnings += notes.beyond_bounds(query, question.within, {"the estimate": float(found.value)})
    shown, draw = significance_table(found, poi), figure("discovery", found)
    figures = {"significance": ("The distribution of the test statistic without signal.", draw)}
    return Section("Significance", "", figures, (shown,), {"significance": found}, warnings)


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
    warnings = [] if toys else notes.few_events(float(found.events), notes.LIMITS, notes.BY_TOYS)
    limits = {"the observed limit": float(found.observed), "expected limits": float(np.nanmax(found.expected))}
    warnings += notes.beyond_bounds(query, question.within, limits)
    ends, statuses = np.append(found.expected, found.observed), np.append(found.expected_status, found.status)
    if lost := int((statuses == Status.END_NOT_FOUND).sum()):
        highest = ends[statuses == Status.END_NOT_FOUND].max()
        warnings.append(f"{lost} of 6 limits lie above {highest:g}, where the search ended")
    shown = limit_table(found, poi)

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
