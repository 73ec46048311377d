"""Parameters held at given values, for any question that is asked of a likelihood afterwards."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from verax.parameters import Parameter, by_name

from ._likelihood import AbstractLikelihood

L = TypeVar("L", bound=AbstractLikelihood)


def hold(model: L, values: Mapping[str, float]) -> L:
    """The likelihood with some parameters fixed: they start at their value, and their bounds have no width.

    Constraint terms stay, so that values of log L do not change; toys are drawn at the held values. The values may lie
    beyond the parameters' own bounds.

    Raises
    ------
    InputError : for an unknown parameter, with its nearest neighbour
    """
    by_name(model.parameters, values, "parameters to hold")

    def held(p: Parameter) -> Parameter:
        value = values.get(p.name)
        return p if value is None else replace(p, init=float(value), bounds=(float(value), float(value)))

    return replace(model, parameters=tuple(held(p) for p in model.parameters))
