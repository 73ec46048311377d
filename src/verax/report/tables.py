"""Tables of results, as text; ``verax.report._show`` renders them.

Numbers are rounded to their uncertainty: two significant digits of the error, and the value to the same decimals.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from verax.arrays import Float
from verax.errors import InputError
from verax.results import MISSING, Coverage, decimals, number, with_error

if TYPE_CHECKING:
    import verax.infer


@dataclass(frozen=True)
class Table:
    """Text in rows and columns, in no format yet.

    Parameters
    ----------
    title, note : above and below the table; the note may be empty
    columns : headings; the first column is the rows' name
    rows : one cell per column
    depth : nesting of each row's name (0 outermost), or empty for none
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    depth: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise InputError(f"table '{self.title}'", f"a row of {len(row)} cells", f"{len(self.columns)} cells")
        if self.depth and len(self.depth) != len(self.rows):
            raise InputError(f"table '{self.title}'", f"{len(self.depth)} depths", f"one per row ({len(self.rows)})")

    @property
    def indents(self) -> tuple[int, ...]:
        """Depth of every row."""
        return self.depth or (0,) * len(self.rows)


METHODS = {"freeze": "Group frozen", "shifted-observables": "Shifted observables"}
FREEZE = "Groups frozen one by one do not add in quadrature."
SHIFTED = "Shifted global observables add in quadrature to the total (EPJC 84 (2024) 593)."


def breakdown(*results: "verax.infer.Breakdown", title: str = "") -> Table:
    """Tabulate the uncertainty by source, nested; one column per definition, rows in the order of the first.

    Decimals are those of three significant digits of the total, the same in every row, so that columns add up by eye.

    Raises
    ------
    InputError : for no result, or results of different parameters
    """
    if not results or len({r.name for r in results}) != 1:
        raise InputError("breakdown table", f"{[r.name for r in results]}", "one or more results of one parameter")
    places = max(decimals(results[0].rows[0].impact, 3), 0)
    keys = [_paths(r) for r in results]
    order = list(keys[0]) + [k for found in keys[1:] for k in found if k not in keys[0]]
    sided = [any(math.isfinite(row.up) and math.isfinite(row.down) for row in r.rows) for r in results]
    columns, notes = ["Source"], []
    for result, both in zip(results, sided, strict=True):
        columns += [METHODS.get(result.method, result.method)] + (["Up / down"] if both else [])
        notes += [FREEZE if result.method == "freeze" else SHIFTED if result.method == "shifted-observables" else ""]
    rows, depth = [], []
    for key in order:
        cells = [key[-1]]
        for found, both in zip(keys, sided, strict=True):
            row = found.get(key)
            cells.append(number(row.impact, places) if row else MISSING)
            if both:
                two = row is not None and math.isfinite(row.up) and math.isfinite(row.down)
                cells.append(
                    f"+{number(abs(row.up), places)} / −{number(abs(row.down), places)}" if row and two else MISSING
                )
            if row and row.note:
                notes.append(f"{row.name}: {row.note}.")
        rows.append(tuple(cells))
        depth.append(len(key) - 1)
    title = title or f"Uncertainty of {results[0].name} by source"
    return Table(title, tuple(columns), tuple(rows), " ".join(dict.fromkeys(n for n in notes if n)), tuple(depth))


def _paths(result: "verax.infer.Breakdown") -> dict[tuple[str, ...], "verax.infer.Row"]:
    """Index rows by their full path from the total, so that equal names in different branches stay apart."""
    table: dict[tuple[str, ...], verax.infer.Row] = {}
    path: list[str] = []
    for row in result.rows:
        path = [*path[: row.depth], row.name]
        table[tuple(path)] = row
    return table


