"""The user's own code: what it is made of, and what stands for it in a fingerprint."""

import abc
import dataclasses
import enum
import functools
import os
import subprocess
import sys
import textwrap
from typing import ClassVar, NamedTuple

import equinox as eqx
import numpy as np
import pytest

from verax.errors import InputError
from verax.run import own_code


def write(folder, **files):
    """Python files below a folder; ``__`` in a name is a slash."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A package and modules that import each other in every way."""
    monkeypatch.syspath_prepend(tmp_path)
    write(
        tmp_path,
        score="import os, numpy, verax\nimport lib.deep\nfrom helper import a\ndef score(x):\n    import late\n",
        helper="import json\nfrom lib import sibling\na = 1\n",
        late="",
        lib__deep="from . import sibling\nfrom .other import thing\n",
        lib__sibling="from score import score  # a circle\n",
        lib__other="thing = 1\n",
        lib__unused="",
        stranger="",
    )
    (tmp_path / "lib" / "__init__.py").touch()
    return tmp_path


ALL = {"score", "helper", "late", "__init__", "deep", "sibling", "other"}


@pytest.mark.parametrize("place", ["file", "score"])
def test_every_module_of_the_users_is_found_and_no_other(code, place):
    found = own_code.sources_of(str(code / "score.py") if place == "file" else place, code)
    assert {p.stem for p in found} == ALL
    assert all(p.is_relative_to(code) for p in found)
    assert not set(sys.modules) & {"helper", "late", "lib"}


@pytest.mark.parametrize("name", ["score", "helper", "late", "lib/deep", "lib/sibling", "lib/other", "lib/__init__"])
def test_a_change_anywhere_is_another_version(code, name):
    before = own_code.version_of("score", code)
    assert own_code.version_of("score", code) == before
    with (code / f"{name}.py").open("a") as file:
        file.write("b = 2\n")
    assert own_code.version_of("score", code) != before


def test_the_packages_of_a_module_belong_to_it(code):
    before = own_code.version_of("lib.other", code)
    assert {p.name for p in own_code.sources_of("lib.other", code)} == {"__init__.py", "other.py"}
    (code / "lib" / "__init__.py").write_text("b = 2\n")
    assert own_code.version_of("lib.other", code) != before


def test_modules_of_packages_stay_loaded(tmp_path):
    before = {name for name in sys.modules if name.partition(".")[0] in ("numpy", "verax", "jax")}
    assert own_code.find("numpy:mean", tmp_path, own_code.version_of("numpy", tmp_path)) is np.mean
    write(tmp_path, own="import numpy, verax.data, jax\ndef f():\n    return 1\n")
    place = str(tmp_path / "own.py")
    assert own_code.find(f"{place}:f", tmp_path, own_code.version_of(place, tmp_path))() == 1
    assert before <= set(sys.modules)


@pytest.mark.parametrize("name", ["stranger", "lib/unused"])
def test_a_change_elsewhere_is_not(code, name):
    before = own_code.version_of("score", code)
    (code / f"{name}.py").write_text("b = 2\n")
    assert own_code.version_of("score", code) == before


def test_a_changed_file_is_loaded_as_it_is_now(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, first="from second import b\ndef f():\n    return b\n", second="b = 1\n")
    for text, expected in (("b = 1\n", 1), ("b = 2\n", 2), ("b = 3\n", 3)):  # of one size, within a second
        (tmp_path / "second.py").write_text(text)
        for place in ("first", str(tmp_path / "first.py")):
            version = own_code.version_of(place, tmp_path)
            assert own_code.find(f"{place}:f", tmp_path, version)() == expected


def test_code_that_changed_since_its_version_was_taken_is_refused(tmp_path):
    write(tmp_path, one="def f():\n    return 1\n")
    place = str(tmp_path / "one.py")
    version = own_code.version_of(place, tmp_path)
    write(tmp_path, one="def f():\n    return 2\n")
    with pytest.raises(InputError, match="changed during the run"):
        own_code.find(f"{place}:f", tmp_path, version)


