"""Import of HistFactory models from HS3 (HEP Statistics Serialization Standard, version 0.2), by way of pyhf's JSON.

The model is HistFactory's (CERN-OPEN-2012-016). Read are distributions of type ``histfactory_dist`` with their data, one
likelihood, its analysis or none, with its initial point and domains (else "default_values" and "default_domain"). Source:
hep-statistics-serialization-standard, chapter HistFactory, and what ROOT's writer does where the text leaves a choice:
templates of ``histosys`` are absolute, ``staterror`` takes its errors from the sample's ``errors``, interpolation is code 4
(factors) and 4p (templates) unless a modifier or its channel names another. All that is not read, or would mean another
likelihood, is refused by name.

The errors ``vals`` of ``shapesys`` are relative in ROOT's files and absolute in others (pyhs3's examples), and a file
does not say which: the caller must. (ROOT bounds γ at 1 + 5σ: where a file has these bounds, they tell.)
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verax.choices import SHAPE_ERRORS
from verax.errors import InputError, check_known

from ._hs3_schema import check_channel, check_document, check_likelihood, edges, table
from ._read import Imported, from_pyhf
from ._schema import Json, check_workspace, numbers, read_json

INTERPOLATIONS: dict[str, tuple[Any, ...]] = {
    "normsys": ("code4", "4", 4, 5, "poly6_exp", {"type": "mult", "in": "poly6", "out": "exp"}),
    "histosys": ("code4p", "4p", 4, "poly6", {"type": "add", "in": "poly6", "out": "poly1"}),
}
"""Ways to write the default interpolation: names, ROOT's numbers, and the three words of the standard."""
GAUSS = ("Gauss", "Gaussian", "Gaus")
CONSTRAINTS = ("constraint", "constraint_type", "constraint_name")


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
    spec: Json | str | Path,
    *,
    likelihood: str | None = None,
    poi: str | None = None,
    shape_errors: str | None = None,
    mask: Mapping[str, Sequence[int]] | None = None,
) -> Imported:
    """Read the likelihood, data and parameter of interest of an HS3 file.

    Parameters
    ----------
    spec : its content, or a file ("-" for standard input)
    likelihood : needed where there is more than one
    poi : by default the first parameter of interest of an analysis of this likelihood
    shape_errors : whether ``vals`` of ``shapesys`` are "relative" (ROOT) or "absolute"; needed where there are any
    mask : bins to leave out, by channel, numbered from 0, as by :func:`verax.workspace.edit.mask`

    Raises
    ------
    InputError : whatever is wrong with it or cannot be had exactly (other distributions, constraints or codes), naming
        distribution, sample and modifier

    >>> counts = {"axes": [{"name": "mass", "nbins": 1, "min": 0, "max": 1}], "contents": [59.0]}
    >>> signal = {"parameter": "mu", "name": "mu", "type": "normfactor"}
    >>> sample = {"name": "signal", "data": {"contents": [50.0]}, "modifiers": [signal]}
    >>> channel = {"name": "SR", "type": "histfactory_dist", "axes": counts["axes"], "samples": [sample]}
    >>> model, data, poi = from_hs3({
    ...     "metadata": {"hs3_version": "0.2"},
    ...     "distributions": [channel],
    ...     "data": [{"name": "observed", "type": "binned", **counts}],
    ...     "likelihoods": [{"name": "all", "distributions": ["SR"], "data": ["observed"]}],
    ... }, poi="mu")
    >>> model.names, data.counts.tolist()
    (('mu',), [59.0])
    """
    content = read_json(spec) if isinstance(spec, (str, Path)) else spec
    plain = hs3_to_pyhf(content, likelihood=likelihood, poi=poi, shape_errors=shape_errors)
    return from_pyhf(plain, mask=mask)


