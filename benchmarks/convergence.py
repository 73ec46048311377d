"""Do the methods' defaults converge, and does their status say where they do not?

Usage: python benchmarks/convergence.py [--problem line sine] [--method NAME ...] [--events 200 2000 20000] [--seeds 1 2 3]

line: y = w·(1, x₀, x₁) + ½ε (tests/epistemic/linear.py), whose exact answers are known: least squares (of each replica), the
posterior, and mean field's own optimum. "off" is the distance to the exact weights in units of the exact posterior, a weight:
√((w − ŵ)ᵀΛ(w − ŵ)/3), root mean square over members; "sd" the spread over members at four points, divided by the exact one.

sine: y = sin 2x + ½ε, one hidden layer of 16 units. "off" is the rms difference of the mean to sin 2x on |x| < 1.2, in units of
0.5·√(10/n), what the fit of ten free numbers would have; "sd" the rms of the predicted spread divided by that difference.

Medians over seeds, lowest and highest in brackets; every method with its defaults.
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "epistemic"))
from linear import GRID, NOISE, PHI, TAU, Known, design, exact, moments, regression, start

from verax import epistemic
from verax.errors import InputError
from verax.events import make_events
from verax.learn import classifier, predict, stack, train
from verax.results import Status

POINTS = np.linspace(-1.2, 1.2, 25, dtype=np.float32)[:, None]


def sine(n, seed):
    rng = np.random.default_rng([16, seed])
    x = rng.uniform(-1.5, 1.5, n)
    return make_events({"x": x, "y": np.sin(2 * x) + NOISE * rng.normal(size=n)})



def deterministic(key, make, loss, events):
    first, second = jax.random.split(key)
    trained = train(second, make(first, events), loss, events)
    return epistemic.Ensemble(stack([trained.network]), histories=trained.histories)


METHODS = {
    "train": deterministic,
    "ensemble": partial(epistemic.ensemble, bootstrap=False),
    "bootstrap": epistemic.ensemble,
    "dropout": epistemic.dropout,
    "concrete dropout": epistemic.concrete_dropout,
    "variational": epistemic.variational,
    "laplace": epistemic.laplace,
    "hmc": epistemic.hmc,
}
NEED_UNITS = ("dropout", "concrete dropout")
NO_SPREAD = ("train", "ensemble")


def line_weights(events, factors=None):
    """Least squares, of each replica."""
    phi, y = design(events), np.asarray(events.column("y"), np.float64)
    if factors is None:
        return np.linalg.lstsq(phi, y, rcond=None)[0][None]
    return np.stack([np.linalg.solve((phi * f[:, None]).T @ phi, phi.T @ (f * y)) for f in factors.astype(float)])


def judge_line(name, found, key, events):
    mean, precision = exact(events)
    covariance = np.linalg.inv(precision)
    metric = precision - TAU * np.eye(3)
    if name in ("train", "ensemble", "bootstrap"):
        weight = np.asarray(found.members(key).weight, np.float64)
        factors = None
        if name == "bootstrap":
            replica_key, _ = jax.random.split(key)
            factors = epistemic.bootstrap_factors(replica_key, events.number, events.process, members=len(weight))
        target = line_weights(events, factors)
        known = (PHI @ target.T).var(axis=1)
    else:
        n = len(found.members(key).weight) if name == "hmc" else 4000
        weight = np.asarray(getattr(found.members(key, n), "network", found.members(key, n)).weight, np.float64)
        if name == "laplace":
            change = np.asarray(found.members(key, n).change, np.float64)
            weight, precision = weight + change, metric + found.precision * np.eye(3)
            mean, covariance = np.linalg.solve(precision, metric @ line_weights(events)[0]), np.linalg.inv(precision)
        if name == "variational":
            covariance, metric = np.diag(1 / np.diag(precision)), np.diag(np.diag(precision))
        target, weight_all, weight = mean[None], weight, weight.mean(axis=0)[None]
        known = np.einsum("gi,ij,gj->g", PHI, covariance, PHI)
        spread = (PHI @ weight_all.T).var(axis=1)
    if name in ("train", "ensemble", "bootstrap"):
        spread = (PHI @ weight.T).var(axis=1)
    difference = weight - target
    off = np.sqrt(np.einsum("mi,ij,mj->m", difference, metric, difference).mean() / 3)
    return off, np.sqrt(spread.mean() / known.mean()) if name not in NO_SPREAD else np.nan


def judge_sine(name, found, key, events):
    p = predict(found.members(jax.random.fold_in(key, 7)), POINTS, moments=moments)
    off = np.sqrt(np.mean((p.mean - np.sin(2 * POINTS[:, 0])) ** 2))
    sd = np.sqrt(p.epistemic.mean()) / off if name not in NO_SPREAD else np.nan
    return off / (NOISE * np.sqrt(10 / len(events))), sd


PROBLEMS = {
    "line": (lambda n, seed: regression(n, seed=seed), start, judge_line),
    "sine": (sine, partial(classifier, features=("x",), width=16, depth=1), judge_sine),
}


def measure(problem, name, n, seed):
    sample, make, judge = PROBLEMS[problem]
    events, key = sample(n, seed), jax.random.key(seed)
    method = METHODS[name]
    if problem == "line" and name == "laplace":
        method = partial(method, which="all")
    begun = time.process_time()
    try:
        found = method(key, make, Known(), events)
    except InputError as error:
        return np.nan, np.nan, "refused", str(error), time.process_time() - begun
    seconds = time.process_time() - begun
    return *judge(name, found, key, events), Status(found.status).name, found.problem, seconds


def cell(values):
    values = np.asarray(values, float)
    if np.isnan(values).all():
        return "–"
    return f"{np.median(values):.2f} ({values.min():.2f}…{values.max():.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", nargs="*", default=list(PROBLEMS), choices=PROBLEMS)
    parser.add_argument("--method", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--events", nargs="*", type=int, default=[200, 2000, 20000])
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    a = parser.parse_args()
    print("| problem | method | events | off | sd | status | CPU s |\n| :-- | :-- | --: | --: | --: | :-- | --: |")
    problems = set()
    for problem in a.problem:
        for name in a.method:
            if problem == "line" and name in NEED_UNITS:
                continue
            for n in a.events:
                off, sd, status, lines, seconds = zip(*(measure(problem, name, n, s) for s in a.seeds), strict=True)
                ends = ", ".join(f"{status.count(s)} {s}" for s in dict.fromkeys(status))
                row = [problem, name, str(n), cell(off), cell(sd), ends, f"{np.median(seconds):.1f}"]
                print(f"| {' | '.join(row)} |", flush=True)
                problems |= {f"{problem}, {name}, {n}: {line}" for line in lines if line}
    print("\n".join(sorted(problems)))


if __name__ == "__main__":
    main()
