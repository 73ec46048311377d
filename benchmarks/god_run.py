"""CLs by toys of 50 channels of 4 bins with one γ a bin (201 parameters), beside NextStat, which headlines with it.

Usage: python benchmarks/god_run.py [--toys 10000] [--nextstat PYTHON] [--times 3]

2 × ``toys`` pseudo-experiments at μ = 1: with and without signal, each fitted with μ free and with μ = 1. Each tool runs in
a process of its own, one after the other; verax with an empty compilation cache. Seconds of the first call, in which verax
compiles, and of the middle one of the next; CPU seconds of all threads beside them. The asymptotic value and that of
pyhf's formulas say what is right: NextStat's toys leave the global observables where they are, by its own documentation.
PYTHON is an interpreter that has nextstat (0.10.1 here), which verax does not need for anything else.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHANNELS, BINS = 50, 4

ASK = """
import json, sys, time
path, toys, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
{prepare}
found = []
for k in range(1 + times):
    wall, cpu = time.perf_counter(), time.process_time()
    value = {call}
    found.append([time.perf_counter() - wall, time.process_time() - cpu, value])
print(json.dumps(found))
"""
VERAX = {
    "prepare": """
import jax
from verax.infer import cls
from verax.workspace import from_pyhf
model, data, poi = from_pyhf(path)
""",
    "call": 'float(cls(model, data, poi, [1.0], method="toys", key=jax.random.key(k), n_toys=toys).observed[0])',
}
ASYMPTOTIC = VERAX | {"call": "float(cls(model, data, poi, [1.0]).observed[0])"}
NEXTSTAT = {
    "prepare": """
import nextstat
model = nextstat.HistFactoryModel.from_workspace(open(path).read())
""",
    "call": "float(nextstat.hypotest_toys(1.0, model, n_toys=toys, seed=k + 1))",
}


def workspace() -> dict:
    """A signal on a background that falls from bin to bin and grows from channel to channel, known to 10 % in each."""
    channels, observed = [], []
    for c in range(CHANNELS):
        background = [round((50 + c) * 0.8**b, 3) for b in range(BINS)]
        uncertain = {"name": f"u{c}", "type": "shapesys", "data": [0.1 * b for b in background]}
        signal = {
            "name": "s",
            "data": [1.0, 1.5, 2.0, 1.5],
            "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
        }
        samples = [signal, {"name": "b", "data": background, "modifiers": [uncertain]}]
        channels.append({"name": f"c{c}", "samples": samples})
        observed.append({"name": f"c{c}", "data": [float(round(b)) for b in background]})
    measurement = {"name": "m", "config": {"poi": "mu", "parameters": []}}
    return {"channels": channels, "observations": observed, "measurements": [measurement], "version": "1.0.0"}


def ask(python: str, script: dict[str, str], path: Path, toys: int, times: int) -> list[list[float]]:
    """[call, (wall-clock seconds, CPU seconds, CLs)]; in a process of its own, with an empty compilation cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": cache}
        command = [python, "-c", ASK.format(**script), str(path), str(toys), str(times)]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: list[list[float]] = json.loads(answer.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toys", type=int, default=10_000)
    parser.add_argument("--nextstat", default="", help="an interpreter that has it")
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workspace.json"
        path.write_text(json.dumps(workspace()))
        asked = {"verax": (sys.executable, VERAX), "verax, asymptotic": (sys.executable, ASYMPTOTIC)}
        if options.nextstat:
            asked["NextStat"] = (options.nextstat, NEXTSTAT)
        print(
            "| tool | first s | CPU s | next s | CPU s | CLs of each call |\n| :-- | --: | --: | --: | --: | :-- |",
            flush=True,
        )
        for name, (python, script) in asked.items():
            first, *rest = ask(python, script, path, options.toys, options.times)
            wall, cpu, _ = sorted(rest)[len(rest) // 2]
            values = ", ".join(f"{value:.5f}" for *_, value in (first, *rest))
            print(f"| {name} | {first[0]:.1f} | {first[1]:.1f} | {wall:.1f} | {cpu:.1f} | {values} |", flush=True)


if __name__ == "__main__":
    main()
