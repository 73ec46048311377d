"""Results as JSON and arrays, made of a closed list of types: nothing else is made or called when they are read."""

import dataclasses
import json
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from types import FunctionType
from typing import Any, TypeAlias

import numpy as np

Types: TypeAlias = Mapping[str, Any]
"""The closed list of what a result may be made of: classes, and functions kept in them, by a short name."""


def named(*parts: Any) -> dict[str, Any]:
    """Classes and functions by their own names, as :data:`Types`."""
    return {part.__name__: part for part in parts}


def save(folder: Path, result: Any, types: Types) -> None:
    """Write a result: ``result.json``, with its arrays in ``arrays.npz``.

    Raises
    ------
    TypeError : for what is not made of ``types``, plain values and arrays
    """
    arrays: dict[str, np.ndarray] = {}
    names = {part: name for name, part in types.items()}
    (folder / "result.json").write_text(json.dumps(_pack(result, arrays, names)))
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]


def load(folder: Path, types: Types) -> Any:
    """Read back what :func:`save` wrote, bit for bit; nothing but ``types`` is made, and no function called."""
    with (folder / "arrays.npz").open("rb") as file, np.load(file) as arrays:
        return _unpack(json.loads((folder / "result.json").read_text()), arrays, types)


def _pack(value: Any, arrays: dict[str, np.ndarray], names: Mapping[Any, str]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _pack(getattr(value, f.name), arrays, names) for f in dataclasses.fields(value)}
        return {"type": _name(type(value), names), "fields": fields}
    if isinstance(value, Mapping):
        return {"items": [[key, _pack(item, arrays, names)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_pack(item, arrays, names) for item in value]}
    if isinstance(value, list):
        return [_pack(item, arrays, names) for item in value]
    if isinstance(value, FunctionType):
        return {"function": _name(value, names)}
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float) and not isinstance(value, np.generic | IntEnum):
        return {"number": repr(value)} if value != value or value in (float("inf"), -float("inf")) else value
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise TypeError(f"a result holds a {type(value).__name__}, which no stage may keep")
    name = f"a{len(arrays)}"
    arrays[name] = array
    return {"array": name}


def _name(part: Any, names: Mapping[Any, str]) -> str:
    if part not in names:
        raise TypeError(
            f"a result holds {part.__qualname__}, which is not among the types of this run: {names.values()}"
        )
    return names[part]


def _unpack(value: Any, arrays: Mapping[str, np.ndarray], types: Types) -> Any:
    if isinstance(value, list):
        return [_unpack(item, arrays, types) for item in value]
    if not isinstance(value, dict):
        return value
    if "type" in value:
        kind = types[value["type"]]
        if not isinstance(kind, type):
            raise TypeError(f"{value['type']} is no type of results")
        return kind(**{key: _unpack(item, arrays, types) for key, item in value["fields"].items()})
    if "function" in value:
        return types[value["function"]]
    if "items" in value:
        return {key: _unpack(item, arrays, types) for key, item in value["items"]}
    if "tuple" in value:
        return tuple(_unpack(item, arrays, types) for item in value["tuple"])
    if "number" in value:
        return float(value["number"])
    return arrays[value["array"]]
