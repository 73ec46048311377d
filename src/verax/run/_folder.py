"""Folders that verax writes to: its own alone, never through a link, under names that neither collide nor lead elsewhere.

A folder of verax has a mark, ``.verax``, which says whose it is and which files were published in it.
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias, TypeVar

from verax.errors import InputError

MARK, LOCK, STAGES, RECORD = ".verax", ".lock", "stages", "record.json"
PART = ".verax-"
"""How the temporary names of verax begin."""
NOT_COUNTED = (MARK, LOCK, ".DS_Store")
"""What may lie in a folder that is taken for an empty one."""

Label: TypeAlias = str | tuple[str, ...]
"""What a file is called after: one name, or several in order."""
L = TypeVar("L", bound=Label)


@dataclass(frozen=True)
class Mark:
    """Whose folder it is, and the checksums that each published file may have; not ``whole`` when it was lost or damaged."""

    owner: str
    published: Mapping[str, list[str]]
    whole: bool = True


# ------------------------------------------------------------------------------------------------------------ ownership


def inspect(folder: Path, owner: str) -> Mark:
    """The mark of a folder that ``owner`` may write to; the folder is made when it does not exist.

    Raises
    ------
    InputError : for files that are not verax's, the folder of another owner, a link in it, or one that cannot be written
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(p.name for p in folder.iterdir())
    except OSError as error:
        raise InputError(str(folder), error.strerror or str(error), "a folder that can be written") from error
    for name in (MARK, LOCK, STAGES):
        _check_kind(folder / name, is_folder=name == STAGES)
    others = [n for n in names if n not in NOT_COUNTED and not n.startswith(PART)]
    if MARK not in names and others and not _has_records(folder):
        seen = f"files that are not verax's ({', '.join(others[:3])}{', …' if len(others) > 3 else ''})"
        raise InputError(str(folder), seen, "an empty folder, or one that verax made", "choose another --output")
    mark = _read_mark(folder / MARK)
    if mark is None:
        return Mark(owner, _standing(folder), whole=MARK not in names and not others)
    if mark.owner != owner:
        raise InputError(str(folder), f"the folder of {mark.owner}", f"one of {owner}", "choose another --output")
    for name in mark.published:
        _check_parents(folder, name)
    return mark


def claim(folder: Path, owner: str) -> Mark:
    """The mark of :func:`inspect`, written where it is new or damaged."""
    mark = inspect(folder, owner)
    if not mark.whole or not (folder / MARK).exists():
        _write_mark(folder, mark)
    return mark


@contextmanager
def opened(folder: Path, owner: str) -> Iterator[Mark]:
    """The mark of a folder that ``owner`` alone writes to now: locked, claimed, without what a killed run left.

    Raises
    ------
    InputError : as :func:`inspect`, and when another process holds the lock
    """
    inspect(folder, owner)  # before anything is written there
    handle = _lock(folder)
    try:
        mark = claim(folder, owner)
        for left in (left for place in (folder, folder / STAGES) for left in place.glob(f"{PART}*")):
            remove(left)  # verax's own temporary names, and nothing else
        yield mark
    finally:
        os.close(handle)


def _lock(folder: Path) -> int:
    """The descriptor of the folder's lock, to be closed."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise InputError(str(folder), error.strerror or str(error), "a folder that can be written") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        seen, action = "a folder in use by another run", "wait for it, or choose --output"
        raise InputError(str(folder), seen, "a free one", action) from None
    return handle


def remove(path: Path) -> None:
    """Remove a file, a folder with all it holds, or a link, not what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _has_records(folder: Path) -> bool:
    """Whether there are records of verax, of an earlier version or beside a lost mark."""
    records = [(path, "fingerprint") for path in folder.glob(f"{STAGES}/*/stage.json")]
    return any(key in _json(path) for path, key in [*records, (folder / "campaign.json", "question")])


