import multiprocessing
from dataclasses import dataclass

import numpy as np
import pytest

from verax.errors import InputError
from verax.results import Coverage, Interval, Status
from verax.store import Run, checksums, load, save


def open_run(folder, inputs=None, **options):
    return Run(folder, (inputs or {}).get, **options)


def test_results_come_back_bit_for_bit(tmp_path):
    interval = Interval("mu", 0.6827, np.array(1.0), np.array(0.1), np.array(np.inf), np.array(Status.OK))
    given = {"x": (interval, None, [1, "two", True]), "c": Coverage(0.68, 0.7, 0.01, 1.0, 0.1, 10, 0), "f": np.pi}
    save(tmp_path, given)
    back = load(tmp_path)
    assert back["f"] == np.pi
    assert back["c"] == given["c"]
    found, none, rest = back["x"]
    assert (none, rest) == (None, [1, "two", True])
    assert isinstance(found, Interval)
    assert found.high == np.inf
    assert found.value.dtype == np.float64


def test_only_types_of_this_package_are_made(tmp_path):
    @dataclass
    class Other:
        x: int

    save(tmp_path, Other(1))
    with pytest.raises(InputError, match="a type of verax"):
        load(tmp_path)


def test_a_stage_is_done_once_and_again_when_inputs_change(tmp_path):
    calls = []

    def work(run, folder):
        calls.append(1)
        (folder / "file.txt").write_text("whole")
        return {"calls": len(calls)}

    for inputs, expected in (({"a": 1}, 1), ({"a": 1}, 1), ({"a": 2}, 2)):
        with open_run(tmp_path, inputs) as run:
            assert run("a", work) == {"calls": expected}
            assert (run.path("a") / "file.txt").read_text() == "whole"


def test_a_later_stage_follows_an_earlier_one(tmp_path):
    calls = []

    def work(run, folder, *earlier):
        calls.append(earlier)
        return len(calls)

    for first in (1, 2):
        with open_run(tmp_path, {"a": first}) as run:
            run("b", work, run("a", work))
    assert len(calls) == 4


def test_a_stage_that_fails_leaves_nothing(tmp_path):
    def fails(run, folder):
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_run(tmp_path) as run:
        run("a", fails)
    assert list((tmp_path / "stages").iterdir()) == []
    with open_run(tmp_path) as run:
        assert run("a", lambda run, folder: 1) == 1


def test_a_killed_stage_is_swept_up(tmp_path):
    (tmp_path / "stages" / ".a").mkdir(parents=True)
    (tmp_path / "stages" / ".a" / "half.txt").write_text("half")
    with open_run(tmp_path) as run:
        assert run("a", lambda run, folder: 1) == 1
        assert not (run.path("a") / "half.txt").exists()


def test_until_ends_the_block(tmp_path):
    with open_run(tmp_path, until="a") as run:
        run("a", lambda run, folder: 1)
        pytest.fail("the block should have been left")
    assert run.results == {"a": 1}


def _hold(folder, held, release):
    with open_run(folder):
        held.set()
        release.wait(60)


def test_a_folder_is_used_by_one_run_at_a_time(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, release))
    other.start()
    try:
        assert held.wait(60)
        with pytest.raises(InputError, match="in use by another run"), open_run(tmp_path):
            pass
    finally:
        release.set()
        other.join()
    with open_run(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="a folder that can be written"), open_run(tmp_path / "file" / "run"):
        pass


def test_published_files_stand_at_the_top(tmp_path):
    def work(run, folder):
        (folder / "figures").mkdir()
        (folder / "figures" / "a.png").write_bytes(b"png")
        (folder / "report.html").write_text("page")

    with open_run(tmp_path) as run:
        run("report", work)
        run.publish("report")
    assert (tmp_path / "figures" / "a.png").read_bytes() == b"png"
    assert {p.name for p in tmp_path.iterdir()} == {".lock", "stages", "figures", "report.html"}


def test_checksums_follow_the_content(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one")
    first = checksums([path])
    path.write_text("two!")
    assert checksums([path]) != first
    assert checksums([tmp_path / "no"]) == {str(tmp_path / "no"): "missing"}
