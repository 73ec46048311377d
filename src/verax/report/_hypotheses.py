"""Tables of upper limits and significances."""

from typing import TYPE_CHECKING

import numpy as np

from verax.arrays import ndtri
from verax.results import Status, number, with_error

from .tables import Table

if TYPE_CHECKING:
    import verax.infer

BANDS = ("−2σ", "−1σ", "median", "+1σ", "+2σ")


def limit_table(result: "verax.infer.Limit", name: str, *, observed: bool = True) -> Table:
    """Tabulate the CLs upper limit, observed and expected, with the status of each.

    Parameters
    ----------
    result : of one data set
    name : how the parameter is written
    observed : False leaves out the limit of the data, which in a blind analysis are none
    """
    values = [("observed", result.observed, result.observed_error, result.status)] if observed else []
    values += [
        (f"expected, {band}", result.expected[i], result.expected_error[i], result.expected_status[i])
        for i, band in enumerate(BANDS)
    ]
    rows = tuple(
        (
            label,
            with_error(float(v), float(e)) if e > 0 else end(float(v), 4, beyond=bool(s == Status.END_NOT_FOUND)),
            Status(int(s)).name,
        )
        for label, v, e, s in values
    )
    note = (
        f"{result.toys} toys of each hypothesis at each value, at most {result.failed} failed." if result.toys else ""
    )
    return Table(f"CLs upper limits at {result.level:.0%}, {result.method}", ("Limit", name, "Status"), rows, note)


def significance_table(result: "verax.infer.Significance", name: str) -> Table:
    """Tabulate the significance of one data set against the background alone, by toys too where there are some.

    Parameters
    ----------
    result : of one data set
    name : how the parameter is written
    """
    rows = [
        ("status of the fits", Status(int(result.status)).name),
        (f"best fit of {name}", number(float(result.value), 4)),
        ("q₀", number(float(result.q0), 3)),
        ("significance, asymptotic", f"{number(float(result.z), 2)} σ"),
        ("p-value, asymptotic", f"{float(result.p_value):.3g}"),
        ("effective events", number(float(result.events), 1)),
    ]
    if result.toys:
        rows += _by_toys(result.p_toys, result.p_toys_error, result.toys, result.failed)
    return Table("Significance against the background alone", ("Quantity", "Value"), tuple(rows))


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


def end(value: float, places: int, *, beyond: bool, upper: bool = True) -> str:
    """Write an end of a range, or that it lies ``beyond``."""
    shown = number(value, places)
    return shown if not beyond or np.isnan(value) else f"{'>' if upper else '<'} {shown}"