def hs3_to_pyhf(
    spec: Json, *, likelihood: str | None = None, poi: str | None = None, shape_errors: str | None = None
) -> Json:
    """The same model and data as a pyhf workspace; parameters keep their names, and those of one modifier's bins share one.

    Raises
    ------
    InputError : as in :func:`from_hs3`
    """
    if shape_errors not in (None, *SHAPE_ERRORS):
        raise InputError("shape_errors", f"'{shape_errors}'", " or ".join(f"'{x}'" for x in SHAPE_ERRORS))
    check_document(spec)
    chosen = _likelihood(spec, likelihood)
    analysis = _analysis(spec, chosen["name"])
    distributions, data = table(spec, "distributions"), table(spec, "data")
    reader = _Reader(shape_errors, _points(spec, analysis), {**distributions, **_names(spec, "functions")})
    channels, observations = [], []
    for name, entry in zip(chosen["distributions"], chosen["data"], strict=True):
        check_known([name], distributions, "likelihood", "distribution")
        check_channel(distributions[name])
        channels.append(reader.channel(distributions[name]))
        observations.append({"name": name, "data": _contents(entry, data, distributions[name])})
    reader.raise_obstacles()
    interest = poi if poi is not None else next(iter(analysis.get("parameters_of_interest", [])), None)
    config = {"poi": interest or "", "parameters": reader.settings(_domains(spec, analysis))}
    measurement = {"name": chosen["name"], "config": config}
    made = {"version": "1.0.0", "channels": channels, "observations": observations, "measurements": [measurement]}
    check_workspace(made)
    return made