def test_modules_of_one_name_in_two_folders_are_two(tmp_path):
    for folder, value in (("a", 1), ("b", 2)):
        text = (
            "import sys, os\nsys.path.insert(0, os.path.dirname(__file__))\nfrom own_twin import b\nsys.path.pop(0)\n"
        )
        write(tmp_path / folder, first=text + "def f():\n    return b\n", own_twin=f"b = {value}\n")
        place = str(tmp_path / folder / "first.py")
        version = own_code.version_of(place, tmp_path / folder)
        assert own_code.find(f"{place}:f", tmp_path / folder, version)() == value


@pytest.mark.parametrize(
    "text", ["raise RuntimeError('no model')", "f = (", "f = 1", "g = 1", "import nothing_like_it"]
)
def test_what_cannot_be_imported_is_one_line(tmp_path, text):
    write(tmp_path, bad=text + "\n")
    place = str(tmp_path / "bad.py")
    with pytest.raises(InputError, match=r"bad\.py:f'") as caught:
        own_code.find(f"{place}:f", tmp_path, own_code.version_of(place, tmp_path))
    assert "\n" not in str(caught.value)


GAIN = 2.0
SETTINGS = None


def helper(x):
    return x * GAIN


def score(x):
    return helper(x)


def scaled(gain):
    return lambda x: x * gain


class Score:
    def __init__(self, gain):
        self.gain = gain

    def __call__(self, x):
        return x * self.gain


def stamp(function, tmp_path):
    return own_code.stamp(function, tmp_path)


def test_equal_callables_have_one_stamp(tmp_path):
    for one, other in (
        (score, score),
        (scaled(2.0), scaled(2.0)),
        (Score(np.ones(3)), Score(np.ones(3))),
        (functools.partial(np.multiply, 2), functools.partial(np.multiply, 2)),
    ):
        assert stamp(one, tmp_path) == stamp(other, tmp_path)


def test_what_a_callable_holds_and_reads_is_in_its_stamp(tmp_path, monkeypatch):
    before = stamp(score, tmp_path)
    assert stamp(scaled(2.0), tmp_path) != stamp(scaled(3.0), tmp_path)
    assert stamp(Score(2.0), tmp_path) != stamp(Score(3.0), tmp_path)
    assert stamp(Score(2.0).__call__, tmp_path) != stamp(Score(3.0).__call__, tmp_path)
    assert stamp(functools.partial(np.multiply, 2), tmp_path) != stamp(functools.partial(np.multiply, 3), tmp_path)
    monkeypatch.setitem(globals(), "GAIN", 3.0)
    assert stamp(score, tmp_path) != before
    monkeypatch.setitem(globals(), "GAIN", 2.0)
    assert stamp(score, tmp_path) == before
    monkeypatch.setitem(globals(), "helper", lambda x: x)
    assert stamp(score, tmp_path) != before


class Base:
    inherited = 1.0


class Settings(Base):
    value = 1.0
    table: ClassVar = {"a": [1.0]}
    tags: ClassVar = {"u", "v"}

    @staticmethod
    def fixed(x):
        return x

    @classmethod
    def made(cls, x):
        return x * cls.value

    @property
    def gain(self):
        return 1.0

    def __call__(self, x):
        return x * self.value


Settings.itself = Settings()
settings = Settings()


def reads_class(x):
    return x * Settings.value


def reads_instance(x):
    return settings(x)


def reads_own(x):
    return x * reads_own.gain


CHANGES = {
    "value": (Settings, "value", 2.0),
    "of a base": (Base, "inherited", 2.0),
    "table": (Settings, "table", {"a": [2.0]}),
    "set": (Settings, "tags", {"u"}),
    "static method": (Settings, "fixed", staticmethod(lambda x: 2 * x)),
    "class method": (Settings, "made", classmethod(lambda cls, x: 2 * x)),
    "property": (Settings, "gain", property(lambda self: 2.0)),
    "method": (Settings, "__call__", lambda self, x: 2 * x),
    "new": (Settings, "another", 1.0),
}


@pytest.mark.parametrize(("owner", "name", "value"), CHANGES.values(), ids=CHANGES)
def test_what_a_class_holds_is_in_the_stamp_of_all_that_reads_it(owner, name, value, tmp_path, monkeypatch):
    read = (reads_class, reads_instance, Settings.made, settings, Score(settings), functools.partial(settings))
    before = [stamp(f, tmp_path) for f in read]
    monkeypatch.setattr(owner, name, value, raising=False)
    assert all(stamp(f, tmp_path) != old for f, old in zip(read, before, strict=True))
    monkeypatch.undo()
    assert [stamp(f, tmp_path) for f in read] == before


