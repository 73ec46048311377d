"""A run's folder: each stage written whole or not at all, and redone only when its inputs changed."""

import dataclasses
import hashlib
import json
import os
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from enum import IntEnum
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray
from pydantic import BaseModel

from ._folder import PART, STAGES, checksum_of, is_inside, opened, publish, remove, seal, unseal

T = TypeVar("T")
OWN = ("stage.json", "result.json", "arrays.npz")
"""What every stage has: its record, and its result."""

Types: TypeAlias = Mapping[str, Any]
"""The closed list of what a result may be made of: classes, and functions kept in them, by a short name."""


class Progress:
    """What long work tells while it runs; this one is silent."""

    def stage(self, name: str, *, reused: bool) -> None:
        """A stage begins, or was ``reused``."""

    def step(self, task: str, done: int, total: int | None, failed: int = 0) -> None:
        """``done`` of ``total`` steps of a task are over, ``failed`` of these in vain."""

    def note(self, text: str) -> None:
        """A line that a person should read, whatever else is shown."""


class Reached(Exception):
    """The last stage that was asked for is over."""


class Run:
    """An open run folder. Use as a context manager: it holds the folder's lock.

    ``run(name, function, *arguments)`` answers ``function(run, folder, *arguments)``; its files and its result are kept
    in ``stages/name``, and read back while its arguments, ``inputs(name)`` and the code stay the same. An argument that is
    the result of an earlier stage stands for that stage: what it was made of, and all files that it wrote. The record of
    a stage has the checksum of each file: one that was changed or damaged is done again, which :attr:`notes` say.

    Parameters
    ----------
    folder : of the run; made when it does not exist
    inputs : JSON-like value that a stage depends on beyond its arguments (default: nothing)
    until : name of the last stage; when it is over, the ``with`` block is left
    progress : told what goes on
    executor : where work on chunks may run; None is here
    owner : what the folder is for; the folder of another is refused
    types : what results are made of
    """

    def __init__(
        self,
        folder: str | Path,
        inputs: Callable[[str], Any] | None = None,
        *,
        until: str = "",
        progress: Progress | None = None,
        executor: Executor | None = None,
        owner: str = "a run",
        types: Types | None = None,
    ) -> None:
        self.folder, self.inputs, self.until = Path(folder), inputs, until
        self.progress, self.executor = progress or Progress(), executor
        self.fingerprints: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.results: dict[str, Any] = {}
        self.owner, self.types = owner, types or {}
        self.notes: list[str] = []
        """What was not as it was left, and other lines that a person should read."""
        self._files: dict[str, dict[str, str]] = {}
        self._working = threading.local()

    def __enter__(self) -> "Run":
        with ExitStack() as stack:
            if not stack.enter_context(opened(self.folder, self.owner)).whole:
                self.note("the folder's mark was damaged or lost; written again")
            (self.folder / STAGES).mkdir(exist_ok=True)
            self._close = stack.pop_all().close
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._close()
        return kind is Reached

    def path(self, stage: str) -> Path:
        """Folder of a finished stage; to a stage at work, of those alone whose results it was given.

        Raises
        ------
        LookupError : for a stage that the one at work does not depend on
        """
        given = getattr(self._working, "given", None)
        if given is not None and stage not in given:
            raise LookupError(f"a stage reads files of '{stage}', whose result is not among its arguments")
        return self._place(stage)

    def _place(self, stage: str) -> Path:
        return self.folder / STAGES / stage

    def note(self, text: str) -> None:
        """Tell a line once, and keep it for the record."""
        if text not in self.notes:
            self.notes.append(text)
            self.progress.note(text)

    def __call__(self, name: str, function: Callable[..., T], *arguments: Any, of: Any = None) -> T:
        """Result of a stage, made now or read back.

        ``of`` is what it depends on in the place of earlier stages. What a result has as ``notes`` is told, made now or
        not. What ``function`` itself holds does not count.
        """
        given = {stage: a for a in arguments for stage, result in list(self.results.items()) if result is a}
        plain = [describe(a) for a in arguments if not any(a is result for result in given.values())]
        earlier = [self.fingerprints[stage] for stage in given] if of is None else of
        fingerprint = digest([name, self.inputs and self.inputs(name), plain, earlier, code_version()])
        done = self._read(name, fingerprint)
        self.progress.stage(name, reused=done is not None)
        if done is None:
            start = time.perf_counter()
            with self._write(name) as folder:
                self._working.given = given
                try:
                    result = function(self, folder, *arguments)
                finally:
                    del self._working.given
                save(folder, result, self.types)
                seconds = time.perf_counter() - start
                paths = [p for p in sorted(folder.rglob("*")) if p.is_file()]
                files = {p.relative_to(folder).as_posix(): checksum_of(p) for p in paths}
                record: dict[str, Any] = {"stage": name, "fingerprint": fingerprint, "seconds": seconds, "files": files}
                (folder / "stage.json").write_bytes(seal(record))
            done = record, load(self._place(name), self.types)
        found, self.results[name] = done
        self.seconds[name], self._files[name] = found["seconds"], found["files"]
        # Done again to other bits (on another machine), a stage is another one for those after it.
        self.fingerprints[name] = digest([fingerprint, found["files"]])
        for line in getattr(self.results[name], "notes", ()):
            self.note(line)
        if name == self.until:
            raise Reached
        return self.results[name]

    def read_file(self, name: str, file: str) -> bytes | None:
        """A file that a stage wrote when it was last made; None where it is not there, or not as it was written."""
        record, path = _record(self._place(name)), self._place(name) / file
        return path.read_bytes() if record and record["files"].get(file, "") == checksum_of(path) else None

    def publish(self, name: str, more: Mapping[str, bytes] | None = None) -> None:
        """Copy the files of a finished stage, and ``more`` by name, to the top of the run folder, each at once."""
        files = {file: self._place(name) / file for file in self._files[name] if file not in OWN}
        publish(self.folder, {**files, **(more or {})}, self.note)

    def _read(self, name: str, fingerprint: str) -> tuple[dict[str, Any], Any] | None:
        """Record and result of a stage that is there, still holds, and is whole."""
        place = self._place(name)
        if not os.path.lexists(place):
            return None
        record = _record(place)
        if record is None:
            self.note(f"{STAGES}/{name}: without a whole record; done again")
            return None
        if record.get("fingerprint") != fingerprint:
            return None
        for file, expected in record["files"].items():
            if (found := checksum_of(place / file)) != expected:
                how = "changed" if found else "lost"
                self.note(f"{STAGES}/{name}/{file}: {how} since it was written; the stage is done again")
                return None
        try:
            return record, load(place, self.types)
        except Exception as error:  # whatever a record with the right checksums leads to
            self.note(
                f"{STAGES}/{name}: a result that cannot be read ({type(error).__name__}); the stage is done again"
            )
            return None

    @contextmanager
    def _write(self, name: str) -> Iterator[Path]:
        """A temporary folder that takes the stage's place when all went well."""
        part = self._place(f"{PART}{name}")
        part.mkdir()
        try:
            yield part
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        _keep_others(self._place(name), part)
        remove(self._place(name))
        os.replace(part, self._place(name))


