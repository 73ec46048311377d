"""Parameters of a statistical model, and their values by name."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from verax.arrays import Array, Float, Scalar, is_traced
from verax.errors import InputError, check_known

Params: TypeAlias = Mapping[str, Scalar]
"""Values by name, ``{"mu": 1.0, "jes": 0.3}``; an unknown name raises and lists the known ones."""


@dataclass(frozen=True)
class Gaussian:
    """Constraint G(observed; θ; width): the global observable is a measurement of θ."""

    width: float = 1.0

    def __post_init__(self) -> None:
        if not 1e-100 < self.width < 1e100:  # whose square is a number
            expected = "a width between 1e-100 and 1e100"
            raise InputError("Gaussian constraint", f"width {self.width}", expected, "fix the parameter instead")


@dataclass(frozen=True)
class Poisson:
    """Constraint Poisson(observed; tau·θ): the global observable is a count."""

    tau: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tau) and self.tau > 0):
            raise InputError("Poisson constraint", f"tau {self.tau}", "a finite tau above zero")


@dataclass(frozen=True)
class Parameter:
    """A parameter of the model.

    Parameters
    ----------
    name : unique in the model
    group : row of the uncertainty breakdown that it belongs to
    init : starting value, and the nominal value of its global observable
    bounds : closed interval that a fit stays in
    constraint : None (free), Gaussian or Poisson
    """

    name: str
    group: str = ""
    init: float = 0.0
    bounds: tuple[float, float] = (-math.inf, math.inf)
    constraint: Gaussian | Poisson | None = None

    def __post_init__(self) -> None:
        low, high = self.bounds
        if not low <= self.init <= high:
            raise InputError(f"parameter '{self.name}'", f"init {self.init}", f"a value in [{low}, {high}]")

    @property
    def fixed(self) -> bool:
        """Whether its bounds have no width: no fit moves it."""
        return self.bounds[0] == self.bounds[1]


def nuisance(name: str, group: str) -> Parameter:
    """A systematic's parameter: θ in units of its prior width, constraint G(θ_obs; θ; 1)."""
    return Parameter(name, group, 0.0, (-5.0, 5.0), Gaussian())


def prior_width(p: Parameter) -> float:
    """Standard deviation of a parameter's prior; 0 without one."""
    match p.constraint:
        case Gaussian(width):
            return width
        case Poisson(tau):
            return float(tau**-0.5)
        case _:
            return 0.0


def check_value(parameter: Parameter, value: Scalar | Float[Array, "..."], where: str) -> None:
    """Raise InputError for a value, or one of several, outside the parameter's bounds; values being traced are not checked.

    >>> check_value(nuisance("jes", "jets"), 7.0, "shift")
    Traceback (most recent call last):
    verax.errors.InputError: shift, parameter 'jes': got 7; expected a finite value in [-5, 5]
    """
    if is_traced(value):
        return
    values, (low, high) = np.asarray(value, np.float64), parameter.bounds
    low_end, high_end = (x + sign * 1e-6 * abs(x) for x, sign in ((low, -1), (high, 1)))  # bounds in float32 are inside
    outside = values[~((values >= low_end) & (values <= high_end) & np.isfinite(values))]
    if outside.size:
        seen = f"{float(outside.flat[0]):g}"
        raise InputError(f"{where}, parameter '{parameter.name}'", seen, f"a finite value in [{low:g}, {high:g}]")


def by_name(parameters: Iterable[Parameter], given: Iterable[str], where: str) -> dict[str, Parameter]:
    """The parameters as a dictionary, after checking that every ``given`` name is one of them."""
    table = {p.name: p for p in parameters}
    check_known(given, table, where, "parameter")
    return table


def check_values(parameters: Iterable[Parameter], values: Mapping[str, Scalar], where: str) -> None:
    """Check that values by name are finite numbers of known parameters; those being traced are not looked at.

    Raises
    ------
    InputError : for what is no mapping, an unknown name (with its nearest neighbour), NaN, infinity, or no number

    >>> check_values([nuisance("jes", "jets")], {"jes": float("nan")}, "fit")
    Traceback (most recent call last):
    verax.errors.InputError: fit, parameter 'jes': got nan; expected a finite number
    """
    if not isinstance(values, Mapping):
        raise InputError(where, repr(values), "values by name", "write {'name': value}")
    by_name(parameters, values, where)
    for name, value in values.items():
        if not is_traced(value):
            number = np.asarray(value)
            if number.ndim or number.dtype.kind not in "biuf" or not np.isfinite(number):
                raise InputError(f"{where}, parameter '{name}'", f"{value!r}", "a finite number")


def movable(parameters: Iterable[Parameter], names: Iterable[str], where: str, fixed: Params | None = None) -> None:
    """Check that each of ``names`` is a parameter that the data can say something about, and ``fixed`` ones have values.

    Raises
    ------
    InputError : for an unknown name, with its nearest neighbour; for a parameter that is fixed, or at what is no number
    """
    parameters, names, fixed = list(parameters), list(names), {} if fixed is None else fixed
    table = by_name(parameters, names, where)
    check_values(parameters, fixed, where)
    for name in names:
        if table[name].fixed or name in fixed:
            seen = f"'{name}', which is fixed at {fixed.get(name, table[name].init):g}"
            raise InputError(where, seen, "a parameter that can move", "free it, or ask about another one")


def groups(parameters: Sequence[Parameter]) -> dict[str, list[str]]:
    """Names of the parameters in each group, in the order in which the groups first appear."""
    table: dict[str, list[str]] = {}
    for p in parameters:
        table.setdefault(p.group, []).append(p.name)
    return table
