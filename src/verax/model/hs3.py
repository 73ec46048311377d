"""Import of HistFactory models from HS3 (HEP Statistics Serialization Standard, version 0.2), by way of pyhf's JSON.

Read: distributions of type ``histfactory_dist`` with their data, one likelihood, an analysis or nothing, domains and
parameter points. Source: hep-statistics-serialization-standard, chapter HistFactory, and what ROOT's writer does where
the text leaves a choice: templates of ``histosys`` are absolute, ``staterror`` takes its errors from the sample's
``errors``, interpolation is code 4 (factors) and 4p (templates) unless a modifier names another.

The errors ``vals`` of ``shapesys`` are relative in ROOT's files and absolute in others (pyhs3's examples), and a file
does not say which: the caller must. (ROOT bounds γ at 1 + 5σ: where a file has these bounds, they tell.)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verax.errors import InputError, check_known
from verax.model.histfactory import Imported, from_pyhf
from verax.model.schema import Json, read_json

SHAPE_ERRORS = ("relative", "absolute")
KINDS = ("histosys", "normfactor", "normsys", "shapefactor", "shapesys", "staterror")
INTERPOLATIONS = {"normsys": ("code4", "4", "poly6_exp"), "histosys": ("code4p", "4p", "poly6")}
GAUSS = ("Gauss", "Gaussian", "Gaus")


def is_hs3(spec: Any) -> bool:
    """Whether the content of a JSON file is HS3: it has distributions, or says so in its metadata.

    >>> is_hs3({"metadata": {"hs3_version": "0.2"}}), is_hs3({"channels": []})
    (True, False)
    """
    if not isinstance(spec, Mapping):
        return False
    metadata = spec.get("metadata")
    return "distributions" in spec or (isinstance(metadata, Mapping) and "hs3_version" in metadata)


def from_hs3(
    spec: Json | str | Path, *, likelihood: str | None = None, poi: str | None = None, shape_errors: str | None = None
) -> Imported:
    """The likelihood, data and parameter of interest of an HS3 file.

    Parameters
    ----------
    spec : its content, or a file ("-" for standard input)
    likelihood : needed where there is more than one
    poi : by default the first parameter of interest of an analysis of this likelihood
    shape_errors : whether ``vals`` of ``shapesys`` are "relative" (ROOT) or "absolute"; needed where there are any

    Raises
    ------
    InputError : whatever is wrong with it or cannot be had exactly (other distributions, constraints or codes), naming
        distribution, sample and modifier
    """
    content = read_json(spec) if isinstance(spec, (str, Path)) else spec
    return from_pyhf(hs3_to_pyhf(content, likelihood=likelihood, poi=poi, shape_errors=shape_errors))


def hs3_to_pyhf(
    spec: Json, *, likelihood: str | None = None, poi: str | None = None, shape_errors: str | None = None
) -> Json:
    """The same model and data as a pyhf workspace; parameters keep their names, those of each bin get one name together.

    Raises
    ------
    InputError : as in :func:`from_hs3`
    """
    if shape_errors not in (None, *SHAPE_ERRORS):
        raise InputError("shape_errors", f"'{shape_errors}'", " or ".join(f"'{x}'" for x in SHAPE_ERRORS))
    chosen = _likelihood(spec, likelihood)
    table = _table(spec, "distributions", "HS3")
    data = _table(spec, "data", "HS3")
    names, sets = _list(chosen, "distributions", "likelihood"), _list(chosen, "data", "likelihood")
    if len(names) != len(sets):
        raise InputError("likelihood", f"{len(names)} distributions, {len(sets)} data sets", "one for each")
    reader = _Reader(shape_errors)
    channels, observations = [], []
    for name, entry in zip(names, sets, strict=True):
        check_known([name], table, "likelihood", "distribution")
        channels.append(reader.channel(table[name]))
        observations.append({"name": name, "data": _contents(entry, data, name)})
    interest = poi if poi is not None else _interest(spec, str(chosen["name"]))
    settings = reader.settings(_points(spec), _domains(spec))
    config = {"poi": interest or "", "parameters": settings}
    measurement = {"name": str(chosen["name"]), "config": config}
    return {"version": "1.0.0", "channels": channels, "observations": observations, "measurements": [measurement]}


class _Reader:
    """Channels that are being read, and the parameters met on the way: the name of each set, and its members."""

    def __init__(self, shape_errors: str | None) -> None:
        self.shape_errors = shape_errors
        self.sets: dict[str, list[str]] = {}
        self.scalars: dict[str, str] = {}  # name: kind
        self.lumi: dict[str, str] = {}

    def channel(self, distribution: Json) -> Json:
        where = f"distribution '{distribution['name']}'"
        if distribution.get("type") != "histfactory_dist":
            raise InputError(where, f"type '{distribution.get('type')}'", "'histfactory_dist'")
        samples = []
        for k, sample in enumerate(_list(distribution, "samples", where)):
            name = str(sample.get("name", f"sample{k}"))
            here = f"{where}, sample '{name}'"
            content = sample.get("data")
            values = _list(content, "contents", f"{here}, data")
            errors = content.get("errors") if isinstance(content, Mapping) else None
            modifiers = [
                self.modifier(entry, here, distribution["name"], values, errors)
                for entry in sample.get("modifiers", [])
            ]
            samples.append({"name": name, "data": [float(x) for x in values], "modifiers": modifiers})
        return {"name": distribution["name"], "samples": samples}

    def modifier(self, entry: Json, where: str, channel: str, values: Sequence[float], errors: Any) -> Json:
        kind = entry.get("type")
        if not isinstance(kind, str):
            raise InputError(f"{where}, modifier", f"type {kind!r}", "text")
        check_known([kind], KINDS, f"{where}, modifier", "type")
        here = f"{where}, modifier '{entry.get('name', entry.get('parameter', kind))}' ({kind})"
        constraint = entry.get("constraint", entry.get("constraint_type"))
        if kind in ("normfactor", "normsys", "histosys"):
            return self.scalar(entry, kind, constraint, here)
        members = [str(x) for x in entry.get("parameters", [])]
        name = str(entry.get("parameter") or _common(members) or entry.get("name") or f"{kind}_{channel}")
        members = members or [f"{name}_{b}" for b in range(len(values))]
        if len(members) != len(values):
            raise InputError(f"{here}, parameters", f"{len(members)} names", f"{len(values)}, one for each bin")
        if self.sets.setdefault(name, members) != members:
            raise InputError(f"{here}, parameters", f"a set '{name}' with other members", "one name for each set")
        detail = entry.get("data")
        if kind == "shapefactor":
            self._unconstrained(constraint, here)
            return {"name": name, "type": kind, "data": None}
        if kind == "staterror":
            if constraint not in GAUSS:  # what none means differs: Poisson for ROOT, Gauss for pyhs3
                raise InputError(f"{here}, constraint", f"{constraint!r}", "'Gauss', as a pyhf workspace can say")
            given = detail.get("uncertainties") if isinstance(detail, Mapping) else detail
            given = errors if given is None else given
            if not isinstance(given, (list, tuple)):
                raise InputError(here, "no errors of the sample", "'errors' beside its 'contents'")
            return {"name": name, "type": kind, "data": [float(x) for x in given]}
        vals = _list(detail, "vals", f"{here}, data")
        if constraint not in (None, "Poisson"):
            raise InputError(f"{here}, constraint", f"'{constraint}'", "'Poisson', as a pyhf workspace can say")
        if self.shape_errors is None:
            raise InputError(
                here, "'vals', which may be relative or absolute", "shape_errors='relative' (ROOT) or 'absolute'"
            )
        if self.shape_errors == "relative":
            vals = [v * x for v, x in zip(vals, values, strict=True)]
        return {"name": name, "type": kind, "data": [float(v) for v in vals]}

    def scalar(self, entry: Json, kind: str, constraint: Any, here: str) -> Json:
        name = entry.get("parameter")
        if not isinstance(name, str):
            raise InputError(here, "no 'parameter'", "the name of its parameter")
        self.scalars[name] = kind
        detail = entry.get("data")
        if kind == "normfactor":
            self._unconstrained(constraint or entry.get("constraint_name"), here)
            return {"name": name, "type": kind, "data": None}
        if constraint not in (None, *GAUSS):
            raise InputError(f"{here}, constraint", f"'{constraint}'", "'Gauss', as a pyhf workspace can say")
        code = entry.get("interpolation") or (detail.get("interpolation") if isinstance(detail, Mapping) else None)
        if code is not None and str(code) not in INTERPOLATIONS[kind]:
            raise InputError(f"{here}, interpolation", f"'{code}'", f"'{INTERPOLATIONS[kind][0]}', the default")
        if kind == "normsys":
            factors = {key: _number(detail, key, here) for key in ("lo", "hi")}
            return {"name": name, "type": kind, "data": factors}
        ends = {
            f"{key}_data": [float(x) for x in _list((detail or {}).get(key), "contents", here)] for key in ("lo", "hi")
        }
        return {"name": name, "type": kind, "data": ends}

    @staticmethod
    def _unconstrained(constraint: Any, here: str) -> None:
        if constraint not in (None, "None", "Const"):
            raise InputError(f"{here}, constraint", f"'{constraint}'", "none, as a pyhf workspace can say")

    def settings(self, points: dict[str, Json], domains: dict[str, list[float]]) -> list[Json]:
        """Initial values, bounds and what is constant, as the measurement's parameter settings."""
        found = []
        for name, members in [*((n, [n]) for n in self.scalars), *self.sets.items()]:
            setting: Json = {"name": name}
            known = [points.get(m, {}) for m in members]
            if all("value" in p for p in known):
                setting["inits"] = [float(p["value"]) for p in known]
            if all(m in domains for m in members):
                setting["bounds"] = [domains[m] for m in members]
            held = {bool(p.get("const", False)) for p in known}
            if len(held) > 1:
                raise InputError(f"parameters '{name}'", "some constant, some not", "all or none of a set")
            if held == {True}:
                setting["fixed"] = True
            found.append(setting)
        return found


