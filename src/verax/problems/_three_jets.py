"""e⁺e⁻ → q q̄ g at tree level (Ellis, Ross, Terrano, Nucl. Phys. B 178 (1981) 421): a density simpler than the LHC's.

dσ / (σ₀ dx₁ dx₂) = (2 α_s / 3π) (x₁² + x₂²) / ((1 − x₁)(1 − x₂)) with the quarks' energies x = 2E/√s, and the scaled
masses s_ij / s = 1 − x_k all above a cut y.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray
from scipy.special import spence

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events
from verax.parameters import Params

from ._density import AbstractDensityProblem, Points, gauss_legendre
from ._problem import assemble


class ThreeJets(AbstractDensityProblem):
    """Energies x1 and x2 of quark and antiquark in three-jet events; x3 = 2 − x1 − x2 is the gluon's.

    The rate is proportional to α_s and the shape does not depend on it: μ = α_s / ``alpha_s``, so that the count alone
    measures it, to 1/√N.

    Parameters
    ----------
    cut : y, the smallest scaled mass of any two jets, in (0, 1/3)
    alpha_s : strong coupling at μ = 1
    hadronic : events e⁺e⁻ → q q̄ that the sample corresponds to, at lowest order (luminosity × σ₀)

    Raises
    ------
    InputError : for a cut outside (0, 1/3), where no phase space is left
    """

    cut: float = eqx.field(static=True)
    alpha_s: float = eqx.field(static=True)

    def __init__(self, cut: float = 0.05, *, alpha_s: float = 0.118, hadronic: float = 10_000.0) -> None:
        self.cut, self.alpha_s = cut, alpha_s
        self.features = ("x1", "x2")
        self.processes = ("three_jets",)
        self.signal = ("three_jets",)
        self.systematics = ()
        self.yields = (hadronic * 2 * alpha_s / (3 * np.pi) * integral(cut),)

    @property
    def poi_unit(self) -> float:
        """α_s for μ = 1."""
        return self.alpha_s

    def nominal(self, key: PRNGKeyArray, n: int) -> Events:
        draw, swap, number = jax.random.split(key, 3)
        a, b = _half(draw, n, self.cut)
        first = jax.random.bernoulli(swap, shape=(n,))
        x = 1 - jnp.stack([jnp.where(first, a, b), jnp.where(first, b, a)], axis=1)
        return assemble(number, [x], columns=self.features, processes=self.processes, yields=self.yields)

    def log_density(self, x: Float[Array, "event feature"], params: Params) -> Float[jax.Array, "process event"]:
        x1, x2 = jnp.asarray(x).T
        # The cut in the sampler's own precision: 1 − x is rounded, and its smallest values would fall outside.
        rounding = 4 * float(np.finfo(x1.dtype).eps)
        inside = jnp.minimum(jnp.minimum(1 - x1, 1 - x2), x1 + x2 - 1) > self.cut - rounding
        safe = [jnp.where(inside, x, 0.5) for x in (x1, x2)]
        value = sum((x**2 for x in safe), start=jnp.zeros(())) / ((1 - safe[0]) * (1 - safe[1]))
        return jnp.where(inside, jnp.log(value) - float(np.log(integral(self.cut))), -jnp.inf)[None]

    def quadrature(self, params: Params, resolution: int = 1) -> Points:
        # In the logarithms of 1 − x the density is smooth: ∫∫ (x₁² + x₂²) d ln(1 − x₁) d ln(1 − x₂).
        u, weight_u = gauss_legendre(np.log(self.cut), np.log(1 - 2 * self.cut), 48 * resolution)
        unit, weight_unit = gauss_legendre(0.0, 1.0, 48 * resolution)
        a = np.exp(u)
        length = np.log((1 - self.cut - a) / self.cut)
        b = self.cut * np.exp(length[:, None] * unit)
        weight = (weight_u * length * a)[:, None] * weight_unit * b
        x1 = np.broadcast_to(1 - a[:, None], b.shape)
        return np.stack([x1.ravel(), 1 - b.ravel()], axis=1), weight.ravel()

    def entropy(self) -> float:
        """Find −E[ln p(x1, x2)] (nats), by quadrature to ~10⁻¹²: the lowest loss of any density estimate."""
        points, weight = self.quadrature({}, 2)
        with jax.enable_x64(True):
            log_density = np.asarray(self.log_density(jnp.asarray(points), {}))[0]
        return float(-np.sum(weight * np.exp(log_density) * log_density))


def integral(cut: float) -> float:
    """I(y) = ∫∫ (x₁² + x₂²) / ((1 − x₁)(1 − x₂)) dx₁ dx₂ over all s_ij / s > y, in closed form.

    >>> print(f"{integral(0.05):.9f}")
    8.647683106

    Raises
    ------
    InputError : for a cut outside (0, 1/3)
    """
    if not 0 < cut < 1 / 3:
        raise InputError("ThreeJets", f"cut {cut}", "a scaled mass above 0 and below 1/3")
    y = cut
    odds = y / (1 - y)
    dilogarithm = spence(1 - odds)
    logs = (3 - 6 * y) * np.log(y / (1 - 2 * y)) + 2 * np.log(odds) ** 2
    return float(logs + 2.5 - 6 * y - 4.5 * y**2 + 4 * dilogarithm - np.pi**2 / 3)


def _half(key: PRNGKeyArray, n: int, cut: float) -> tuple[jax.Array, jax.Array]:
    """(1 − x₁, 1 − x₂) from the x₁² half of the density, exactly; the other half is the same with both exchanged.

    Given a = 1 − x₁, b is log-uniform between y and 1 − y − a. The distribution of a, (1 − a)²/a · ln((1 − y − a)/y), lies
    below its value at a = y times y/a: log-uniform proposals, kept with the ratio of the two, until all are kept.
    """
    longest = float(np.log((1 - 2 * cut) / cut))

    def propose(state: tuple[PRNGKeyArray, jax.Array, jax.Array]) -> tuple[PRNGKeyArray, jax.Array, jax.Array]:
        key, a, kept = state
        key, draw, keep = jax.random.split(key, 3)
        fresh = cut * jnp.exp(longest * jax.random.uniform(draw, (n,), jnp.float32))
        ratio = ((1 - fresh) / (1 - cut)) ** 2 * _log_length(fresh, cut) / longest
        accepted: Bool[jax.Array, " n"] = jax.random.uniform(keep, (n,), jnp.float32) < ratio
        return key, jnp.where(kept, a, fresh), kept | accepted

    key, last = jax.random.split(key)
    start = (key, jnp.full(n, cut, jnp.float32), jnp.zeros(n, bool))
    _, a, _ = jax.lax.while_loop(lambda state: ~jnp.all(state[2]), propose, start)
    return a, cut * jnp.exp(_log_length(a, cut) * jax.random.uniform(last, (n,), jnp.float32))


def _log_length(a: jax.Array, cut: float) -> jax.Array:
    return jnp.log(jnp.maximum((1 - cut - a) / cut, 1.0))
