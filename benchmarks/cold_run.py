"""Time and memory of the command line: a cold run, a run with only the report changed, and the help.

Usage: python benchmarks/cold_run.py

Cold means an empty compilation cache and an empty run folder. Memory is the peak of the process.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def timed(*arguments: str, cache: Path) -> tuple[float, float]:
    """Wall-clock seconds, and peak resident memory in MB, of one verax command."""
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(cache)}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "verax", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, arguments
    return time.perf_counter() - start, used.ru_maxrss / 1024


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as place:
        cache, run = Path(place) / "cache", str(Path(place) / "run")
        cases = {
            "verax --help": ("--help",),
            "verax run, cold": ("run", "--output", run),
            "verax run, report changed": ("run", "--output", run, "--set", "report.experiment=Another"),
            "verax run, nothing changed": ("run", "--output", run, "--set", "report.experiment=Another"),
            "verax run, compiled before": ("run", "--output", run + "2"),
        }
        print(f"{os.cpu_count()} cores\n\n| command | seconds | peak MB |\n| :-- | --: | --: |")
        for name, arguments in cases.items():
            seconds, peak = timed(*arguments, cache=cache)
            print(f"| {name} | {seconds:.1f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
