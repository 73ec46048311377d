"""Terminals, disks and signals: what an answer needs and does not get, and what is said then."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from toy_analysis import write_analysis
from verax.cli import _main as cli
from workspaces import MU, sample, workspace

SUMMARY = {"kind": "column", "column": "x", "range": [-3, 3]}
SMALL = {
    "systematics": [],
    "unaffected": [],
    "summary": SUMMARY,
    "check": {"toys": 20, "truths": [1.0], "shifts": False},
}


@pytest.fixture
def small(tmp_path):
    """A workspace with a name that is not ASCII."""
    path = tmp_path / "small.json"
    path.write_text(json.dumps(workspace({"région": [sample("s", [5.0], MU), sample("β", [20.0])]})))
    return path


def verax(*arguments, **environment):
    """A process of its own: code, output, errors."""
    done = subprocess.run(
        [sys.executable, "-m", "verax", *map(str, arguments)], capture_output=True, env={**os.environ, **environment}
    )
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def test_a_terminal_of_ascii_gets_its_answer(small):
    ascii_alone = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    code, table, error = verax("yields", small, **ascii_alone)
    assert (code, error.strip()) == (0, "")
    assert b"r?gion" in table
    answers = [verax("yields", small, "--json", **more)[1] for more in (ascii_alone, {"PYTHONIOENCODING": "utf-8"})]
    assert answers[0].isascii()
    assert "région".encode() in answers[1]
    assert json.loads(answers[0]) == json.loads(answers[1])
    assert verax("config", "example", **ascii_alone)[0] == 0


@contextmanager
def full_after(size):
    """Files of this process end at some size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def ended(*arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    return stopped.value.code


@pytest.mark.thorough
def test_a_disk_that_is_full_at_any_moment_leaves_what_continues(tmp_path, capsys, monkeypatch):
    """Each size of a file at which work ends: one line, nothing half done; the same command continues to the same bits."""
    path = write_analysis(tmp_path, 200, **SMALL)
    assert ended("infer", path, "-o", tmp_path / "whole", "-q") == 0
    capsys.readouterr()
    failed = 0
    for size in (0, 100, 2_000, 20_000):
        folder = tmp_path / f"run {size}"
        with full_after(size):
            code = ended("infer", path, "-o", folder, "-q")
        lines = capsys.readouterr().err.splitlines()
        failed += code != 0
        assert code in (0, 2, 3)
        assert len(lines) == (code != 0), lines
        assert not [p for p in folder.rglob("*") if p.name.startswith(".verax-")]
        assert ended("infer", path, "-o", folder, "-q") == 0
        assert capsys.readouterr().err == ""
        for stage in ("simulate", "summarise", "model", "infer"):
            made = [(place / "stages" / stage / "result.json").read_bytes() for place in (folder, tmp_path / "whole")]
            assert made[0] == made[1]
    assert failed >= 3


def test_a_full_disk_promises_nothing_where_nothing_is_kept(small, tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("verax.cli._terminal.show_answer", full)
    assert ended("fit", small) == 3
    assert capsys.readouterr().err.strip().endswith("verax: No space left on device; nothing is kept")
    monkeypatch.setattr("verax.cli._workspaces.write", full)
    assert ended("workspace", "mask", small, "--channel", "x") in (2, 3)
    assert "continues" not in capsys.readouterr().err
    assert ended("toys", small, "-n", "10", "-o", tmp_path / "toys", "-q") == 3
    assert "finished toys are kept in" in capsys.readouterr().err


def test_a_folder_that_is_gone_is_not_said_to_be_kept(tmp_path, capsys, monkeypatch):
    def gone(*_):
        raise FileNotFoundError(2, "No such file or directory", "run/stages")

    monkeypatch.setattr("verax.pipeline._measure.learn", gone)
    assert ended("run", write_analysis(tmp_path, 50), "-o", tmp_path / "run", "-q") == 3
    assert capsys.readouterr().err.strip() == "verax: run/stages: gone while the work went on; begin again"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes")])
def test_no_memory_is_said_in_words(error, small, capsys, monkeypatch):
    def no_memory(*_, **__):
        raise error

    monkeypatch.setattr("verax.cli._questions.answer", no_memory)
    assert ended("fit", small) == 3
    assert "verax: out of memory; ask for less at a time" in capsys.readouterr().err


INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from verax.cli import main
main(sys.argv[1:])
"""
"""What a shell puts in the background ignores SIGINT, and so does all that it starts."""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_two_signals_are_one_stop(how, small, tmp_path):
    """As `timeout` sends them, to the process and to its group."""
    command = [sys.executable, "-c", INTERRUPTIBLE]
    command += ["toys", str(small), "-n", "100000000", "-o", str(tmp_path / "toys"), "-q"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list((tmp_path / "toys").glob("toys-*.npz")):
        time.sleep(0.02)
    process.send_signal(how)
    process.send_signal(how)
    try:
        error = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130, error
    (line,) = error.splitlines()
    assert line.startswith("verax: stopped")


def test_a_stop_while_it_starts_is_one_line():
    """An interrupt while modules are imported."""
    code = (
        "import builtins, sys\nreal = builtins.__import__\n"
        "def stop(name, *a, **k):\n    if name == 'typer': raise KeyboardInterrupt\n    return real(name, *a, **k)\n"
        "from verax.cli import main\nbuiltins.__import__ = stop\nmain(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "verax: stopped\n")


def test_a_stop_that_arrives_in_a_callback_is_not_lost():
    """Python would print its traceback, and go on."""
    code = (
        "import os, signal, time\nfrom verax.cli import _main, main\n"
        "class Held:\n    def __del__(self):\n        os.kill(os.getpid(), signal.SIGTERM)\n        time.sleep(0.1)\n"
        "def work(given):\n    Held()\n    time.sleep(60)\n"
        "_main.app = work\nmain([])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (130, "verax: stopped\n")