class _Reader:
    """Reader of channels, which collects the parameters (each set's name and members) and what cannot be imported."""

    def __init__(self, shape_errors: str | None, points: dict[str, Json], others: dict[str, Json]) -> None:
        self.shape_errors, self.points, self.others = shape_errors, points, others
        self.sets: dict[str, tuple[str, list[str]]] = {}  # name: channel, members
        self.scalars: list[str] = []
        self.obstacles: list[InputError] = []

    def channel(self, distribution: Json) -> Json:
        where, samples = f"distribution '{distribution['name']}'", []
        for sample in distribution["samples"]:
            here, modifiers = f"{where}, sample '{sample['name']}'", []
            for entry in sample.get("modifiers", []):
                try:
                    modifiers.append(self.modifier(entry, here, distribution, sample["data"]))
                except InputError as error:
                    self.obstacles.append(error)
            values = [float(x) for x in sample["data"]["contents"]]
            samples.append({"name": sample["name"], "data": values, "modifiers": modifiers})
        return {"name": distribution["name"], "samples": samples}

    def raise_obstacles(self) -> None:
        """Raise InputError for what cannot be imported: the first in full, and the numbers of the others."""
        if self.obstacles:
            first, *rest = self.obstacles
            others = Counter(f"{e.where.rpartition('(')[2]} {e.got}"[:60] for e in rest)
            more = "; ".join(f"{n} × ({text}" for text, n in others.most_common(5))
            action = "; ".join(x for x in (first.action, f"{len(rest)} more obstacles: {more}" if rest else "") if x)
            raise InputError(first.where, first.got, first.expected, action)

    def modifier(self, entry: Json, where: str, distribution: Json, content: Json) -> Json:
        kind = entry["type"]
        here = f"{where}, modifier '{entry.get('name', entry.get('parameter', kind))}' ({kind})"
        if entry.get("constraints") is not None:
            raise InputError(f"{here}, constraints", f"{entry['constraints']}"[:80], "one 'constraint' for all bins")
        constraints = [entry[k] for k in CONSTRAINTS if entry.get(k) is not None]
        if len(set(constraints)) > 1:
            raise InputError(f"{here}, constraint", " and ".join(f"'{x}'" for x in constraints), "one of them")
        constraint = constraints[0] if constraints else None
        if kind in ("normfactor", "normsys", "histosys"):
            return self.scalar(entry, kind, constraint, here, distribution.get("default_interpolation"), content)
        name = self.gammas(entry, kind, distribution["name"], len(content["contents"]), here)
        if kind == "shapefactor":
            self._unconstrained(constraint, here)
            return {"name": name, "type": kind, "data": None}
        detail: Any = entry.get("data")
        if kind == "staterror":
            if constraint not in GAUSS:  # what none means differs: Poisson for ROOT, Gauss for pyhs3
                raise InputError(f"{here}, constraint", f"{constraint!r}", "'Gauss', as a pyhf workspace can say")
            given = detail.get("uncertainties") if isinstance(detail, Mapping) else detail
            given = content.get("errors") if given is None else given
            if given is None:
                raise InputError(here, "no errors of the sample", "'errors' beside its 'contents'")
            return {"name": name, "type": kind, "data": [float(x) for x in given]}
        if constraint != "Poisson":  # none is Gaussian for ROOT, Poisson for pyhs3
            raise InputError(f"{here}, constraint", f"{constraint!r}", "'Poisson', as a pyhf workspace can say")
        if self.shape_errors is None:
            raise InputError(
                here, "'vals', which may be relative or absolute", "shape_errors='relative' (ROOT) or 'absolute'"
            )
        scale = content["contents"] if self.shape_errors == "relative" else [1.0] * len(content["contents"])
        return {"name": name, "type": kind, "data": [float(v * x) for v, x in zip(detail["vals"], scale, strict=True)]}

    def gammas(self, entry: Json, kind: str, channel: str, bins: int, here: str) -> str:
        """The name of the γ of a modifier that acts bin by bin, which are added to the sets."""
        given = [str(x) for x in entry.get("parameters", [])]
        name = str(entry.get("parameter") or _common(given) or entry.get("name") or f"{kind}_{channel}")
        members = given or [f"gamma_{name}_bin_{b}" for b in range(bins)]
        if not given and kind != "shapefactor" and self.sets.get(name, (channel, []))[0] != channel:
            name = f"{name}_{channel}"  # the γ of each channel are its own
        self._plain(members, here)
        known = self.sets.setdefault(name, (channel, members))
        if known[1] != members:
            raise InputError(f"{here}, parameters", f"a set '{name}' with other members", "one name for each set")
        if kind != "shapefactor" and known[0] != channel:
            seen = f"'{members[0]}' …, which act in distribution '{known[0]}' too"
            raise InputError(f"{here}, parameters", seen, "γ of one channel, as a pyhf workspace can say")
        return name

    def scalar(self, entry: Json, kind: str, constraint: str | None, here: str, default: Any, content: Json) -> Json:
        name = entry.get("parameter")
        if name is None:
            raise InputError(here, "no 'parameter'", "the name of its parameter")
        self._plain([name], here)
        self.scalars += [name] * (name not in self.scalars)
        if kind == "normfactor":
            self._unconstrained(constraint, here)
            return {"name": name, "type": kind, "data": None}
        if constraint not in (None, *GAUSS) and not self._unit(constraint, name):
            raise InputError(f"{here}, constraint", f"'{constraint}'", "'Gauss', as a pyhf workspace can say")
        detail = entry["data"]
        for code in (entry.get("interpolation"), detail.get("interpolation"), default):
            if code is not None:
                if isinstance(code, bool) or code not in INTERPOLATIONS[kind]:
                    raise InputError(f"{here}, interpolation", f"{code!r}", f"'{INTERPOLATIONS[kind][0]}', the default")
                break
        if kind == "normsys":
            return {"name": name, "type": kind, "data": {key: float(detail[key]) for key in ("lo", "hi")}}
        ends = {f"{key}_data": [float(x) for x in detail[key]["contents"]] for key in ("lo", "hi")}
        nominal = sum(content["contents"])
        if min(content["contents"]) >= 0 and nominal > 0:
            small = all(abs(sum(x)) < 0.5 * nominal for x in ends.values())
            if small or min(min(x) for x in ends.values()) < -0.01 * nominal:
                seen = "contents that may be differences from the sample's: negative, or less than half of it"
                raise InputError(here, seen, "the varied templates themselves, as ROOT writes them")
        return {"name": name, "type": kind, "data": ends}

    def _plain(self, names: list[str], here: str) -> None:
        """Refuse a parameter that a function or a distribution computes: it is not a parameter of the fit."""
        for name in names:
            if name in self.others:
                kind = self.others[name].get("type")
                raise InputError(f"{here}, parameter", f"'{name}', a {kind} of the file", "a parameter of the fit")

    def _unit(self, name: str | None, parameter: str) -> bool:
        """Whether a distribution is the Gaussian of width 1 around 0 that ``normsys`` and ``histosys`` have in pyhf."""
        found = self.others.get(name or "", {})
        ends = {x if isinstance(x, str) else "" for x in (found.get("x"), found.get("mean"))} - {parameter, ""}
        centre = [x for x in (found.get("x"), found.get("mean")) if x != parameter]
        if found.get("type") != "gaussian_dist" or found.get("sigma") not in (1, 1.0) or len(centre) != 1:
            return False
        point = self.points.get(next(iter(ends), ""), {})
        return centre[0] == 0 or (point.get("value") == 0 and point.get("const") is True)

    @staticmethod
    def _unconstrained(constraint: str | None, here: str) -> None:
        if constraint not in (None, "None", "Const"):
            raise InputError(f"{here}, constraint", f"'{constraint}'", "none, as a pyhf workspace can say")

    def settings(self, domains: dict[str, Json]) -> list[Json]:
        """Initial values, bounds and what is constant, as the measurement's parameter settings."""
        found = []
        for name, members in [*((n, [n]) for n in self.scalars), *((n, m) for n, (_, m) in self.sets.items())]:
            setting: Json = {"name": name}
            known = [self.points.get(m, {}) for m in members]
            axes = [domains[m] for m in members if m in domains]
            for what, n in (("values", sum("value" in p for p in known)), ("domains", len(axes))):
                if 0 < n < len(members):
                    raise InputError(f"parameters '{name}'", f"{what} of {n} of {len(members)} bins", "all or none")
            if "value" in known[0]:
                setting["inits"] = [float(p["value"]) for p in known]
            if axes:
                for axis in axes:
                    if not {"min", "max"} <= set(axis):
                        raise InputError(f"domain of '{axis['name']}'", "one end", "'min' and 'max'")
                setting["bounds"] = [[float(axis["min"]), float(axis["max"])] for axis in axes]
            held = {bool(p.get("const", False)) for p in known}
            if len(held) > 1:
                raise InputError(f"parameters '{name}'", "some constant, some not", "all or none of a set")
            if held == {True}:
                setting["fixed"] = True
            found.append(setting)
        return found


