"""The user's own code: what it is made of, and what stands for it in a fingerprint."""

import functools
import sys
import textwrap

import numpy as np
import pytest

from verax import own_code
from verax.errors import InputError


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


def test_a_value_that_cannot_be_told_apart_is_never_the_same(tmp_path):
    function = scaled(iter([1]).__class__)
    held = scaled(n for n in range(3))
    assert stamp(function, tmp_path) == stamp(function, tmp_path)
    assert stamp(held, tmp_path) != stamp(held, tmp_path)