def test_what_a_function_holds_is_in_its_stamp(tmp_path, monkeypatch):
    monkeypatch.setattr(reads_own, "gain", 1.0, raising=False)
    before = stamp(reads_own, tmp_path)
    assert stamp(reads_own, tmp_path) == before
    monkeypatch.setattr(reads_own, "gain", 2.0)
    assert stamp(reads_own, tmp_path) != before


class Kind(enum.Enum):
    ONE = 1


class Abstract(abc.ABC):
    @abc.abstractmethod
    def f(self): ...


@dataclasses.dataclass(frozen=True)
class Frozen(Abstract):
    x: float = 1.0
    y: list = dataclasses.field(default_factory=list)

    def f(self):
        return self.x


class Slotted(NamedTuple):
    x: float = 1.0


class Net(eqx.Module):
    x: float = 1.0

    def __call__(self, events):
        return self.x * events


@pytest.mark.parametrize("value", [Kind.ONE, Kind, Frozen(), Frozen, Slotted(), Slotted, Net(), Net])
def test_classes_of_every_kind_have_one_stamp(value, tmp_path):
    assert stamp(lambda: value, tmp_path) == stamp(lambda: value, tmp_path)


def test_a_value_of_a_module_of_ones_own_is_in_the_stamp(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, own_settings="GAIN = 1\n")
    import own_settings

    def scaled_by(x):
        return x * SETTINGS.GAIN

    monkeypatch.setitem(globals(), "SETTINGS", own_settings)
    before = stamp(scaled_by, tmp_path)
    monkeypatch.setattr(own_settings, "GAIN", 2)
    assert stamp(scaled_by, tmp_path) != before


@pytest.mark.thorough
def test_what_packages_hold_is_a_name(tmp_path):
    """In another process, with other addresses and another order of sets, a stamp is the same."""
    text = """
        import functools, sys
        import numpy as np
        import jax
        from numpy import mean
        from scipy.special import expit
        from scipy.stats import norm, binned_statistic
        from pathlib import Path
        from verax.run import own_code
        RANGE = {"a", "b", "c"}
        class Settings:
            tags = {"a", "b", ("c", 1), ("d", 2)}
        @jax.jit
        def inner(x): return x * 2
        @functools.lru_cache
        def kept(x): return x * 3
        def score(x):
            some = x in {"u", "v", "w"} or binned_statistic(x, x)
            return mean(expit(x)) + norm.cdf(x) + inner(x) + kept(1) + some + len(Settings.tags)
        print(own_code.stamp(score, Path("/")))
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(text))
    found = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, tmp_path / "script.py"], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1


SYSTEM = {
    "a cache in the folder": (".cache/x.txt", False),
    "a file of the analysis": ("x.txt", True),
    "a folder of packages": ("env/lib/python3/site-packages/x.txt", False),
    "an environment in the folder": ("env/share/x.txt", False),
    "the run": ("run/x.txt", False),
    "the run's neighbour": ("running/x.txt", True),
}


@pytest.mark.parametrize(("name", "counts"), SYSTEM.values(), ids=SYSTEM)
def test_which_files_count(tmp_path, monkeypatch, name, counts):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")
    place = str(tmp_path / "code.py")
    write(tmp_path, code="def f():\n    return 1\n")
    with own_code.watched(place):
        file.read_text()
    found = own_code.undeclared(place, tmp_path, [], tmp_path / "run")
    assert found == ((name,) if counts else ())
    assert own_code.undeclared(place, tmp_path, [file], tmp_path / "run") == ()


def test_what_is_written_does_not_count(tmp_path):
    write(tmp_path, code="")
    place = str(tmp_path / "code.py")
    with own_code.watched(place):
        (tmp_path / "made.txt").write_text("x")
    assert own_code.undeclared(place, tmp_path, [], tmp_path / "run") == ()


def test_a_value_that_cannot_be_told_apart_is_never_the_same(tmp_path):
    function = scaled(iter([1]).__class__)
    held = scaled(n for n in range(3))
    assert stamp(function, tmp_path) == stamp(function, tmp_path)
    assert stamp(held, tmp_path) != stamp(held, tmp_path)
