"""Fits and toys of a HistFactory workspace, against pyhf on the same data sets.

Usage: python benchmarks/engine.py [WORKSPACE.json] [--toys 2000] [--pyhf 2]

Without a workspace, one is made that has the shape of a search: 3 channels of 2 bins, 6 samples, 58 systematics, 2 free
normalisations and simulation statistics (66 parameters for pyhf).

Says how long reading and building take, the first fit (with compilation, or with what the compilation cache of
JAX_COMPILATION_CACHE_DIR holds), the next one, and toys; all but the first in CPU seconds. Of the same toys a few are
fitted by pyhf (NumPy with Minuit, and JAX with SciPy where it finds the minimum), warm, and compared. Both sides take turns
in this process, a pass over all toys after each fit of pyhf, so that a slow machine slows both; the minima of both
are compared toy by toy. The ratio is of medians, to our toys without covariances: pyhf's fits with SciPy have none either.
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from verax.infer import fit, sample_toys
from verax.model import BinnedLikelihood, Data
from verax.workspace import from_pyhf, read_json

PASSES = 5
"""Times that warm toys are fitted."""


def clock(action: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result, wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = action()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def say(what: str, wall: float, cpu: float, more: str = "") -> None:
    print(f"{what:44s} {wall:9.4f} s wall {cpu:9.4f} s CPU  {more}", flush=True)


def ours(path: Path, n: int) -> tuple[BinnedLikelihood, Data]:
    spec, wall, cpu = clock(lambda: read_json(path))
    say("read", wall, cpu)
    (model, data, poi), wall, cpu = clock(lambda: from_pyhf(spec))
    say("build", wall, cpu, f"{len(model.parameters)} parameters, {model.width.size} bins")
    best, wall, cpu = clock(lambda: fit(model, data))
    i = model.names.index(poi)
    say("first fit", wall, cpu, f"{poi} = {best.value[i]:.4f} ± {best.error[i]:.4f}, status {int(best.status)}")
    _, wall, cpu = clock(lambda: fit(model, data))
    say("next fit", wall, cpu)
    drawn, wall, cpu = clock(lambda: sample_toys(jax.random.key(1), model, best.params, n))
    say(f"draw {n} toys", wall, cpu)
    for covariance in (True, False):
        what = f"fit {n} toys" + " with covariances" * covariance
        _, wall, cpu = clock(partial(fit, model, drawn, covariance=covariance))
        say(f"first: {what}", wall, cpu, "compiles")
        passes = [clock(partial(fit, model, drawn, covariance=covariance)) for _ in range(PASSES)]
        results, wall, cpu = sorted(passes, key=lambda p: p[2])[PASSES // 2]
        good = np.mean(np.asarray(results.status) <= 1)
        more = f"{1e3 * cpu / n:.3f} ms each (median of {PASSES} passes), {100 * good:.2f} % converged"
        say(what, wall, cpu, more)
    return model, Data(drawn.counts, drawn.auxiliary)


def theirs(path: Path, model: BinnedLikelihood, drawn: Data, n: int) -> None:
    import pyhf

    best = fit(model, Data(drawn.counts[: n + 1], drawn.auxiliary[: n + 1]))
    for backend, optimizer in (("jax", "scipy"), ("numpy", "minuit")):
        pyhf.set_backend(backend, pyhf.optimize.minuit_optimizer() if optimizer == "minuit" else optimizer)
        workspace = pyhf.Workspace(read_json(path))
        their_model = workspace.model()
        seconds, own = [], []
        for k in range(n + 1):  # the first compiles
            data = in_their_order(model, their_model, drawn, k)
            try:
                (_, twice), _, cpu = clock(partial(pyhf.infer.mle.fit, data, their_model, return_fitted_val=True))
            except pyhf.exceptions.FailedMinimization as error:
                print(f"pyhf {backend} {optimizer}: {str(error)[:60]}")
                continue
            excess = f"NLL above ours by {0.5 * float(twice) - float(best.nll[k]):+.2e}"
            say(f"pyhf {backend} {optimizer}, fit {k}{' (first)' if k == 0 else ''}", cpu, cpu, excess)
            _, _, each = clock(partial(fit, model, drawn, covariance=False))
            if k:
                seconds.append(cpu)
                own.append(each / len(drawn.counts))
        if seconds:
            theirs, each = np.median(seconds), np.median(own)
            print(f"{'':44s} ratio {theirs / each:.0f}: {1e3 * theirs:.1f} ms to {1e3 * each:.4f} ms")


def in_their_order(model: BinnedLikelihood, their_model: Any, drawn: Data, k: int) -> np.ndarray:
    """One toy with its global observables, as pyhf wants it."""
    where = {c: np.flatnonzero(model.layout.channel == i) for i, c in enumerate(model.channels)}
    names = [p.name for p in model.parameters if p.constraint is not None]
    observed = {name: [value] for name, value in zip(names, drawn.auxiliary[k], strict=False)}
    gamma = drawn.auxiliary[k][len(names) :]
    for m in model.modifiers:
        family = sorted({model.channels[x.channel] for x in model.modifiers if x.name == m.name})
        bins = np.concatenate([where[c] for c in family])
        observed[m.name] = (
            list(gamma[bins]) if m.first < 0 else [observed[f"{m.name}[{b}]"][0] for b in range(len(bins))]
        )
    counts = [drawn.counts[k][where[c]] for c in their_model.config.channels]
    return np.concatenate([*counts, *(observed[name] for name in their_model.config.auxdata_order)])


def search(*, systematics: int = 58) -> dict[str, Any]:
    """A workspace with many parameters and few bins."""
    rng = np.random.default_rng(12)
    channels = []
    for c in range(3):
        samples = []
        for i, yields in enumerate((20.0, 40.0, 15.0, 8.0, 3.0, 1.5)):
            data = yields * rng.uniform(0.3, 1.7, 2) * (1 - 0.2 * c)
            modifiers: list[dict[str, Any]] = [
                {"name": f"staterror_{c}", "type": "staterror", "data": (data * rng.uniform(0.02, 0.08, 2)).tolist()}
            ]
            if i < 2:
                modifiers.append({"name": ("mu", "norm")[i], "type": "normfactor", "data": None})
            for k in np.flatnonzero(rng.uniform(size=systematics) < 0.7):
                size = rng.normal(0, 0.03, 2)
                if k % 2:
                    up, down = data * (1 + size), data * (1 - size * rng.uniform(0.7, 1.0))
                    shape = {"hi_data": up.tolist(), "lo_data": down.tolist()}
                    modifiers.append({"name": f"theta{k}", "type": "histosys", "data": shape})
                else:
                    factors = {"hi": float(1 + size[0]), "lo": float(1 - 0.8 * size[0])}
                    modifiers.append({"name": f"theta{k}", "type": "normsys", "data": factors})
            samples.append({"name": f"sample{i}", "data": data.tolist(), "modifiers": modifiers})
        channels.append({"name": f"channel{c}", "samples": samples})
    counts = [[float(round(sum(x))) for x in zip(*(s["data"] for s in c["samples"]), strict=True)] for c in channels]
    parameters = [{"name": "mu", "bounds": [[-5.0, 10.0]], "inits": [1.0]}]
    return {
        "version": "1.0.0",
        "channels": channels,
        "observations": [{"name": c["name"], "data": n} for c, n in zip(channels, counts, strict=True)],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path, nargs="?")
    parser.add_argument("--toys", type=int, default=2000)
    parser.add_argument("--pyhf", type=int, default=2, help="fits of pyhf in each of its set-ups; 0 for none")
    options = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    with tempfile.TemporaryDirectory() as folder:
        path = options.workspace or Path(folder, "search.json")
        if not options.workspace:
            path.write_text(json.dumps(search()))
        model, drawn = ours(path, options.toys)
        if options.pyhf:
            theirs(path, model, drawn, options.pyhf)


if __name__ == "__main__":
    main()