def yields(
    processes: Sequence[str],
    expected: Mapping[str, tuple[Float[np.ndarray, " process"], Float[np.ndarray, " process"]]],
    total: Mapping[str, tuple[float, float]],
    *,
    data: float | None = None,
    title: str = "Event yields",
    note: str = "",
) -> Table:
    """Tabulate the expected events of each process.

    Parameters
    ----------
    expected : column heading ("pre-fit") → yields and their uncertainties, per process
    total : the same headings → summed yield and its uncertainty (with the correlations among processes)
    data : observed events, shown in the last row
    """
    rows = [
        (process, *(with_error(float(value[i]), float(error[i])) for value, error in expected.values()))
        for i, process in enumerate(processes)
    ]
    rows.append(("Total", *(with_error(*total[name]) for name in expected)))
    if data is not None:
        text = number(data, 0 if float(data).is_integer() else 1)
        rows.append(("Data", *(text for _ in expected)))
    return Table(title, ("Process", *expected), tuple(rows), note)


PULL = (
    "Pull: (θ̂ − a)/Δθ, where a is the observed global observable (nominal in data; toys and pseudo-experiments draw it) and "
    "Δθ the prior width."
)
"""What a pull is, wherever one is shown."""


def parameters(
    result: "verax.infer.Fit",
    pulls: Mapping[str, tuple[float, float]] | None = None,
    *,
    title: str = "Fitted parameters",
    note: str = "",
    fixed: Collection[str] | None = None,
) -> Table:
    """Tabulate value and uncertainty of every parameter of one fit; those without one are marked.

    Parameters
    ----------
    pulls : pull and its error of those that have one, in a column of their own; NaN for none
    fixed : names of those that are fixed, where known: others without an error are at a bound

    Raises
    ------
    InputError : for a batch of fits
    """
    if np.ndim(result.nll) != 0:
        raise InputError("parameter table", f"a batch of shape {np.shape(result.nll)}", "one fit")
    values, errors = np.asarray(result.value), np.asarray(result.error)

    def without_error(name: str, error: float) -> str:
        if math.isnan(error):
            return "no σ"
        return "fixed or at a bound" if fixed is None else "fixed" if name in fixed else "at a bound"

    rows = [
        (name, with_error(float(v), float(e)) if e > 0 else f"{number(float(v), 3)} ({without_error(name, e)})")
        for name, v, e in zip(result.names, values, errors, strict=True)
    ]
    if not pulls:
        return Table(title, ("Parameter", "Value"), tuple(rows), note)
    pull = [pulls.get(name, (math.nan, math.nan)) for name in result.names]
    shown = [with_error(float(p), float(e)) if math.isfinite(p) else MISSING for p, e in pull]
    with_pulls = tuple((*row, text) for row, text in zip(rows, shown, strict=True))
    return Table(title, ("Parameter", "Value", "Pull"), with_pulls, f"{PULL} {note}".strip())


def coverage(results: Mapping[str, Coverage], *, title: str = "Coverage", note: str = "") -> Table:
    """Tabulate coverage at each truth, beside the width, the failures and the number of toys."""
    rows = tuple(
        (
            truth,
            with_error(r.fraction, r.error),
            number(r.level, 3),
            number(r.pull, 1, sign=True),
            with_error(r.width, r.width_error),
            str(r.n),
            _share(r.failed, r.n + r.failed),
        )
        for truth, r in results.items()
    )
    columns = ("Truth", "Coverage", "Nominal", "Pull", "Median width", "Toys", "Failed")
    stated = "Failed toys are left out. Pull: (coverage − nominal) / binomial error at the nominal level."
    return Table(title, columns, rows, f"{stated} {note}".strip())


def _share(part: int, total: int) -> str:
    """Write a count and, above zero, its share in percent."""
    if not part:
        return "0"
    percent = 100 * part / total
    return f"{part} ({number(percent, 2 if percent < 1 else 1)} %)"


def fitted(fit: "verax.infer.Fit") -> dict[str, Any]:
    """Best values, errors and covariance of one fit, all in the order of ``names``: the alphabet's, as JSON sorts."""
    order = sorted(range(len(fit.names)), key=lambda i: fit.names[i])
    names = [fit.names[i] for i in order]
    return {
        "names": names,
        "parameters": dict(zip(names, fit.value[order].tolist(), strict=True)),
        "errors": dict(zip(names, fit.error[order].tolist(), strict=True)),
        "covariance": fit.covariance[np.ix_(order, order)],
    }
