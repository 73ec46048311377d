"""Is the epistemic spread of flows right? Pulls of the predicted density over independent training sets, region by region.

Usage: python benchmarks/flow_pulls.py [--sets N] [--events N] [--members M] [--seed S] [METHOD …]
where a method is bootstrap, ensemble, variational (these by default) or laplace (a Hessian over all weights: gigabytes)

The exact density of three jets is known, and so is the probability of any region of (x1, x2). Each of N training sets gives
members, which give the probability of each region; the pull of a region is (mean over members − truth) / (spread over
members). A right spread makes the pulls of all sets 0 ± 1. All trainings of a method are one compiled program: a training
set is a list of rows of one table.

Regions: thirds of the exact marginal distributions of x1 and x2, crossed, and of those the ones that hold 3 % or more.
"""

import argparse
import time
from dataclasses import replace
from functools import partial

import jax
import numpy as np

from verax.aleatoric import FlowNLL, flow
from verax.epistemic import Posterior, bootstrap_factors, laplace, variational
from verax.events import Events, make_events
from verax.learn import Run, Training, cosine, train_runs
from verax.problems import ThreeJets

CUT, BATCH = 0.05, 250
PROBLEM = ThreeJets(CUT)
ENDS = (2 * CUT - 1e-6, 1 - CUT + 1e-6)
make = partial(
    flow, columns=("x1", "x2"), bounds={"x1": ENDS, "x2": ENDS}, kind="spline", layers=1, bins=6, width=8, depth=1
)


def jets(key: jax.Array, n: int) -> Events:
    x = np.asarray(PROBLEM.nominal(key, n).x)
    return make_events({"x1": x[:, 0], "x2": x[:, 1]})


def regions(per_third: int = 48) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of a fine grid, the region of each (−1: none) and the exact probability of each region."""
    points, weight = PROBLEM.quadrature({}, 4)
    mass = weight * np.exp(np.asarray(PROBLEM.log_density(points, {}), np.float64)[0])
    order = np.argsort(points[:, 0])
    inner = np.interp([1 / 3, 2 / 3], np.cumsum(mass[order]), points[order, 0])
    edges = np.concatenate([[ENDS[0]], inner, [ENDS[1]]])
    index = [np.clip(np.searchsorted(edges, p) - 1, 0, 2) for p in points.T]
    truth = np.bincount(3 * index[0] + index[1], mass, minlength=9)
    cells = [np.linspace(a, b, per_third + 1) for a, b in zip(edges, edges[1:], strict=False)]
    middle = [(c[1:] + c[:-1]) / 2 for c in cells]
    area = [c[1] - c[0] for c in cells]
    grid, region, size = [], [], []
    for i in range(3):
        for j in range(3):
            if truth[3 * i + j] < 0.03:
                continue
            grid.append(np.stack(np.meshgrid(middle[i], middle[j], indexing="ij"), -1).reshape(-1, 2))
            region.append(np.full(per_third**2, 3 * i + j))
            size.append(np.full(per_third**2, area[i] * area[j]))
    kept = np.flatnonzero(truth >= 0.03)
    place = np.searchsorted(kept, np.concatenate(region))
    matrix = np.eye(len(kept))[place] * np.concatenate(size)[:, None]
    return np.concatenate(grid).astype(np.float32), matrix, truth[kept]


def probabilities(members: object, grid: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Probability of each region by each member, ``[member, region]``."""
    arrays = [a for a in jax.tree.leaves(members) if isinstance(a, jax.Array | np.ndarray)]
    each = [
        jax.tree.map(lambda a, m=m: a[m] if isinstance(a, jax.Array | np.ndarray) else a, members)
        for m in range(len(arrays[0]))
    ]
    found = [np.asarray(one.log_prob(grid), np.float64) for one in each]
    return np.exp(np.stack(found)) @ matrix


def by_runs(sets: Events, n: int, a: argparse.Namespace, *, bootstrap: bool) -> list[object]:
    """Networks of all sets and members, trained as runs on rows of one table."""
    count = len(sets) // n
    runs = []
    for s in range(count):
        rows = np.arange(s * n, (s + 1) * n)
        part = sets.take(rows)
        factors = np.asarray(
            bootstrap_factors(jax.random.key(a.seed + s), part.number, part.process, members=a.members)
        )
        for m in range(a.members):
            weight = np.zeros(len(sets), np.float32)
            weight[rows] = factors[m] if bootstrap else 1.0
            key = jax.random.fold_in(jax.random.key(a.seed + 1000 + s), m)
            runs.append(Run(key, make(key, part), weight, rows, rows[:0]))
    stacked, _ = train_runs(
        runs,
        FlowNLL(),
        sets,
        Training(a.epochs, BATCH, optimizer=cosine(4e-3)),
    )
    each = [slice(s * a.members, (s + 1) * a.members) for s in range(count)]
    return [jax.tree.map(lambda v, r=r: v[r] if isinstance(v, jax.Array) else v, stacked) for r in each]


def by_posterior(sets: Events, n: int, a: argparse.Namespace, *, method: str) -> list[object]:
    out = []
    training = Training(a.epochs, BATCH, optimizer=cosine(4e-3))
    for s in range(len(sets) // n):
        part, key = sets.take(np.arange(s * n, (s + 1) * n)), jax.random.key(a.seed + 2000 + s)
        if method == "variational":
            long = replace(training, epochs=4 * a.epochs)
            found: Posterior = variational(key, make, FlowNLL(), part, training=long, samples=2)
        else:
            hessian = {"which": "all", "curvature": "hessian", "precision": 1.0}
            found = laplace(key, make, FlowNLL(), part, training=training, **hessian)
        if found.problem:
            print(f"set {s}: {found.problem}")
        out.append(found.members(key, a.draws))
    return out


METHODS = {
    "ensemble": partial(by_runs, bootstrap=False),
    "bootstrap": partial(by_runs, bootstrap=True),
    "variational": partial(by_posterior, method="variational"),
    "laplace": partial(by_posterior, method="laplace"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*")
    values = {"sets": 24, "events": 2000, "members": 10, "draws": 50, "epochs": 60, "seed": 8001}
    for name, value in values.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    a = parser.parse_args()
    sets = jets(jax.random.key(a.seed), a.sets * a.events)
    grid, matrix, truth = regions()
    print(f"truth of the {len(truth)} regions: {np.round(truth, 4)}, sum {truth.sum():.3f}", flush=True)
    counted = np.sqrt(truth * (1 - truth) / a.events)
    for name in a.methods or [name for name in METHODS if name != "laplace"]:
        start = time.process_time()
        found = [probabilities(m, grid, matrix) for m in METHODS[name](sets, a.events, a)]
        mean = np.stack([f.mean(0) for f in found])
        spread = np.stack([f.std(0, ddof=1) for f in found])
        pull = (mean - truth) / spread
        seconds = time.process_time() - start
        for what, value in {
            "mean of pulls": pull.mean(0),
            "width of pulls": pull.std(0, ddof=1),
            "root mean square": np.sqrt((pull**2).mean(0)),
            "error / counting error": (mean - truth).std(0, ddof=1) / counted,
            "spread / counting error": spread.mean(0) / counted,
        }.items():
            print(f"| {name} | {what} | {' | '.join(f'{v:.2f}' for v in value)} |", flush=True)
        print(f"{name}: {seconds:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
