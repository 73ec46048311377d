"""The modifiers of HistFactory distributions in HS3: what each means for its parameter, its constraint and its samples.

Source: hep-statistics-serialization-standard, chapter HistFactory, and what ROOT's writer does where the text leaves a
choice: names of parameters that are not said, templates of ``histosys`` absolute, errors of ``staterror`` from the sample.
"""

import math
from collections.abc import Mapping
from typing import Any

from verax.errors import InputError, nearest
from verax.model import code0, code1, code2, code4, code4p, linear

from ._hs3_functions import Functions, is_number
from ._modifiers import Codes
from ._schema import Json

GAUSS = ("Gauss", "Gaussian", "Gaus")
NONE = ("None", "Const")
CONSTRAINTS = ("constraint", "constraint_type", "constraint_name")
VANISHING = math.exp(-100)
"""What stands for a factor of 0, of which there is no logarithm: it changes no event."""

CODES: dict[str, dict[str, tuple[Codes, tuple[Any, ...]]]] = {
    "normsys": {
        "linear": (linear, (0, "lin", ("add", "poly1", "poly1"))),
        "code1": (code1, (1, "log", ("mult", "exp", "exp"))),
        "code4": (code4, (4, 5, "4", "code4", "poly6", "poly6_exp", ("mult", "poly6", "exp"))),
    },
    "histosys": {
        "code0": (code0, (0, "lin", ("add", "poly1", "poly1"))),
        "code2": (code2, (2, 3, "parabolic", ("add", "poly2", "poly1"))),
        "code4p": (code4p, (4, "4p", "code4p", "poly6", ("add", "poly6", "poly1"))),
    },
}
"""Ways to write each interpolation: ROOT's numbers, older words, the three words of the standard. The last is default."""


