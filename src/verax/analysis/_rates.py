"""Rates of processes as expressions of parameters, as in effective field theories: what must hold of them."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from verax.errors import InputError, check_known
from verax.model import Formula, formula

POINTS = 41
"""Values of a parameter, from bound to bound, at which a rate must be a number."""


def check_rates(rates: Mapping[str, str], factors: Sequence[Any], processes: Sequence[str]) -> None:
    """Check the rates of an analysis: known processes and parameters, and finite between the parameters' bounds.

    Raises
    ------
    InputError : naming the process and its expression
    """
    check_known(rates, processes, "rates", "process")
    table: dict[str, Any] = {f.name: f for f in factors}
    for process, text in rates.items():
        where = f"rates.{process}"
        try:
            made = formula(process, text)
            check_known(made.parameters, table, where, "parameter")
        except InputError as error:
            raise InputError(where, error.got, error.expected, error.action) from error
        ends = [[table[n].nominal, *table[n].bounds] for n in made.parameters]
        grids = [[nominal, *np.linspace(low, high, POINTS).tolist()] for nominal, low, high in ends]
        points = [*itertools.product(*ends)] if len(ends) < 8 else []
        for i, grid in enumerate(grids):
            points += [(*(g[0] for g in grids[:i]), x, *(g[0] for g in grids[i + 1 :])) for x in grid]
        for point in points:
            if not np.isfinite(made(dict(zip(made.parameters, map(np.float64, point), strict=True)))):
                at = ", ".join(f"{n} = {x:g}" for n, x in zip(made.parameters, point, strict=True))
                expected = "a number wherever the parameters may be"
                raise InputError(where, f"'{text}', which is none at {at}", expected, "give narrower bounds")
    for f in factors:
        if not f.processes and not any(f.name in formula(p, t).parameters for p, t in rates.items()):
            raise InputError(f"normalisation '{f.name}'", "no processes", "some, or a rate that it is in")


def by_expression(rates: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Which processes each expression multiplies."""
    texts = list(dict.fromkeys(text.strip() for text in rates.values()))
    return {t: tuple(p for p, text in rates.items() if text.strip() == t) for t in texts}


def in_rates(name: str, rates: Mapping[str, str]) -> tuple[str, ...]:
    """The processes whose rate is of one parameter."""
    return tuple(p for p, text in rates.items() if name in formula(p, text).parameters)


def derivatives(
    rates: Mapping[str, str], factors: Sequence[Any], processes: Sequence[str], channels: Sequence[str]
) -> np.ndarray:
    """Derivatives of the yields in each free factor, at a point off nominal, in the bounds: [factor, process × channel]."""
    formulas: dict[str, Formula] = {p: formula(p, text) for p, text in rates.items()}
    at, rows = dict[str, float](), list[list[float]]()
    for i, f in enumerate(factors):
        low, high = (end - f.nominal for end in f.bounds)
        step = 0.3 / (1 + 0.17 * i) * (1 if high >= -low else -1)
        at[f.name] = f.nominal + float(np.clip(step, 0.9 * low, 0.9 * high))
    for f in factors:
        up, down = ({**at, f.name: at[f.name] + step} for step in (1e-4, -1e-4))
        cells = itertools.product(processes, channels)
        rows.append([_yield(up, *cell, factors, formulas) - _yield(down, *cell, factors, formulas) for cell in cells])
    return np.nan_to_num(np.array(rows, float) / 2e-4).round(9)


def _yield(
    values: Mapping[str, float], process: str, channel: str, factors: Sequence[Any], formulas: Mapping[str, Formula]
) -> float:
    """What multiplies a process in a channel."""
    acting = [f.name for f in factors if process in f.processes and channel in (f.channels or [channel])]
    made = formulas.get(process)
    rate = float(made({n: np.float64(values[n]) for n in made.parameters})) if made else 1.0
    return rate * float(np.prod([values[n] for n in acting]))
