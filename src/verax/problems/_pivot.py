"""The example of learning to pivot (Louppe, Kagan, Cranmer, arXiv:1611.01046, section 4.1)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.arrays import Array
from verax.events import Events
from verax.parameters import Params, nuisance
from verax.systematics import Systematic

from ._density import AbstractDensityProblem, Points, midpoints, normal, product
from ._effects import ShiftColumn
from ._problem import assemble

ENTROPY = float(np.log(np.sqrt(2 * np.pi * np.e)))
"""H(Z) = 1.41894: the entropy of the nuisance parameter's prior, and the ceiling of an adversary's loss."""

SHIFT = ShiftColumn("x1", 1.0, ("signal",))
SYSTEMATICS = (Systematic(nuisance("z", "signal shape"), SHIFT, changes=("x1",), needs=("x1",)),)

VARIANCE, COVARIANCE = 1.0, -0.5


class Pivot(AbstractDensityProblem):
    """Y = 0: N(0, [[1, −½], [−½, 1]]). Y = 1 at z: N((1, 1 + z), I), z ~ N(0, 1): 500 events of each (equal priors).

    Only x1 of Y = 1 depends on z, so that what depends on z at fixed class is visible in x1 alone, and x0 by itself is
    exactly pivotal. The paper measures nothing; the yields make a measurement of it.
    """

    features: tuple[str, ...] = eqx.field(static=True, default=("x0", "x1"))
    processes: tuple[str, ...] = eqx.field(static=True, default=("signal", "background"))
    signal: tuple[str, ...] = eqx.field(static=True, default=("signal",))
    yields: tuple[float, ...] = eqx.field(static=True, default=(500.0, 500.0))
    systematics: tuple[Systematic, ...] = eqx.field(static=True, default=SYSTEMATICS)

    def nominal(self, key: PRNGKeyArray, n: int) -> Events:
        number, plane = jax.random.split(key)
        noise = jax.random.normal(plane, (2, n, 2), jnp.float32)
        factor = np.linalg.cholesky([[VARIANCE, COVARIANCE], [COVARIANCE, VARIANCE]]).astype(np.float32)
        # written out, not as a matrix product, whose precision depends on the device
        second = noise[1, :, 0] * factor[1, 0] + noise[1, :, 1] * factor[1, 1]
        x = [noise[0] + 1, jnp.stack([noise[1, :, 0], second], axis=1)]
        return assemble(number, x, columns=self.features, processes=self.processes, yields=self.yields)

    def log_density(self, x: Float[Array, "event feature"], params: Params) -> Float[jax.Array, "process event"]:
        x0, x1 = jnp.asarray(x).T
        signal = normal(x0, 1.0, 1.0) + normal(x1, 1 + jnp.asarray(params.get("z", 0.0), x0.dtype), 1.0)
        return jnp.stack([signal, _background(x0, x1)])

    def marginal_log_density(self, x: Float[Array, "event feature"]) -> Float[jax.Array, "process event"]:
        """Evaluate the log density averaged over the prior of z: what a classifier sees that is trained on events of all z.

        Parameters
        ----------
        x : values of the features
        """
        x0, x1 = jnp.asarray(x).T
        return jnp.stack([normal(x0, 1.0, 1.0) + normal(x1, 1.0, 2.0), _background(x0, x1)])

    def quadrature(self, params: Params, resolution: int = 1) -> Points:
        z = float(params.get("z", 0.0))
        x0 = midpoints(-9.0, 10.0, 100 * resolution)
        return product(x0, midpoints(min(-9.0, z - 9), max(z, 0.0) + 15, 160 * resolution))

    def bayes_loss(self) -> float:
        """Find the cross-entropy (nats) of the Bayes-optimal classifier, z drawn from its prior: none does better."""
        points, weight = self.quadrature({}, 2)
        with jax.enable_x64(True):
            density = np.exp(np.asarray(self.marginal_log_density(jnp.asarray(points))))
        return _cross_entropy(density, weight)

    def pivotal_loss(self) -> float:
        """Find the cross-entropy (nats) of the best classifier of x0, which is exactly pivotal."""
        x0, weight = midpoints(-12.0, 13.0, 500)
        return _cross_entropy(np.exp(-0.5 * np.stack([x0 - 1, x0]) ** 2) / np.sqrt(2 * np.pi), weight)


def _background(x0: jax.Array, x1: jax.Array) -> jax.Array:
    slope = COVARIANCE / VARIANCE
    return normal(x0, 0.0, VARIANCE) + normal(x1, slope * x0, VARIANCE - slope * COVARIANCE)


def _cross_entropy(density: np.ndarray, weight: np.ndarray) -> float:
    """−E[ln p(y | x)] of two equally frequent classes with the given densities [class, point]."""
    total = density.sum(axis=0)
    return float(-0.5 * np.sum(weight * density * np.log(np.maximum(density, 1e-300) / np.maximum(total, 1e-300))))
