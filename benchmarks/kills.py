"""Kills at random moments: what was killed continues to the same bits, and no worker outlives its parent by long.

Usage: python benchmarks/kills.py [KILLS] [--seed SEED]

`verax run` of the tests' small analysis (with one worker or two) and `verax toys` of its workspace are killed, at moments
drawn uniformly over the time of an undisturbed command, by SIGKILL, SIGTERM or SIGINT, and continued by the same command.
A folder is killed in up to three times before it is let to the end; what then stands in it is compared, byte for byte, with
that of the undisturbed command. SIGTERM and SIGINT end it with one line and code 130, but for the moments in which Python
itself starts, before any line of verax, and ends: there a signal is Python's, and at the end the answer has to be whole.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from toy_analysis import write_analysis

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TIMES = 3
"""Kills of one folder at most."""
LATEST = 2.0
"""Seconds by which a worker may outlive its parent."""


def start(command: list[str], place: Path) -> subprocess.Popen[bytes]:
    """Begin a command whose answer and lines go to files."""
    with (place / "out").open("wb") as out, (place / "err").open("wb") as err:
        command = [sys.executable, "-m", "verax", *command, "--quiet"]
        return subprocess.Popen(command, stdout=out, stderr=err, preexec_fn=interruptible)


def interruptible() -> None:
    """What a shell puts in the background ignores SIGINT, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def below(pid: int) -> set[int]:
    """The processes that a process began, and those that they began."""
    try:
        found = {int(c) for t in Path(f"/proc/{pid}/task").iterdir() for c in (t / "children").read_text().split()}
    except OSError:
        return set()
    return found.union(*(below(child) for child in found))


def is_running(pid: int) -> bool:
    """Whether a process is there, and at work."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def killed(command: list[str], place: Path, how: signal.Signals, after: float) -> tuple[int | None, float, float]:
    """Kill a command after some seconds.

    Returns its exit code (None when it had ended before), and the seconds that it and then its workers went on, or that it
    took.
    """
    process, began = start(command, place), time.monotonic()
    ended = began + after
    while process.poll() is None and time.monotonic() < ended:
        time.sleep(0.002)
    children = below(process.pid)
    if process.poll() is not None:
        return None, time.monotonic() - began, 0.0
    sent = time.monotonic()
    process.send_signal(how)
    code = process.wait()
    gone = time.monotonic()
    while any(map(is_running, children)) and time.monotonic() < gone + 60:
        time.sleep(0.01)
    return code, gone - sent, time.monotonic() - gone


def is_well(how: signal.Signals, code: int, said: str, is_whole: bool, is_new: bool) -> bool:
    """Whether a killed command ended as it has to; ``is_new``, when its folder is as before."""
    if how is signal.SIGKILL:
        return code in (-how, 0)  # Python's own keeper of semaphores may speak
    if code == 130:
        return len(said.splitlines()) == 1
    if code in (-how, 0) and not said:
        return is_whole or is_new
    return "KeyboardInterrupt" in said and "verax" not in said  # Python had not come to it


def content(folder: Path, answer: bytes) -> dict[str, object]:
    """All that a command left, and its answer; not the seconds that it took."""
    found: dict[str, object] = {"answer": answer}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.name in (".lock", ".verax", "stage.json", "record.json"):  # locks, seconds and checksums of them
            continue
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                found[str(path)] = {k: (v.dtype.str, v.shape, v.tobytes()) for k, v in arrays.items()}
        elif path.name != "report.html":  # says how long each stage took
            found[str(path)] = path.read_bytes()
    return {name.removeprefix(str(folder)): value for name, value in found.items()}


def times(folder: Path) -> dict[Path, int]:
    """When each file of a folder was last written."""
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def answer(verb: str, place: Path) -> bytes:
    """What the command printed; a run names its folder there."""
    return b"" if verb == "run" else (place / "out").read_bytes()


def main() -> None:
    """Print a table, and each thing that went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kills", type=int, nargs="?", default=50)
    parser.add_argument("--seed", type=int, default=2027)
    given = parser.parse_args()
    rng, wrong, rows = random.Random(given.seed), list[str](), list[tuple[str, ...]]()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        run = ["run", str(write_analysis(root, 500)), "--set", "chunk=500", "--set", "check.toys=50"]
        toys = ["toys", str(root / "run" / "workspace.json"), "-n", "6000", "--batch", "500", "--json"]
        for verb, command in (("run", run), ("toys", toys)):
            whole = root / verb
            for _ in range(2):  # the first fills the compilation cache
                began = time.monotonic()
                assert start([*command, "-o", str(whole)], root).wait() == 0, (root / "err").read_text()
                seconds = time.monotonic() - began
                expected = content(whole, answer(verb, root))
                if _ == 0:
                    whole = root / f"{verb} again"
            assert content(root / verb, expected["answer"]) == expected  # type: ignore[arg-type]
            done, folders, latest, counted = 0, 0, [0.0, 0.0], Counter[str]()
            while done < given.kills // 2:
                folder, folders = root / f"{verb} {folders}", folders + 1
                for _ in range(min(TIMES, given.kills // 2 - done)):
                    how, after = rng.choice(SIGNALS), rng.uniform(0, seconds)
                    spread = ["-j", rng.choice("12")] if verb == "run" else []
                    before = times(folder)
                    code, own, others = killed([*command, *spread, "-o", str(folder)], root, how, after)
                    if code is None:
                        seconds = min(seconds, own)  # the machine is less busy now
                        break
                    what, said = f"{verb}, {how.name} after {after:.2f} s", (root / "err").read_text()
                    is_whole = code != 130 and content(folder, answer(verb, root)) == expected
                    if not is_well(how, code, said, is_whole, times(folder) == before):
                        wrong.append(f"{what}: code {code}, whole: {is_whole}, {said[-300:]!r}")
                    if others > LATEST:
                        wrong.append(f"{what}: a worker went on for {others:.1f} s")
                    done, latest = done + 1, [max(latest[0], own), max(latest[1], others)]
                    counted[how.name] += 1
                code = start([*command, "-o", str(folder)], root).wait()
                found = content(folder, answer(verb, root))
                differ = [n for n in {*found, *expected} if found.get(n) != expected.get(n)]
                if code or differ:
                    wrong.append(
                        f"{verb}, folder {folders}: code {code}, differ {differ}, {(root / 'err').read_text()}"
                    )
                print(f"{verb}: {done} kills, {folders} folders, wrong: {wrong}", file=sys.stderr, flush=True)
            told = ", ".join(f"{n} {name}" for name, n in sorted(counted.items()))
            rows.append((verb, f"{done}: {told}", str(folders), *(f"{s:.2f}" for s in (seconds, *latest))))
    print("| verb | kills | folders | seconds alone | longest until it ended | and until its workers did |")
    print("| :-- | :-- | --: | --: | --: | --: |")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    print(f"\n{len(wrong)} wrong\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