def _likelihood(spec: Json, name: str | None) -> Json:
    found = table(spec, "likelihoods")
    check_known([name] if name is not None else [], found, "HS3", "likelihood")
    if name is None and len(found) != 1:
        raise InputError("HS3, likelihoods", f"{len(found)}: {', '.join(found)}"[:200], "the name of one")
    chosen = found[name] if name is not None else next(iter(found.values()))
    check_likelihood(chosen)
    return chosen


def _names(spec: Json, section: str) -> dict[str, Json]:
    """The entries of a section that may be missing, by name."""
    return table(spec, section) if section in spec else {}


def _analysis(spec: Json, likelihood: str) -> Json:
    """The analysis of a likelihood, or nothing."""
    analyses = _names(spec, "analyses").values()
    for a in analyses:
        check_known([a["likelihood"]], table(spec, "likelihoods"), f"analysis '{a['name']}'", "likelihood")
    found = [a for a in analyses if a["likelihood"] == likelihood]
    if len(found) > 1:
        seen = f"{len(found)} analyses: {', '.join(a['name'] for a in found)}"[:200]
        raise InputError(f"likelihood '{likelihood}'", seen, "one, for its domains and initial values")
    if found and found[0].get("prior") is not None:
        raise InputError(f"analysis '{found[0]['name']}'", f"prior '{found[0]['prior']}'"[:80], "none")
    return found[0] if found else {}


