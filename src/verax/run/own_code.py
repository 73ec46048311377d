"""The user's own code: all files that it is made of, loaded as they are now, and the files that it opens."""

import ast
import functools
import importlib
import importlib.util
import os
import pickle
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any
from uuid import uuid4

from verax.errors import InputError

from ._fingerprint import checksums, digest

PACKAGE = Path(__file__).resolve().parents[1]

# ------------------------------------------------------------------------------------------------- what it is made of


def sources_of(place: str, base: Path) -> tuple[Path, ...]:
    """The file of a module (``module`` or ``file.py``), and of each of the user's own modules that it imports, in turn.

    Imports are read from the text, those inside functions included; installed packages and Python's library are not
    followed. A module that cannot be found has no file.
    """
    return tuple(_followed(place, base)[0])


def _followed(place: str, base: Path) -> tuple[dict[Path, None], set[str]]:
    """The files, and the outermost names under which they are imported."""
    named = not place.endswith(".py")
    located = _locate(place.split(".")) if named else [Path(place).resolve()]
    todo = [file for file in located if file == located[-1] or _is_own(file)]
    found, outermost = dict.fromkeys(todo), {place.partition(".")[0]} if named and all(map(_is_own, located)) else set()
    while todo:
        file = todo.pop()
        if file.suffix != ".py" or not file.is_file():
            continue
        status = file.stat()
        for level, name in _imports(file, status.st_size, status.st_mtime_ns)[0]:
            parts = [p for p in name.split(".") if p]
            if level:
                folder = file.parents[level - 1] if level <= len(file.parents) else file.parent
                located = [folder / "__init__.py", *_locate(parts, folder)]
            else:
                located = [other for place in (None, file.parent, base) for other in _locate(parts, place)]
            own = [other for other in located if other.is_file() and _is_own(other)]
            outermost |= {parts[0]} if own and not level else set()
            todo += [other for other in own if other not in found]
            found |= dict.fromkeys(own)
    return found, outermost


def version_of(place: str, base: Path) -> str:
    """What stands for :func:`sources_of` in a fingerprint; it changes with any of the texts, wherever they lie."""
    files = sources_of(place, base)
    return digest([place if not files else "", *checksums(sorted(files)).values()])


def _locate(parts: list[str], folder: Path | None = None) -> list[Path]:
    """Files of a dotted name and of the packages on the way, below a folder or where an import looks for it.

    Nothing is imported.
    """
    files, path = list[Path](), [str(folder)]
    for i, part in enumerate(parts):
        spec = _top(part) if folder is None and i == 0 else PathFinder.find_spec(".".join(parts[: i + 1]), path)
        if spec is None:
            break
        if spec.origin and spec.has_location:
            files.append(Path(spec.origin).resolve())
        path = list(spec.submodule_search_locations or ())
        if not path:
            break
    return files


def _top(name: str) -> ModuleSpec | None:
    """Where an import would find a module that is in no package."""
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, None)
        except (ImportError, AttributeError, ValueError):
            continue
        if spec is not None:
            return spec
    return None


def _is_own(file: Path) -> bool:
    """False for installed packages, Python's library and verax itself."""
    if {"site-packages", "dist-packages"} & set(file.parts) or file.is_relative_to(PACKAGE):
        return False
    return not any(file.is_relative_to(sysconfig.get_path(k)) for k in ("stdlib", "platstdlib"))


@cache
def _imports(file: Path, size: int, modified: int) -> tuple[tuple[tuple[int, str], ...], tuple[str, ...]]:
    """Modules that a text may import, with the level of relative ones; and its strings that may name files."""
    del size, modified  # of the text that was read: another one is another question
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return (), ()
    names, texts = dict[tuple[int, str], None](), dict[str, None]()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                names |= {(0, a.name): None for a in aliases}
            case ast.ImportFrom(module=module, names=aliases, level=level):
                names |= {(level, f"{module or ''}.{a.name}"): None for a in aliases}
            case ast.Constant(value=str() as text) if text.strip() and len(text) < 200 and text.isprintable():
                texts.setdefault(text)
    return tuple(names), tuple(texts)


# ------------------------------------------------------------------------------------------------------------- loading


def find(name: str, base: Path, version: str) -> Callable[..., Any]:
    """The callable ``module:name`` or ``file.py:name``, from the files as they are when their version is ``version``.

    Raises
    ------
    InputError : when it cannot be imported, is not callable, or its files changed since ``version`` was taken
    """
    place, _, attribute = name.rpartition(":")
    try:
        found = getattr(_module(place, base, version), attribute)
    except InputError:
        raise
    except Exception as error:
        seen = f"{type(error).__name__}: {error}"
        raise InputError(f"function '{name}'", seen, "module:name or path.py:name that can be imported") from error
    if not callable(found):
        raise InputError(f"function '{name}'", type(found).__name__, "a callable")
    return found


