"""Decays of tau leptons and W bosons: how much of their momentum is seen.

Taus are unpolarised and collinear with what they decay to: mass and angles of the products are neglected beside p_T.
"""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from verax.arrays import Array
from verax.systematics import cos, sin

EventArray = Float[Array, " event"]

TOP_MASS, W_MASS, TAU_MASS = 172.5, 80.4, 1.777
"""In GeV (Particle Data Group)."""

HADRONIC = ((0.17, 0.14), (0.39, 0.775), (0.44, 1.23))
"""Share of the hadronic decays and mass (GeV) of π, ρ, and a₁ with all that is heavier (Particle Data Group)."""


class Momentum(NamedTuple):
    """A four-vector in GeV."""

    e: EventArray
    x: EventArray
    y: EventArray
    z: EventArray


def boost(p: Momentum, parent: Momentum, mass: float) -> Momentum:
    """``p``, given in the rest frame of ``parent``, in the frame that ``parent`` is given in."""
    along = p.x * parent.x + p.y * parent.y + p.z * parent.z
    gain = (p.e + along / (parent.e + mass)) / mass
    return Momentum(
        (p.e * parent.e + along) / mass, p.x + gain * parent.x, p.y + gain * parent.y, p.z + gain * parent.z
    )


def two_body(
    u: EventArray, v: EventArray, parent: Momentum, mass: float, first: float, second: float
) -> tuple[Momentum, Momentum]:
    """An isotropic decay into bodies of masses ``first`` and ``second`` (GeV), from two uniform numbers."""
    e = (mass**2 + first**2 - second**2) / (2 * mass)
    p = float(np.sqrt(e**2 - first**2))
    cosine, phi = 2 * u - 1, 2 * np.pi * v
    sine = jnp.sqrt(1 - cosine**2)
    x, y, z = p * sine * cos(phi), p * sine * sin(phi), p * cosine
    return (
        boost(Momentum(jnp.full_like(x, e), x, y, z), parent, mass),
        boost(Momentum(jnp.full_like(x, mass - e), -x, -y, -z), parent, mass),
    )


def leptonic_cdf(x: EventArray) -> EventArray:
    """Fraction of τ → ℓνν decays whose lepton has less than the fraction x of the tau's energy.

    The density is (5 − 9x² + 4x³)/3: the Michel spectrum without polarisation (Tsai, Phys. Rev. D 4 (1971) 2821).

    >>> float(leptonic_cdf(np.array([1.0]))[0])
    1.0
    """
    return x * (5 - x**2 * (3 - x)) / 3


def hadronic_cdf(x: EventArray) -> EventArray:
    """The same for the visible part of τ → hadrons + ν: uniform from m²/m_τ² to 1 for hadrons of mass m."""
    total = x * 0
    for share, mass in HADRONIC:
        low = (mass / TAU_MASS) ** 2
        total = total + share * jnp.clip((x - low) / (1 - low), 0, 1)
    return total


@cache
def fractions(decay: str, points: int = 2049) -> np.ndarray:
    """Visible fraction at equidistant probabilities: the inverse of the ``"leptonic"`` or ``"hadronic"`` CDF."""
    x = np.linspace(0, 1, 20001)
    with jax.ensure_compile_time_eval():  # a constant, also when first asked for inside jit
        cdf = np.asarray({"leptonic": leptonic_cdf, "hadronic": hadronic_cdf}[decay](x), np.float64)
    return np.interp(np.linspace(0, 1, points), cdf, x).astype(np.float32)


def lookup(table: np.ndarray, u: EventArray) -> EventArray:
    """The table's value at probability ``u``, linear between its points."""
    at = jnp.clip(u, 0, 1) * (len(table) - 1)
    i = jnp.minimum(at.astype(jnp.int32), len(table) - 2)
    low, high = jnp.asarray(table[:-1])[i], jnp.asarray(table[1:])[i]
    return low + (at - i) * (high - low)
