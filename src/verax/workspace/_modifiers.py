"""The modifiers of a HistFactory workspace (CERN-OPEN-2012-016) as parameters and arrays over processes and bins.

All seven modifiers mean what they mean to pyhf; HS3 adds factors that are functions. A fixed parameter has bounds without
width.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from verax.arrays import Array
from verax.errors import InputError, check_known
from verax.model import FLOATING, Data, Formula, Penalty, code4_coefficients
from verax.parameters import Gaussian, Parameter

from ._bin_by_bin import BinByBin
from ._schema import Json

Codes = Callable[..., tuple[Array, Array, Array]]


class Rate(NamedTuple):
    """A function of parameters that multiplies samples: (channel, sample), by name."""

    formula: Formula
    places: list[tuple[str, str]]


class Import(BinByBin):
    """One import: arrays that are filled, and parameters that are collected, modifier by modifier."""

    def __init__(
        self,
        spec: Json,
        settings: Mapping[str, Json],
        poi: str | None,
        normsys: Codes,
        histosys: Codes,
        group: Any,
        rates: Iterable[Rate] = (),
        penalties: tuple[Penalty, ...] = (),
    ) -> None:
        self.rates, self.penalties, self.normsys, self.histosys = list(rates), penalties, normsys, histosys
        formulas = [*(r.formula for r in self.rates), *(f for p in penalties for f in p.formulas)]
        super().__init__(spec, settings, poi, group, dict.fromkeys(n for f in formulas for n in f.parameters))

    def _factors(self) -> tuple[list[Parameter], list[float], np.ndarray]:
        """Parameters of ``normfactor`` and ``lumi``, their global observables, and what they and functions multiply."""
        members = {n for s in self.settings.given.values() for n in s.get("names", ())}
        alone = [n for n in self.arguments if n not in self.kinds and n not in members]
        table = self._of("normfactor", "lumi") | {n: [] for n in alone}
        normfactor_mask = np.zeros((len(table) + len(self.rates), len(self.processes), len(self.channels)))
        parameters, auxiliary = [], []
        for i, (name, uses) in enumerate(table.items()):
            for use in uses:
                normfactor_mask[i, use.process, use.channel] = 1.0
            if uses and uses[0].kind == "lumi":
                self.settings.refuse(name, "factors")
                [observed], [sigma] = (self.settings.values(name, key, None, 1) for key in ("auxdata", "sigmas"))
                init, limits = self.settings.start(name)
                constant = sigma == 0 and (limits[0] == limits[1] or self.settings.given[name].get("fixed"))
                if sigma <= 0 and not constant:
                    advice = "fix it, or give bounds without width, where it is constant"
                    raise InputError(f"parameter '{name}', sigmas", f"{sigma:g}", "a width above 0", advice)
                auxiliary += [] if constant else [float(observed)]
                constraint = None if constant else Gaussian(float(sigma))
                parameters.append(self.settings.parameter(name, "luminosity", init, limits, constraint))
            else:
                self.settings.refuse(name, "auxdata", "sigmas", "factors")
                init, limits = self.settings.start(name, 1.0, [0.0, 10.0])
                own, centre = self.settings.gaussian(name, 1.0, None)
                auxiliary += centre
                parameters.append(self.settings.parameter(name, FLOATING, init, limits, own))
        for i, rate in enumerate(self.rates, len(table)):
            for channel, process in rate.places:
                normfactor_mask[i, self.processes.index(process), self.channels.index(channel)] = 1.0
        return parameters, auxiliary, normfactor_mask

    def _systematics(self) -> tuple[list[Parameter], list[float], dict[str, np.ndarray]]:
        """Parameters of ``normsys`` and ``histosys``, their global observables, and what they do."""
        table = self._of("normsys", "histosys")
        shape = (len(table), *self.nominal.shape)
        odd, even = np.zeros(shape), np.zeros(shape)
        log_up, log_down = np.zeros((2, len(table), len(self.processes), len(self.channels)))
        parameters, auxiliary = [], []
        for k, (name, uses) in enumerate(table.items()):
            self.settings.refuse(name, "sigmas", "factors")
            init, limits = self.settings.start(name, 0.0, [-5.0, 5.0])
            [observed] = self.settings.values(name, "auxdata", [0.0], 1)
            constraint, centre = self.settings.gaussian(name, observed, 1.0)
            auxiliary += centre
            parameters.append(self.settings.parameter(name, "systematic", init, limits, constraint))
            for use in uses:
                if use.kind == "normsys":
                    log_up[k, use.process, use.channel] = math.log(use.data["hi"])
                    log_down[k, use.process, use.channel] = math.log(use.data["lo"])
                else:
                    bins = self.where[use.channel]
                    up, down = np.asarray(use.data["hi_data"], float), np.asarray(use.data["lo_data"], float)
                    odd[k, use.process, bins] = (up - down) / 2
                    even[k, use.process, bins] = (up + down) / 2 - self.nominal[use.process, bins]
        arrays = {"odd": odd, "even": even, "log_up": log_up, "log_down": log_down}
        return parameters, auxiliary, arrays

    def result(self, combine_convention: bool) -> tuple[dict[str, Any], Data]:
        """The fields of the likelihood, and its data."""
        factors, factor_auxiliary, normfactor_mask = self._factors()
        systematics, systematic_auxiliary, arrays = self._systematics()
        self._simulation()
        self._shape_errors()
        self._free_shapes()
        parameters = (*factors, *systematics, *self.cells)
        self._check_interest([p.name for p in parameters])
        cell_parameter_index = np.full((len(self.columns), *self.nominal.shape), len(self.cells))
        for s, column in enumerate(self.columns):
            for i, b, k in column:
                cell_parameter_index[s, i, b] = k
        total = abs(self.nominal.sum(0))
        fluctuates = (self.width > 0) | (self.tau > 0)
        absent = (self.nominal == 0) & ~arrays["odd"].any(0) & ~arrays["even"].any(0)
        whole = bool(((self.gamma_mask == 1) | absent | ~fluctuates).all()) and not (self.tau > 0).any()
        gamma_mask = np.ones_like(self.gamma_mask) if whole else self.gamma_mask
        self._check_arguments([p.name for p in parameters])
        self._check_start([*parameters], normfactor_mask, cell_parameter_index)
        fields: dict[str, Any] = dict(
            parameters=parameters,
            channels=tuple(self.channels),
            edges=tuple(tuple(float(x) for x in range(n + 1)) for n in self.layout.bins),
            processes=tuple(self.processes),
            simulation_statistics=self.profiles,
            nominal=self.nominal,
            variance=self.variance,
            **arrays,
            coefficients=code4_coefficients(arrays["log_up"], arrays["log_down"]),
            normfactor_mask=normfactor_mask,
            cell_parameter_index=cell_parameter_index,
            gamma_mask=gamma_mask,
            width=self.width,
            tau=self.tau,
            floor=1e-7 * np.where(fluctuates, abs((self.nominal * gamma_mask).sum(0)), total) + 1e-12,
            offset=np.asarray(self.offset),
            partial_gamma=not whole,
            combine_convention=combine_convention,
            shape_code=self.histosys,
            factor_code=self.normsys,
            modifiers=tuple(self.modifiers),
            functions=tuple(r.formula for r in self.rates),
            penalties=self.penalties,
        )
        auxiliary = [
            *factor_auxiliary,
            *systematic_auxiliary,
            *self.cell_auxiliary,
            *(self.gamma if self.profiles else ()),
        ]
        return fields, Data(self.counts, np.array(auxiliary, np.float64))

    def is_profiled(self, name: str) -> bool:
        """Whether a name is that of γ which the likelihood profiles, once it is made."""
        return any(m.name == name and m.first < 0 for m in self.modifiers)

    def _check_interest(self, names: list[str]) -> None:
        if self.poi is not None and not self.is_profiled(self.poi):
            check_known([self.poi], names, "parameter of interest", "parameter")
        check_known(self.group, {*names, *self.kinds}, "group", "parameter")

    def _check_arguments(self, names: list[str]) -> None:
        """No parameter of a function may be profiled, or its name be that of two parameters."""
        check_known(self.arguments, names, "functions", "parameter")
        twice = [n for n in names if names.count(n) > 1] if self.arguments else []
        if twice:
            raise InputError(f"parameter '{twice[0]}'", "two of this name", "a name for each")

    def _check_start(
        self, parameters: list[Parameter], normfactor_mask: np.ndarray, cell_parameter_index: np.ndarray
    ) -> None:
        """No bin may expect a negative number of events at the initial values (systematics taken at 0)."""
        init, n = np.array([p.init for p in parameters]), len(self.cells)
        values = {p.name: np.float64(p.init) for p in parameters}
        made = [r.formula(values) for r in self.rates]
        for rate, value in zip(self.rates, made, strict=True):
            if not np.isfinite(value):
                raise InputError(f"function '{rate.formula.name}'", f"{value:g} at the start", "a finite number")
        factors = np.append(init[: len(normfactor_mask) - len(made)], made)
        factor = np.prod(np.where(normfactor_mask > 0, factors[:, None, None], 1.0), axis=0)
        cells = np.append(init[len(init) - n :], 1.0)[cell_parameter_index].prod(0)
        rate = (self.nominal * factor[:, self.layout.channel] * cells).sum(0)
        for b in np.flatnonzero(rate < 0)[:1]:
            seen = f"{rate[b]:g} expected events at the start"
            raise InputError(self._bin(int(b)), seen, "at least 0", "see its samples' data")
