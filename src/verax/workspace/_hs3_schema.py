"""What HS3 files may hold, as far as they are read: types, keys and names, checked before anything is taken from them.

A key that is not known may change what is meant, so it is refused, as is a name that is given twice.
"""

import math
from collections.abc import Mapping
from typing import Any

from verax.errors import InputError, check_known

from ._schema import Json, numbers, text

SECTIONS = ("distributions", "functions", "data", "likelihoods", "domains", "parameter_points", "analyses")
DISTRIBUTION = ("name", "type", "axes", "samples", "default_interpolation", "staterror")
SAMPLE = ("name", "data", "modifiers")
MODIFIER = (
    *("name", "type", "parameter", "parameters", "data", "interpolation"),
    *("constraint", "constraint_type", "constraint_name", "constraints"),
)
DETAILS = {
    "normsys": ("hi", "lo", "interpolation"),
    "histosys": ("hi", "lo", "interpolation"),
    "shapesys": ("vals",),
    "staterror": ("uncertainties",),
    "normfactor": (),
    "shapefactor": (),
    "custom": (),
}
"""Kinds of modifiers, and the keys of their data."""
ANALYSIS = (
    *("name", "likelihood", "parameters_of_interest", "prior", "init", "parameter_init"),
    *("domains", "domain", "parameter_domain"),
)


def check_document(spec: Any) -> None:
    """The sections of a file, and all that is small in them; distributions and data are checked where they are used.

    Raises
    ------
    InputError : naming the section and its entry
    """
    _object(spec, "HS3", (*SECTIONS, "metadata", "misc"))
    metadata = _object(spec.get("metadata", {}), "HS3, metadata")
    version = text(metadata.get("hs3_version", "0.2"), "HS3, metadata, hs3_version")
    if version.split(".")[:2] not in (["0", "2"], ["0", "1"]):
        raise InputError("HS3, metadata, hs3_version", f"'{version}'", "'0.2' or '0.1'")
    for section in SECTIONS:
        if section in spec:
            table(spec, section)
    for name, domain in table(spec, "domains").items() if "domains" in spec else ():
        where = f"domain '{name}'"
        _object(domain, where, ("name", "type", "axes"))
        for axis in _once(domain, "axes", where, ("name", "min", "max")):
            numbers([axis[k] for k in ("min", "max") if k in axis] or [0], f"{where}, '{axis['name']}'", None)
    for name, point in table(spec, "parameter_points").items() if "parameter_points" in spec else ():
        where = f"parameter point '{name}'"
        _object(point, where, ("name", "parameters"))
        for entry in _once(point, "parameters", where, ("name", "value", "const")):
            numbers([entry.get("value", 0)], f"{where}, '{entry['name']}'", 1)
            if not isinstance(entry.get("const", False), bool):
                raise InputError(f"{where}, '{entry['name']}', const", f"{entry['const']!r}"[:80], "true or false")
    for name, analysis in table(spec, "analyses").items() if "analyses" in spec else ():
        where = f"analysis '{name}'"
        _object(analysis, where, ANALYSIS)
        for key in ("likelihood", "init", "parameter_init", "domain", "parameter_domain"):
            if key in analysis or key == "likelihood":
                text(analysis.get(key), f"{where}, {key}")
        for key in ("parameters_of_interest", "domains"):
            if key in analysis:
                _texts(analysis, key, where)


def check_likelihood(likelihood: Json) -> None:
    """A likelihood that is to be read: names of distributions, and data for each of them.

    Raises
    ------
    InputError : naming the likelihood
    """
    where = f"likelihood '{likelihood['name']}'"
    _object(likelihood, where, ("name", "distributions", "data", "aux_distributions"))
    _texts(likelihood, "distributions", where)
    data = likelihood.get("data")
    if not isinstance(data, (list, tuple)) or not all(isinstance(x, (str, list, tuple)) for x in data):
        raise InputError(f"{where}, data", f"{data!r}"[:80], "a list of names")
    if len(data) != len(likelihood["distributions"]):
        seen = f"{len(likelihood['distributions'])} distributions, {len(data)} data sets"
        raise InputError(where, seen, "one for each")
    if "aux_distributions" in likelihood:
        _texts(likelihood, "aux_distributions", where)


def check_channel(distribution: Json) -> None:
    """A distribution that is to be read, with its samples and modifiers.

    Raises
    ------
    InputError : naming distribution, sample and modifier
    """
    where = f"distribution '{distribution['name']}'"
    if "staterror" in distribution:
        detail = _object(distribution["staterror"], f"{where}, staterror", ("relThreshold", "constraint_type"))
        numbers([detail.get("relThreshold", 0)], f"{where}, staterror, relThreshold", 1)
        kind = detail.get("constraint_type", "Poisson")
        check_known([text(kind, f"{where}, staterror")], ("Poisson", "Gauss"), f"{where}, staterror", "constraint_type")
    _object(distribution, where, DISTRIBUTION)
    bins = edges(distribution, where)
    size = math.prod(len(e) - 1 for e in bins) if bins is not None else None
    for sample in _once(distribution, "samples", where, SAMPLE):
        here = f"{where}, sample '{sample['name']}'"
        content = _object(sample.get("data"), f"{here}, data", ("contents", "errors"))
        size = numbers(content.get("contents"), f"{here}, data, contents", size)
        if "errors" in content:
            numbers(content["errors"], f"{here}, data, errors", size)
        modifiers = sample.get("modifiers", [])
        if not isinstance(modifiers, (list, tuple)):
            raise InputError(f"{here}, modifiers", f"{modifiers!r}"[:80], "a list")
        for modifier in modifiers:
            _modifier(modifier, here, size)