def _likelihood(spec: Json, name: str | None) -> Json:
    table = _table(spec, "likelihoods", "HS3")
    check_known([name] if name is not None else [], table, "HS3", "likelihood")
    if name is None and len(table) != 1:
        raise InputError("HS3, likelihoods", f"{len(table)}: {', '.join(table)}"[:200], "the name of one")
    chosen = table[name] if name is not None else next(iter(table.values()))
    if chosen.get("aux_distributions"):
        raise InputError(f"likelihood '{chosen['name']}'", "auxiliary distributions", "the modifiers' own constraints")
    return chosen


def _contents(entry: Any, table: dict[str, Json], channel: str) -> list[float]:
    if isinstance(entry, (list, tuple)):
        return [float(x) for x in entry]
    check_known([entry], table, "likelihood", "data")
    kind = table[entry].get("type")
    if kind != "binned":
        raise InputError(f"data '{entry}' of distribution '{channel}'", f"type '{kind}'", "'binned'")
    return [float(x) for x in _list(table[entry], "contents", f"data '{entry}'")]


def _interest(spec: Json, likelihood: str) -> str | None:
    for analysis in spec.get("analyses", []):
        if analysis.get("likelihood") == likelihood and analysis.get("parameters_of_interest"):
            return str(analysis["parameters_of_interest"][0])
    return None


