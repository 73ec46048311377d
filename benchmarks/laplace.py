"""Laplace's approximation on eight problems of its own: which curvature, and where the last layer's Gaussian is.

Usage: python benchmarks/laplace.py [--only diabetes]

Each problem has eight random splits, a tenth of the rows to judge on, and the mean-variance network of ``compare methods``.
Says coverage at 95 %, mean width in units of the target's spread, and the likelihood; the choice for the UCI sets was made
on these numbers.
"""

import argparse
from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from sklearn.datasets import load_diabetes, make_friedman1, make_friedman2, make_friedman3

from verax.aleatoric import GaussianNLL, mean_variance
from verax.compare import TARGET, Data, RegressionEffort, Task, published_splits, score, total_variance
from verax.epistemic import laplace
from verax.learn import member, stack, start_from

SPLITS = 8
SEED = 11

Table = tuple[np.ndarray, np.ndarray]


def uneven(n: int) -> Table:
    """Noise whose width depends on a feature."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(n, 8))
    mean = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * x[:, 3]
    return x, mean + rng.normal(size=n) * 0.4 * np.exp(0.6 * x[:, 4])


def steps(n: int) -> Table:
    """Kinks and steps."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(n, 8))
    mean = 2 * (x[:, 0] > 0) * x[:, 1] + np.abs(x[:, 2]) + np.round(x[:, 5])
    return x, mean + rng.normal(size=n) * 0.2


PROBLEMS: dict[str, Callable[[], Table]] = {
    "diabetes": partial(load_diabetes, return_X_y=True),
    "friedman1, 500": partial(make_friedman1, 500, 10, noise=1.5, random_state=5),
    "friedman1, 1000": partial(make_friedman1, 1000, 10, noise=1.5, random_state=5),
    "friedman2, 500": partial(make_friedman2, 500, noise=120, random_state=5),
    "friedman3, 700": partial(make_friedman3, 700, noise=0.15, random_state=5),
    "uneven, 500": partial(uneven, 500),
    "uneven, 1000": partial(uneven, 1000),
    "steps, 1000": partial(steps, 1000),
}


def data(name: str) -> Data:
    x, y = PROBLEMS[name]()
    orders = [np.random.default_rng(100 + s).permutation(len(y)) for s in range(SPLITS)]
    cut = len(y) // 10
    train, test = (np.stack([np.sort(o[part]) for o in orders]) for part in (slice(cut, None), slice(cut)))
    return Data(name, x, y, train, test)


def judge(name: str) -> None:
    table, effort, loss = data(name), RegressionEffort(), GaussianNLL(TARGET)
    points = published_splits(table)
    task = Task(table, points, effort)
    cut, start, draw = jax.random.split(jax.random.key(SEED), 3)
    learn, stop = task.cut(cut, 0.8)
    networks, _ = task.train(start, task.network(mean_variance), loss, learn, stop)

    def say(row: str, drawn: object) -> None:
        found = score(total_variance(drawn, points.x), points.y)
        covers, error = found["coverage 95"].mean(), found["coverage 95"].std() / np.sqrt(SPLITS)
        width, nll = found["mean width 95"].mean() / table.spread, found["nll"].mean() - np.log(table.spread)
        print(f"{name:16s} {row:44s} {covers:.3f} ± {error:.3f}  width {width:.2f}  NLL {nll:.3f}", flush=True)

    say("single network", networks)
    for which, curvature, most, rows in (
        ("last", "gauss-newton", 20, points.train),
        ("last", "gauss-newton", 0, learn),
        ("last", "fisher", 0, learn),
        ("all", "gauss-newton", 20, points.train),
        ("all", "fisher", 20, points.train),
    ):
        drawn = []
        for s in range(SPLITS):
            network = member(member(networks, s), 0)
            given, part = start_from(network), task.table.take(rows[s])
            found = laplace(draw, given, loss, part, training=None, which=which, curvature=curvature, steps=most)
            drawn.append(found.members(jax.random.fold_in(draw, s), effort.draws))
        say(f"{which}, {curvature}, {f'{most} Newton steps' if most else 'where training stopped'}", stack(drawn))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=PROBLEMS, help="may be repeated")
    for name in parser.parse_args().only or PROBLEMS:
        judge(name)


if __name__ == "__main__":
    main()
