"""What the faces of the guarantees promise: every public function is documented, and no one reaches past a face."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FACES = ("calibrate", "check", "conformal", "shift")


def public(face: str) -> dict:
    """The functions that the face exports."""
    names = vars(importlib.import_module(f"verax.{face}"))
    return {n: f for n, f in names.items() if inspect.isfunction(f) and not n.startswith("_")}


FUNCTIONS = [(face, name) for face in (*FACES, "infer", "model") for name in public(face)]


@pytest.mark.parametrize(("face", "name"), FUNCTIONS, ids=[f"{face}.{name}" for face, name in FUNCTIONS])
def test_a_public_function_says_what_it_takes_and_raises_and_shows_it(face, name):
    function = public(face)[name]
    text = inspect.getdoc(function)
    whole = text + file_doc(function)
    verb = text.split()[0]
    assert verb[0].isupper()
    assert not verb.endswith("s"), f"'{verb}': a verb in the imperative"
    parameters = [p for p in inspect.signature(function).parameters if p != "self"]
    lines = text.partition("Parameters\n---")[2].partition("\n\n")[0]
    assert re.findall(r"^(\w+) : ", lines, re.M) == parameters, "one argument a line, in their order"
    assert "InputError : " in text or "raise" not in inspect.getsource(inspect.unwrap(function))
    assert ">>> " in text
    assert name.startswith("check") or re.search(r"arXiv:|(19|20)\d\d", whole), "a source, in the function or its file"


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
