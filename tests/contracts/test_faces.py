"""What the faces of folders promise: public functions are documented, no one reaches past a face, floors are as drawn."""

import ast
import importlib
import inspect
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUARANTEES = ("calibrate", "check", "conformal", "shift")
FACES = (*GUARANTEES, "compare")
LEARNING = ("aleatoric", "approaches", "epistemic", "learn")
EVENTS = ("data", "expressions", "problems", "systematics")


def public(face: str, kind=inspect.isfunction) -> dict:
    """The functions, or the classes, that the face exports; a function that remembers its results is one."""
    names = vars(importlib.import_module(f"verax.{face}"))
    found = {n: getattr(f, "__wrapped__", f) if hasattr(f, "cache_info") else f for n, f in names.items()}
    return {n: f for n, f in found.items() if kind(f) and not n.startswith("_")}


STATISTICS = ("audit", "infer", "model")
OTHERS = ("analysis", "report", "run", "templates", "workspace")
FUNCTIONS = [(face, name) for face in (*GUARANTEES, *LEARNING, *STATISTICS) for name in public(face)]
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


@pytest.mark.parametrize("face", [*FACES, *LEARNING, *EVENTS, *STATISTICS, *OTHERS])
def test_a_face_has_a_table_of_its_names(face):
    text = importlib.import_module(f"verax.{face}").__doc__
    assert re.search(r"^===+  ===", text, re.M), "a table of names and questions"
    if face != "compare":
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


FOLDERS = sorted(p.parent.name for p in (ROOT / "src" / "verax").glob("*/__init__.py"))
FACES_OF_THEIR_OWN = {
    "data.cms_htautau",
    "data.uci_higgs",
    "data.digits",
    "data.fair_universe",
    "data.higgsml",
    "report.plots",
    "report.tables",
    "run.own_code",
}
FACES_OF_THEIR_OWN |= {"data.uci_higgs", "workspace.edit"}
"""Modules whose names belong together, imported as one."""

KNOWN = {"AbstractLikelihood", "Batched", "Data", "DataSets", "concatenate", "hold", "mapped"}
KNOWN |= {"AbstractBatched", "EvenParts", "float64_on_host", "code4p", "FLOATING"}
"""What inference knows of models: what a likelihood is, and no kind of it."""


def imports(path: Path) -> list[tuple[str, str]]:
    """Modules that a file imports from, and the names; relative ones in full."""
    parts = path.relative_to(ROOT / "src").with_suffix("").parts if "src" in path.relative_to(ROOT).parts else ()
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = ".".join([*parts[: len(parts) - node.level], *([node.module] if node.module else [])])
            found += [(base if node.level else node.module or "", a.name) for a in node.names]
        elif isinstance(node, ast.Import):
            found += [(a.name, "") for a in node.names]
    return found


def test_no_one_imports_past_a_face():
    past = [
        f"{path.relative_to(ROOT)}: {module} {name}"
        for folder in ("src", "benchmarks", "examples")
        for path in (ROOT / folder).rglob("*.py")
        for module, name in imports(path)
        if (m := re.match(r"verax\.(\w+)(\._|$)", module))
        and f"/verax/{m[1]}/" not in path.as_posix()
        and (m[2] or name.startswith("_"))
    ]
    assert past == []


def test_the_guarantees_are_tested_by_their_faces_alone():
    past = [
        f"{path.name}: {module}"
        for path in (ROOT / "tests").rglob("*.py")
        for module, _ in imports(path)
        if re.match(rf"verax\.({'|'.join(FACES)})\._", module)
    ]
    assert past == []


def test_inference_knows_what_a_likelihood_is_and_no_kind_of_it():
    files = (ROOT / "src" / "verax" / "infer").glob("*.py")
    known = {(m, n) for p in files for m, n in imports(p) if m.startswith("verax.") and not m.startswith("verax.infer")}
    assert {m for m, _ in known} <= {
        f"verax.{r}" for r in ("arrays", "errors", "model", "parameters", "results", "run")
    }
    assert {n for m, n in known if m == "verax.model"} <= KNOWN


@pytest.mark.parametrize("face", [f for f in FOLDERS if f not in {"embedded"}])
def test_no_function_hides_a_module(face):
    package = importlib.import_module(f"verax.{face}")
    modules = [m.name for m in pkgutil.iter_modules(package.__path__)]
    assert modules
    assert [m for m in modules if not m.startswith("_") and f"{face}.{m}" not in FACES_OF_THEIR_OWN] == []


def test_the_root_has_nouns_that_all_share():
    assert {p.stem for p in (ROOT / "src" / "verax").glob("*.py")} == {
        "__init__",
        "__main__",
        "arrays",
        "choices",
        "errors",
        "events",
        "given",
        "parameters",
        "results",
    }


def test_the_drawn_floors_are_those_that_are_checked():
    floors = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    drawn = (ROOT / "docs" / "architecture.md").read_text().partition("## Floors")[2].split("```")[1].split("\n")
    assert floors["exhaustive"]
    assert [line for line in drawn if line] == floors["layers"]
