"""Learning to pivot (arXiv:1611.01046): classifier and adversary losses over seeds and strengths; rotating Gaussians.

The adversary loss is that of a new adversary, trained to the end against the finished classifier.

python benchmarks/pivot.py [--seeds 1 2 3] [--strengths 0 5 20] [--figure pivot.png]
"""

import argparse
import time
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from verax.approaches import adversarial, augment, dependence, minimax, with_adversary, without_adversary
from verax.events import Events
from verax.learn import CrossEntropy, Training, classifier, inputs, train
from verax.problems import ENTROPY, NOMINAL, WIDTH, AbstractProblem, Pivot, Rotating

LOSS = CrossEntropy(("signal",))


def sample(problem: AbstractProblem, seed: int, n: int, theta: Any = 0.0) -> Events:
    """``n`` events of each class with unit weights, at θ."""
    events = problem.sample(jax.random.key(seed), {"z": theta}, n)
    return eqx.tree_at(lambda e: e.weight, events, jnp.ones_like(events.weight))


def fit(problem: AbstractProblem, seed: int, strength: float, n: int = 50_000, epochs: int = 10) -> Any:
    """A classifier of the problem, trained at θ from the prior, against an adversary unless ``strength`` is 0."""
    events, key = sample(problem, seed, n), jax.random.key(seed)
    make = partial(classifier, features=problem.features, width=32)
    if strength == 0:
        network, loss, optimizer = make(key, events), augment(LOSS, problem.systematics), None
    else:
        network = with_adversary(make, problem.systematics)(key, events)
        loss, optimizer = adversarial(LOSS, problem.systematics, strength=strength), minimax()
    return without_adversary(
        train(key, network, loss, events, training=Training(epochs=epochs, optimizer=optimizer)).network
    )


@eqx.filter_jit
def classifier_loss(problem: AbstractProblem, network: Any, events: Events, key: Any) -> Any:
    """Cross-entropy on events at θ from the prior."""
    return augment(LOSS, problem.systematics)(network, events, key)


def judge(problem: AbstractProblem, network: Any, seed: int) -> tuple[float, float]:
    """Classifier loss, and loss of a new adversary, on events of their own."""
    learn, stop, test = (sample(problem, seed + 10_000 * k, n) for k, n in ((1, 50_000), (2, 25_000), (3, 100_000)))
    key = jax.random.key(seed + 40_000)
    found = dependence(key, network, problem.systematics, learn, stop, test)
    return float(classifier_loss(problem, network, test, key)), found.loss


def area(network: Any, events: Events) -> float:
    """Area under the ROC curve."""
    logit = np.asarray(jax.vmap(network)(jnp.asarray(inputs(network, events))))
    rank = np.empty(len(logit))
    rank[np.argsort(logit, kind="stable")] = np.arange(len(logit))
    signal = np.asarray(events.is_process(("signal",)))
    n, m = signal.sum(), (~signal).sum()
    return float((rank[signal].sum() - n * (n - 1) / 2) / (n * m))


def pivot(seeds: list[int], strengths: list[float], figure: str | None) -> None:
    """Print the trade-off, and draw it."""
    problem = Pivot()
    print(f"Bayes loss {problem.bayes_loss():.4f}, pivotal (x0) {problem.pivotal_loss():.4f}, ceiling {ENTROPY:.4f}\n")
    print("| strength | classifier loss: median (min – max) | adversary loss: median (min – max) | passed | s |")
    print("| --: | --: | --: | --: | --: |")
    points = []
    for strength in strengths:
        start = time.perf_counter()
        rows = [judge(problem, fit(problem, seed, strength), seed) for seed in seeds]
        own, other = np.array(rows).T
        passed = int(((other >= 1.41) & (own >= 0.449) & (own <= 0.60)).sum())
        print(
            f"| {strength:g} | {np.median(own):.4f} ({own.min():.4f} – {own.max():.4f}) "
            f"| {np.median(other):.4f} ({other.min():.4f} – {other.max():.4f}) "
            f"| {passed} of {len(seeds)} | {(time.perf_counter() - start) / len(seeds):.1f} |",
            flush=True,
        )
        points.append((strength, own, other))
    if figure:
        draw(points, problem, figure)


def draw(points: list[tuple[float, np.ndarray, np.ndarray]], problem: Pivot, path: str) -> None:
    """Adversary loss against classifier loss, a point for each strength and seed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5.5, 4))
    for strength, own, other in points:
        axes.plot(own, other, "o", label=f"{strength:g}")
    middle = np.array([(np.median(own), np.median(other)) for _, own, other in points])
    axes.plot(*middle.T, color="0.7", zorder=0)
    axes.axhline(ENTROPY, color="k", lw=0.8, ls=":")
    for value in (problem.bayes_loss(), problem.pivotal_loss()):
        axes.axvline(value, color="k", lw=0.8, ls="--")
    axes.set(xlabel="classifier loss (dashed: Bayes, x0 alone)", ylabel="loss of a new adversary (dotted: ceiling)")
    axes.legend(title="strength", fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def rotating(seeds: list[int], strengths: list[float]) -> None:
    """Print areas under ROC curves at both angles."""
    problem = Rotating()
    angles = (NOMINAL, np.pi / 2)
    print("\n| rotating Gaussians | AUC at z = π/4 | AUC at z = π/2 |\n| :-- | --: | --: |")
    print(
        f"| exact, trained at π/4 | {Rotating.auc(NOMINAL, angles[0]):.4f} | {Rotating.auc(NOMINAL, angles[1]):.4f} |"
    )
    for strength in strengths:
        rows = []
        for seed in seeds:
            network = fit(problem, seed, strength)
            rows.append([area(network, sample(problem, seed + 10_000, 50_000, (z - NOMINAL) / WIDTH)) for z in angles])
        found = [f"{np.median(a):.4f} ({a.min():.4f} – {a.max():.4f})" for a in np.array(rows).T]
        print(f"| strength {strength:g} | {found[0]} | {found[1]} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[201, 202, 203, 204, 205, 206, 207])
    parser.add_argument("--strengths", type=float, nargs="*", default=[0, 1, 2, 5, 10, 20, 50, 100])
    parser.add_argument("--rotating-strengths", type=float, nargs="*", default=[0, 1, 5, 20])
    parser.add_argument("--figure")
    options = parser.parse_args()
    if options.strengths:
        pivot(options.seeds, options.strengths, options.figure)
    if options.rotating_strengths:
        rotating(options.seeds, options.rotating_strengths)
