"""A run's folder: each stage written whole or not at all, and redone only when its inputs changed."""

import inspect
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ._fingerprint import code_version, describe, digest, parts
from ._folder import PART, STAGES, checksum_of, is_inside, opened, publish, remove, seal, unseal
from ._pack import Types, load, save
from ._progress import Progress

T = TypeVar("T")
OWN = ("stage.json", "result.json", "arrays.npz")
"""What every stage has: its record, and its result."""


@dataclass(frozen=True)
class Foreseen:
    """What a run would do with a stage: again for the reasons ``why``, or, without any, nothing."""

    stage: str
    why: tuple[str, ...]
    seconds: float | None
    """That it took when it was last done."""


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
        record: dict[str, Any]
        given, fingerprint, made_of = self._made_of(name, function, arguments, of)
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
                record = {
                    "stage": name,
                    "fingerprint": fingerprint,
                    "seconds": seconds,
                    "files": files,
                    "made_of": made_of,
                }
                (folder / "stage.json").write_bytes(seal(record))
            done = record, load(self._place(name), self.types)
        self._take(name, *done)
        for line in getattr(self.results[name], "notes", ()):
            self.note(line)
        if name == self.until:
            raise Reached
        return self.results[name]

    def _take(self, name: str, found: dict[str, Any], result: Any) -> None:
        self.results[name], self.seconds[name], self._files[name] = result, found["seconds"], found["files"]
        # Done again to other bits (on another machine), a stage is another one for those after it.
        self.fingerprints[name] = seen_as(found)

    def foresee(self, name: str, function: Callable[..., Any], *arguments: Any, of: Any = None) -> Foreseen:
        """What a call would do with a stage, after those before it; nothing is done, and the folder need not be open.

        In the place of the result of a stage that would be done stands a :class:`Foreseen`.
        """
        noted = len(self.notes)
        _, fingerprint, made_of = self._made_of(name, function, arguments, of)
        done, record = self._read(name, fingerprint), record_of(self._place(name))
        if done is not None:
            self._take(name, *done)
            return Foreseen(name, (), done[0]["seconds"])
        why = [note.partition(": ")[2].partition(";")[0] for note in self.notes[noted:]]
        if record is None:
            why = why or ["never done"]
        else:
            before = record["made_of"]
            keys = dict.fromkeys([*before["values"], *made_of["values"]])
            why += [k for k in keys if before["values"].get(k) != made_of["values"].get(k)]
            others = {**before["stages"], **made_of["stages"]}
            why += [k for k in others if before["stages"].get(k) != made_of["stages"].get(k)]
            why += ["the version of verax"] if before["code"] != made_of["code"] else []
        found = Foreseen(name, tuple(why), record["seconds"] if record else None)
        self.results[name], self.fingerprints[name] = found, ""
        return found

    def _made_of(
        self, name: str, function: Callable[..., Any], arguments: tuple[Any, ...], of: Any
    ) -> tuple[dict[str, Any], str, dict[str, Any]]:
        """The results of earlier stages among the arguments, the fingerprint, and checksums by name of what is in it."""
        given = {stage: a for a in arguments for stage, result in list(self.results.items()) if result is a}
        more = [*inspect.signature(function).parameters][2:] + [f"argument {i}" for i in range(len(arguments))]
        plain = {
            n: describe(a) for n, a in zip(more, arguments, strict=False) if all(a is not r for r in given.values())
        }
        earlier = {stage: self.fingerprints[stage] for stage in given} if of is None else {}
        inputs, code = self.inputs and self.inputs(name), code_version()
        fingerprint = digest([name, inputs, [*plain.values()], [*earlier.values()] if of is None else of, code])
        values = {k: v for n, value in plain.items() for k, v in parts(value, n).items()}
        values |= {"inputs": digest(inputs), "events": digest(of)}
        return given, fingerprint, {"values": values, "stages": earlier, "code": code}

    def read_file(self, name: str, file: str) -> bytes | None:
        """A file that a stage wrote when it was last made; None where it is not there, or not as it was written."""
        record, path = record_of(self._place(name)), self._place(name) / file
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
        record = record_of(place)
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
    record = record_of(old)
    own = {"stage.json", *(record["files"] if record else ())}
    for path in [] if old.is_symlink() else sorted(old.rglob("*")):
        name = path.relative_to(old)
        free = not os.path.lexists(new / name) and not any(os.path.isfile(new / p) for p in name.parents)
        if name.as_posix() not in own and free and (path.is_symlink() or path.is_file()):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, new / name)


def record_of(place: Path) -> dict[str, Any] | None:
    """The record of a stage; None where it is damaged, lost or of an earlier version."""
    record = unseal(place / "stage.json")
    if record is None or not isinstance(record.get("seconds"), float) or not isinstance(record.get("files"), dict):
        return None
    whole = record.get("stage") == place.name and {"result.json", "arrays.npz"} <= set(record["files"])
    whole = whole and isinstance(record.get("made_of"), dict) and {"values", "stages", "code"} <= set(record["made_of"])
    return record if whole and all(map(is_inside, record["files"])) else None


def seen_as(record: Mapping[str, Any]) -> str:
    """What stands for a stage among those that later ones are made of."""
    return digest([record["fingerprint"], record["files"]])