def _modifier(modifier: Any, where: str, size: int) -> None:
    _object(modifier, f"{where}, modifier", MODIFIER)
    kind = text(modifier.get("type"), f"{where}, modifier, type")
    check_known([kind], DETAILS, f"{where}, modifier", "type")
    for key in ("name", "parameter"):
        if key in modifier:
            text(modifier[key], f"{where}, modifier ({kind}), {key}")
    here = f"{where}, modifier '{modifier.get('name', modifier.get('parameter', kind))}' ({kind})"
    for key in ("constraint", "constraint_type", "constraint_name"):
        if modifier.get(key) is not None:
            text(modifier[key], f"{here}, {key}")
    if "parameters" in modifier:
        _texts(modifier, "parameters", here)
        if len(modifier["parameters"]) != size:
            raise InputError(f"{here}, parameters", f"{len(modifier['parameters'])} names", f"{size}, one for each bin")
    if modifier.get("constraints") is not None:
        given, by_bin = modifier["constraints"], kind in ("shapesys", "staterror")
        each = isinstance(given, (list, tuple)) and all(x is None or isinstance(x, str) for x in given)
        if not by_bin or not each or len(given) != size:
            expected = f"a list of {size} names or null, one for each bin" if by_bin else "one 'constraint'"
            raise InputError(f"{here}, constraints", f"{given!r}"[:80], expected)
    given = modifier.get("data")
    if kind == "staterror" and isinstance(given, (list, tuple)):
        numbers(given, f"{here}, data", size)
        return
    if given is None and kind in ("normfactor", "shapefactor", "staterror", "custom"):
        return
    detail = _object(given, f"{here}, data", DETAILS[kind])
    if kind == "normsys":
        numbers([detail.get("hi"), detail.get("lo")], f"{here}, data, hi and lo", 2)
    elif kind == "histosys":
        for key in ("hi", "lo"):
            side = _object(detail.get(key), f"{here}, data, {key}", ("contents",))
            numbers(side.get("contents"), f"{here}, data, {key}", size)
    else:
        for key in DETAILS[kind]:
            numbers(detail.get(key), f"{here}, data, {key}", size)


def edges(node: Json, where: str) -> list[list[float]] | None:
    """The edges along each axis of a distribution or of data; None where the file does not say them.

    Raises
    ------
    InputError : for anything but min, max and nbins, or edges that increase
    """
    found = []
    for axis in _once(node, "axes", where, ("name", "min", "max", "nbins", "edges")):
        here = f"{where}, axis '{axis['name']}'"
        if "edges" in axis:
            numbers(axis["edges"], f"{here}, edges", None)
            found.append([float(x) for x in axis["edges"]])
        elif "nbins" in axis:
            low, high, n = (axis.get(k, math.nan) for k in ("min", "max", "nbins"))
            numbers([low, high, n], f"{here}, min, max and nbins", 3)
            if int(n) != n or not 0 < n < 1e6:
                raise InputError(f"{here}, nbins", f"{n}", "a number of bins")
            found.append([low + (high - low) * i / n for i in range(int(n) + 1)])
        else:
            return None
        if len(found[-1]) < 2 or any(a >= b for a, b in zip(found[-1], found[-1][1:], strict=False)):
            raise InputError(f"{here}, edges", f"{found[-1]}"[:80], "two or more numbers that increase")
    return found


def table(spec: Json, section: str) -> dict[str, Json]:
    """The entries of a section by name.

    Raises
    ------
    InputError : for a section that is missing or no list of objects with a name, each of them once
    """
    if isinstance(spec.get(section), Mapping):
        raise InputError(f"HS3, {section}", "an object, as before version 0.2", "a list")
    return {entry["name"]: entry for entry in _once(spec, section, "HS3")}


def _once(node: Json, key: str, where: str, keys: tuple[str, ...] | None = None) -> list[Json]:
    """A list of objects with names that differ."""
    entries = node.get(key)
    if not isinstance(entries, (list, tuple)):
        raise InputError(where, f"no list '{key}'", f"'{key}'")
    names: set[str] = set()
    for entry in entries:
        name = text(_object(entry, f"{where}, {key}").get("name"), f"{where}, {key}, name")
        if name in names:
            raise InputError(f"{where}, {key}", f"'{name}' twice", "each name once")
        names.add(name)
        _object(entry, f"{where}, {key}, '{name}'", keys)
    return list(entries)


def _object(node: Any, where: str, keys: tuple[str, ...] | None = None) -> Json:
    if not isinstance(node, Mapping):
        raise InputError(where, f"{node!r}"[:80], "an object")
    if keys is not None:
        check_known([str(k) for k in node], keys, where, "key")
    return dict(node)


def _texts(node: Json, key: str, where: str) -> None:
    entries = node.get(key)
    if not isinstance(entries, (list, tuple)) or not all(isinstance(x, str) for x in entries):
        raise InputError(f"{where}, {key}", f"{entries!r}"[:80], "a list of names")
    if len(set(entries)) < len(entries):
        raise InputError(f"{where}, {key}", f"a name twice: {', '.join(entries)}"[:120], "each name once")
