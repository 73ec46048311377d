"""Numbers with units in an analysis file: luminosities in fb⁻¹ and cross-sections in pb, or as text with another unit."""

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import pydantic
from pydantic import Field

PB = {"b": 1e12, "mb": 1e9, "ub": 1e6, "µb": 1e6, "μb": 1e6, "nb": 1e3, "pb": 1.0, "fb": 1e-3, "ab": 1e-6}
"""Units of cross-sections in pb."""

_CROSS_SECTION = re.compile(r"(?P<number>\S+?)\s*(?P<unit>[munpfaµμ]?b)")
_LUMINOSITY = re.compile(r"(?P<number>\S+?)\s*(/\s*(?P<per>[munpfaµμ]?b)|(?P<unit>[munpfaµμ]?b)\s*(\^?\{?-1\}?|⁻¹))")


def _in(pattern: re.Pattern[str], scale: Callable[[float], float], example: str) -> Callable[[Any], Any]:
    """A number as it is, or text with a unit, in the unit of a number."""

    def convert(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(example)
        if not isinstance(value, str):
            return value
        match = pattern.fullmatch(value.strip())
        try:
            number = float(match["number"]) if match else float(value)
        except ValueError:
            raise ValueError(example) from None
        groups = match.groupdict() if match else {}
        unit = groups.get("unit") or groups.get("per")
        return number * scale(PB[unit]) if unit else number

    return convert


def _quantity(convert: Callable[[Any], Any]) -> tuple[Any, ...]:
    text = pydantic.WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]})
    return pydantic.BeforeValidator(convert), text


Luminosity: TypeAlias = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    *_quantity(_in(_LUMINOSITY, lambda pb: 1e-3 / pb, "fb⁻¹ as a number, or text such as '139 fb^-1' or '36000/pb'")),
]
"""Integrated luminosity in fb⁻¹."""

CrossSection: TypeAlias = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    *_quantity(_in(_CROSS_SECTION, lambda pb: pb, "pb as a number, or text such as '48.6 pb' or '52 fb'")),
]
"""Cross-section in pb."""
