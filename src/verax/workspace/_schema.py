"""Workspaces in pyhf's JSON: reading, patching, and checks whose errors name channel, sample and modifier."""

import copy
import gzip
import hashlib
import json
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from verax.errors import InputError, check_ends, check_known, has_controls, nearest

Json = dict[str, Any]

MODIFIERS = ("histosys", "lumi", "normfactor", "normsys", "shapefactor", "shapesys", "staterror")
LARGEST = 1e100
"""Squares and products of larger numbers do not fit in float64."""
SETTINGS = ("auxdata", "bounds", "factors", "fixed", "inits", "name", "sigmas")


def read_json(source: str | Path) -> Any:
    """The content of a JSON file; ``.gz`` is unpacked, and "-" is standard input.

    Raises
    ------
    InputError : no such file, no JSON (a truncated file: with line and column where it ends), a key that an object has
        twice, or numbers and nesting beyond all use
    """
    where = "standard input" if str(source) == "-" else f"file '{source}'"
    if str(source) == "-" and sys.stdin is None:
        raise InputError(where, "none", "JSON there, or the name of a file")
    check_ends(Path(source), where)
    try:
        raw = sys.stdin.buffer.read() if str(source) == "-" else Path(source).read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        got = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(where, got, "a readable file with JSON") from None
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, where))
    except RecursionError:
        raise InputError(where, "lists or objects nested too deeply", "JSON of some levels") from None
    except json.JSONDecodeError as error:
        seen = "an empty file" if not text.strip() else f"{error.msg} at line {error.lineno}, column {error.colno}"
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        action = "the file is cut short" if cut else ""
        if str(source).endswith((".yaml", ".yml")):
            action = "an analysis file is measured by `verax run`, up to the fit by `verax infer`"
        raise InputError(where, seen, "JSON", action) from None
    except InputError:
        raise
    except ValueError:  # Python's own limit
        raise InputError(where, "a number of thousands of digits", "numbers that a computer can hold") from None


