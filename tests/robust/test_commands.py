"""Random options of every verb, by the command line's own list: one line or an answer, and no other file touched."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import typer

from mutations import limited
from toy_analysis import write_analysis
from verax import pipeline
from verax.cli import _main as cli
from verax.compare import _comparison
from workspaces import MU, sample, workspace

FEW, MANY = range(1), range(1, 40)
PARTS = [*FEW, *(pytest.param(k, marks=pytest.mark.thorough) for k in MANY)]
CASES = 60

ODD = (
    *("", " ", "nan", "inf", "-inf", "-nan", "0", "-1", "-0.0", "1e999", "1e-320", "0.5", "3", "1_0", "0x10", "\uff11"),
    *("9" * 400, str(2**31), str(2**32), str(2**63), str(2**64), "a\nb", "\x1b[31mred", "\x07", "\u202e", "\udcff"),
    *("\u00e9" * 300, "%s", "{0}", "../../evil", "-", "--", "=", "mu=", "=1", "mu=nan", "mu=1e308", "mu=1=2", "mu=-1"),
    *("none=1", "fit", "[1", "{a: 1}", "seed=[", "seed=\x1b", "a.b.c=1", "samples.0.total=1", "check.toys=1e30", "*"),
    *("[/red]", "\\", "'", '"', "observed", "asimov", "uci", "mu"),
)
"""Values that no option was made for."""

PLACES = (
    *("w.json", "nothing.json", "empty", "folder", "folder/", "link", "loop", "lost", "w.json/inside", "folder/new"),
    *("bad.json", "x" * 300, "analysis.yaml", "new.pdf", "folder/new.png", ".", "other.csv", "nowhere/new.svg"),
    "/proc/nobody",
)
"""Names of files and folders of every kind."""

ENDLESS = ("/dev/zero", "/dev/null", "/proc/self/mem")
"""To be read alone."""

PLAUSIBLE = (
    "0",
    "-0.0",
    "1e-320",
    "0.5",
    "3",
    "1_0",
    "\uff11",
    "mu",
    "fit",
    "observed",
    "asimov",
    "uci",
    "w.json",
    "link",
    "analysis.yaml",
    "other.csv",
    "*",
)
"""What some option may be given."""


def commands(group, above=()):
    """The verbs, with their options and arguments."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*above, name))
        else:
            yield (*above, name), command


