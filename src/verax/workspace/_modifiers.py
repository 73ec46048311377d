"""The modifiers of a HistFactory workspace (CERN-OPEN-2012-016) as parameters and arrays over processes and bins.

All seven modifiers mean what they mean to pyhf. The γ of ``staterror`` and ``shapesys`` are profiled in closed form where
a bin has only one of them and the measurement says nothing special about it; all else becomes explicit parameters, named
as in pyhf (``name[bin]``). A fixed parameter has bounds without width.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from verax.arrays import Array
from verax.errors import InputError, check_known
from verax.model import FLOATING, HALF_LOG_2PI, SIMULATION, UNCORRELATED, CellModifier, Data, code4_coefficients
from verax.parameters import Gaussian, Parameter, Poisson
from verax.templates import Layout

from ._schema import Json
from ._settings import Settings

Codes = Callable[..., tuple[Array, Array, Array]]


class _Use(NamedTuple):
    """One modifier of one process in one channel."""

    channel: int
    process: int
    kind: str
    name: str
    data: Any


class Import:
    """One import: arrays that are filled, and parameters that are collected, modifier by modifier."""

    def __init__(
        self, spec: Json, settings: Mapping[str, Json], poi: str | None, normsys: Codes, histosys: Codes, group: Any
    ) -> None:
        self.poi, self.normsys, self.histosys, self.group = poi, normsys, histosys, group
        self.channels = [c["name"] for c in spec["channels"]]
        self.processes = list(dict.fromkeys(s["name"] for c in spec["channels"] for s in c["samples"]))
        bins = tuple(len(c["samples"][0]["data"]) for c in spec["channels"])
        self.layout = Layout(bins)
        self.where = [np.flatnonzero(self.layout.channel == c) for c in range(len(bins))]
        self.nominal = np.zeros((len(self.processes), sum(bins)))
        self.uses: list[_Use] = []
        place = {name: i for i, name in enumerate(self.processes)}
        for c, channel in enumerate(spec["channels"]):
            for sample in channel["samples"]:
                i = place[sample["name"]]
                self.nominal[i, self.where[c]] = sample["data"]
                self.uses.extend(_Use(c, i, m["type"], m["name"], m["data"]) for m in sample["modifiers"])
        observed = {o["name"]: o["data"] for o in spec["observations"]}
        self.counts = np.concatenate([np.asarray(observed[c], np.float64) for c in self.channels])
        self.variance, self.gamma_mask = np.zeros_like(self.nominal), np.zeros_like(self.nominal)
        self.width, self.tau, self.gamma = (np.zeros(sum(bins)), np.zeros(sum(bins)), np.ones(sum(bins)))
        self.taken = np.zeros(sum(bins), bool)  # bins whose γ is profiled
        self.offset, self.profiles = 0.0, False
        self.cells: list[Parameter] = []
        self.cell_auxiliary: list[float] = []
        self.columns: list[list[tuple[int, int, int]]] = []  # of cell_parameter_index: (process, bin, cell parameter)
        self.modifiers: list[CellModifier] = []
        self.kinds = self._kinds()
        self.settings = Settings(settings, self.kinds, poi, group)

    def _kinds(self) -> dict[str, str]:
        """The kind of parameter that each name means; ``normsys`` and ``histosys`` share theirs."""
        kinds: dict[str, str] = {}
        for use in self.uses:
            kind = "normsys or histosys" if use.kind in ("normsys", "histosys") else use.kind
            if kinds.setdefault(use.name, kind) != kind:
                raise InputError(self._at(use), f"the name of a {kinds[use.name]}", "a name for each kind of parameter")
        if not kinds:
            raise InputError("workspace", "no modifiers", "at least one parameter")
        return kinds

    def _at(self, use: _Use) -> str:
        place = f"channel '{self.channels[use.channel]}', sample '{self.processes[use.process]}'"
        return f"{place}, modifier '{use.name}' ({use.kind})"

    def _bin(self, b: int) -> str:
        return f"channel '{self.channels[self.layout.channel[b]]}', bin {self.layout.slot[b]}"

    def _of(self, *kinds: str) -> dict[str, list[_Use]]:
        """Uses of these kinds of modifier by name, the parameter of interest first."""
        table: dict[str, list[_Use]] = {}
        for use in self.uses:
            if use.kind in kinds:
                table.setdefault(use.name, []).append(use)
        return dict(sorted(table.items(), key=lambda item: item[0] != self.poi))

    def _factors(self) -> tuple[list[Parameter], list[float], np.ndarray]:
        """Parameters of ``normfactor`` and ``lumi``, their global observables, and what they multiply."""
        table = self._of("normfactor", "lumi")
        normfactor_mask = np.zeros((len(table), len(self.processes), len(self.channels)))
        parameters, auxiliary = [], []
        for i, (name, uses) in enumerate(table.items()):
            for use in uses:
                normfactor_mask[i, use.process, use.channel] = 1.0
            if uses[0].kind == "lumi":
                self.settings.refuse(name, "factors")
                [observed], [sigma] = (self.settings.values(name, key, None, 1) for key in ("auxdata", "sigmas"))
                init, limits = self.settings.start(name)
                auxiliary.append(float(observed))
                parameters.append(self.settings.parameter(name, "luminosity", init, limits, Gaussian(float(sigma))))
            else:
                self.settings.refuse(name, "auxdata", "sigmas", "factors")
                init, limits = self.settings.start(name, 1.0, [0.0, 10.0])
                parameters.append(self.settings.parameter(name, FLOATING, init, limits, None))
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
            auxiliary += [float(x) for x in self.settings.values(name, "auxdata", [0.0], 1)]
            parameters.append(self.settings.parameter(name, "systematic", init, limits, Gaussian()))
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

    def _simulation(self) -> None:
        """``staterror``: γ of width δ = √Σ errors² / |Σ nominal| over the samples that have it, per bin.

        A bin in which all of them are empty has no γ, as in pyhf: it would multiply nothing.
        """
        for name, uses in self._of("staterror").items():
            sets = {frozenset(u.process for u in uses if u.channel == c) for c in {u.channel for u in uses}}
            if len(sets) > 1:
                raise InputError(
                    self._at(uses[-1]), "other samples than in another channel", "the same samples in each"
                )
            bins = self._bins_of(uses)
            total, variance = np.zeros(self.nominal.shape[1]), np.zeros(self.nominal.shape[1])
            for use in uses:
                total[self.where[use.channel]] += self.nominal[use.process, self.where[use.channel]]
                variance[self.where[use.channel]] += np.square(use.data)
            events = abs(self.nominal[[u.process for u in uses]]).sum(0)
            for b in bins[((total == 0) & (variance > 0) & (events > 0))[bins]]:
                seen = f"samples that cancel to 0 events, with an error of {variance[b] ** 0.5:g}"
                raise InputError(
                    f"{self._bin(int(b))}, '{name}' (staterror)", seen, "events that the error is relative to"
                )
            with np.errstate(over="ignore"):  # an infinite one is refused as a width
                relative = np.where(total != 0, np.sqrt(variance) / np.where(total != 0, abs(total), 1.0), 0.0)[bins]
            width = np.array(
                self.settings.values(name, "sigmas", np.where(relative > 0, relative, 1.0).tolist(), len(bins))
            )
            observed = self.settings.values(name, "auxdata", [1.0] * len(bins), len(bins))
            self.settings.refuse(name, "factors")
            valid, constraints = relative > 0, [Gaussian(float(w)) for w in width]
            profiled = not (valid & (total[bins] < 0)).any()  # the closed form is for rates above 0
            if self._add(name, uses, bins, valid, constraints, observed, SIMULATION, profiled):
                self.width[bins] = np.where(valid, width, 0.0)
                for use in uses:
                    self.variance[use.process, self.where[use.channel]] = np.square(use.data)
                off, fixed = np.array(observed)[~valid] - 1.0, width[~valid]
                self.offset -= float(np.sum(0.5 * (off / fixed) ** 2 + HALF_LOG_2PI + np.log(fixed)))

    def _shape_errors(self) -> None:
        """``shapesys``: γ with P(τ; τγ), τ = (nominal / error)², of one sample in one channel."""
        for name, uses in self._of("shapesys").items():
            if len(uses) > 1:
                raise InputError(
                    self._at(uses[1]), "a name that another sample has", "a name for each sample and channel"
                )
            bins, use = self._bins_of(uses), uses[0]
            nominal, error = self.nominal[use.process, bins], np.asarray(use.data, float)
            valid, profiled = (nominal != 0) & (error > 0), not ((nominal < 0) & (error > 0)).any()
            with np.errstate(over="ignore", divide="ignore"):  # an infinite one is refused as a constraint
                tau = np.where(valid, nominal**2 / np.where(valid, error, 1.0) ** 2, 1.0)
            self.settings.refuse(name, "sigmas")
            tau = np.array(self.settings.values(name, "factors", tau.tolist(), len(bins)), float)
            observed = self.settings.values(name, "auxdata", tau.tolist(), len(bins))
            constraints = [Poisson(float(t)) for t in tau]
            if self._add(name, uses, bins, valid, constraints, observed, UNCORRELATED, profiled):
                self.tau[bins] = np.where(valid, tau, 0.0)
                for t, a in zip(tau[~valid], np.array(observed)[~valid], strict=True):
                    self.offset += a * math.log(t) - t - math.lgamma(a + 1)

    def _free_shapes(self) -> None:
        """``shapefactor``: one free factor per bin, by number of the bin where channels share it."""
        for name, uses in self._of("shapefactor").items():
            n = max(len(self.where[u.channel]) for u in uses)
            self.settings.refuse(name, "auxdata", "sigmas", "factors")
            first = self._explicit(name, np.zeros(n, bool), [None] * n, [], FLOATING, [0.0, 10.0])
            for use in uses:
                bins = self.where[use.channel]
                self._place(use, bins, first + np.arange(len(bins)), first)

    def _bins_of(self, uses: Iterable[_Use]) -> np.ndarray:
        """Bins that a bin-by-bin modifier acts on, channels in pyhf's (alphabetical) order."""
        channels = sorted({u.channel for u in uses}, key=lambda c: self.channels[c])
        return np.concatenate([self.where[c] for c in channels])

    def _add(
        self,
        name: str,
        uses: list[_Use],
        bins: np.ndarray,
        valid: np.ndarray,
        constraints: list[Any],
        observed: Any,
        group: str,
        profiled: bool,
    ) -> bool:
        """Give the bins a γ. True where it can be profiled; else it becomes explicit parameters."""
        given = self.settings.given.get(name, {})
        ordinary = profiled and not given.get("fixed") and all(x == 1 for x in given.get("inits", ()))
        ordinary &= all(low <= 1e-6 and high >= 10 for low, high in given.get("bounds", ()))
        if ordinary and not self.taken[bins].any():
            for key in ("inits", "bounds"):
                self.settings.values(name, key, [0] * len(bins), len(bins))
            self.profiles = True
            self.taken[bins[valid]] = True
            for use in uses:
                self.gamma_mask[use.process, self.where[use.channel]] = 1.0
                self._record(use, -1)
            self.gamma[bins] = np.where(valid, observed, 1.0)
            return True
        first = self._explicit(name, ~valid, constraints, list(observed), group, [1e-10, 10.0])
        number = np.full(self.nominal.shape[1], -1)
        number[bins] = first + np.arange(len(bins))
        for use in uses:
            self._place(use, self.where[use.channel], number[self.where[use.channel]], first)
        return False

    def _explicit(
        self,
        name: str,
        fixed: np.ndarray,
        constraints: list[Any],
        observed: list[float],
        group: str,
        limits: list[float],
    ) -> int:
        """Cell parameters name[0], name[1], …; returns the number of the first."""
        n, first = len(fixed), len(self.cells)
        inits = self.settings.values(name, "inits", [1.0] * n, n)
        bounds = self.settings.values(name, "bounds", [limits] * n, n)
        for j in range(n):
            held = bool(fixed[j])
            label = f"{name}[{j}]"
            self.cells.append(self.settings.parameter(label, group, inits[j], bounds[j], constraints[j], name, held))
        self.cell_auxiliary += [float(x) for x in observed]
        return first

    def _place(self, use: _Use, bins: np.ndarray, numbers: np.ndarray, first: int) -> None:
        """Let cell parameters multiply a process in some bins: in the first column that is free in all of them."""
        self._record(use, first)
        for column in self.columns:
            if not {(i, b) for i, b, _ in column} & {(use.process, int(b)) for b in bins}:
                break
        else:
            column = []
            self.columns.append(column)
        column.extend((use.process, int(b), int(k)) for b, k in zip(bins, numbers, strict=True))

    def _record(self, use: _Use, first: int) -> None:
        data = tuple(float(x) for x in use.data or ())
        self.modifiers.append(CellModifier(use.kind, use.name, use.channel, use.process, data, first))

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

    def _check_start(
        self, parameters: list[Parameter], normfactor_mask: np.ndarray, cell_parameter_index: np.ndarray
    ) -> None:
        """No bin may expect a negative number of events at the initial values (systematics taken at 0)."""
        init, n = np.array([p.init for p in parameters]), len(self.cells)
        factor = np.prod(np.where(normfactor_mask > 0, init[: len(normfactor_mask), None, None], 1.0), axis=0)
        cells = np.append(init[len(init) - n :], 1.0)[cell_parameter_index].prod(0)
        rate = (self.nominal * factor[:, self.layout.channel] * cells).sum(0)
        for b in np.flatnonzero(rate < 0)[:1]:
            seen = f"{rate[b]:g} expected events at the start"
            raise InputError(self._bin(int(b)), seen, "at least 0", "see its samples' data")
