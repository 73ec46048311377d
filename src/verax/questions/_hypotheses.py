"""Tests of hypotheses: upper limits and goodness of fit."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from verax.infer import cls, goodness_of_fit, limit
from verax.report import Section, Table, number, with_error
from verax.results import Status

from . import _options as options
from ._ask import Query, figure, respond
from ._fits import POINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BANDS = ("−2σ", "−1σ", "median", "+1σ", "+2σ")


@respond.register
def answer_limit(question: options.Limit, query: Query) -> Section:
    """Find the CLs upper limit, observed and expected."""
    level, toys, model, data, poi = question.level, question.toys, query.model, query.data, query.poi
    if toys:
        import jax

        key = jax.random.key(question.seed)
        found = limit(model, data, poi, level=level, method="toys", key=key, n_toys=toys, progress=query.count_toys)
    else:
        found = limit(model, data, poi, level=level)
    columns = ("Limit", poi, "Status")
    values = [("observed", found.observed, found.observed_error, found.status)]
    values += [
        (f"expected, {band}", found.expected[i], found.expected_error[i], found.expected_status[i])
        for i, band in enumerate(BANDS)
    ]
    rows = tuple(
        (name, with_error(float(v), float(e)) if e > 0 else number(float(v), 4), Status(int(s)).name)
        for name, v, e, s in values
    )
    note = f"{found.toys} toys of each hypothesis at each value, at most {found.failed} failed." if toys else ""
    shown = Table(f"CLs upper limits at {level:.0%}, {found.method}", columns, rows, note)

    def draw() -> "Figure":
        curve = found.curve
        if curve is None:
            top = 1.6 * float(np.nanmax([*found.expected, float(found.observed)]))
            curve = cls(model, data, poi, np.linspace(top / POINTS, top, POINTS))
        return figure(
            "limit_bands",
            curve.values,
            curve.observed,
            curve.expected,
            level=level,
            name=poi,
            observed_limit=float(found.observed),
            expected_limit=found.expected,
        )()

    return Section("Limit", "", {"limit": ("CLs, and its expected bands.", draw)}, (shown,), {"limit": found})


@respond.register
def answer_gof(question: options.Gof, query: Query) -> Section:
    """Test the fit against the saturated model."""
    key = None
    if question.toys:
        import jax

        key = jax.random.key(question.seed)
    found = goodness_of_fit(query.model, query.data, key=key, n_toys=question.toys, progress=query.count_toys)
    status, warnings = Status(int(found.status)), list[str]()
    if status > Status.AT_BOUND:
        found = replace(found, p_value=np.asarray(np.nan), p_toys=np.nan, p_toys_error=np.nan)
        warnings = [f"the fit ended with status {status.name}: the data are compared with no model"]
    rows = [
        ("status of the fit", status.name),
        ("2 [nll(best) − nll(saturated)]", number(float(found.statistic), 3)),
        ("degrees of freedom", str(found.ndf)),
        ("p-value, asymptotic", number(float(found.p_value), 4)),
    ]
    if question.toys:
        text = f"p-value, {found.toys} toys ({found.failed} failed)"
        rows.append((text, with_error(found.p_toys, found.p_toys_error)))
    figures = {"goodness": ("The test statistic, and its distribution.", figure("goodness", found))}
    shown = Table("Goodness of fit", ("Quantity", "Value"), tuple(rows))
    return Section("Goodness of fit", "", figures, (shown,), {"goodness_of_fit": found}, warnings)