COMMANDS = {words: command for words, command in commands(typer.main.get_command(cli.app)) if command.params}
GIVEN = {
    "run": ["analysis.yaml"],
    "audit": ["w.json", "--toys", "0"],
    "config schema": [],
    "config example": [],
    "workspace combine": ["w.json", "other.json"],
    "workspace mask": ["w.json", "--channel", "c"],
    "workspace decorrelate": ["w.json", "norm"],
    "workspace correlate": ["w.json", "norm", "shape", "--to", "both"],
    "compare approaches": ["--quick"],
    "compare methods": ["--quick"],
}
"""What a verb is given beside the odd options; others: their one file."""
CHAIN = ("run", "simulate", "learn", "summarise", "infer", "check", "report")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with files of every kind, a few levels below the top of what may be looked at."""
    top = tmp_path_factory.mktemp("top")
    folder = top / "a" / "b" / "c"
    folder.mkdir(parents=True)
    shapes = [("norm", "normsys", {"hi": 1.1, "lo": 0.9}), ("shape", "normsys", {"hi": 1.2, "lo": 0.8})]
    samples = [sample("s", [5.0], MU), sample("b", [20.0], *shapes)]
    for name, channels in (("w.json", {"a": samples, "c": samples}), ("other.json", {"d": samples})):
        (folder / name).write_text(json.dumps(workspace(channels)))
    write_analysis(folder, 20, systematics=[], unaffected=[])
    (folder / "empty").touch()
    (folder / "bad.json").write_text('{"channels": [')
    (folder / "folder").mkdir()
    (folder / "folder" / "mine.txt").write_text("mine")
    (folder / "link").symlink_to("w.json")
    (folder / "loop").symlink_to("loop")
    (folder / "lost").symlink_to("nowhere")
    return top, folder


@pytest.fixture(autouse=True)
def soon_over(monkeypatch, place):
    """The chain ends with its first stage, and comparisons where their work begins: options are judged before."""
    measure, jobs = pipeline.measure, _comparison.Comparison.jobs
    monkeypatch.chdir(place[1])
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(pipeline, "measure", lambda *a, until, **k: measure(*a, until="simulate", **k))

    def begin(*_):
        raise KeyboardInterrupt

    for kind in _comparison.Comparison.__subclasses__():
        monkeypatch.setattr(kind, "jobs", begin)
    assert _comparison.Comparison.jobs is jobs


def tree(top):
    """Each file, folder and link, and what it holds."""
    return {
        p: os.readlink(p) if p.is_symlink() else p.read_bytes() if p.is_file() else b"" for p in sorted(top.rglob("*"))
    }


def odd_line(rng, words):
    """A command line with one or two options or arguments that it was not made for; which name an output; the others."""
    command, name = COMMANDS[words], " ".join(words)
    line = list(GIVEN.get(name, ["analysis.yaml"] if words[0] in CHAIN else ["w.json"]))
    outputs, odd, used = [], [], []
    for _ in range(int(rng.integers(1, 3))):
        parameter = command.params[rng.integers(len(command.params))]
        is_output = parameter.name in ("output", "plot", "to")
        places = PLACES if is_output else (*PLACES, *ENDLESS)
        value = places[rng.integers(len(places))] if rng.random() < 0.4 else ODD[rng.integers(len(ODD))]
        if parameter in used:  # the last of two counts, and the first is not looked at
            continue
        used.append(parameter)
        if parameter.param_type_name == "argument" and line:
            line[0] = value
            odd.append(value)
        elif getattr(parameter, "is_flag", False):
            line.append(parameter.opts[0])
        elif parameter.param_type_name == "option":
            line += [parameter.opts[int(rng.integers(len(parameter.opts)))], value]
            (outputs if is_output else odd).append(value)
    if "--output" not in line and "-o" not in line and words[0] in (*CHAIN, "compare"):
        line += ["-o", "out"]
    return [*words, *line], [*outputs, "out"], odd


def faults(line, outputs, odd, top, capfd):
    """What is wrong with how a command line ends: its code, and what it says and leaves."""
    folder, before = Path.cwd(), tree(top)
    try:
        with limited(60.0), pytest.raises(SystemExit) as ended:
            cli.main(line)
    except BaseException as error:
        yield repr(error)
        return
    code, (out, err) = ended.value.code or 0, capfd.readouterr()
    lines, after = err.strip().splitlines(), tree(top)
    if code not in (0, 2, 3, 130, *([1] if "--strict" in line else [])) or "Traceback" in out + err:
        yield f"code {code}: {err}"
    if not (out + err).replace("\n", "").isprintable():
        yield f"control characters: {out!r} {err!r}"
    is_usage = code == 2 and lines and lines[0].startswith("Usage:")
    if code and not is_usage and not ([t for t in lines if t.startswith("verax: ")] == lines[-1:] != []):
        yield f"not one line: {err}"
    if "the same command continues" in err and code != 130 and "move it away" not in err:
        yield f"a promise: {err}"
    named = [p for o in outputs if o for p in (folder / o, Path(os.path.realpath(folder / o)))]
    for path in {p for p in {*before, *after} if before.get(p) != after.get(p)}:
        if not any(p == path or p in path.parents or path in p.parents or path.name.startswith(p.stem) for p in named):
            yield f"touched: {path}"
    _restore(after, before)
    if code == 0 and (taken := [value for value in odd if value not in PLAUSIBLE and value in line]):
        yield f"taken: {taken}"


@pytest.mark.parametrize("part", PARTS)
def test_odd_options(part, place, capfd):
    wrong = []
    for case in range(CASES):
        rng = np.random.default_rng([500 + part, case])
        line, outputs, odd = odd_line(rng, list(COMMANDS)[case % len(COMMANDS)])
        wrong += [f"{line}: {fault}" for fault in faults(line, outputs, odd, place[0], capfd)]
    assert not wrong, "\n".join(wrong)


def _restore(after, before):
    """Remove what a command wrote."""
    for path in sorted(set(after) - set(before), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for path, content in before.items():
        if after.get(path) != content:
            path.unlink(missing_ok=True)
            path.write_bytes(content)
