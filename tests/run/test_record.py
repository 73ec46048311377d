"""The record, and JSON that is written whole, or not at all, and equally by equal runs."""

import errno
import json
import math
import os
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import fakes
from verax.errors import InputError
from verax.results import Status
from verax.run import plain, record, write_json
from verax.run._record import packages


def test_the_record_says_what_made_the_run(tmp_path: Path) -> None:
    made = record(
        seeds={"learn": 7}, inputs={"a.csv": "6b86"}, timings={"learn": 12.34567}, failed={"toys": 3}, notes=["blind"]
    )
    assert made["inputs"] == {"a.csv": "6b86"}
    assert made["packages"]["numpy"] == np.__version__
    assert made["seeds"] == {"learn": 7}
    assert made["timings"] == {"learn": 12.346}
    assert made["failed"] == {"toys": 3}
    assert made["notes"] == ["blind"]
    assert made["platform"]["processor"]
    write_json(tmp_path / "record.json", made)
    assert json.loads((tmp_path / "record.json").read_text()) == made


def test_packages_reach_what_dependencies_need() -> None:
    found = packages()
    assert found["verax"] == metadata.version("verax")
    assert {"jax", "jaxlib", "matplotlib", "pyparsing"} <= set(found)  # pyparsing: only by way of matplotlib
    assert list(found) == sorted(found)
    assert packages("no-such-package-here") == {}


def test_json_of_results(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    value = {"fit": fakes.fit(), "status": Status.AT_BOUND, "path": Path("a/b"), "text": "μ", "array": np.arange(3)}
    write_json(path, value)
    read = json.loads(path.read_text(encoding="utf-8"))
    assert read["fit"]["value"] == fakes.fit().value.tolist()
    assert read["status"] == "AT_BOUND"
    assert read["path"] == "a/b"
    assert read["array"] == [0, 1, 2]
    assert '"μ"' in path.read_text(encoding="utf-8")


def test_numbers_survive_and_those_that_are_not_finite_are_stated(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    exact = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0]
    write_json(path, {"x": np.array(exact), "bad": [math.nan, math.inf, -math.inf], "one": np.float32(0.1)})
    read = json.loads(path.read_text())
    assert [v.hex() for v in read["x"]] == [v.hex() for v in exact]
    assert read["bad"] == [None, "Infinity", "-Infinity"]
    assert np.float32(read["one"]) == np.float32(0.1)


def test_equal_values_give_equal_bytes_in_any_order(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": (1, 2)})
    write_json(tmp_path / "b.json", {"a": [1, 2], "b": np.int64(1)})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def no_space(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupted(_: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("fault", "seen"), [(no_space, InputError), (interrupted, KeyboardInterrupt)])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: object, seen: type[BaseException]
) -> None:
    path = tmp_path / "results.json"
    write_json(path, {"a": 1})
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", fault)
    with pytest.raises(seen):
        write_json(path, {"a": 2})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_bad_values_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="type set"):
        write_json(tmp_path / "a.json", {"a": {1, 2}})
    with pytest.raises(InputError, match="key of type int"):
        write_json(tmp_path / "a.json", {1: 2})
    with pytest.raises(InputError, match="No such file"):
        write_json(tmp_path / "gone" / "a.json", {})
    assert list(tmp_path.iterdir()) == []
    assert plain(np.array(["a", "b"])) == ["a", "b"]