def _standing(folder: Path) -> dict[str, list[str]]:
    """Files of stages that stand at the top with the same bytes: what was published, as far as it can be known."""
    found = {}
    for path in folder.glob(f"{STAGES}/*/**/*"):
        name = PurePosixPath(*path.relative_to(folder / STAGES).parts[1:]).as_posix()
        if (top := checksum_of(folder / name)) is not None and top == checksum_of(path):
            found[name] = [top]
    of_run = {"packages", "seeds", "inputs", "timings", "failed"} <= set(_json(folder / RECORD))
    if of_run and (top := checksum_of(folder / RECORD)) is not None:
        found[RECORD] = [top]
    return found


def _read_mark(path: Path) -> Mark | None:
    content = unseal(path)
    if content is None:
        return None
    owner, published = content.get("owner"), content.get("published")
    if not isinstance(owner, str) or not isinstance(published, dict):
        return None
    fit = all(is_inside(name) and isinstance(sums, list) for name, sums in published.items())
    return Mark(owner, published) if fit else None


def _write_mark(folder: Path, mark: Mark) -> None:
    write(folder / MARK, seal({"owner": mark.owner, "published": mark.published}))


# -------------------------------------------------------------------------------------------------------------- content


def seal(content: dict[str, Any]) -> bytes:
    """JSON with its own checksum, by which :func:`unseal` sees that it is whole."""
    return json.dumps({**content, "checksum": _digest(content)}, indent=1).encode()


def unseal(path: Path) -> dict[str, Any] | None:
    """What :func:`seal` made; None for anything else: a damaged file, none, or a link."""
    content = _json(path) if checksum_of(path) else {}
    return content if content.pop("checksum", None) == _digest(content) else None


