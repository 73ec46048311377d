"""Modifiers that act bin by bin, as factors of cells: ``staterror``, ``shapesys`` and ``shapefactor``.

Their γ are profiled in closed form where a bin has only one of them and nothing special is said about it; all else becomes
explicit parameters, named as in pyhf (``name[bin]``) or as HS3 says.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from verax.errors import InputError
from verax.model import FLOATING, HALF_LOG_2PI, SIMULATION, UNCORRELATED, CellModifier
from verax.parameters import Gaussian, Parameter, Poisson
from verax.templates import Layout

from ._schema import Json
from ._settings import Constraint, Settings


class Use(NamedTuple):
    """One modifier of one process in one channel."""

    channel: int
    process: int
    kind: str
    name: str
    data: Any


class BinByBin:
    """What is common to all modifiers of an import, and those that act bin by bin; ``arguments`` are those of functions."""

    def __init__(
        self, spec: Json, settings: Mapping[str, Json], poi: str | None, group: Any, arguments: Iterable[str]
    ) -> None:
        self.poi, self.group = poi, group
        self.channels = [c["name"] for c in spec["channels"]]
        self.processes = list(dict.fromkeys(s["name"] for c in spec["channels"] for s in c["samples"]))
        bins = tuple(len(c["samples"][0]["data"]) for c in spec["channels"])
        self.layout = Layout(bins)
        self.where = [np.flatnonzero(self.layout.channel == c) for c in range(len(bins))]
        self.nominal = np.zeros((len(self.processes), sum(bins)))
        self.uses: list[Use] = []
        place = {name: i for i, name in enumerate(self.processes)}
        for c, channel in enumerate(spec["channels"]):
            for sample in channel["samples"]:
                i = place[sample["name"]]
                self.nominal[i, self.where[c]] = sample["data"]
                self.uses.extend(Use(c, i, m["type"], m["name"], m["data"]) for m in sample["modifiers"])
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
        self.arguments = list(arguments)
        self.kinds = self._kinds()
        self.settings = Settings(settings, self.kinds, poi, group)

    def _kinds(self) -> dict[str, str]:
        """The kind of parameter that each name means; ``normsys`` and ``histosys`` share theirs."""
        kinds: dict[str, str] = {}
        for use in self.uses:
            kind = "normsys or histosys" if use.kind in ("normsys", "histosys") else use.kind
            if kinds.setdefault(use.name, kind) != kind:
                raise InputError(self._at(use), f"the name of a {kinds[use.name]}", "a name for each kind of parameter")
        if not kinds and not self.arguments:
            raise InputError("workspace", "no modifiers", "at least one parameter")
        return kinds

    def _at(self, use: Use) -> str:
        place = f"channel '{self.channels[use.channel]}', sample '{self.processes[use.process]}'"
        return f"{place}, modifier '{use.name}' ({use.kind})"

    def _bin(self, b: int) -> str:
        return f"channel '{self.channels[self.layout.channel[b]]}', bin {self.layout.slot[b]}"

    def _of(self, *kinds: str) -> dict[str, list[Use]]:
        """Uses of these kinds of modifier by name, the parameter of interest first."""
        table: dict[str, list[Use]] = {}
        for use in self.uses:
            if use.kind in kinds:
                table.setdefault(use.name, []).append(use)
        return dict(sorted(table.items(), key=lambda item: item[0] != self.poi))

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
            if "constraints" in self.settings.given.get(name, {}):
                profiled = not ((relative > 0) & (total[bins] < 0)).any()
                if self._as_written(name, uses, bins, relative, SIMULATION, profiled):
                    for use in uses:
                        self.variance[use.process, self.where[use.channel]] = np.square(use.data)
                continue
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
            if "constraints" in self.settings.given.get(name, {}):
                relative = np.where(valid, error / np.where(valid, abs(nominal), 1.0), 0.0)
                self._as_written(name, uses, bins, relative, UNCORRELATED, profiled)
                continue
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

    def _as_written(
        self, name: str, uses: list[Use], bins: np.ndarray, relative: np.ndarray, group: str, profiled: bool
    ) -> bool:
        """γ whose constraints HS3 says, with these relative errors; those without error are known to be 1."""
        constraints: list[Constraint] = []
        observed: list[float] = []
        given = self.settings.given[name]
        for kind, error, held in zip(given["constraints"], relative.tolist(), given["fixed"], strict=True):
            if isinstance(kind, list):
                profiled = False
                constraints.append(Gaussian(float(kind[1])))
                observed.append(float(kind[0]))
            else:
                counted = kind == "Poisson"
                none = error == 0 or kind is None
                constraints.append(None if none else Poisson(error**-2) if counted else Gaussian(error))
                observed.append(error**-2 if counted and not none else 1.0)
                profiled &= error == 0 or kind is not None
                if error == 0 and kind is not None and not held:  # the constant of a γ that is known, as in pyhf
                    self.offset -= 1.0 if counted else HALF_LOG_2PI
        valid = (relative > 0) | np.array([c is not None for c in constraints], bool)
        if not self._add(name, uses, bins, valid, constraints, observed, group, profiled):
            return False
        for b, c in zip(bins, constraints, strict=True):
            self.width[b] = c.width if isinstance(c, Gaussian) else 0.0
            self.tau[b] = c.tau if isinstance(c, Poisson) else 0.0
        return True

    def _free_shapes(self) -> None:
        """``shapefactor``: one free factor per bin, by number of the bin where channels share it."""
        for name, uses in self._of("shapefactor").items():
            n = max(len(self.where[u.channel]) for u in uses)
            self.settings.refuse(name, "auxdata", "sigmas", "factors")
            first = self._explicit(name, np.zeros(n, bool), [None] * n, [], FLOATING, [0.0, 10.0])
            for use in uses:
                bins = self.where[use.channel]
                self._place(use, bins, first + np.arange(len(bins)), first)

    def _bins_of(self, uses: Iterable[Use]) -> np.ndarray:
        """Bins that a bin-by-bin modifier acts on, channels in pyhf's (alphabetical) order."""
        channels = sorted({u.channel for u in uses}, key=lambda c: self.channels[c])
        return np.concatenate([self.where[c] for c in channels])

    def _add(
        self,
        name: str,
        uses: list[Use],
        bins: np.ndarray,
        valid: np.ndarray,
        constraints: list[Any],
        observed: Any,
        group: str,
        profiled: bool,
    ) -> bool:
        """Give the bins a γ. True where it can be profiled; else it becomes explicit parameters."""
        given = self.settings.given.get(name, {})
        fixed = given.get("fixed", False)
        held = (np.array(fixed, bool) & valid).any() if isinstance(fixed, list) else fixed
        ordinary = profiled and not held and all(x == 1 for x in given.get("inits", ()))
        ordinary &= not set(given.get("names", ())) & {self.poi, *self.arguments}
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
        n, first, given = len(fixed), len(self.cells), self.settings.given.get(name, {})
        if isinstance(given.get("fixed"), list):
            fixed = fixed | np.array(given["fixed"], bool)
        inits = self.settings.values(name, "inits", [1.0] * n, n)
        bounds = self.settings.values(name, "bounds", [limits] * n, n)
        for j in range(n):
            held = bool(fixed[j])
            label = given["names"][j] if "names" in given else f"{name}[{j}]"
            self.cells.append(self.settings.parameter(label, group, inits[j], bounds[j], constraints[j], name, held))
        self.cell_auxiliary += [float(x) for x, c in zip(observed, constraints, strict=False) if c is not None]
        return first

    def _place(self, use: Use, bins: np.ndarray, numbers: np.ndarray, first: int) -> None:
        """Let cell parameters multiply a process in some bins: in the first column that is free in all of them."""
        self._record(use, first)
        for column in self.columns:
            if not {(i, b) for i, b, _ in column} & {(use.process, int(b)) for b in bins}:
                break
        else:
            column = []
            self.columns.append(column)
        column.extend((use.process, int(b), int(k)) for b, k in zip(bins, numbers, strict=True))

    def _record(self, use: Use, first: int) -> None:
        data = tuple(float(x) for x in use.data or ())
        self.modifiers.append(CellModifier(use.kind, use.name, use.channel, use.process, data, first))