def _object(pairs: list[tuple[str, Any]], where: str) -> Json:
    """An object of the file; two values of one key are not the same as the last of them."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        label = f" of '{found['name']}'" if isinstance(found.get("name"), str) else ""
        raise InputError(where, f"key '{next(k for k in keys if keys.count(k) > 1)}'{label} twice", "each key once")
    return found


def patched(workspace: Json, patch: Any, *, name: str | None = None) -> Json:
    """The workspace with a JSON patch (a list of operations), or with one patch of a patch set, applied to a copy.

    Raises
    ------
    InputError : not a patch; a name that the patch set lacks, or none given; a digest of another workspace; an operation
        that does not apply
    """
    import jsonpatch

    where, operations = "patch", patch
    if isinstance(patch, Mapping):
        found = {}
        for entry in _items(patch, "patches", "patch set"):
            label = text(_get(_get(entry, "metadata", "patch set", Mapping), "name", "patch set"), "patch set, name")
            if label in found:
                raise InputError("patch set", f"two patches '{label}'", "a name for each")
            found[label] = _get(entry, "patch", f"patch '{label}'", Sequence)
        if name is None and len(found) == 1:
            name = next(iter(found))
        if name is None:
            raise InputError("patch set", f"{len(found)} patches", "the name of one", nearest("", found))
        check_known([name], found, "patch set", "patch")
        metadata = patch.get("metadata")
        digests = metadata.get("digests") if isinstance(metadata, Mapping) else None
        for kind, digest in digests.items() if isinstance(digests, Mapping) else ():
            if kind in ("md5", "sha256") and _digest(workspace, kind) != digest:
                seen = f"{kind} {_digest(workspace, kind)} of the workspace"
                raise InputError("patch set", seen, f"{digest}", "it was made for another workspace")
        where, operations = f"patch '{name}'", found[str(name)]
    try:
        changed: Json = jsonpatch.apply_patch(copy.deepcopy(workspace), [*operations])
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, LookupError, TypeError, ValueError) as error:
        line = " ".join(str(error).split())
        raise InputError(where, line[:200], "operations that apply to this workspace") from None
    return changed


def _digest(workspace: Json, kind: str) -> str:
    text = json.dumps(workspace, sort_keys=True, ensure_ascii=False).encode("utf8")
    return hashlib.new(kind, text, usedforsecurity=False).hexdigest()


def check_workspace(spec: Any) -> None:
    """Raise for the first thing that pyhf's schema forbids, and for what it cannot see: lengths, names and NaN.

    Raises
    ------
    InputError : naming channel, sample and modifier
    """
    _keys(spec, "workspace", ("channels", "measurements", "observations", "version"))
    if spec["version"] != "1.0.0":
        raise InputError("workspace, version", f"{spec['version']!r}", "'1.0.0'")
    bins: dict[str, int] = {}
    for channel in _items(spec, "channels", "workspace"):
        where = f"channel '{_name(channel, 'channel', ('name', 'samples'), bins)}'"
        names: dict[str, int] = {}
        for sample in _items(channel, "samples", where):
            here = f"{where}, sample '{_name(sample, f'{where}, sample', ('name', 'data', 'modifiers'), names)}'"
            n = numbers(sample["data"], f"{here}, data", bins.get(channel["name"]))
            names[sample["name"]] = bins[channel["name"]] = n
            seen = set()
            for modifier in _items(sample, "modifiers", here, empty=True):
                _modifier(modifier, here, n)
                if (modifier["name"], modifier["type"]) in seen:
                    there = f"{here}, modifier '{modifier['name']}' ({modifier['type']})"
                    raise InputError(there, "twice", "once for each sample")
                seen.add((modifier["name"], modifier["type"]))
    observed: dict[str, int] = {}
    for entry in _items(spec, "observations", "workspace"):
        label = _name(entry, "observation", ("name", "data"), observed)
        check_known([label], bins, "observations", "channel")
        observed[label] = numbers(entry["data"], f"observations of channel '{label}'", bins[label])
        if min(entry["data"]) < 0:
            raise InputError(
                f"observations of channel '{label}'", f"{min(entry['data']):g}", "counts that are not negative"
            )
    for label in bins:
        if label not in observed:
            raise InputError("observations", f"none for channel '{label}'", "one for each channel")
    seen_names: dict[str, int] = {}
    for entry in _items(spec, "measurements", "workspace"):
        label = _name(entry, "measurement", ("name", "config"), seen_names)
        seen_names[label] = 1
        _measurement(entry["config"], f"measurement '{label}'")


def _modifier(modifier: Any, where: str, bins: int) -> None:
    _keys(modifier, f"{where}, modifier", ("name", "type", "data"))
    kind = modifier["type"]
    where = f"{where}, modifier '{named(modifier['name'], f'{where}, modifier, name')}'"
    if not isinstance(kind, str) or kind not in MODIFIERS:
        raise InputError(where, f"type {kind!r}", "a known type", nearest(str(kind), MODIFIERS))
    where, data = f"{where} ({kind})", modifier["data"]
    if kind == "histosys":
        _keys(data, where, ("lo_data", "hi_data"))
        for key in ("lo_data", "hi_data"):
            numbers(data[key], f"{where}, {key}", bins)
    elif kind == "normsys":
        _keys(data, where, ("lo", "hi"))
        for key in ("lo", "hi"):
            numbers([data[key]], f"{where}, {key}", 1)
            if data[key] <= 0:
                raise InputError(f"{where}, {key}", f"{data[key]:g}", "a factor above 0")
    elif kind in ("shapesys", "staterror"):
        numbers(data, where, bins)
        if min(data) < 0:
            raise InputError(where, f"{min(data):g}", "errors that are not negative")
    elif data is not None:
        raise InputError(where, f"data {str(data)[:40]}", "null")
    if kind == "lumi" and modifier["name"] != "lumi":
        raise InputError(where, f"name '{modifier['name']}'", "'lumi'")


def _measurement(config: Any, where: str) -> None:
    _keys(config, where, ("poi", "parameters"))
    text(config["poi"], f"{where}, poi")
    seen: dict[str, int] = {}
    for setting in _items(config, "parameters", where, empty=True):
        if not isinstance(setting, Mapping):
            raise InputError(f"{where}, parameters", f"{setting!r}"[:80], "objects")
        label = text(_get(setting, "name", f"{where}, parameters"), f"{where}, parameters, name")
        here = f"{where}, parameter '{label}'"
        check_known(setting, SETTINGS, here, "setting")
        if label in seen:
            raise InputError(here, "twice", "once")
        seen[label] = 1
        if not isinstance(setting.get("fixed", False), bool):
            raise InputError(f"{here}, fixed", f"{setting['fixed']!r}", "true or false")
        for key in ("inits", "auxdata", "sigmas", "factors"):
            if key in setting:
                numbers(setting[key], f"{here}, {key}", None)
        for pair in _items(setting, "bounds", here) if "bounds" in setting else ():
            numbers(pair, f"{here}, bounds", 2)


def _get(node: Any, key: str, where: str, kind: Any = object) -> Any:
    if not isinstance(node, Mapping) or key not in node:
        raise InputError(where, f"no '{key}'", f"'{key}'")
    value = node[key]
    if not isinstance(value, kind) or (kind is Sequence and isinstance(value, str)):
        raise InputError(f"{where}, {key}", f"{value!r}"[:80], "an object" if kind is Mapping else "a list")
    return value


def _items(node: Any, key: str, where: str, *, empty: bool = False) -> Sequence[Any]:
    found: Sequence[Any] = _get(node, key, where, Sequence)
    if not found and not empty:
        raise InputError(f"{where}, {key}", "an empty list", "at least one entry")
    return found


def _keys(node: Any, where: str, keys: tuple[str, ...]) -> None:
    if not isinstance(node, Mapping):
        raise InputError(where, f"{node!r}"[:80], "an object with " + ", ".join(keys))
    for key in keys:
        _get(node, key, where)
    check_known(node, keys, where, "key")


def text(value: Any, where: str) -> str:
    """Check that it is text; return it."""
    if not isinstance(value, str):
        raise InputError(where, f"{value!r}"[:80], "text")
    return value


def named(value: Any, where: str) -> str:
    """Check that it is text with something to read in it, and nothing that terminals act on; return it."""
    if not text(value, where).strip() or has_controls(value):
        raise InputError(where, f"{value!r}", "a name")
    return str(value)


def _name(node: Any, where: str, keys: tuple[str, ...], taken: Mapping[str, int]) -> str:
    _keys(node, where, keys)
    name = named(node["name"], f"{where}, name")
    if name in taken:
        raise InputError(f"{where} '{name}'", "twice", "each name once")
    return name


def numbers(values: Any, where: str, size: int | None) -> int:
    """Check a list of finite numbers, up to 1e100, of the given length (at least 1); return its length."""
    if not isinstance(values, (list, tuple)):
        raise InputError(where, f"{values!r}"[:80], "a list of numbers")
    for i, x in enumerate(values):
        number = isinstance(x, (int, float, np.integer, np.floating)) and not isinstance(x, bool)
        if not number or not abs(x) <= LARGEST:
            raise InputError(f"{where}, entry {i}", f"{x!r}"[:80], f"a finite number, up to {LARGEST:g}")
    if len(values) != size and (size is not None or not values):
        raise InputError(
            where, f"{len(values)} numbers", "at least one" if size is None else f"{size}, one for each bin"
        )
    return len(values)
