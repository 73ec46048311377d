"""What a measurement of a workspace says about its parameters, and the parameters made with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verax.errors import InputError
from verax.parameters import Gaussian, Parameter, Poisson

from ._schema import Json

Constraint = Gaussian | Poisson | None


@dataclass(frozen=True)
class Settings:
    """The settings of each parameter set: initial values, bounds, global observables, widths, and what is fixed.

    Those that pyhf's JSON cannot say come from HS3: ``gaussian``, mean and width of a constraint; of a set that acts bin by
    bin ``names`` of its parameters, ``fixed`` for each, and ``constraints``: "Gauss" or "Poisson" with the modifier's own
    error, [mean, width], or None.

    Parameters
    ----------
    given : settings by name of the parameter set, as in the workspace
    kinds : the kind of modifier that each name belongs to
    poi : name of the parameter of interest
    group : row of the uncertainty breakdown for each named parameter, in place of its kind
    """

    given: Mapping[str, Json]
    kinds: Mapping[str, str]
    poi: str | None
    group: Mapping[str, str]

    def values(self, name: str, key: str, default: list[Any] | None, size: int) -> list[Any]:
        """A setting of one parameter set, or its default; refused where it has another size."""
        found = self.given.get(name, {}).get(key, default)
        if found is None:
            raise InputError(f"parameter '{name}'", f"no {key}", f"{key} in the measurement's parameter settings")
        if len(found) != size:
            raise InputError(f"parameter '{name}', {key}", f"{len(found)} values", f"{size}")
        return list(found)

    def start(
        self, name: str, init: float | None = None, limits: list[float] | None = None
    ) -> tuple[float, list[float]]:
        """Initial value and bounds of a set of one parameter; without a default they have to be given."""
        [first] = self.values(name, "inits", None if init is None else [init], 1)
        [bounds] = self.values(name, "bounds", None if limits is None else [limits], 1)
        return first, bounds

    def gaussian(self, name: str, mean: float, width: float | None) -> tuple[Constraint, list[float]]:
        """The Gaussian constraint of one parameter and its global observable; ``width`` None: none unless given."""
        if (given := self.given.get(name, {}).get("gaussian")) is not None:
            mean, width = given
        return (None, []) if width is None else (Gaussian(float(width)), [float(mean)])

    def refuse(self, name: str, *keys: str) -> None:
        """Raise InputError for settings that mean nothing for this kind of parameter."""
        for key in keys:
            if key in self.given.get(name, {}):
                raise InputError(f"parameter '{name}'", f"setting '{key}'", f"settings of a {self.kinds[name]}")

    def parameter(
        self,
        name: str,
        group: str,
        init: float,
        bounds: list[float],
        constraint: Constraint,
        family: str | None = None,
        fixed: bool | None = None,
    ) -> Parameter:
        """A parameter, of the set ``family`` where it has one; bounds without width where it is fixed."""
        family = family or name
        held = self.given.get(family, {}).get("fixed", fixed or False)
        held = bool(fixed) if isinstance(held, list) else held
        low, high = (init, init) if held else (float(bounds[0]), float(bounds[1]))
        group = self.group.get(name, self.group.get(family, "" if family == self.poi else group))
        return Parameter(name, group, float(init), (low, high), constraint)
