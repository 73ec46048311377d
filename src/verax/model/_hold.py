"""Parameters held at given values: the conditional likelihood (arXiv:1007.1727), for whatever is computed afterwards."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from verax.parameters import Parameter, check_values

from ._likelihood import AbstractLikelihood

L = TypeVar("L", bound=AbstractLikelihood)


def hold(model: L, values: Mapping[str, float]) -> L:
    """Hold parameters fixed: they start at their value, and their bounds have no width.

    Constraint terms stay, so that values of log L do not change; toys are drawn at the held values. The values may lie
    beyond the parameters' own bounds.

    Parameters
    ----------
    model : the likelihood
    values : of the parameters to hold, by name

    Raises
    ------
    InputError : for an unknown parameter, with its nearest neighbour, or a value that is not finite

    >>> from verax.model import example_model
    >>> model, _ = example_model()
    >>> [p.name for p in hold(model, {"jes": 0.5}).parameters if p.fixed]
    ['jes']
    """
    check_values(model.parameters, values, "parameters to hold")

    def held(p: Parameter) -> Parameter:
        value = values.get(p.name)
        return p if value is None else replace(p, init=float(value), bounds=(float(value), float(value)))

    parameters = tuple(held(p) for p in model.parameters)
    return replace(model, parameters=parameters)  # type: ignore[call-arg]  # a field of each subclass, or refused