def _contents(entry: Any, data: dict[str, Json], distribution: Json) -> list[float]:
    """Observed events, in the same bins as the distribution's."""
    where = f"data '{entry}' of distribution '{distribution['name']}'"
    if isinstance(entry, (list, tuple)):
        numbers(entry, f"data of distribution '{distribution['name']}'", None)
        return [float(x) for x in entry]
    check_known([entry], data, "likelihood", "data")
    found = data[entry]
    if found.get("type") != "binned":
        raise InputError(where, f"type '{found.get('type')}'"[:80], "'binned'")
    check_known(found, ("name", "type", "axes", "contents"), where, "key")
    ours, theirs = edges(distribution, "distribution"), edges(found, where)
    names, own = ([axis["name"] for axis in node["axes"]] for node in (found, distribution))
    if names != own:
        raise InputError(f"{where}, axes", f"observables {names}"[:80], f"those of the distribution, {own}"[:80])
    same = ours is None or theirs is None or [len(e) for e in ours] == [len(e) for e in theirs]
    if same and ours is not None and theirs is not None:
        for a, b in zip(ours, theirs, strict=True):
            same &= all(
                math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9 * (a[-1] - a[0])) for x, y in zip(a, b, strict=True)
            )
    if not same:
        raise InputError(f"{where}, axes", f"edges {theirs}"[:80], f"those of the distribution, {ours}"[:80])
    numbers(found.get("contents"), f"{where}, contents", None)
    return [float(x) for x in found["contents"]]


def _points(spec: Json, analysis: Json) -> dict[str, Json]:
    """Values and constness by parameter: of the analysis' initial point, else of "default_values", else of the only one."""
    found = _names(spec, "parameter_points")
    names = ["default_values"] if "default_values" in found else list(found)
    if (init := analysis.get("init", analysis.get("parameter_init"))) is not None:
        check_known([init], found, f"analysis '{analysis['name']}', init", "parameter point")
        names = [*(n for n in names if n == "default_values"), init]
    elif len(names) > 1:
        raise InputError(
            "HS3, parameter_points", ", ".join(names)[:200], "'default_values', or one that an analysis names"
        )
    return {p["name"]: p for n in names for p in found[n]["parameters"]}


def _domains(spec: Json, analysis: Json) -> dict[str, Json]:
    """Axes by parameter: of the analysis' domains, else of "default_domain", else of the only one."""
    found = _names(spec, "domains")
    named = [*analysis.get("domains", []), *(analysis[k] for k in ("domain", "parameter_domain") if k in analysis)]
    check_known(named, found, f"analysis '{analysis.get('name')}'", "domain")
    first = ["default_domain"] if "default_domain" in found else list(found)
    if not named and len(first) > 1:
        raise InputError("HS3, domains", ", ".join(first)[:200], "'default_domain', or some that an analysis names")
    axes: dict[str, Json] = {}
    for n in named or first:
        if found[n].get("type", "product_domain") != "product_domain":
            raise InputError(f"domain '{n}'", f"type '{found[n]['type']}'"[:80], "'product_domain'")
        for axis in found[n]["axes"]:
            if axes.setdefault(axis["name"], axis) != axis:
                raise InputError(f"domain '{n}'", f"other bounds of '{axis['name']}'", "those of the other domain")
    default = found["default_domain"]["axes"] if "default_domain" in found else []
    return {**{axis["name"]: axis for axis in default}, **axes}


def _common(members: list[str]) -> str:
    """The common beginning of the names of a set, without the number of the bin.

    >>> _common(["gamma_stat_0", "gamma_stat_1"]), _common(["a", "b"])
    ('gamma_stat', '')
    """
    start = members[0] if members else ""
    for name in members[1:]:
        while not name.startswith(start):
            start = start[:-1]
    return start.rstrip("0123456789_[") if len(members) > 1 else start
