"""What faces promise: every public name is documented, and no one reaches past a face of the guarantees."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FACES = ("calibrate", "check", "conformal", "shift")
LEARNING = ("aleatoric", "aware", "epistemic", "learn")
EVENTS = ("data", "simulate", "systematics")


def public(face: str, kind=inspect.isfunction) -> dict:
    """The functions, or the classes, that the face exports; a function that remembers its results is one."""
    names = vars(importlib.import_module(f"verax.{face}"))
    found = {n: getattr(f, "__wrapped__", f) if hasattr(f, "cache_info") else f for n, f in names.items()}
    return {n: f for n, f in found.items() if kind(f) and not n.startswith("_")}


FUNCTIONS = [(face, name) for face in (*FACES, *LEARNING) for name in public(face)]
CLASSES = [(face, name) for face in LEARNING for name in public(face, inspect.isclass)]


@pytest.mark.parametrize(("face", "name"), FUNCTIONS, ids=[f"{face}.{name}" for face, name in FUNCTIONS])
def test_a_public_function_says_what_it_takes_and_raises_and_shows_it(face, name):
    function = public(face)[name]
    says_what_it_takes_and_raises(function)
    text = inspect.getdoc(function)
    assert ">>> " in text
    whole = text + file_doc(function)
    assert name.startswith("check") or re.search(r"arXiv:|(19|20)\d\d", whole), "a source, in the function or its file"


@pytest.mark.parametrize(("face", "name"), CLASSES, ids=[f"{face}.{name}" for face, name in CLASSES])
def test_a_public_class_says_what_it_holds_and_each_method_what_it_takes(face, name):
    kind = public(face, inspect.isclass)[name]
    text, own = vars(kind)["__doc__"], vars(kind).get("__annotations__", {})
    fields = [n for n in own if "ClassVar" not in str(own[n])]
    assert arguments(inspect.cleandoc(text)) == fields, "one field a line"
    maker = re.search(r"ade by :func:`([\w.]+)`", text)
    assert ">>> " in text or ">>> " in inspect.getdoc(public(face)[maker[1].rpartition(".")[2]]), "or in its maker"
    each_method_says_what_it_takes_and_raises(kind)


@pytest.mark.parametrize(("face", "name"), [(face, name) for face in EVENTS for name in public(face)])
def test_a_function_of_events_says_what_it_takes_and_raises(face, name):
    says_what_it_takes_and_raises(public(face)[name])


@pytest.mark.parametrize("face", EVENTS)
def test_classes_of_events_say_what_their_methods_take(face):
    for kind in public(face, inspect.isclass).values():
        each_method_says_what_it_takes_and_raises(kind)


@pytest.mark.parametrize("face", [*FACES, *LEARNING, *EVENTS])
def test_a_face_has_a_table_of_its_names(face):
    text = importlib.import_module(f"verax.{face}").__doc__
    assert re.search(r"^===+  ===", text, re.M), "a table of names and questions"
    if face in LEARNING:
        assert [name for name in public(face) if not re.search(rf"\b{name}\b", text)] == []


def says_what_it_takes_and_raises(function, text: str = "") -> None:
    """Its docstring begins with a verb, has one argument a line, in their order, and says what is raised."""
    text = text or inspect.getdoc(function)
    verb = text.split()[0]
    assert verb[0].isupper()
    assert not verb.endswith("s"), f"'{verb}': a verb in the imperative"
    assert arguments(text) == [p for p in inspect.signature(function).parameters if p != "self"]
    assert "InputError : " in text or "raise" not in inspect.getsource(inspect.unwrap(function))


def each_method_says_what_it_takes_and_raises(kind) -> None:
    """Of its own public methods; a property only has a docstring."""
    for method, value in vars(kind).items():
        if isinstance(value, property) and not method.startswith("_"):
            assert value.__doc__
        elif inspect.isfunction(value) and not method.startswith("_"):
            says_what_it_takes_and_raises(value, inspect.getdoc(getattr(kind, method)))


def arguments(text: str) -> list[str]:
    """The arguments that a docstring lists, one a line."""
    lines = text.partition("Parameters\n---")[2].partition("\n\n")[0]
    return re.findall(r"^(\w+) : ", lines, re.M)


def file_doc(function) -> str:
    """The docstring of the file that a function is in."""
    return inspect.getmodule(inspect.unwrap(function)).__doc__ or ""


def imports(path: Path) -> list[str]:
    """Modules of verax that a file imports from."""
    tree = ast.parse(path.read_text())
    found = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return found + [a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names]


def test_no_one_imports_past_a_face():
    past = [
        f"{path.relative_to(ROOT)}: {module}"
        for folder in ("src", "tests", "benchmarks", "examples")
        for path in (ROOT / folder).rglob("*.py")
        for module in imports(path)
        if (m := re.match(rf"verax\.({'|'.join(FACES)})\._", module)) and f"/verax/{m[1]}/" not in path.as_posix()
    ]
    assert past == []


@pytest.mark.parametrize("face", FACES)
def test_no_function_hides_a_module(face):
    package = importlib.import_module(f"verax.{face}")
    modules = [m.name for m in pkgutil.iter_modules(package.__path__)]
    assert modules
    assert all(name.startswith("_") for name in modules)
