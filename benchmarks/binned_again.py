"""Data binned again at each θ, "as published" for uncertainty-aware networks (arXiv:2105.08742), judged by its coverage.

There the observed events are histogrammed in f(x; z) anew for each z of a profile likelihood. Likelihoods of different
summaries are then compared, which no theorem allows; whether it works is a question for coverage. Here with the exact
classifiers of the rotating Gaussians, so that no training is in the way; beside it f(x; z) fixed at one z.

Usage: python benchmarks/binned_again.py [TOYS]
"""

import sys
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array as JaxArray
from jaxtyping import PRNGKeyArray

from verax.check import coverage
from verax.parameters import Params
from verax.problems import Rotating, midpoints, product
from verax.report import Table, number, to_markdown, with_error
from verax.results import Coverage, FloatArray, Interval, Status

NEAR = np.linspace(-0.6, 0.6, 241)
"""Distances from the true θ that are profiled over: tens of thousands of events know z to some 0.003 rad."""

MUS = np.linspace(0.4, 1.6, 241)
LEVEL = 0.6827
CUT = 1.0
"""t at the ends of the 68.27 % interval."""


def as_published(
    key: PRNGKeyArray, theta: float, *, bins: int = 10, toys: int = 500, cells: int = 160
) -> dict[str, Coverage]:
    """Coverage of the 68.27 % interval on μ at the true ``theta`` (μ = 1), by the name of the method.

    Events are counts in small cells of the plane; μ and θ are profiled on a grid, and the constraint's global
    observable fluctuates about the truth.
    """
    problem = Rotating()
    x, area = product(midpoints(-4.2, 4.2, cells), midpoints(-4.2, 4.2, cells))
    true = _contents(problem, x, area, {"z": theta})
    thetas = theta + NEAR
    which = np.stack([_bin(problem, x, t, bins) for t in thetas.tolist()])
    nominal = _bin(problem, x, 0.0, bins)
    at_each = [_contents(problem, x, area, {"z": float(t)}) for t in thetas]
    moving = np.stack([_fill(w, c, bins) for w, c in zip(which, at_each, strict=True)])  # θ process bin
    fixed = np.stack([_fill(nominal, c, bins) for c in at_each])
    count_key, prior_key = jax.random.split(key)
    counts = np.asarray(jax.random.poisson(count_key, true.sum(axis=0), (toys, len(x))), np.float64)
    observed = theta + np.asarray(jax.random.normal(prior_key, (toys,)), np.float64)
    again = np.stack([_fill(w, counts, bins) for w in which], axis=1)
    once = _fill(nominal, counts, bins)[:, None]
    return {
        "binned again at each z, as published": coverage(_intervals(thetas, moving, again, observed), 1.0),
        "f(x; z) fixed at the nominal z": coverage(_intervals(thetas, fixed, once, observed), 1.0),
    }


def table(key: PRNGKeyArray, truths: dict[str, Params], *, bins: Sequence[int] = (10, 100), toys: int = 500) -> Table:
    """The coverage and width of both methods at each truth."""
    rows = []
    for n in bins:
        for i, (label, params) in enumerate(truths.items()):
            found = as_published(jax.random.fold_in(key, i), float(params.get("z", 0.0)), bins=n, toys=toys)
            for name, c in found.items():
                rows.append((name, str(n), label, with_error(c.fraction, c.error), number(c.width, 4), str(c.failed)))
    columns = ("Method, exact classifiers", "bins", "truth", f"coverage of {LEVEL:.2%}", "median width, μ", "failed")
    return Table("Rotating: data binned again at each angle", columns, tuple(rows))


def _contents(problem: Rotating, x: np.ndarray, area: np.ndarray, params: Params) -> FloatArray:
    """Expected events [process, cell]."""
    with jax.enable_x64(True):
        density = np.exp(
            np.asarray(_log_density(problem, jnp.asarray(x), {k: jnp.asarray(v) for k, v in params.items()}))
        )
        return np.asarray(problem.yields)[:, None] * density * area


@jax.jit
def _log_density(problem: Any, x: JaxArray, params: Any) -> JaxArray:
    return jnp.asarray(problem.log_density(x, params))


def _bin(problem: Rotating, x: np.ndarray, theta: float, bins: int) -> np.ndarray:
    """The bin of the exact classifier of the angle at ``theta``, of each cell."""
    with jax.enable_x64(True):
        both = np.asarray(_log_density(problem, jnp.asarray(x), {"z": jnp.asarray(theta)}))
    share = 1 / (1 + np.exp(both[1] - both[0]))
    return np.minimum((share * bins).astype(np.int64), bins - 1)


def _fill(which: np.ndarray, contents: FloatArray, bins: int) -> FloatArray:
    return np.stack([np.bincount(which, row, bins) for row in contents])


def _intervals(thetas: FloatArray, rates: FloatArray, counts: FloatArray, observed: FloatArray) -> Interval:
    """Intervals of μ from t on the grid, profiled over θ; rates [θ, process, bin], counts [toy, θ or 1, bin]."""
    expected = MUS[:, None, None] * rates[:, 0] + rates[:, 1]  # μ θ bin
    expected = np.maximum(expected, 1e-9)
    logs, total = np.log(expected), expected.sum(axis=2)
    low, high, best = (np.empty(len(counts)) for _ in range(3))
    status = np.zeros(len(counts), np.int64)
    for i, (n, theta) in enumerate(zip(counts, observed, strict=True)):
        twice = 2 * (total - np.einsum("mtb,tb->mt", logs, np.broadcast_to(n, logs.shape[1:]))) + (thetas - theta) ** 2
        t = twice.min(axis=1)
        at = int(t.argmin())
        t = t - t[at]
        left, right = np.flatnonzero(t[: at + 1] > CUT), np.flatnonzero(t[at:] > CUT)
        if not (left.size and right.size):
            status[i], low[i], high[i], best[i] = Status.END_NOT_FOUND, np.nan, np.nan, MUS[at]
            continue
        a, b = left[-1], at + right[0]
        low[i] = np.interp(CUT, [t[a + 1], t[a]], [MUS[a + 1], MUS[a]])
        high[i] = np.interp(CUT, [t[b - 1], t[b]], [MUS[b - 1], MUS[b]])
        best[i] = MUS[at]
    return Interval("mu", LEVEL, best, low, high, status)


def main() -> None:
    truths: dict[str, Params] = {"z = π/4": {}, "z = π/2": {"z": Rotating.theta_of(np.pi / 2)}}
    print(to_markdown(table(jax.random.key(1), truths, toys=int(sys.argv[1]) if sys.argv[1:] else 500)))


if __name__ == "__main__":
    main()
