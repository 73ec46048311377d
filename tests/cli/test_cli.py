import io
import json
import subprocess
import sys

import pytest
from rich.console import Console
from rich.progress import Progress as Bars

from toy_analysis import write_analysis
from verax.cli import _main as cli
from verax.cli import _terminal


def run(capsys, *arguments):
    """Exit code, and the lines on standard error."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(arguments))
    return stopped.value.code, capsys.readouterr().err.strip().splitlines()


def test_help_does_not_import_jax():
    code = (
        "import sys, verax.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\nassert 'jax' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_question_imports_only_what_it_needs():
    """Half a second each: a fit of a workspace takes three in all."""
    code = (
        "import sys, verax.cli._terminal; print([m for m in ('scipy.stats', 'uproot', 'sklearn') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("missing analysis", None, "readable analysis file"),
        ("unknown key", {"sed": 1}, "did you mean 'seed'"),
        ("process without events", {"samples": "cut"}, "no event"),
        ("negative weights", {"samples": "negative"}, "weights that sum to -"),
        ("output not writable", {}, "a folder that can be written"),
    ],
)
def test_bad_input_is_one_line_and_a_code(tmp_path, capsys, name, changes, message):
    path = write_analysis(tmp_path, 200) if changes is not None else tmp_path / "no.yaml"
    output = tmp_path / "run"
    if name == "unknown key":
        path.write_text(path.read_text() + "\nsed: 1\n")
    if name == "process without events":
        path.write_text(path.read_text().replace("weight: w * 0.5\n", "weight: w * 0.5\n  select: x > 1e9\n", 1))
    if name == "negative weights":
        path.write_text(path.read_text().replace("weight: w * 0.5\n", "weight: w * -0.5\n", 1))
    if name == "output not writable":
        (tmp_path / "run").write_text("a file")
    code, lines = run(capsys, "simulate", str(path), "--output", str(output), "--quiet")
    assert code == 2
    assert len(lines) == 1
    assert message in lines[0]
    assert not (output / "stages" / "simulate").exists()


def test_a_folder_of_the_user_is_refused_and_nothing_in_it_is_touched(tmp_path, capsys, monkeypatch):
    path = write_analysis(tmp_path, 200)
    own = tmp_path / "own"
    (own / "figures").mkdir(parents=True)
    for name in ("workspace.json", "results.json", "figures/mine.png"):
        (own / name).write_text("{}")
    before = {p: p.stat().st_mtime_ns for p in own.rglob("*")}
    commands = [["run", str(path)], ["compare", "approaches"], ["compare", "approaches", "--problem", str(path)]]
    commands += [["compare", "methods", "--data", str(path)], ["toys", str(workspace(tmp_path))]]
    monkeypatch.chdir(own)
    for command in commands:
        for output, message in ((str(own), "files that are not verax's"), (".", "not verax's"), ("", "the name of a")):
            code, lines = run(capsys, *command, "--output", output, "--quiet")
            assert (code, len(lines)) == (2, 1)
            assert message in lines[0]
    code, lines = run(capsys, "workspace", "combine", *[str(workspace(tmp_path))] * 2, "-o", "")
    assert (code, len(lines)) == (2, 1)
    assert {p: p.stat().st_mtime_ns for p in own.rglob("*")} == before


def workspace(folder):
    """The smallest workspace, in a file."""
    sample = {"name": "s", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    content = {
        "channels": [{"name": "c", "samples": [sample]}],
        "observations": [{"name": "c", "data": [5.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    path = folder / "small.json"
    path.write_text(json.dumps(content))
    return path


def test_an_interrupt_keeps_finished_stages(tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("verax.pipeline._measure.learn", interrupted)
    path = write_analysis(tmp_path, 200)
    code, lines = run(capsys, "run", str(path), "--output", str(tmp_path / "run"), "--quiet")
    assert (code, len(lines)) == (130, 1)
    assert [p.name for p in (tmp_path / "run" / "stages").iterdir()] == ["simulate"]


def test_a_full_disk_is_one_line(tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "file.npz")

    monkeypatch.setattr("verax.pipeline._measure.learn", full)
    path = write_analysis(tmp_path, 200)
    code, lines = run(capsys, "run", str(path), "--output", str(tmp_path / "run"), "--quiet")
    assert code == 3
    assert lines == ["verax: file.npz: No space left on device; finished stages are kept, the same command continues"]


def test_debug_shows_the_traceback(tmp_path):
    from verax.errors import InputError

    with pytest.raises(InputError):
        cli.main(["simulate", str(tmp_path / "no.yaml"), "--debug"])


def test_config_prints_schema_and_examples(capsys):
    for arguments, found in (
        (["schema"], '"samples"'),
        (["example"], "my_analysis"),
        (["example", "higgsml"], "higgsml"),
    ):
        with pytest.raises(SystemExit) as stopped:
            cli.main(["config", *arguments])
        assert stopped.value.code == 0
        assert found in capsys.readouterr().out


def test_long_work_says_where_it_is_without_a_terminal(monkeypatch):
    said, now = io.StringIO(), iter(range(0, 1000, 15))
    monkeypatch.setattr(_terminal.time, "monotonic", lambda: float(next(now)))
    with Bars(console=Console(file=said), transient=True, auto_refresh=False) as bars:
        shown = _terminal.ProgressBars(bars)
        for k in range(6):
            shown.step("coverage", k, 6)
    assert [line.strip() for line in said.getvalue().splitlines() if line.strip()] == [
        f"coverage: {k} of 6" for k in (1, 3, 5)
    ]