def _json(path: Path) -> dict[str, Any]:
    """The object in a file; empty for anything else."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def checksum_of(path: Path) -> str | None:
    """SHA-256 of a file; None where there is no file of this place: nothing, a folder, a link, a device."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def is_inside(name: str) -> bool:
    """Whether a relative path stays inside its folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new temporary file that takes the place of ``path`` when all went well; of a link there, not of what it leads to.

    Raises
    ------
    InputError : for a device, a pipe or a folder in that place
    """
    if os.path.lexists(path) and not (path.is_symlink() or path.is_file()):
        raise InputError(str(path), "a device, a pipe or a folder", "a file, or nothing")
    part = path.with_name(f"{PART}{secrets.token_hex(8)}{path.suffix}")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, never through a link."""
    with replacing(path) as part, part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


# ----------------------------------------------------------------------------------------------------------- publishing


@contextmanager
def publishing(folder: Path, say: Callable[[str], None]) -> Iterator[Path]:
    """An empty folder whose files are published, as by :func:`publish`, when all went well."""
    with tempfile.TemporaryDirectory(prefix=PART, dir=folder) as place:
        yield Path(place)
        paths = [p for p in sorted(Path(place).rglob("*")) if p.is_file()]
        publish(folder, {p.relative_to(place).as_posix(): p for p in paths}, say)


def publish(folder: Path, files: Mapping[str, Path | bytes], say: Callable[[str], None]) -> None:
    """Put files, by their relative path, at the top of a folder; those of an earlier time that are no more are removed.

    A published file that was changed or lost is written again. Files that verax did not write are left alone.

    Parameters
    ----------
    files : paths to copy from, or content
    say : told in a line what was not as it was left

    Raises
    ------
    InputError : where a file that is not verax's, a folder or a link is in the way
    """
    mark = _read_mark(folder / MARK) or Mark("", {})
    now = {n: hashlib.sha256(f).hexdigest() if isinstance(f, bytes) else checksum_of(f) or "" for n, f in files.items()}
    there = {name: checksum_of(folder / name) for name in {*now, *mark.published}}
    for name in there:
        _check_parents(folder, name)
    for name in now:
        target = folder / name
        if not target.is_symlink():  # a link is replaced, not followed
            _check_kind(target, is_folder=False)
        if name not in mark.published and os.path.lexists(target) and there[name] != now[name]:
            seen = "a file that verax did not write"
            raise InputError(str(target), seen, "none of this name", "move it away; the same command continues")
    changed = [n for n in mark.published if n in now and there[n] not in mark.published[n]]
    gone = [n for n in mark.published if n not in now]
    both = {n: [*mark.published.get(n, ()), *([now[n]] if n in now else [])] for n in {**mark.published, **now}}
    _write_mark(folder, Mark(mark.owner, both))  # a run that is stopped here goes on from either
    for name, file in files.items():
        if there[name] == now[name]:
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with replacing(folder / name) as part:
            if isinstance(file, bytes):
                part.write_bytes(file)
            else:
                shutil.copyfile(file, part)
    for name in gone:
        if there[name] in mark.published[name]:
            (folder / name).unlink()
            _remove_empty(folder, (folder / name).parent)
    _write_mark(folder, Mark(mark.owner, {n: [now[n]] for n in sorted(now)}))
    if changed:
        say(f"{_some(changed)}: changed or lost since written; written again")
    if left := [n for n in gone if there[n] not in mark.published[n] and os.path.lexists(folder / n)]:
        say(f"{_some(left)}: of an earlier result, and changed since; left there")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _remove_empty(folder: Path, inner: Path) -> None:
    while inner != folder and not any(inner.iterdir()):
        inner.rmdir()
        inner = inner.parent


def _check_parents(folder: Path, name: str) -> None:
    """Raise InputError where a folder on the way to a published file is none of this place."""
    inner = folder
    for part in PurePosixPath(name).parts[:-1]:
        inner = inner / part
        _check_kind(inner, is_folder=True)


def _check_kind(path: Path, *, is_folder: bool) -> None:
    """Raise InputError for a link, a file in place of a folder, or a folder in place of a file."""
    expected = "a folder" if is_folder else "a file"
    if path.is_symlink():
        seen, action = f"a link to {os.readlink(path)}", "nothing is written through links; remove it"
        raise InputError(str(path), seen, expected, action)
    if os.path.lexists(path) and path.is_dir() != is_folder:
        seen = "a file" if is_folder else "a folder"
        raise InputError(str(path), seen, f"{expected}, or nothing", "move it away; the same command continues")


# ---------------------------------------------------------------------------------------------------------------- names

LONGEST = 80
TAIL = re.compile(r"-[0-9a-f]{12}$", re.IGNORECASE)
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def file_names(labels: Iterable[L]) -> dict[L, str]:
    """File names, without ending, of labels that come from the user; all of a folder must be given at once.

    A name has at most 80 letters, digits, "_", "." and "-", of ASCII. Where labels would share one, on any file system, a
    part of the label's checksum is added.

    >>> list(file_names(["mu", ("score", "SR/1", "observed")]).values())
    ['mu', 'score_SR-1_observed']
    >>> len(set(file_names([("a_b", "c"), ("a", "b_c"), "A_B_C", "../../etc/passwd", ""]).values()))
    5
    """
    plain = {label: _plain("_".join((label,) if isinstance(label, str) else label)) for label in labels}
    shared = Counter(name.lower() for name in plain.values())
    return {
        label: name if shared[name.lower()] == 1 and not TAIL.search(name) else _distinct(name, label)
        for label, name in plain.items()
    }


def _plain(text: str) -> str:
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    name = re.sub(r"\.{2,}|[^A-Za-z0-9_.-]+", "-", "".join(letters)).lstrip(".-")[:LONGEST].rstrip(".-") or "x"
    return f"x-{name}" if RESERVED.match(name) else name


def _distinct(name: str, label: Label) -> str:
    tail = hashlib.sha256(repr(label).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{name[: LONGEST - 13]}-{tail}"