@cache
def _module(place: str, base: Path, version: str) -> ModuleType:
    """A module made of what its files hold now: own modules that are loaded may be older, or another analysis' own."""
    if version_of(place, base) != version:
        seen = "code that changed during the run"
        raise InputError(f"function in '{place}'", seen, "the same throughout", "start again")
    _OPENED.setdefault(place, {}).clear()
    outermost = _followed(place, base)[1]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in outermost and (file is None or _is_own(Path(file).resolve())):
            del sys.modules[name]
    importlib.invalidate_caches()
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # its time stamps are of a second only
    try:
        with watched(place):
            if not place.endswith(".py"):
                return importlib.import_module(place)
            spec = importlib.util.spec_from_file_location(Path(place).stem, place)
            assert spec is not None
            assert spec.loader is not None
            made = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(made)
            return made
    finally:
        sys.dont_write_bytecode = written


# ------------------------------------------------------------------------------------------------------ files it opens

_OPENED: dict[str, dict[str, None]] = {}
_WATCHING: list[tuple[int, dict[str, None]]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _WATCHING:
        return
    path, mode, flags = arguments
    writes = set(mode) & set("wxa") if isinstance(mode, str) else (flags or 0) & (os.O_WRONLY | os.O_CREAT)
    if isinstance(path, str | bytes | os.PathLike) and not writes:
        for thread, opened in _WATCHING:
            if thread == threading.get_ident():
                opened.setdefault(os.path.abspath(os.fsdecode(path)))


@cache
def _install() -> None:
    sys.addaudithook(_hook)


@contextmanager
def watched(place: str) -> Iterator[None]:
    """Note the files that this thread opens to read, under the name of the module that is at work."""
    _install()
    entry = (threading.get_ident(), _OPENED.setdefault(place, {}))
    _WATCHING.append(entry)
    try:
        yield
    finally:
        _WATCHING.remove(entry)


def undeclared(place: str, base: Path, known: Iterable[Path], run: Path, *, texts: bool = True) -> tuple[str, ...]:
    """Files that the code opened while :func:`watched`, or names in its ``texts``, and that are not ``known``.

    Code that is not Python's opens files unseen, so names count as well. Files of Python, of packages, of the system, of
    caches and of the ``run`` folder do not. Those below ``base`` are named from there.
    """
    sources = sources_of(place, base)
    seen = {Path(p): None for p in _OPENED.get(place, ())}
    for file in (f for f in sources if texts and f.suffix == ".py" and f.is_file() and _is_own(f)):
        status = file.stat()
        for text in _imports(file, status.st_size, status.st_mtime_ns)[1]:
            seen |= {folder / text: None for folder in (Path.cwd(), base, file.parent) if _is_file(folder / text)}
    covered = {os.path.realpath(p) for p in (*sources, *known)}
    found: dict[str, None] = {}
    for path in seen:
        if path.suffix == ".pyc" and path.parent.name == "__pycache__":
            path = Path(importlib.util.source_from_cache(str(path)))
        if not _is_file(path):
            continue
        real = path.resolve()
        if str(real) in covered or real.is_relative_to(run.resolve()) or _is_system(real, base.resolve()):
            continue
        found.setdefault(os.path.relpath(real, base.resolve()) if real.is_relative_to(base.resolve()) else str(real))
    return tuple(sorted(found))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_system(file: Path, base: Path) -> bool:
    """Files of Python, packages, the system and caches; the analysis' own folder may lie in one of theirs."""
    if {"site-packages", "dist-packages", "__pycache__"} & set(file.parts) or file.is_relative_to(PACKAGE):
        return True
    home = Path.home()
    places: list[str | Path] = [sys.prefix, sys.base_prefix, "/proc", "/sys", "/dev", "/etc", "/usr", "/lib"]
    places += [home / ".cache", home / ".config", os.environ.get("JAX_COMPILATION_CACHE_DIR") or "/dev"]
    if file.is_relative_to(base) and any(part.startswith(".") for part in file.relative_to(base).parts):
        return True
    inside = [place for place in places if file.is_relative_to(place)]
    return any(not (base.is_relative_to(place) and file.is_relative_to(base)) for place in inside)


# ---------------------------------------------------------------------------------------------- callables from Python


def stamp(function: Any, base: Path) -> str:
    """What stands for a callable in a fingerprint: its code, the functions and values it reads, and its modules' files.

    Attributes of functions and of classes are among the values. A value that cannot be told apart from another (it cannot
    be pickled) makes each stamp a new one.
    """
    return digest(_stamp(function, base, {}))


def _stamp(value: Any, base: Path, seen: dict[int, tuple[int, Any]]) -> Any:
    """``seen`` holds what was met, by identity: it ends recursion, and keeps it alive so that no identity is used twice."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return repr(value)
    if id(value) in seen:
        return ["again", seen[id(value)][0]]
    seen[id(value)] = len(seen), value
    match value:
        case FunctionType() if not _is_users(value.__module__, base):
            return ["named", value.__module__, value.__qualname__]
        case FunctionType():
            inner = [_stamp(v, base, seen) for v in (value.__defaults__, value.__kwdefaults__, vars(value))]
            cells = [_stamp(c.cell_contents, base, seen) for c in value.__closure__ or ()]
            names = _names(value.__code__)
            used = {n: value.__globals__[n] for n in names if n in value.__globals__}
            for module in [m for m in used.values() if isinstance(m, ModuleType) and _is_users(m.__name__, base)]:
                used |= {f"{module.__name__}.{n}": vars(module)[n] for n in names if n in vars(module)}
            reads = {n: _stamp(v, base, seen) for n, v in used.items()}
            return ["function", _code(value.__code__), inner, cells, reads, _version(value.__module__, base)]
        case MethodType():
            return ["method", _stamp(value.__func__, base, seen), _stamp(value.__self__, base, seen)]
        case functools.partial():
            return ["partial", *(_stamp(v, base, seen) for v in (value.func, value.args, value.keywords))]
        case staticmethod() | classmethod():
            return [type(value).__name__, _stamp(value.__func__, base, seen)]
        case property():
            return ["property", *(_stamp(f, base, seen) for f in (value.fget, value.fset, value.fdel))]
        case ModuleType():
            return ["module", value.__name__, _version(value.__name__, base)]
        case type():
            own = [kind for kind in value.__mro__ if _is_users(kind.__module__, base)]
            return ["type", value.__module__, value.__qualname__, [_attributes(kind, base, seen) for kind in own]]
        case BuiltinFunctionType():
            return ["named", value.__module__, value.__qualname__]
        case tuple() | list():
            return [_stamp(v, base, seen) for v in value]
        case set() | frozenset():
            return ["set", *sorted(str(_stamp(v, base, dict(seen))) for v in value)]
        case dict():
            return [[_stamp(k, base, seen), _stamp(v, base, seen)] for k, v in value.items()]
    kind = type(value)
    if isinstance(wrapped := getattr(value, "__wrapped__", None), FunctionType):  # a compiled function, say
        return ["wrapped", kind.__qualname__, _stamp(wrapped, base, seen)]
    home = vars(sys.modules[kind.__module__]) if kind.__module__ in sys.modules else {}
    is_users = _is_users(kind.__module__, base)
    if not is_users and (names := [n for n, v in home.items() if v is value]):
        return ["named", kind.__module__, names[0]]
    try:
        state = digest(pickle.dumps(value).hex())
    except Exception:
        state = uuid4().hex
    held = [_stamp(v, base, seen) for v in (kind, getattr(value, "__dict__", None))] if is_users else []
    return ["object", kind.__module__, kind.__qualname__, state, held]


def _attributes(kind: type, base: Path, seen: dict[int, tuple[int, Any]]) -> list[Any]:
    """Of one class; not what Python notes about it (documentation, slots, …)."""
    noted = (GetSetDescriptorType, MemberDescriptorType)
    return [
        [name, _stamp(v, base, seen)]
        for name, v in list(vars(kind).items())
        if not isinstance(v, noted) and name != "_abc_impl"
        if isinstance(v, FunctionType | staticmethod | classmethod | property) or not name.startswith("__")
    ]


def _is_users(module: str | None, base: Path) -> bool:
    """False for what an installed package, or Python's library, holds."""
    loaded = sys.modules.get(module or "__main__")
    if loaded is None or module == "__main__":
        return True
    return module not in sys.builtin_module_names and bool(_version(module, base))


def _names(code: CodeType) -> list[str]:
    """Global names in a function's code, and in that of functions inside it."""
    inner = [n for c in code.co_consts if isinstance(c, CodeType) for n in _names(c)]
    return sorted({*code.co_names, *inner})


def _code(code: CodeType) -> list[Any]:
    sets = [sorted(map(repr, c)) if isinstance(c, frozenset) else repr(c) for c in code.co_consts]
    consts = [_code(c) if isinstance(c, CodeType) else r for c, r in zip(code.co_consts, sets, strict=True)]
    return [code.co_code.hex(), consts, list(code.co_names), list(code.co_varnames)]


def file_of(function: Any) -> str:
    """The file of the module that a function, or an object's type, is from."""
    name = getattr(function, "__module__", None) or type(function).__module__
    return str(getattr(sys.modules.get(name), "__file__", None) or "<python>")


def _version(name: str | None, base: Path) -> str:
    """Of the module that a function or a type is from, where it is the user's own."""
    file = Path(str(getattr(sys.modules.get(name or ""), "__file__", None) or "")).resolve()
    return version_of(str(file), base) if file.suffix == ".py" and _is_own(file) else ""
