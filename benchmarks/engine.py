"""Fits and toys of a HistFactory workspace, against pyhf on the same data sets.

Usage: python benchmarks/engine.py WORKSPACE.json [--toys 2000] [--pyhf 2]

Says how long reading and building take, the first fit (with compilation, or with what the compilation cache of
JAX_COMPILATION_CACHE_DIR holds), the next one, and toys; all but the first in CPU seconds. Of the same toys a few are
fitted by pyhf (NumPy with Minuit, and JAX with SciPy where it finds the minimum), warm, and compared. Both sides run in
this process one after the other; the minima of both are compared toy by toy.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from verax.infer import fit, toys
from verax.model import BinnedLikelihood, Data, from_pyhf
from verax.model.schema import read_json


def clock(action: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result, wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = action()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def say(what: str, wall: float, cpu: float, more: str = "") -> None:
    print(f"{what:44s} {wall:9.4f} s wall {cpu:9.4f} s CPU  {more}", flush=True)


def ours(path: Path, n: int) -> tuple[BinnedLikelihood, Data, float]:
    spec, wall, cpu = clock(lambda: read_json(path))
    say("read", wall, cpu)
    (model, data, poi), wall, cpu = clock(lambda: from_pyhf(spec))
    say("build", wall, cpu, f"{len(model.parameters)} parameters, {model.width.size} bins")
    best, wall, cpu = clock(lambda: fit(model, data))
    i = model.names.index(poi)
    say("first fit", wall, cpu, f"{poi} = {best.value[i]:.4f} ± {best.error[i]:.4f}, status {int(best.status)}")
    _, wall, cpu = clock(lambda: fit(model, data))
    say("next fit", wall, cpu)
    drawn, wall, cpu = clock(lambda: toys(jax.random.key(1), model, best.params, n))
    say(f"draw {n} toys", wall, cpu)
    fit(model, Data(drawn.counts[:300], drawn.auxiliary[:300]))  # compiles the batches
    results, wall, cpu = clock(lambda: fit(model, drawn))
    good = np.mean(np.asarray(results.status) <= 1)
    say(f"fit {n} toys", wall, cpu, f"{1e3 * cpu / n:.3f} ms each, {100 * good:.2f} % converged")
    return model, Data(drawn.counts, drawn.auxiliary), cpu / n


def theirs(path: Path, model: BinnedLikelihood, drawn: Data, n: int, each: float) -> None:
    import pyhf

    best = fit(model, Data(drawn.counts[: n + 1], drawn.auxiliary[: n + 1]))
    for backend, optimizer in (("jax", "scipy"), ("numpy", "minuit")):
        pyhf.set_backend(backend, pyhf.optimize.minuit_optimizer() if optimizer == "minuit" else optimizer)
        workspace = pyhf.Workspace(read_json(path))
        their_model = workspace.model()
        seconds = []
        for k in range(n + 1):  # the first compiles
            data, known = auxiliary(model, their_model, drawn, k)
            try:
                (_, twice), _, cpu = clock(partial(pyhf.infer.mle.fit, data, their_model, return_fitted_val=True))
            except pyhf.exceptions.FailedMinimization as error:
                print(f"pyhf {backend} {optimizer}: {str(error)[:60]}")
                continue
            excess = f"NLL above ours by {0.5 * float(twice) - float(best.nll[k]):+.2e}" if known else ""
            say(f"pyhf {backend} {optimizer}, fit {k}{' (first)' if k == 0 else ''}", cpu, cpu, excess)
            if k:
                seconds.append(cpu)
        if seconds:
            print(f"{'':44s} ratio {np.median(seconds) / each:.0f}")


def auxiliary(model: BinnedLikelihood, their_model: Any, drawn: Data, k: int) -> tuple[np.ndarray, bool]:
    """A toy in pyhf's order; without global observables of γ (taken as 1) the minima differ, and False says so."""
    order = [
        i for c in their_model.config.channels for i in np.flatnonzero(model.layout.channel == model.channels.index(c))
    ]
    names = [p.name for p in model.parameters if p.constraint is not None]
    observed = dict(zip(names, drawn.auxiliary[k], strict=False))
    known = all(name in observed for name in their_model.config.auxdata_order)
    nominal, values, at = their_model.config.auxdata, [], 0
    for name in their_model.config.auxdata_order:
        size = their_model.config.param_set(name).n_parameters
        values += [observed[name]] if name in observed else list(nominal[at : at + size])
        at += size
    return np.concatenate([drawn.counts[k][order], values]), known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--toys", type=int, default=2000)
    parser.add_argument("--pyhf", type=int, default=2, help="fits of pyhf in each of its set-ups; 0 for none")
    options = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    model, drawn, each = ours(options.workspace, options.toys)
    if options.pyhf:
        theirs(options.workspace, model, drawn, options.pyhf, each)


if __name__ == "__main__":
    main()
