"""Tests of hypotheses: upper limits and goodness of fit."""

import jax
import numpy as np
from matplotlib.figure import Figure

from verax.infer import cls, goodness_of_fit, limit
from verax.report import Table, number, plots, with_error
from verax.results import Status

from ._ask import Answer, Asked

BANDS = ("−2σ", "−1σ", "median", "+1σ", "+2σ")


def answer_limit(a: Asked) -> Answer:
    """The CLs upper limit, observed and expected."""
    level = a.level or 0.95
    if a.toys:
        key = jax.random.key(a.seed)
        found = limit(a.model, a.data, a.poi, level=level, method="toys", key=key, n_toys=a.toys, progress=a.told)
    else:
        found = limit(a.model, a.data, a.poi, level=level)
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
    note = f"{found.toys} toys of each hypothesis at each value, at most {found.failed} failed." if a.toys else ""
    shown = Table(f"CLs upper limits at {level:.0%}, {found.method}", columns, rows, note)

    def draw() -> Figure:
        curve = found.curve
        if curve is None:
            top = 1.6 * float(np.nanmax([*found.expected, float(found.observed)]))
            curve = cls(a.model, a.data, a.poi, np.linspace(top / a.points, top, a.points))
        return plots.limit_bands(
            curve.values,
            curve.observed,
            curve.expected,
            level=level,
            name=a.poi,
            observed_limit=float(found.observed),
            expected_limit=found.expected,
        )

    return Answer((shown,), {"limit": found}, {"limit": draw})


def answer_gof(a: Asked) -> Answer:
    """Goodness of fit against the saturated model."""
    key = jax.random.key(a.seed) if a.toys else None
    found = goodness_of_fit(a.model, a.data, key=key, n_toys=a.toys, progress=a.told)
    rows = [
        ("2 [nll(best) − nll(saturated)]", number(float(found.statistic), 3)),
        ("degrees of freedom", str(found.ndf)),
        ("p-value, asymptotic", number(float(found.p_value), 4)),
    ]
    if a.toys:
        text = f"p-value, {found.toys} toys ({found.failed} failed)"
        rows.append((text, with_error(found.p_toys, found.p_toys_error)))
    shown = Table("Goodness of fit", ("Question", "Answer"), tuple(rows))
    return Answer((shown,), {"goodness_of_fit": found}, {"goodness": lambda: plots.goodness(found)})
