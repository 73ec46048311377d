"""Fits of random models with two valleys, against dense scans and many starts of another minimiser.

Usage: python benchmarks/valleys.py [--models 1000] [--first 0] [--toys 16]

Models have 1 to 3 channels and 1 to 4 systematics, most of which move bins the same way on both sides (equally or not,
histosys and normsys), with and without a control region (tests/valley_models.py). Of each, z, both ends of the interval and
the upper limit (CLs) are compared with a referee's; of every tenth model also fits of toys, which go another way. A point is
the lower of what the referee finds and of what its likelihood says at our parameters. Says where we are off by more than
1e-3 σ, and how often the referee itself was in a higher minimum.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from verax.infer import fit, interval, limit, sample_toys, significance
from verax.model import Data
from verax.results import Status
from verax.workspace import from_pyhf

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from valley_models import BOUNDS, Referee, random_workspace

SHAPES = [(c, k) for c in (1, 2, 3) for k in (1, 2, 3, 4)]
WANTED = 1e-3
"""Largest difference allowed, in σ."""


class Trial:
    """One model: the answers of both."""

    def __init__(self, number: int) -> None:
        channels, systematics = SHAPES[number % len(SHAPES)]
        spec = random_workspace(np.random.default_rng([20, number]), channels, systematics)
        self.model, self.data, _ = from_pyhf(spec)
        self.order = [self.model.names.index(f"a{k}") for k in range(systematics)]
        self.referee, self.worse = Referee(spec, seed=number), 0

    def least(self, mu: float | None, data: Data, referee: Referee) -> tuple[float, np.ndarray, float]:
        """The least −log L at μ, or over all, and where (μ and the α); and how far ours lies above."""
        ours = fit(self.model, data, fixed={} if mu is None else {"mu": mu}, covariance=False)
        point = np.asarray(ours.value)[[self.model.names.index("mu"), *self.order]]
        value = float(referee.nll(point[0], point[1:]))
        found, where = referee.least(mu)
        self.worse += value < found - 1e-5
        if found < value:
            point = where if mu is None else np.array([mu, *where])
        return min(value, found), point, value - min(value, found)

    def faults(self) -> dict[str, float]:
        """Differences in σ, by name: of z, the ends, the limit (of √q), and of fits in −log L."""
        model, data, referee = self.model, self.data, self.referee
        best, (estimate, *_), excess = self.least(None, data, referee)
        zero, _, excess0 = self.least(0.0, data, referee)
        found, ends = significance(model, data, "mu"), interval(model, data, "mu")
        answer = {"best fit": excess, "background only": excess0}
        answer["z"] = float(found.z) - np.sign(estimate) * np.sqrt(max(2 * (zero - best), 0.0))
        for name, end in (("low", float(ends.low)), ("high", float(ends.high))):
            if not np.isclose(abs(end), BOUNDS[1]):
                answer[name] = np.sqrt(max(2 * (self.least(end, data, referee)[0] - best), 0.0)) - 1.0
        upper = limit(model, data, "mu")
        if float(upper.observed) < 0.999 * BOUNDS[1]:
            physical, estimate = (best, estimate) if estimate >= 0 else self.physical()
            cls = self.cls(float(upper.observed), physical, estimate)
            step = self.cls(float(upper.observed) * 1.01, physical, estimate)
            slope = (np.log(step) - np.log(cls)) / (0.01 * float(upper.observed))
            answer["limit"] = (np.log(cls) - np.log(0.05)) / slope / max(float(ends.width) / 2, 1e-9)
        at_bound = np.isclose(np.abs([ends.low, ends.high]), BOUNDS[1]).any()
        if ends.status > Status.AT_BOUND and not (at_bound and ends.status == Status.END_NOT_FOUND):
            answer[f"status {int(ends.status)}"] = 1.0
        return answer

    def physical(self) -> tuple[float, float]:
        """The least −log L over μ ≥ 0, and μ there, from the referee's starts and from fits on a grid of ours."""
        found, where = self.referee.least(lowest=0.0)
        grid = [(self.least(mu, self.data, self.referee)[0], mu) for mu in (0.0, float(where[0]))]
        return min([(found, float(where[0])), *grid])

    def cls(self, mu: float, physical: float, estimate: float) -> float:
        """Asymptotic CLs of q̃ by the referee's likelihood, with expected data at its conditional fit to μ = 0."""
        from scipy.stats import norm

        expected = self.referee.asimov(self.least(0.0, self.data, self.referee)[1][1:])
        q = max(2 * (self.least(mu, self.data, self.referee)[0] - physical), 0.0) if estimate < mu else 0.0
        alone = np.zeros(len(self.model.names) - 1)
        alone[np.argsort(np.argsort(self.order))] = expected.auxiliary
        asimov = Data(expected.counts, np.concatenate([alone, np.asarray(self.data.auxiliary)[len(alone) :]]))
        qa = 2 * (self.least(mu, asimov, expected)[0] - self.least(0.0, asimov, expected)[0])
        root, expected_root = np.sqrt(q), np.sqrt(max(qa, 1e-12))
        if q <= qa:
            return float(norm.sf(root) / norm.cdf(expected_root - root))
        return float(norm.sf((q + qa) / (2 * expected_root)) / norm.sf((q - qa) / (2 * expected_root)))

    def toys(self, n: int, seed: int) -> dict[str, float]:
        """By how much fits of toys, best and at μ = 0, lie above the referee's: the largest of each."""
        truth = fit(self.model, self.data).params
        drawn = sample_toys(jax.random.key(seed), self.model, truth, 64)
        fits = {
            mu: fit(self.model, drawn, fixed=fixed, covariance=False) for mu, fixed in ((None, {}), (0.0, {"mu": 0.0}))
        }
        worst: dict[str, float] = {}
        for k in range(n):
            referee = object.__new__(Referee)
            referee.__dict__.update(self.referee.__dict__)
            referee.counts = np.asarray(drawn.counts[k])
            referee.auxiliary = np.asarray(drawn.auxiliary[k])[np.argsort(np.argsort(self.order))]
            for mu, ours in fits.items():
                i = self.model.names.index("mu")
                value = float(referee.nll(ours.value[k, i], ours.value[k, self.order]))
                name = f"toys, {'best fit' if mu is None else 'background only'}"
                worst[name] = max(worst.get(name, 0.0), value - min(value, referee.least(mu)[0]))
        return worst


def main() -> None:
    """Compare model after model, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--toys", type=int, default=16)
    asked = parser.parse_args()
    largest: dict[str, float] = {}
    wrong = worse = 0
    for number in range(asked.first, asked.first + asked.models):
        trial = Trial(number)
        found: dict[str, Any] = trial.faults()
        if asked.toys and number % 10 == 0:
            found |= trial.toys(asked.toys, number)
        off = {name: round(float(x), 5) for name, x in found.items() if not abs(x) < WANTED}
        largest = {k: max(abs(float(found.get(k, 0.0))), largest.get(k, 0.0)) for k in [*largest, *found]}
        wrong, worse = wrong + bool(off), worse + trial.worse
        if off:
            print(f"model {number}: {off}", flush=True)
        if (number + 1) % 50 == 0:
            print(f"{number + 1 - asked.first} models, {wrong} off; the referee was higher {worse} times", flush=True)
    print("largest differences:", {k: float(f"{v:.2g}") for k, v in largest.items()})


if __name__ == "__main__":
    main()