def _keep_others(old: Path, new: Path) -> None:
    """Move what verax did not write from a stage's folder to the one that takes its place, where the name is free."""
    record = _record(old)
    own = {"stage.json", *(record["files"] if record else ())}
    for path in [] if old.is_symlink() else sorted(old.rglob("*")):
        name = path.relative_to(old)
        free = not os.path.lexists(new / name) and not any(os.path.isfile(new / p) for p in name.parents)
        if name.as_posix() not in own and free and (path.is_symlink() or path.is_file()):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, new / name)


def _record(place: Path) -> dict[str, Any] | None:
    """The record of a stage; None where it is damaged, lost or of an earlier version."""
    record = unseal(place / "stage.json")
    if record is None or not isinstance(record.get("seconds"), float) or not isinstance(record.get("files"), dict):
        return None
    whole = record.get("stage") == place.name and {"result.json", "arrays.npz"} <= set(record["files"])
    return record if whole and all(map(is_inside, record["files"])) else None


def digest(value: Any) -> str:
    """SHA-256 of a JSON-like value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def stage_key(seed: int, stage: str) -> PRNGKeyArray:
    """The random key of a stage: from the seed and the stage's name."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(stage.encode()))


HOW: Mapping[str, bool] = {"how": True}
"""Metadata of a dataclass' field that says where or how work is done, so that no result depends on it."""


def describe(value: Any) -> Any:
    """A value as JSON-like content that another value has only if it is equal: types by name, with all their fields.

    Fields with the metadata :data:`HOW` are left out.

    Raises
    ------
    TypeError : for what is not made of plain values, dataclasses, models of the analysis file, arrays and random keys

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
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return ["key", jax.random.key_data(value).tolist()]
    if isinstance(value, np.ndarray):
        return [str(value.dtype), value.tolist()]
    raise TypeError(f"no stage can be given {value!r}: it cannot be told from another")


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
