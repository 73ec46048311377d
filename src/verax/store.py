"""A run's folder: each stage written whole or not at all, and redone only when its inputs changed."""

import dataclasses
import fcntl
import hashlib
import importlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from pathlib import Path
from types import FunctionType, TracebackType
from typing import Any, TypeVar

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from verax.errors import InputError

T = TypeVar("T")


class Progress:
    """What long work tells while it runs; this one is silent."""

    def stage(self, name: str, *, reused: bool) -> None:
        """A stage begins, or was ``reused``."""
        del name, reused

    def step(self, task: str, done: int, total: int | None, failed: int = 0) -> None:
        """``done`` of ``total`` steps of a task are over, ``failed`` of these in vain."""
        del task, done, total, failed

    def note(self, text: str) -> None:
        """A line that a person should read, whatever else is shown."""
        del text


class Reached(Exception):
    """The last stage that was asked for is over."""


class Run:
    """An open run folder. Use as a context manager: it holds the folder's lock.

    ``run(name, function, *results)`` answers ``function(run, folder, *results)``; its files and its result are kept in
    ``stages/name``, and read back while ``inputs(name)``, the earlier stages and the code stay the same.

    Parameters
    ----------
    folder : of the run; made when it does not exist
    inputs : JSON-like value that a stage depends on beyond the stages before it
    seed : of all random numbers
    until : name of the last stage; when it is over, the ``with`` block is left
    progress : told what goes on
    executor : where work on chunks may run; None is here
    """

    def __init__(
        self,
        folder: str | Path,
        inputs: Callable[[str], Any],
        *,
        seed: int = 0,
        until: str = "",
        progress: Progress | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.folder, self.inputs, self.seed, self.until = Path(folder), inputs, seed, until
        self.progress, self.executor = progress or Progress(), executor
        self.fingerprints: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.results: dict[str, Any] = {}
        self.notes: list[str] = []

    def __enter__(self) -> "Run":
        try:
            (self.folder / "stages").mkdir(parents=True, exist_ok=True)
            self._lock = open(self.folder / ".lock", "w")
        except OSError as error:
            raise InputError(str(self.folder), f"{error.strerror}", "a folder that can be written") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise InputError(
                str(self.folder), "a folder in use by another run", "a free one", "wait for it, or choose --output"
            ) from None
        for left in (self.folder / "stages").glob(".*"):
            shutil.rmtree(left)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._lock.close()
        return kind is Reached

    def key(self, stage: str) -> PRNGKeyArray:
        """The random key of a stage: from the seed and the stage's name."""
        return jax.random.fold_in(jax.random.key(self.seed), zlib.crc32(stage.encode()))

    def path(self, stage: str) -> Path:
        """Folder of a finished stage."""
        return self.folder / "stages" / stage

    def note(self, text: str) -> None:
        """Tell a line once, and keep it for the record."""
        if text not in self.notes:
            self.notes.append(text)
            self.progress.note(text)

    def __call__(self, name: str, function: Callable[..., T], *results: Any, alone: bool = False, of: Any = None) -> T:
        """Result of a stage, made now or read back; one that stands ``alone`` does not depend on those before it.

        ``of`` is what it depends on in their place. What a result has as ``notes`` is told, made now or not.
        """
        earlier = [] if alone else list(self.fingerprints.values()) if of is None else of
        fingerprint = digest([name, self.inputs(name), earlier, code_version()])
        self.fingerprints[name] = fingerprint
        done = self._read(name, fingerprint)
        self.progress.stage(name, reused=done is not None)
        if done is None:
            start = time.perf_counter()
            with self._write(name) as folder:
                result = function(self, folder, *results)
                save(folder, result)
                seconds = time.perf_counter() - start
                (folder / "stage.json").write_text(json.dumps({"fingerprint": fingerprint, "seconds": seconds}))
            done = self._read(name, fingerprint)
        assert done is not None
        self.seconds[name] = done["seconds"]
        self.results[name] = load(self.path(name))
        for line in getattr(self.results[name], "notes", ()):
            self.note(line)
        if name == self.until:
            raise Reached
        return self.results[name]

    def publish(self, name: str) -> None:
        """Copy the files of a finished stage to the top of the run folder, each under its name at once."""
        for source in sorted(self.path(name).rglob("*")):
            target = self.folder / source.relative_to(self.path(name))
            if source.is_dir():
                target.mkdir(exist_ok=True)
            elif source.name not in ("stage.json", "result.json", "arrays.npz"):
                part = target.with_name(f".{target.name}")
                shutil.copyfile(source, part)
                os.replace(part, target)

    def _read(self, name: str, fingerprint: str) -> dict[str, Any] | None:
        try:
            record = json.loads((self.path(name) / "stage.json").read_text())
        except (OSError, json.JSONDecodeError):
            return None
        return record if record["fingerprint"] == fingerprint else None

    @contextmanager
    def _write(self, name: str) -> Iterator[Path]:
        """A temporary folder that takes the stage's place when all went well."""
        part = self.path(f".{name}")
        part.mkdir()
        try:
            yield part
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        shutil.rmtree(self.path(name), ignore_errors=True)
        os.replace(part, self.path(name))


def digest(value: Any) -> str:
    """SHA-256 of a JSON-like value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


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
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return digest([hashlib.sha256(path.read_bytes()).hexdigest() for path in sources])


def save(folder: Path, result: Any) -> None:
    """Write a result: ``result.json``, with its arrays in ``arrays.npz``."""
    arrays: dict[str, np.ndarray] = {}
    (folder / "result.json").write_text(json.dumps(_pack(result, arrays)))
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]


def load(folder: Path) -> Any:
    """Read back what :func:`save` wrote, bit for bit."""
    with np.load(folder / "arrays.npz") as arrays:
        return _unpack(json.loads((folder / "result.json").read_text()), arrays)


def _pack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = f"{type(value).__module__}:{type(value).__qualname__}"
        return {
            "type": kind,
            "fields": {f.name: _pack(getattr(value, f.name), arrays) for f in dataclasses.fields(value)},
        }
    if isinstance(value, Mapping):
        return {"items": [[key, _pack(item, arrays)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_pack(item, arrays) for item in value]}
    if isinstance(value, list):
        return [_pack(item, arrays) for item in value]
    if isinstance(value, FunctionType):
        return {"function": f"{value.__module__}:{value.__qualname__}"}
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float) and not isinstance(value, np.generic | IntEnum):
        return {"number": repr(value)} if value != value or value in (float("inf"), -float("inf")) else value
    name = f"a{len(arrays)}"
    arrays[name] = np.asarray(value)
    return {"array": name}


def _unpack(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if "type" in value:
        return _named(value["type"])(**{key: _unpack(item, arrays) for key, item in value["fields"].items()})
    if "function" in value:
        return _named(value["function"])
    if "items" in value:
        return {key: _unpack(item, arrays) for key, item in value["items"]}
    if "tuple" in value:
        return tuple(_unpack(item, arrays) for item in value["tuple"])
    if "number" in value:
        return float(value["number"])
    return arrays[value["array"]]


def _named(place: str) -> Any:
    """A type or function of this package, by ``module:name``."""
    module, name = place.split(":")
    if not module.startswith("verax."):
        raise InputError("stage result", place, "a type of verax", "delete the run folder and start again")
    return getattr(importlib.import_module(module), name)