def _points(spec: Json) -> dict[str, Json]:
    """Values and constness by parameter, of the point "default_values" or else the first."""
    points = spec.get("parameter_points", [])
    chosen = next((p for p in points if p.get("name") == "default_values"), points[0] if points else {})
    return {p["name"]: p for p in chosen.get("parameters", [])}


def _domains(spec: Json) -> dict[str, list[float]]:
    """Bounds by parameter; those of "default_domain" win over others."""
    found: dict[str, list[float]] = {}
    for domain in sorted(spec.get("domains", []), key=lambda d: d.get("name") == "default_domain"):
        for axis in domain.get("axes", []):
            if "min" in axis and "max" in axis:
                found[axis["name"]] = [float(axis["min"]), float(axis["max"])]
    return found


def _common(members: list[str]) -> str:
    """What the names of a set begin with, without the number of the bin.

    >>> _common(["gamma_stat_0", "gamma_stat_1"]), _common(["a", "b"])
    ('gamma_stat', '')
    """
    start = members[0] if members else ""
    for name in members[1:]:
        while not name.startswith(start):
            start = start[:-1]
    return start.rstrip("0123456789_[") if len(members) > 1 else start


def _table(spec: Any, key: str, where: str) -> dict[str, Json]:
    found = {}
    for entry in _list(spec, key, where):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            raise InputError(f"{where}, {key}", f"{entry!r}"[:80], "objects with a name")
        found[str(entry["name"])] = dict(entry)
    return found


def _list(node: Any, key: str, where: str) -> Sequence[Any]:
    if not isinstance(node, Mapping) or not isinstance(node.get(key), (list, tuple)):
        raise InputError(where, f"no list '{key}'", f"'{key}'")
    found: Sequence[Any] = node[key]
    return found


def _number(node: Any, key: str, where: str) -> float:
    value = node.get(key) if isinstance(node, Mapping) else None
    if not isinstance(value, (int, float)):
        raise InputError(f"{where}, data", f"{key} = {value!r}", "a number")
    return float(value)