class Reader:
    """Reader of channels, which collects the parameters (each set's name and members) and what cannot be imported."""

    def __init__(
        self,
        points: Mapping[str, Json],
        domains: Mapping[str, Json],
        functions: Functions,
        others: Mapping[str, Json],
        shape_errors: str | None,
        bin_constraint: str | None,
        by_root: bool,
    ) -> None:
        self.points, self.domains, self.functions, self.others = points, domains, functions, others
        self.shape_errors, self.bin_constraint, self.by_root = shape_errors, bin_constraint, by_root
        self.sets: dict[str, tuple[str, list[str]]] = {}  # name: channel, members
        self.constraints: dict[str, list[Any]] = {}  # of the sets, by bin
        self.held: dict[str, set[int]] = {}  # of the sets: bins
        self.owner: dict[str, str] = {}  # of each member
        self.gaussian: dict[str, tuple[float, float]] = {}
        self.named: set[str] = set()  # distributions that modifiers name as constraints
        self.scalars: dict[str, str] = {}  # kind
        self.codes: dict[str, dict[str, str]] = {"normsys": {}, "histosys": {}}
        self.statistics: dict[str, str] = {}  # channel: name of its staterror
        self.known = {*points, *domains}
        self.obstacles: list[InputError] = []

    def channel(self, distribution: Json) -> Json:
        """One channel as in a workspace; what cannot be read is an obstacle."""
        where, samples = f"distribution '{distribution['name']}'", []
        for sample in distribution["samples"]:
            here, modifiers = f"{where}, sample '{sample['name']}'", []
            linears = 0
            for entry in sample.get("modifiers", []):
                try:
                    made = self.modifier(entry, here, distribution, sample)
                except InputError as error:
                    self.obstacles.append(error)
                    continue
                modifiers += [made] if made is not None else []
                linears += made is not None and made["type"] == "normsys"
            if linears > 1 and "linear" in self.codes["normsys"]:
                seen = f"{linears} piecewise linear normsys, whose sum ROOT takes and others their product"
                self.obstacles.append(InputError(here, seen, "one"))
            values = [float(x) for x in sample["data"]["contents"]]
            samples.append({"name": sample["name"], "data": values, "modifiers": modifiers})
        self._threshold(distribution)
        return {"name": distribution["name"], "samples": samples}

    def modifier(self, entry: Json, where: str, distribution: Json, sample: Json) -> Json | None:
        """One modifier as in a workspace; None for a function that multiplies the sample, and for factors of 1."""
        kind, content = entry["type"], sample["data"]
        here = f"{where}, modifier '{entry.get('name', entry.get('parameter', kind))}' ({kind})"
        constraints = [entry[k] for k in CONSTRAINTS if entry.get(k) is not None]
        if len(set(constraints)) > 1:
            raise InputError(f"{here}, constraint", " and ".join(f"'{x}'" for x in constraints), "one of them")
        constraint = constraints[0] if constraints else None
        if kind in ("normfactor", "normsys", "histosys", "custom"):
            return self._scalar(entry, kind, constraint, here, distribution, sample)
        if constraint == "Const" and self._is_nothing(entry, content):
            return None
        name, members = self._gammas(entry, kind, distribution["name"], len(content["contents"]), here)
        if kind == "shapefactor":
            if constraint not in (None, *NONE):
                raise InputError(f"{here}, constraint", f"'{constraint}'", "none")
            return {"name": name, "type": kind, "data": None}
        each = entry.get("constraints")
        if each is not None and constraint is not None:
            raise InputError(f"{here}, constraint", f"'{constraint}' beside 'constraints'", "one of them")
        if each is None and constraint is None:
            constraint = distribution.get("staterror", {}).get("constraint_type") if kind == "staterror" else None
            constraint = constraint or self._unsaid(kind, here)
        each = [constraint] * len(members) if each is None else each
        kinds = [None if c is None else self._kind(c, m, here) for c, m in zip(each, members, strict=True)]
        if self.constraints.setdefault(name, kinds) != kinds:
            raise InputError(f"{here}, constraint", f"{constraint!r}", "the same constraint in each sample")
        if constraint == "Const":
            self.held.setdefault(name, set()).update(range(len(members)))
        if kind == "staterror":
            self.statistics[distribution["name"]] = name
            detail = entry.get("data")
            given = detail.get("uncertainties") if isinstance(detail, Mapping) else detail
            given = content.get("errors") if given is None else given
            if given is None:
                raise InputError(here, "no errors of the sample", "'errors' beside its 'contents'")
            return {"name": name, "type": kind, "data": [float(x) for x in given]}
        values = [float(v) for v in entry["data"]["vals"]]
        own = any(isinstance(k, str) for k in kinds)
        if own and any(values) and self._relative(values, content["contents"], members, here):
            values = [abs(v * x) for v, x in zip(values, content["contents"], strict=True)]
        return {"name": name, "type": kind, "data": values}

    def _is_nothing(self, entry: Json, content: Json) -> bool:
        """Whether γ that are constant are 1, as those that ROOT holds for lack of errors."""
        names = entry.get("parameters") or [
            f"gamma_{entry.get('name')}_bin_{b}" for b in range(len(content["contents"]))
        ]
        return "parameter" not in entry and all(self.points.get(n, {}).get("value", 1.0) == 1.0 for n in names)

    def _unsaid(self, kind: str, here: str) -> str:
        """The constraint of γ where the file says none: that of its writer, else of the caller."""
        if self.by_root:
            return "Poisson" if kind == "staterror" else "Gauss"
        if self.bin_constraint is None:
            seen = "None, which is Poisson or Gauss, by its writer"
            raise InputError(f"{here}, constraint", seen, "bin_constraint='gauss' or bin_constraint='poisson'")
        return "Gauss" if self.bin_constraint == "gauss" else "Poisson"

    def _kind(self, constraint: Any, member: str, here: str) -> Any:
        """The constraint of one γ: "Gauss" or "Poisson" with its own error, None, or mean and width of a named one."""
        if constraint in NONE:
            return None
        if constraint in GAUSS or constraint == "Poisson":
            return "Poisson" if constraint == "Poisson" else "Gauss"
        return list(self._named(constraint, member, here))

    def _relative(self, vals: list[float], contents: list[float], members: list[str], here: str) -> bool:
        """Whether errors are relative: as the bounds 1 + 5σ of γ in the file say, else the caller, else ROOT."""
        known = [(self.domains[m]["max"], v, x) for m, v, x in zip(members, vals, contents, strict=True)
                 if v and x and "max" in self.domains.get(m, {})]  # fmt: skip
        fits = [
            bool(known) and all(math.isclose(top, 1 + 5 * v / abs(x) ** power, rel_tol=1e-6) for top, v, x in known)
            for power in (0, 1)
        ]
        said = "relative" if self.by_root else None
        if fits[0] != fits[1]:
            said = "relative" if fits[0] else "absolute"
            if self.shape_errors not in (None, said):
                seen = f"{self.shape_errors} errors, though the bounds of γ are 1 + 5σ of {said} ones"
                raise InputError(here, seen, f"shape_errors='{said}'")
        chosen = self.shape_errors or said
        if chosen is None:
            raise InputError(
                here,
                "'vals', which may be relative or absolute",
                "shape_errors='relative' (as ROOT writes) or shape_errors='absolute'",
            )
        return chosen == "relative"

    def _gammas(self, entry: Json, kind: str, channel: str, bins: int, here: str) -> tuple[str, list[str]]:
        """The name and the members of the γ of a modifier that acts bin by bin, which are added to the sets."""
        given = [str(x) for x in entry.get("parameters", [])]
        name = str(entry.get("parameter") or common(given) or entry.get("name") or f"{kind}_{channel}")
        stem = f"gamma_{name}"
        if kind == "staterror" and "parameter" not in entry and f"{stem}_bin_0" not in self.known:
            stem = f"gamma_stat_{channel.removeprefix('model_')}"
        members = given or [f"{stem}_bin_{b}" for b in range(bins)]
        if not given and kind != "shapefactor" and self.sets.get(name, (channel, []))[0] != channel:
            name = f"{name}_{channel}"  # the γ of each channel are its own
            if kind != "staterror" or "parameter" in entry:
                members = [f"gamma_{name}_bin_{b}" for b in range(bins)]
        for m in members:
            self._plain(m, here)
            if self.owner.setdefault(m, name) != name:
                raise InputError(
                    f"{here}, parameters", f"'{m}', which is in set '{self.owner[m]}'", "one set for each γ"
                )
        known = self.sets.setdefault(name, (channel, members))
        if known[1] != members:
            raise InputError(f"{here}, parameters", f"a set '{name}' with other members", "one name for each set")
        if kind != "shapefactor" and known[0] != channel:
            seen = f"'{members[0]}' …, which act in distribution '{known[0]}' too"
            raise InputError(f"{here}, parameters", seen, "γ of one channel")
        return name, members

    def _threshold(self, distribution: Json) -> None:
        """Hold γ of ``staterror`` whose relative error is below the channel's threshold, as ROOT does."""
        least = distribution.get("staterror", {}).get("relThreshold", 0.0)
        name = self.statistics.get(distribution["name"])
        samples = [s["data"] for s in distribution["samples"] if "errors" in s["data"] and _has_staterror(s)]
        if not least or name is None or not samples:
            return
        for b in range(len(samples[0]["contents"])):
            total = abs(sum(s["contents"][b] for s in samples))
            if math.sqrt(sum(s["errors"][b] ** 2 for s in samples)) < least * total:
                self.held.setdefault(name, set()).add(b)

    def _scalar(
        self, entry: Json, kind: str, constraint: str | None, here: str, distribution: Json, sample: Json
    ) -> Json | None:
        name = self._parameter(entry, kind)
        if name in self.functions and kind in ("normfactor", "custom"):
            if constraint not in (None, *NONE):
                raise InputError(f"{here}, constraint", f"'{constraint}' of a function", "none")
            self.functions.multiply(name, distribution["name"], sample["name"])
            return None
        if kind == "custom" and name not in self.known:
            raise InputError(
                here, f"'{name}', which is no function of the file", "a function or a parameter of the file"
            )
        self._plain(name, here)
        first = name not in self.scalars
        kind = "normfactor" if kind == "custom" else kind
        self.scalars.setdefault(name, kind)
        self._constrain(name, kind, constraint, here, first)
        if kind == "normfactor":
            return {"name": name, "type": kind, "data": None}
        detail, content = entry["data"], sample["data"]
        default = distribution.get("default_interpolation")
        self._interpolated(kind, entry, detail, default, here)
        if kind == "normsys":
            sides = {key: float(detail[key]) for key in ("lo", "hi")}
            return {"name": name, "type": kind, "data": {k: x if x != 0 else VANISHING for k, x in sides.items()}}
        ends = {f"{key}_data": [float(x) for x in detail[key]["contents"]] for key in ("lo", "hi")}
        nominal = sum(content["contents"])
        if min(content["contents"]) >= 0 and nominal > 0:
            small = all(abs(sum(x)) < 0.5 * nominal for x in ends.values())
            if small or min(min(x) for x in ends.values()) < -0.01 * nominal:
                seen = "contents that may be differences from the sample's: negative, or less than half of it"
                raise InputError(here, seen, "the varied templates themselves, as ROOT writes them")
        return {"name": name, "type": kind, "data": ends}

    def _parameter(self, entry: Json, kind: str) -> str:
        """The name of the parameter: where the file does not say it, that which ROOT gives it."""
        if "parameter" in entry:
            return str(entry["parameter"])
        name = str(entry.get("name", kind))
        if kind in ("normsys", "histosys") and (name not in self.known or f"alpha_{name}" in self.known):
            return f"alpha_{name}"
        return name

    def _constrain(self, name: str, kind: str, constraint: str | None, here: str, first: bool) -> None:
        """Take the constraint of one parameter: the default of its kind, a named Gaussian, or none where it is constant."""
        factor = kind == "normfactor"
        found: tuple[float, float] | None = None
        if constraint in GAUSS and factor:
            found = (1.0, 1.0)
        elif constraint not in (None, *GAUSS, *(NONE if factor else ())):
            if constraint not in self.others:
                raise InputError(f"{here}, constraint", f"'{constraint}'", "'Gauss', or a distribution of the file")
            found = self._named(str(constraint), name, here)
        if factor and self.points.get(name, {}).get("const") is True:
            found = None  # a constant of the likelihood
        default = None if factor else (0.0, 1.0)
        before = self.gaussian.get(name, default)
        if not first and before != (found or default):
            raise InputError(f"{here}, constraint", f"'{constraint}'", "the same constraint wherever it acts")
        if found is not None and found != default:
            self.gaussian[name] = found

    def _named(self, name: str, parameter: str, here: str) -> tuple[float, float]:
        """Mean and width of a Gaussian of the file that constrains a parameter."""
        found = self.others.get(name, {})
        self.named.add(name)
        ends = [found.get("x"), found.get("mean")]
        centre = [self.number(e) for e in ends if e != parameter]
        sigma = self.number(found.get("sigma"))
        if found.get("type") != "gaussian_dist" or len(centre) != 1 or centre[0] is None or not sigma or sigma < 0:
            of = (
                f"a {found['type']} of {found.get('x')} around {found.get('mean')}"
                if "type" in found
                else "not in the file"
            )
            seen = f"'{name}', {of}"[:160]
            raise InputError(f"{here}, constraint", seen, f"a Gaussian of '{parameter}' around a number")
        return centre[0], sigma

    def number(self, value: Any) -> float | None:
        """A number, or the value of a constant parameter."""
        if isinstance(value, str):
            point = self.points.get(value, {})
            value = point.get("value") if point.get("const") is True else None
        return float(value) if is_number(value) else None

    def _interpolated(self, kind: str, entry: Json, detail: Json, default: Any, here: str) -> None:
        """Note how a modifier interpolates; all of a kind must do it in the same way."""
        given = next(
            (c for c in (entry.get("interpolation"), detail.get("interpolation"), default) if c is not None), None
        )
        known = CODES[kind]
        code = [*known][-1]
        if given is not None:
            key = given
            if isinstance(given, Mapping):
                inside = given.get("in")
                key = (given.get("type"), inside, inside if given.get("out") is None else given.get("out"))
            same = [c for c, (_, names) in known.items() if any(type(n) is type(key) and n == key for n in names)]
            if not same:
                expected = "one of " + ", ".join(f"'{c}'" for c in known)
                raise InputError(f"{here}, interpolation", f"{given!r}"[:120], expected)
            code = same[0]
        if self.codes[kind].setdefault(code, here) and len(self.codes[kind]) > 1:
            other = next(c for c in self.codes[kind] if c != code)
            seen = f"'{code}', where '{other}' is that of another {kind}"
            raise InputError(f"{here}, interpolation", seen, f"one interpolation of all {kind}")

    def _plain(self, name: str, here: str) -> None:
        """Refuse a parameter that a function or a distribution computes: it is not a parameter of the fit."""
        if name in self.functions or name in self.others:
            kind = self.functions.kind(name) if name in self.functions else self.others[name].get("type")
            raise InputError(f"{here}, parameter", f"'{name}', a {kind} of the file", "a parameter of the fit")

    def settings(self) -> list[Json]:
        """Initial values, bounds, constraints and what is constant, as the measurement's parameter settings, and more."""
        alone = [n for n in self.functions.arguments if n not in self.scalars and n not in self.owner]
        for n in alone:
            if n not in self.known:
                advice = nearest(n, {*self.known, *self.scalars, *self.owner})
                self.obstacles.append(InputError("functions", f"parameter '{n}'", "a parameter of the file", advice))
        single = [*self.scalars, *alone]
        own = {n: {"gaussian": list(g)} for n, g in self.gaussian.items()}
        found = [self._setting(n, [n]) | own.get(n, {}) for n in single]
        for name, (_, names) in self.sets.items():
            setting = self._setting(name, names) | {"names": names}
            held = self.held.get(name, set())
            fixed = [b in held or self.points.get(m, {}).get("const") is True for b, m in enumerate(names)]
            setting["fixed"] = fixed
            if name in self.constraints:
                setting["constraints"] = self.constraints[name]
            found.append(setting)
        return found

    def _setting(self, name: str, members: list[str]) -> Json:
        setting: Json = {"name": name}
        known = [self.points.get(m, {}) for m in members]
        axes = [self.domains[m] for m in members if m in self.domains]
        for what, n in (("values", sum("value" in p for p in known)), ("domains", len(axes))):
            if 0 < n < len(members):
                self.obstacles.append(
                    InputError(f"parameters '{name}'", f"{what} of {n} of {len(members)} bins", "all or none")
                )
                return setting
        if "value" in known[0]:
            setting["inits"] = [float(p["value"]) for p in known]
        for axis in axes:
            if not {"min", "max"} <= set(axis):
                self.obstacles.append(InputError(f"domain of '{axis['name']}'", "one end", "'min' and 'max'"))
                return setting
        if axes:
            setting["bounds"] = [[float(axis["min"]), float(axis["max"])] for axis in axes]
        if len(members) == 1 and members[0] == name and known[0].get("const") is True:
            setting["fixed"] = True
        return setting


def _has_staterror(sample: Json) -> bool:
    return any(m["type"] == "staterror" for m in sample.get("modifiers", []))


def common(members: list[str]) -> str:
    """The common beginning of the names of a set, without the number of the bin.

    >>> common(["gamma_stat_0", "gamma_stat_1"]), common(["a", "b"])
    ('gamma_stat', '')
    """
    start = members[0] if members else ""
    for name in members[1:]:
        while not name.startswith(start):
            start = start[:-1]
    return start.rstrip("0123456789_[") if len(members) > 1 else start
