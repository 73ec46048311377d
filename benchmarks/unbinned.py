"""An unbinned likelihood of a million events: a fit and an interval, beside Minuit on the same compiled −log L and gradient.

Usage: python benchmarks/unbinned.py [EVENTS]

A peak over a flat background with a constrained shift, written as a user would; the second call is the one that is timed.
"""

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import iminuit
import jax
import jax.numpy as jnp
import numpy as np

from verax.infer import fit, interval
from verax.model import AbstractLikelihood, Data
from verax.parameters import Parameter, nuisance

WIDTH, SCALE = 0.08, 0.02
FREE = (Parameter("mu", "", 1.0, (0.0, 10.0)), Parameter("norm", "", 1.0, (0.0, 10.0)))


class Peak(AbstractLikelihood):
    """x in [0, 1]: mu · signal events at .5 + .02 shift, norm · background flat ones."""

    signal: float
    background: float
    parameters: tuple[Parameter, ...] = eqx.field(static=True, default=(*FREE, nuisance("shift", "scale")))

    def log_observed(self, theta: jax.Array, data: Data) -> jax.Array:
        """Σ log intensity − expected events."""
        mu, norm, shift = theta
        peak = mu * self.signal * jax.scipy.stats.norm.pdf(data.place, 0.5 + SCALE * shift, WIDTH)
        return data.counts @ jnp.log(peak + norm * self.background) - mu * self.signal - norm * self.background

    def sample_observed(self, keys: Any, theta: jax.Array, profiled: Any) -> Data:
        """Draw nothing here."""
        raise NotImplementedError

    def asimov_observed(self, theta: jax.Array, profiled: Any) -> Data:
        """Take the intensity at 1,000 places for its events."""
        x = (jnp.arange(1000) + 0.5) / 1000
        peak = theta[0] * self.signal * jax.scipy.stats.norm.pdf(x, 0.5 + SCALE * theta[2], WIDTH)
        return Data((peak + theta[1] * self.background) / 1000, jnp.zeros(0), x)


def second(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the second call, and its result."""
    work()
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def main() -> None:
    """Print one table."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 10**6
    rng, n = np.random.default_rng(1), events // 5
    x = np.concatenate([rng.normal(0.5, WIDTH, n), rng.uniform(0, 1, events - n)])
    model, data = Peak(float(n), float(events - n)), Data(np.ones(events), np.zeros(1), x)
    fit_seconds, best = second(lambda: fit(model, data))
    interval_seconds, ends = second(lambda: interval(model, data, "mu"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

    with jax.enable_x64(True):
        places, total = jnp.asarray(x), jnp.ones(events)
        value = eqx.filter_jit(lambda t: -model.log_observed(t, Data(total, jnp.zeros(1), places)) + t[2] ** 2 / 2)
        slope = eqx.filter_jit(jax.grad(value))
        minuit = iminuit.Minuit(
            lambda t: float(value(jnp.asarray(t))), [1.0, 1.0, 0.0], grad=lambda t: np.asarray(slope(jnp.asarray(t)))
        )
        minuit.errordef = 0.5
        minuit_fit, _ = second(lambda: minuit.reset().migrad().hesse())
        minuit_ends, _ = second(lambda: minuit.minos(0))
    apart = max(abs(best.value - np.asarray(minuit.values)) / best.error)
    lower = abs(float(ends.low) - minuit.values[0] - minuit.merrors[0].lower) / best.error[0]
    print(
        "| events | fit, s | interval, s | peak GB | Minuit's fit, s | MINOS of one, s | apart, fit | apart, lower end |"
    )
    print("| --: | --: | --: | --: | --: | --: | --: | --: |")
    numbers = (
        f"{fit_seconds:.2f}",
        f"{interval_seconds:.2f}",
        f"{peak:.2f}",
        f"{minuit_fit:.2f}",
        f"{minuit_ends:.2f}",
    )
    print(f"| {events} | {' | '.join(numbers)} | {apart:.0e} σ | {lower:.0e} σ |")


if __name__ == "__main__":
    main()
