"""The record of a run: what made it, from what, and how it went; and JSON that two equal runs write equally."""

import dataclasses
import enum
import json
import math
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from verax.errors import InputError
from verax.results import Status

from ._folder import write

VERSION = 1
"""Version of the layout of ``record.json``."""


def record(
    *,
    seeds: Mapping[str, int],
    inputs: Mapping[str, str],
    timings: Mapping[str, float],
    failed: Mapping[str, int],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Collect what is needed to repeat a run, and to judge how it went.

    Parameters
    ----------
    seeds : by the stage that used it
    inputs : file → SHA-256 checksum
    timings : wall-clock seconds per stage
    failed : number of failed fits, intervals or toys per result
    notes : anything else in words
    """
    return {
        "version": VERSION,
        "packages": packages(),
        "python": platform.python_version(),
        "platform": {
            "system": platform.platform(),
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
            **processor(),
        },
        "seeds": dict(seeds),
        "inputs": dict(inputs),
        "timings": {stage: round(float(seconds), 3) for stage, seconds in timings.items()},
        "failed": dict(failed),
        "notes": list(notes),
    }


def processor() -> dict[str, str]:
    """Name the processor, and the accelerator where one is in use: what networks are trained on changes them."""
    found = platform.processor()
    if (described := Path("/proc/cpuinfo")).exists():  # Linux does not say it otherwise
        lines = (line.partition(":") for line in described.read_text(errors="replace").splitlines())
        found = next((value.strip() for key, _, value in lines if key.strip() == "model name"), found)
    jax = sys.modules.get("jax")  # where it was never imported nothing was trained
    return {"processor": found, "device": jax.devices()[0].device_kind if jax else ""}


def packages(root: str = "verax") -> dict[str, str]:
    """Find the version of ``root`` and of every installed package that it needs, directly or not, with its own extras."""
    found: dict[str, str] = {}
    todo = [(root, True)]
    while todo:
        name, extras = todo.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # an extra, or for another platform
            continue
        found[key] = package.version
        for need in package.requires or ():
            wanted, _, marker = need.partition(";")
            match = re.match(r"[A-Za-z0-9._-]+", wanted)
            if match and (extras or "extra" not in marker):
                todo.append((match[0], False))
    return dict(sorted(found.items()))


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all: to a temporary name, then renamed.

    The same results give the same bytes: keys are sorted, floats are their shortest exact form (a float read back is
    the float written). JSON has no word for numbers that are not finite: NaN becomes ``null``, infinities become the
    strings ``"Infinity"`` and ``"-Infinity"``. Arrays become lists, dataclasses objects, enumerations their name.

    Raises
    ------
    InputError : for a value of a type with no JSON form, or a folder that cannot be written
    """
    content = to_json(value)
    try:
        write(path, content)
    except OSError as error:
        raise InputError(str(path), error.strerror or "an error", "a folder that can be written") from error


def to_json(value: Any) -> bytes:
    """Give the text that :func:`write_json` writes."""
    text = json.dumps(plain(value), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode()


def in_words(value: Any) -> Any:
    """Replace each status in plain content, at any depth, by its name.

    >>> in_words({"limit": {"status": 0, "expected_status": [0, 5]}})
    {'limit': {'status': 'OK', 'expected_status': ['OK', 'END_NOT_FOUND']}}
    """

    def word(status: Any) -> Any:
        return [word(s) for s in status] if isinstance(status, list) else Status(status).name

    if isinstance(value, list):
        return [in_words(item) for item in value]
    if not isinstance(value, dict):
        return value
    number = (int, list)
    return {
        k: word(v) if k in ("status", "expected_status") and isinstance(v, number) else in_words(v)
        for k, v in value.items()
    }


def plain(value: Any) -> Any:
    """Convert a value to dictionaries, lists, strings, numbers, booleans and None only; see :func:`write_json`.

    >>> plain({"a": np.array([1.0, np.nan, -np.inf]), "b": (np.int32(3), True)})
    {'a': [1.0, None, '-Infinity'], 'b': [3, True]}
    """
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return float(value) if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(_items(value))
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.generic) or hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype.kind in "biufU":
            return plain(array.tolist())
    raise InputError("JSON", f"a value of type {type(value).__name__}", "numbers, text, arrays, results or mappings")


def _items(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if not isinstance(key, str):
            raise InputError("JSON", f"a key of type {type(key).__name__}", "text as keys")
        yield key, plain(item)
