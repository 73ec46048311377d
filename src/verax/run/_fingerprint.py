"""What stages depend on: values, files and code, each as a checksum; and the random key of a stage."""

import dataclasses
import hashlib
import json
import sys
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from verax.arrays import Array

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray


def digest(value: Any) -> str:
    """SHA-256 of a JSON-like value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def stage_key(seed: int, stage: str) -> "PRNGKeyArray":
    """The random key of a stage: from the seed and the stage's name."""
    import jax

    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(stage.encode()))


HOW: Mapping[str, bool] = {"how": True}
"""Metadata of a dataclass' field that says where or how work is done, so that no result depends on it."""


def describe(value: Any) -> Any:
    """A value as JSON-like content that another value has only if it is equal: types by name, with all their fields.

    Fields with the metadata :data:`HOW` are left out. Functions of verax stand for themselves by name: their text is in
    :func:`code_version`.

    Raises
    ------
    TypeError : for what is not made of plain values, dataclasses, models of the analysis file, arrays, random keys and
        functions of verax

    >>> describe({"b": (1, None), "a": object})
    Traceback (most recent call last):
    TypeError: no stage can be given <class 'object'>: it cannot be told from another
    >>> describe({"b": (1, None), "a": 0.5})
    ['dict', ['b', ['tuple', 1, None]], ['a', 0.5]]
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    kind = type(value).__name__
    if isinstance(value, Mapping):
        return [kind, *([k, describe(v)] for k, v in value.items())]
    if isinstance(value, tuple | list):
        return [kind, *map(describe, value)]
    if isinstance(value, BaseModel):
        return [kind, *([k, describe(getattr(value, k))] for k in type(value).model_fields)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value) if "how" not in f.metadata]
        return [kind, *([k, describe(getattr(value, k))] for k in fields)]
    if (key := _key_data(value)) is not None:
        return ["key", key.tolist()]
    if isinstance(value, Array) and value.dtype != object:
        plain = np.ascontiguousarray(value)
        return [str(plain.dtype), list(np.shape(value)), hashlib.sha256(plain.tobytes()).hexdigest()]
    if isinstance(value, FunctionType) and value.__module__.startswith("verax.") and "<" not in value.__qualname__:
        return ["function", value.__module__, value.__qualname__]
    raise TypeError(f"no stage can be given {value!r}: it cannot be told from another")


def parts(described: Any, name: str, depth: int = 2) -> dict[str, str]:
    """Checksums of the parts of what :func:`describe` gives, by dotted names: those that changed can be named.

    >>> list(parts(describe({"a": 1, "b": {"c": 2}}), "options"))
    ['options.a', 'options.b.c']
    """
    kind, *items = described if isinstance(described, list) and described else (None,)
    fields = kind not in ("tuple", "list") and all(
        isinstance(i, list) and len(i) == 2 and isinstance(i[0], str) for i in items
    )
    if not depth or not items or not fields:
        return {name: digest(described)}
    return {k: v for key, value in items for k, v in parts(value, f"{name}.{key}", depth - 1).items()}


def _key_data(value: Any) -> np.ndarray | None:
    """The numbers of a random key; None for anything else, which JAX need not be imported for."""
    if (jax := sys.modules.get("jax")) is None or not isinstance(value, jax.Array):
        return None
    return np.asarray(jax.random.key_data(value)) if jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key) else None


@cache
def checksum(path: Path, size: int, modified: int) -> str:
    """SHA-256 of a file; ``size`` and ``modified`` (ns) make a changed file a new question."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(paths: list[Path]) -> dict[str, str]:
    """SHA-256 of each file, by path; a missing file says so."""
    return {str(p): checksum(p, p.stat().st_size, p.stat().st_mtime_ns) if p.is_file() else "missing" for p in paths}


@cache
def code_version() -> str:
    """SHA-256 over the package's sources: other code, other results."""
    sources = sorted(Path(__file__).parents[1].rglob("*.py"))
    return digest([hashlib.sha256(path.read_bytes()).hexdigest() for path in sources])
