"""False alarms of every detector of shift, where there is no shift: the share of p-values below 0.05.

Usage: python benchmarks/false_alarms.py [REPETITIONS] [SEED] [NAME …]

Each repetition draws both samples anew from one distribution. "tilted": N(0, 1) events weighted into N(½, 1) against
unweighted ones; "signed": a tenth to a fifth of the weights negative, independent of x; "cancelling": a contamination that
its own negative weights take out again. The standard error of a rate is √(0.05·0.95/REPETITIONS).
"""

import sys
import time
from collections.abc import Callable

import jax
import numpy as np

from verax.calibrate import uniformity
from verax.shift import bbse, c2st, concept, mmd

LEVEL = 0.05
CENTRES = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.2]])


def key_from(rng: np.random.Generator) -> jax.Array:
    return jax.random.key(int(rng.integers(2**31)))


def signs(rng: np.random.Generator, n: int, share: float) -> np.ndarray:
    return np.where(rng.random(n) < share, -1.0, 1.0)


def two_samples(rng: np.random.Generator, kind: str, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    x, new = rng.normal(size=(n, 2)), rng.normal(size=(n, 2))
    if kind == "unweighted":
        return x, new, None
    if kind == "signed":
        return x, new, signs(rng, n, 0.15)
    if kind == "tilted":
        return x, new + [0.5, 0], np.exp(0.5 * x[:, 0] - 0.125)
    part = rng.choice(3, n, p=[0.7, 0.15, 0.15])
    x = np.where((part > 0)[:, None], [2.0, 0.0] + 0.5 * x, x)
    return x, new, np.where(part == 2, -1.0, 1.0)


def classifier_test(kind: str, n: int) -> Callable[[np.random.Generator], dict[str, float]]:
    def one(rng: np.random.Generator) -> dict[str, float]:
        x, new, w = two_samples(rng, kind, n)
        found = c2st(key_from(rng), x, new, reference_weight=w, permutations=99)
        return {"permutation": found.p_value, "asymptotic": found.p_asymptotic}

    return one


def kernel_test(kind: str, n: int) -> Callable[[np.random.Generator], dict[str, float]]:
    def one(rng: np.random.Generator) -> dict[str, float]:
        x, new, w = two_samples(rng, kind, n)
        found = mmd(key_from(rng), x, new, reference_weight=w, permutations=99)
        return {found.null: found.p_value}

    return one


def fractions_test(kind: str, weighted: bool, n: int) -> Callable[[np.random.Generator], dict[str, float]]:
    def predictions(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = rng.choice(3, n, p=[0.4, 0.3, 0.3])
        p = np.exp(-0.5 * (((CENTRES[y] + rng.normal(size=(n, 2)))[:, None] - CENTRES) ** 2).sum(2))
        p /= p.sum(1, keepdims=True)
        if kind == "probabilities":
            return y, p
        return y, p.argmax(1) * (2 if kind == "cells" else 1) + (kind == "cells") * (p.max(1) > 0.6)

    def one(rng: np.random.Generator) -> dict[str, float]:
        (y, old), (_, new) = predictions(rng), predictions(rng)
        w, v = (rng.uniform(0.5, 1.5, n) * signs(rng, n, 0.1) if weighted else None for _ in range(2))
        found = bbse(old, y, new, reference_weight=w, target_weight=v)
        out = {"equal fractions": found.p_no_shift}
        return out if kind != "cells" else out | {"label shift explains": found.p_value}

    return one


def concept_test(weighted: bool, n: int) -> Callable[[np.random.Generator], dict[str, float]]:
    def one(rng: np.random.Generator) -> dict[str, float]:
        x = [rng.normal(size=(n, 2)) + [move, 0] for move in (0.0, 0.5)]  # covariate shift: p(y|x) is the same
        y = tuple((rng.random(n) < 1 / (1 + np.exp(a[:, 1] - 1.5 * a[:, 0]))).astype(int) for a in x)
        terms = tuple(np.concatenate([np.ones((n, 1)), a], 1) for a in x)
        w = tuple(signs(rng, n, 0.1) if weighted else np.ones(n) for _ in x)
        return {"score test": concept((terms[0], terms[1]), (y[0], y[1]), (w[0], w[1]), 2).p_value}

    return one


def transform_test(weighted: bool, n: int) -> Callable[[np.random.Generator], dict[str, float]]:
    def one(rng: np.random.Generator) -> dict[str, float]:
        w = signs(rng, n, 0.1) if weighted else None
        return {"Kolmogorov–Smirnov": uniformity(rng.random(n), weight=w, negative="signed")[1]}

    return one


DETECTORS = {
    **{f"classifier test, {k}, 2 × 300": classifier_test(k, 300) for k in ("unweighted", "signed", "tilted")},
    "classifier test, cancelling, 2 × 300": classifier_test("cancelling", 300),
    **{f"MMD, {k}, 2 × 80": kernel_test(k, 80) for k in ("unweighted", "signed", "tilted", "cancelling")},
    **{
        f"class fractions, {k}, {'signed' if w else 'unweighted'}, 2 × 600": fractions_test(k, w, 600)
        for k in ("classes", "probabilities", "cells")
        for w in (False, True)
    },
    **{f"same p(y|x), {'signed' if w else 'unweighted'}, 2 × 400": concept_test(w, 400) for w in (False, True)},
    **{f"uniform PIT, {'signed' if w else 'unweighted'}, 300": transform_test(w, 300) for w in (False, True)},
}


def main() -> None:
    repetitions, seed = (int(a) for a in [*sys.argv[1:3], *("10000", "7001")[len(sys.argv[1:3]) :]])
    print("| detector | p-value | false alarms at 0.05 | CPU s |\n| :-- | :-- | --: | --: |")
    for number, (name, detector) in enumerate(DETECTORS.items()):
        if sys.argv[3:] and not any(part in name for part in sys.argv[3:]):
            continue
        rng, start = np.random.default_rng([seed, number]), time.process_time()
        found = [detector(rng) for _ in range(repetitions)]
        seconds = time.process_time() - start
        for kind in found[0]:
            p = np.array([f[kind] for f in found])
            rate = float((p < LEVEL).mean())
            error = np.sqrt(LEVEL * (1 - LEVEL) / repetitions)
            print(f"| {name} | {kind} | {rate:.4f} ± {error:.4f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
