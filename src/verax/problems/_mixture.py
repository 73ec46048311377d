"""INFERNO's three-dimensional mixture (de Castro and Dorigo, arXiv:1806.04743, section 5.1)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events
from verax.parameters import Gaussian, Parameter, Params
from verax.systematics import Systematic

from ._density import AbstractDensityProblem, Points, gauss_legendre, midpoints, normal, product
from ._effects import LinearWeight, RescaleRate, ShiftColumn
from ._problem import POI, assemble

BACKGROUND = ("background",)
RATE, RATE_UNIT = 3.0, 1.0
SHIFT_UNIT = 0.4
YIELD_WIDTH = 0.1


class Mixture(AbstractDensityProblem):
    """Signal N((0, 0), I) × Exp(2) over background N((2 + r, 0), diag(5, 9)) × Exp(λ): s = 50 μ, b = 1000.

    (Variances; the paper prints the signal's mean as (1, 1), but its results belong to (0, 0).) Nuisance parameters are
    θ_r = r / 0.4, θ_λ = λ − 3 and θ_b = (b − 1000) / 100, also where they are free. Benchmarks: 0 none; 1 r free; 2 r and
    λ free; 3 both constrained by unit Gaussians; 4 as 3, with b constrained.

    Expected σ_s at the nominal parameters, computed here from the density (quadrature error below 10⁻⁴), and what the
    paper prints:

    ============================  =====  =====  =====  =====  =====
    benchmark                     0      1      2      3      4
    ============================  =====  =====  =====  =====  =====
    exact likelihood              14.70  15.50  15.63  15.61  16.88
    its publication               14.71  15.52  15.65
    exact classifier in 10 bins   14.99  19.39  24.84  22.16  28.05
    its publication               14.97  19.12  24.93
    ============================  =====  =====  =====  =====  =====

    Raises
    ------
    InputError : for a benchmark other than 0 … 4
    """

    benchmark: int = eqx.field(static=True)

    def __init__(self, benchmark: int = 0) -> None:
        if benchmark not in range(5):
            raise InputError("Mixture", f"benchmark {benchmark}", "0, 1, 2, 3 or 4")
        self.benchmark, self.systematics = benchmark, _systematics(benchmark)
        self.features = ("x0", "x1", "x2")
        self.processes, self.signal = ("signal", "background"), ("signal",)
        self.yields = (50.0, 1000.0)

    @property
    def poi_unit(self) -> float:
        """Signal events for μ = 1."""
        return 50.0

    def nominal(self, key: PRNGKeyArray, n: int) -> Events:
        number, plane, decay = jax.random.split(key, 3)
        xy = jax.random.normal(plane, (2, n, 2), jnp.float32)
        xy = xy.at[1].set(xy[1] * np.sqrt([5.0, 9.0], dtype=np.float32) + np.array([2.0, 0.0], np.float32))
        z = jax.random.exponential(decay, (2, n), jnp.float32) / jnp.asarray([[2.0], [RATE]], jnp.float32)
        x = jnp.concatenate([xy, z[..., None]], axis=2)
        return assemble(number, list(x), columns=self.features, processes=self.processes, yields=self.yields)

    def expected(self, params: Params) -> Float[jax.Array, " process"]:
        s, b = self.yields
        return jnp.stack(
            [jnp.asarray(s * params.get(POI.name, POI.init)), b * (1 + YIELD_WIDTH * params.get("b", 0.0))]
        )

    def log_density(self, x: Float[Array, "event feature"], params: Params) -> Float[jax.Array, "process event"]:
        r, rate = SHIFT_UNIT * params.get("r", 0.0), RATE + RATE_UNIT * params.get("lambda", 0.0)
        x0, x1, x2 = jnp.asarray(x).T
        signal = normal(x0, 0.0, 1.0) + normal(x1, 0.0, 1.0) + _exponential(x2, 2.0)
        background = normal(x0, 2 + r, 5.0) + normal(x1, 0.0, 9.0) + _exponential(x2, rate)
        return jnp.where(x2 >= 0, jnp.stack([signal, background]), -jnp.inf)

    def quadrature(self, params: Params, resolution: int = 1) -> Points:
        # Steps of 0.3 of the narrowest σ, out to 6 of the widest: the midpoint rule is then exact to ~10⁻⁹.
        centre = 2 + SHIFT_UNIT * float(params.get("r", 0.0))
        rate = min(2.0, RATE + RATE_UNIT * float(params.get("lambda", 0.0)))
        x0 = midpoints(min(centre - 14, -7.0), max(centre + 14, 7.0), 100 * resolution)
        x1 = midpoints(-19.0, 19.0, 130 * resolution)
        return product(x0, x1, gauss_legendre(0.0, 30 / rate, 36 * resolution))

    def classifier_counts(self, edges: Float[np.ndarray, " edge"], params: Params) -> Float[jax.Array, " bin"]:
        """Find the expected events in bins of the exact nominal classifier: differentiable, σ_s from them right to 10⁻⁴.

        Its logit rises with x2 at unit slope (the difference of the rates), so that at each (x0, x1) a bin is an
        interval of x2 and its content a difference of exponentials. Use in float64.

        Parameters
        ----------
        edges : of the bins, probabilities of signal
        params : values by name
        """
        r, rate = SHIFT_UNIT * params.get("r", 0.0), RATE + RATE_UNIT * params.get("lambda", 0.0)
        x1, half = midpoints(0.0, 19.0, 400)
        plane, weight = product(midpoints(-12.0, 16.0, 600), (x1, 2 * half))
        at_zero = self.log_ratio(np.column_stack([plane, np.zeros(len(plane))]))
        with np.errstate(divide="ignore"):
            logit = np.log(edges) - np.log1p(-edges)
        x2 = jnp.clip((logit[:, None] - at_zero) / (RATE - 2.0), 0.0, 300.0)  # infinity has no derivative
        x0, x1 = jnp.asarray(plane).T
        signal = jnp.exp(normal(x0, 0.0, 1.0) + normal(x1, 0.0, 1.0) - 2.0 * x2)
        background = jnp.exp(normal(x0, 2 + r, 5.0) + normal(x1, 0.0, 9.0) - rate * x2)
        s, b = self.expected(params)
        return -jnp.diff((s * signal + b * background) @ jnp.asarray(weight))


def _systematics(benchmark: int) -> tuple[Systematic, ...]:
    constraint = Gaussian() if benchmark >= 3 else None
    x0, x2 = ("x0",), ("x2",)
    shift = Parameter("r", "background shape", 0.0, (-5.0, 5.0), constraint)
    rate = Parameter("lambda", "background shape", 0.0, (-2.9, 5.0), constraint)  # at λ = 0 there is no density
    number = Parameter("b", "background yield", 0.0, (-5.0, 5.0), constraint)
    known = (
        Systematic(shift, ShiftColumn("x0", SHIFT_UNIT, BACKGROUND), changes=x0, needs=x0),
        Systematic(rate, RescaleRate("x2", RATE, RATE_UNIT, BACKGROUND), changes=x2, needs=x2),
        Systematic(number, LinearWeight(YIELD_WIDTH, BACKGROUND), changes=("weight",)),
    )
    return known[: (0, 1, 2, 2, 3)[benchmark]]


def _exponential(x: jax.Array, rate: Array | float) -> jax.Array:
    return jnp.log(rate) - rate * x
