"""Rotating Gaussians: the example of uncertainty-aware learning (Ghosh, Nachman, Whiteson, arXiv:2105.08742, section IV)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Float, PRNGKeyArray

from verax.arrays import Array, Scalar
from verax.events import Events
from verax.parameters import Params, nuisance
from verax.systematics import Systematic

from ._density import AbstractDensityProblem, Points, midpoints, normal, product
from ._effects import Rotate
from ._problem import assemble

NOMINAL, WIDTH = float(np.pi / 4), 0.5
"""Angle z of the nominal samples, and the width of its Gaussian prior (radians)."""

SIGMA = 0.7

PLANE = ("x0", "x1")
SYSTEMATICS = (Systematic(nuisance("z", "angle"), Rotate(PLANE, WIDTH), changes=PLANE, needs=PLANE),)


class Rotating(AbstractDensityProblem):
    """Signal N(+(cos z, sin z), 0.7² I), background N(−(cos z, sin z), 0.7² I), angle z = π/4 + 0.5 θ; S = 500, B = 50000.

    Expected σ_μ, computed here from the density (quadrature and closed forms, errors below 10⁻⁵); bins are uniform in
    the exact classifier f(x; z) of the stated angle, which stays fixed when z is fitted:

    ====================  =======  =======
    summary               z = π/4  z = π/2
    ====================  =======  =======
    unbinned              0.06758  0.06758
    f(x; π/4), 10 bins    0.08671  0.18669
    f(x; π/4), 100 bins   0.06874  0.12716
    f(x; π/2), 10 bins    0.18669  0.08671
    f(x; π/2), 100 bins   0.12716  0.06874
    ====================  =======  =======

    The problem looks the same from any angle, so that z = π/2 with its own classifier repeats z = π/4. There the bins'
    contents are stationary in z: they do not measure it, and do not suffer from it.
    """

    features: tuple[str, ...] = eqx.field(static=True, default=("x0", "x1"))
    processes: tuple[str, ...] = eqx.field(static=True, default=("signal", "background"))
    signal: tuple[str, ...] = eqx.field(static=True, default=("signal",))
    yields: tuple[float, ...] = eqx.field(static=True, default=(500.0, 50_000.0))
    systematics: tuple[Systematic, ...] = eqx.field(static=True, default=SYSTEMATICS)

    def nominal(self, key: PRNGKeyArray, n: int) -> Events:
        number, plane = jax.random.split(key)
        mean = np.array([np.cos(NOMINAL), np.sin(NOMINAL)], np.float32)
        noise = SIGMA * jax.random.normal(plane, (2, n, 2), jnp.float32)
        x = [noise[0] + mean, noise[1] - mean]
        return assemble(number, x, columns=self.features, processes=self.processes, yields=self.yields)

    def log_density(self, x: Float[Array, "event feature"], params: Params) -> Float[jax.Array, "process event"]:
        x0, x1 = jnp.asarray(x).T
        z = NOMINAL + WIDTH * jnp.asarray(params.get("z", 0.0), x0.dtype)
        cos, sin = jnp.cos(z), jnp.sin(z)
        both = [normal(x0, sign * cos, SIGMA**2) + normal(x1, sign * sin, SIGMA**2) for sign in (1, -1)]
        return jnp.stack(both)

    def quadrature(self, params: Params, resolution: int = 1) -> Points:
        axis = midpoints(-8.0, 8.0, 128 * resolution)
        x, weight = product(axis, axis)
        # Turned, so that no edge of a classifier's bin runs along the rows of points.
        cos, sin = np.cos(0.4), np.sin(0.4)
        return x @ np.array([[cos, sin], [-sin, cos]]), weight

    def classifier_counts(
        self, edges: Float[np.ndarray, " edge"], params: Params, *, z: float = NOMINAL
    ) -> Float[jax.Array, " bin"]:
        """Find the expected events in bins of the exact classifier of angle ``z``: closed form, differentiable.

        The classifier is σ(2u/0.7²) with u = x·(cos z, sin z), and u is Gaussian at any angle. Use in float64.

        Parameters
        ----------
        edges : of the bins, probabilities of signal
        params : values by name
        z : angle of the classifier (radians)
        """
        with np.errstate(divide="ignore"):
            u = SIGMA**2 / 2 * (np.log(edges) - np.log1p(-edges))
        mean = jnp.cos(NOMINAL + WIDTH * params.get("z", 0.0) - z)
        u = np.clip(u, -30.0, 30.0)  # infinity has no derivative
        share = jnp.stack([jnp.diff(norm.cdf(u, sign * mean, SIGMA)) for sign in (1, -1)])
        return self.expected(params) @ share

    @staticmethod
    def auc(trained: Scalar, evaluated: Scalar) -> float:
        """Find the area under the ROC curve of the exact classifier of one angle for events of another.

        Φ(√2 cos(Δz) / 0.7), for Δz the difference of the angles.

        Parameters
        ----------
        trained : angle of the classifier (radians)
        evaluated : angle of the events (radians)

        >>> round(Rotating.auc(0.3, 0.3), 6)
        0.978324
        """
        return float(norm.cdf(np.sqrt(2) * np.cos(float(trained) - float(evaluated)) / SIGMA))

    @staticmethod
    def theta_of(z: float) -> float:
        """Find the nuisance parameter at which the angle is ``z``.

        Parameters
        ----------
        z : angle (radians)

        >>> Rotating.theta_of(np.pi / 4 + 0.5)
        1.0
        """
        return (z - NOMINAL) / WIDTH
