"""The first answer to a question about a workspace: whole processes with nothing compiled, beside pyhf and cabinetry.

Usage: python benchmarks/first_answer.py [--times 3] [--workspaces FOLDER] [--only med,big] [--no-peers] [--patience 120]
           [--nextstat PROGRAM]

CPU seconds of each process, imports included, with an empty compilation cache; the middle one of so many times. Python's
bytecode is there, as pip leaves it. The peers where they answer the same: `pyhf fit` is a fit without errors, `pyhf cls` the
test of one value (a limit takes a dozen of these), cabinetry's functions for a fit, a scan of as many points, an upper
limit, a goodness of fit and a ranking, and PROGRAM the same questions of NextStat. A process that takes longer than the
patience (wall-clock) is ended, and not tried again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

QUESTIONS = ("fit", "interval", "scan", "breakdown", "limit", "gof", "ranking")
FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "workspaces"
FILES = {
    "2-bin_1-channel": "pyhf_validation/2-bin_1-channel.json",
    "example_bkgonly": "pyhf_validation/example_bkgonly.json",
    "xmlimport": "pyhf_validation/xmlimport_input_bkg.json",
    "tutorial": "tutorial/bkg_only.json",
    "med": "synthetic/med_5x20_30np.json",
    "med staterror": "synthetic/med_5x20_30np_staterror.json",
    "big": "synthetic/big_20x50_100np.json.gz",
}
CABINETRY = {
    "fit": "cabinetry.fit.fit(model, data)",
    "scan": "cabinetry.fit.scan(model, data, model.config.poi_name, n_steps=41)",
    "limit": "cabinetry.fit.limit(model, data)",
    "gof": "cabinetry.fit.fit(model, data, goodness_of_fit=True)",
    "ranking": "cabinetry.fit.ranking(model, data)",
}
NEXTSTAT = {
    "fit": ["fit"],
    "scan": ["scan", "--start", "0", "--stop", "3", "--points", "41"],
    "limit": ["upper-limit", "--expected"],
    "gof": ["goodness-of-fit"],
    "ranking": ["viz", "ranking"],
}
SCRIPT = """
import json, sys, cabinetry
model, data = cabinetry.model_utils.model_and_data(json.load(open(sys.argv[1])))
"""


def two_bins() -> dict:
    """A signal over a background with uncorrelated errors and one normalisation."""
    uncertain = [
        {"name": "u", "type": "shapesys", "data": [5.0, 12.0]},
        {"name": "n", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
    ]
    background = {"name": "b", "data": [50.0, 60.0], "modifiers": uncertain}
    return _workspace([[background]], [[5.0, 10.0]], [[55.0, 66.0]])


def thousand(systematics: int = 1000, bins: int = 20) -> dict:
    """Two channels and two backgrounds; of the systematics every other one changes shapes, differently up and down."""
    rng, x = np.random.default_rng(5), np.linspace(0, 2, bins)
    channels, signals, observed = [], [], []
    for _ in range(2):
        samples, total = [], np.zeros(bins)
        for name, events in (("b", 300 * np.exp(-x)), ("o", 120 * np.exp(-x / 2))):
            modifiers = []
            for k in range(systematics):
                up, down = 0.01 * rng.normal(size=bins), rng.uniform(0.7, 1.2)
                shapes = {"hi_data": (events * (1 + up)).tolist(), "lo_data": (events * (1 - down * up)).tolist()}
                factors = {"hi": 1 + 0.01 * rng.uniform(0.1, 1), "lo": 1 - 0.01 * rng.uniform(0.1, 1)}
                kind, data = ("histosys", shapes) if k % 2 else ("normsys", factors)
                modifiers.append({"name": f"k{k}", "type": kind, "data": data})
            samples.append({"name": name, "data": events.tolist(), "modifiers": modifiers})
            total += events
        channels.append(samples)
        signals.append((20 * np.exp(-0.5 * ((np.arange(bins) - 8) / 2.5) ** 2)).tolist())
        observed.append(rng.poisson(total + signals[-1]).astype(float).tolist())
    return _workspace(channels, signals, observed)


def _workspace(backgrounds: list[list[dict]], signals: list[list[float]], observed: list[list[float]]) -> dict:
    mu = [{"name": "mu", "type": "normfactor", "data": None}]
    samples = [[{"name": "s", "data": s, "modifiers": mu}, *b] for s, b in zip(signals, backgrounds, strict=True)]
    return {
        "channels": [{"name": f"c{i}", "samples": s} for i, s in enumerate(samples)],
        "observations": [{"name": f"c{i}", "data": n} for i, n in enumerate(observed)],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def cpu_seconds(command: list[str], times: int, patience: float) -> str:
    """The middle one of so many processes; or what became of the first that gave no answer."""
    found = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as cache:
            environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": cache, "XDG_CACHE_HOME": cache}
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            before = os.times()
            try:
                subprocess.run(command, env=environment, cwd=cache, capture_output=True, check=True, timeout=patience)
            except subprocess.TimeoutExpired:
                return f"> {patience:.0f}"
            except subprocess.CalledProcessError:
                return "fails"
            after = os.times()
            found.append(after.children_user - before.children_user + after.children_system - before.children_system)
    return f"{np.median(found):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--workspaces", type=Path, default=FOLDER)
    parser.add_argument("--only", default="", help="names, with commas")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--nextstat", default="", help="its program")
    parser.add_argument("--patience", type=float, default=120.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = {"two bins": two_bins(), "1000 systematics": thousand()}
        for name, content in made.items():
            (Path(folder) / f"{name}.json").write_text(json.dumps(content))
        paths = {name: str(options.workspaces / file) for name, file in FILES.items()}
        paths |= {name: str(Path(folder) / f"{name}.json") for name in made}
        wanted = [n for n in paths if not options.only or n in options.only.split(",")]
        print(f"| workspace | {' | '.join(QUESTIONS)} |\n| :-- |{' --: |' * len(QUESTIONS)}", flush=True)
        for name in wanted:
            say(f"{name}", [[sys.executable, "-m", "verax", q, paths[name]] for q in QUESTIONS], options)
            plain = unpacked(paths[name], folder)
            if not options.no_peers:
                pyhf = {"fit": ["fit"], "limit": ["cls", "--test-poi", "1"]}
                program = [str(Path(sys.executable).with_name("pyhf"))]
                say(f"{name}, pyhf", [[*program, *pyhf[q], plain] if q in pyhf else [] for q in QUESTIONS], options)
                call = [sys.executable, "-c"]
                scripts = [[*call, SCRIPT + CABINETRY[q], plain] if q in CABINETRY else [] for q in QUESTIONS]
                say(f"{name}, cabinetry", scripts, options)
            if options.nextstat:
                asked = [[options.nextstat, *NEXTSTAT[q], "--input", plain] if q in NEXTSTAT else [] for q in QUESTIONS]
                say(f"{name}, NextStat", asked, options)


def say(name: str, commands: list[list[str]], options: argparse.Namespace) -> None:
    """Print one row of the table."""
    print(f"| {name} |", end="", flush=True)
    for command in commands:
        print(f" {cpu_seconds(command, options.times, options.patience) if command else '–'} |", end="", flush=True)
    print(flush=True)


def unpacked(path: str, folder: str) -> str:
    """The same file without compression, which the peers do not read."""
    if not path.endswith(".gz"):
        return path
    import gzip

    plain = Path(folder) / Path(path).stem
    plain.write_bytes(gzip.decompress(Path(path).read_bytes()))
    return str(plain)


if __name__ == "__main__":
    main()
