"""The hard processes: a lepton and a hadronic tau from Z or H → ττ, top pairs, and pairs of W bosons.

Momenta are drawn with the two thresholds in mind (only what can pass them is proposed), then accepted or rejected, so
that all events of a process have one weight. Proposals come in blocks of a fixed size until there are enough.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, UInt32

from verax.arrays import Array, Scalar
from verax.systematics import arctan2, cos, sin

from ._collider_decays import (
    TOP_MASS,
    W_MASS,
    EventArray,
    Momentum,
    fractions,
    hadronic_cdf,
    leptonic_cdf,
    lookup,
    two_body,
)
from ._collider_random import normal, staged, uniform

LEPTON, TAU, JET = 20.0, 23.0, 22.5
"""Thresholds in p_T (GeV) of the published sample: looser than the selection's, so that scales move events over those."""

ETA, CLOSEST = 2.5, 0.5
"""Largest |η| of lepton and tau, and smallest distance ΔR between them."""

LEPTON_RESOLUTION, TAU_RESOLUTION, TAILS = 0.015, 0.06, 3.0
"""Relative resolutions of p_T; Gaussian, cut off at so many widths."""

TAU_SCALE = 1.1
"""Mean of measured over true p_T of the hadronic tau; its jet gathers some of what is around it, no missing E_T."""

TURN_ON = (20.0, 6.0)
"""Identification of the hadronic tau: efficiency 1 − exp(−(p_T − first)/second), relative to that at high p_T (GeV)."""

LEAST_LEPTON = LEPTON / (1 + TAILS * LEPTON_RESOLUTION)
LEAST_TAU = TAU / TAU_SCALE / (1 + TAILS * TAU_RESOLUTION)
"""True p_T (GeV) below which nothing can be measured above the thresholds."""

BLOCK = 1 << 14  # proposals at a time: they stay in the cache

Pair = tuple[EventArray, EventArray]
Triple = tuple[EventArray, EventArray, EventArray]


class Hard(NamedTuple):
    """What the hard process leaves: measured lepton and tau, the rest of the transverse momentum, and partons.

    Parameters
    ----------
    lepton_*, tau_* : smeared p_T (GeV), η, φ
    met_x, met_y : neutrinos, and what the smearing of lepton and tau took from them (GeV)
    recoil_x, recoil_y : what jets have to balance (GeV)
    rapidity : of the whole system
    first_*, second_* : p_T (GeV), η, φ of the b quarks; p_T is 0 where there are none
    """

    lepton_pt: EventArray
    lepton_eta: EventArray
    lepton_phi: EventArray
    tau_pt: EventArray
    tau_eta: EventArray
    tau_phi: EventArray
    met_x: EventArray
    met_y: EventArray
    recoil_x: EventArray
    recoil_y: EventArray
    rapidity: EventArray
    first_pt: EventArray
    first_eta: EventArray
    first_phi: EventArray
    second_pt: EventArray
    second_eta: EventArray
    second_phi: EventArray


@dataclass(frozen=True)
class Resonance:
    """A boson X → ττ → lepton + hadrons + neutrinos, with a Breit–Wigner mass and a falling p_T spectrum.

    Parameters
    ----------
    mass, width, lowest, highest : of the boson, and the limits of its mass (GeV)
    spectrum : share, hardness and power of each part of dN/dp_T, ∝ p_T / (1 + (p_T/hardness)²)^power; two parts are
        soft radiation and a hard jet
    spread : standard deviation of the rapidity
    """

    mass: float
    width: float
    lowest: float
    highest: float
    spectrum: tuple[tuple[float, float, float], ...]
    spread: float

    numbers = 10

    def __call__(self, u: tuple[EventArray, ...]) -> tuple[Hard, Bool[Array, " event"]]:
        """Proposals from uniform numbers, and which of them to accept."""
        low, high = (float(np.arctan((m - self.mass) / (self.width / 2))) for m in (self.lowest, self.highest))
        phase = low + (high - low) * u[0]
        mass = self.mass + self.width / 2 * sin(phase) / cos(phase)
        pt = lookup(reachable_pt(self), u[1])
        rapidity = self.spread * normal(u[2])
        # No tau has more than this; at the highest mass it is the bound that the spectrum of p_T was made with.
        most, bound = largest_pt(pt, mass), largest_pt(pt, self.highest)
        x_lepton, p_lepton = _above(leptonic_cdf, "leptonic", LEAST_LEPTON / most, u[3])
        x_tau, p_tau = _above(hadronic_cdf, "hadronic", LEAST_TAU / most, u[4])
        possible = p_lepton * p_tau / chance(bound)

        gamma, boosted = jnp.sqrt(mass**2 + pt**2) / mass, pt / mass
        half = mass / 2
        needed = jnp.maximum(LEAST_LEPTON / x_lepton, LEAST_TAU / x_tau) / (gamma * half) - boosted / gamma
        widest = jnp.sqrt(1 - jnp.clip(needed, 0, 1) ** 2)
        cosine, phi = widest * (2 * u[5] - 1), 2 * np.pi * u[6]
        sine = jnp.sqrt(1 - cosine**2)
        along, side, z = gamma * sine * cos(phi), sine * sin(phi), half * cosine

        x1, y1 = half * (boosted + along), half * side
        x2, y2 = half * (boosted - along), -half * side
        hard, passes = _measured(
            (x_lepton * x1, x_lepton * y1, rapidity + arsinh(z / jnp.sqrt(x1**2 + y1**2))),
            (x_tau * x2, x_tau * y2, rapidity - arsinh(z / jnp.sqrt(x2**2 + y2**2))),
            (2 * half * boosted, 0 * pt),
            (u[7], u[8]),
            (pt, 0 * pt, rapidity),
        )
        return hard, passes & (u[9] < possible * widest * identified(hard.tau_pt))


@dataclass(frozen=True)
class WPair:
    """Two W bosons, from top pairs (``top``) or produced directly; one gives the lepton, the other the hadronic tau.

    The lepton is direct, or comes from another tau with ``cascade``: the share of W → τν → ℓ3ν among the leptons.

    Parameters
    ----------
    top : whether they come from top quarks, with a b quark each
    hardness, power : of the p_T that the pair's members have against each other, as in :class:`Resonance`
    recoil : scale of the p_T of the whole pair (GeV), of the same form with power 2
    spread, gap : standard deviations of the pair's rapidity and of each member's around it
    cascade : share of leptons that are products of a tau
    """

    top: bool
    hardness: float
    power: float
    recoil: float
    spread: float
    gap: float
    cascade: float = 0.15

    numbers = 20

    def __call__(self, u: tuple[EventArray, ...]) -> tuple[Hard, Bool[Array, " event"]]:
        """Proposals from uniform numbers, and which of them to accept."""
        mass = TOP_MASS if self.top else W_MASS
        back = falling(u[0], self.hardness, self.power)
        recoil = falling(u[1], self.recoil, 2.0)
        angle = 2 * np.pi * u[2]
        rapidity = self.spread * normal(u[3])
        x, y = back * cos(angle), back * sin(angle)
        on_shell = partial(_on_shell, mass=mass)
        one = staged(on_shell, recoil / 2 + x, y, rapidity + self.gap * normal(u[4]))
        two = staged(on_shell, recoil / 2 - x, -y, rapidity + self.gap * normal(u[5]))
        zero = 0 * back
        first = second = (zero, zero, zero)
        if self.top:
            decay = partial(two_body, mass=TOP_MASS, first=W_MASS, second=0.0)
            (one, b1), (two, b2) = staged(decay, u[6], u[7], one), staged(decay, u[8], u[9], two)
            first, second = _polar(b1), _polar(b2)
        decay = partial(two_body, mass=W_MASS, first=0.0, second=0.0)
        (lepton, _), (tau, _) = staged(decay, u[10], u[11], one), staged(decay, u[12], u[13], two)
        part = lookup(fractions("leptonic"), u[15])
        x_lepton = jnp.where(u[14] < self.cascade, part, 1)
        pt, eta, _ = _polar(tau)
        x_tau, possible = _above(hadronic_cdf, "hadronic", LEAST_TAU / pt, u[16])
        hard, passes = _measured(
            (x_lepton * lepton.x, x_lepton * lepton.y, _polar(lepton)[1]),
            (x_tau * tau.x, x_tau * tau.y, eta),
            (one.x + two.x, one.y + two.y),
            (u[17], u[18]),
            (recoil, zero, rapidity),
            first,
            second,
        )
        return hard, passes & (u[19] < possible * identified(hard.tau_pt))


def identified(pt: EventArray) -> EventArray:
    """Relative efficiency for a hadronic tau of that measured p_T."""
    return 1 - jnp.exp(-jnp.maximum(pt - TURN_ON[0], 0) / TURN_ON[1])


def accepted(words: UInt32[Array, "2"], process: Resonance | WPair, n: int) -> UInt32[Array, " event"]:
    """Indices of the first ``n`` accepted proposals; works under ``jit`` for a static ``n``."""
    block = min(BLOCK, max(1024, n + n % 2))

    def step(state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        turn, count, found = state
        index = turn * block + jnp.arange(block, dtype=jnp.uint32)
        _, good = process(uniform(words, index, process.numbers))
        position = jnp.where(good, jnp.cumsum(good, dtype=jnp.int32) - 1, block)
        # What follows the accepted ones in the block is refuse that the next block overwrites.
        kept = jnp.zeros(block, jnp.uint32).at[position].set(index, mode="drop")
        found = lax.dynamic_update_slice(found, kept, (count,))
        return turn + jnp.uint32(1), jnp.minimum(count + good.sum(dtype=jnp.int32), n), found

    start = (jnp.uint32(0), jnp.int32(0), jnp.zeros(n + block, jnp.uint32))
    _, _, found = lax.while_loop(lambda state: state[1] < n, step, start)
    return found[:n]


def made(words: UInt32[Array, "2"], process: Resonance | WPair, index: UInt32[Array, " event"]) -> Hard:
    """The proposals of these indices once more, now with all that was not needed to decide on them.

    In another compiled function a momentum may differ in its last bit: none is let below its threshold.
    """
    hard, _ = process(uniform(words, index, process.numbers))
    return hard._replace(lepton_pt=jnp.maximum(hard.lepton_pt, LEPTON), tau_pt=jnp.maximum(hard.tau_pt, TAU))


def falling(u: EventArray, hardness: Scalar, power: Scalar) -> EventArray:
    """A transverse momentum with dN/dp ∝ p / (1 + (p/hardness)²)^power (power above 1) from a uniform number."""
    return hardness * jnp.sqrt(jnp.maximum(to_power(1 - u, -1 / (power - 1)) - 1, 0))


def to_power(x: EventArray, exponent: Scalar) -> EventArray:
    """A positive number to any power, without the care for special cases that makes the general one slow."""
    return jnp.exp(exponent * jnp.log(x))


def largest_pt(pt: EventArray, mass: EventArray | float) -> EventArray:
    """Largest p_T that a product of a boson of p_T ``pt`` can have."""
    return (pt + jnp.sqrt(pt**2 + mass**2)) / 2


def chance(most: EventArray) -> EventArray:
    """Probability that both taus could pass the thresholds if each had the transverse momentum ``most``."""
    lepton = 1 - leptonic_cdf(jnp.minimum(LEAST_LEPTON / most, 1))
    return lepton * (1 - hadronic_cdf(jnp.minimum(LEAST_TAU / most, 1)))


@cache
def reachable_pt(resonance: Resonance, points: int = 2049) -> np.ndarray:
    """The boson's p_T spectrum times :func:`chance` at its highest mass, as a table of quantiles."""
    pt = np.concatenate([np.linspace(0, 100, 4000, endpoint=False), np.geomspace(100, 1e5, 4000)])
    above = sum(share * (1 + (pt / hardness) ** 2) ** (1 - power) for share, hardness, power in resonance.spectrum)
    probability = 1 - np.asarray(above)
    with jax.ensure_compile_time_eval():
        weight = np.asarray(chance(largest_pt(pt, resonance.highest)), np.float64)
    cdf = np.concatenate([[0], np.cumsum(np.diff(probability) * (weight[1:] + weight[:-1]) / 2)])
    return np.interp(np.linspace(0, cdf[-1], points), cdf, pt).astype(np.float32)


def _above(cdf: Callable[[EventArray], EventArray], decay: str, least: EventArray, u: EventArray) -> Pair:
    """A visible fraction above ``least``, and the probability of that."""
    below = cdf(jnp.minimum(least, 1))
    return lookup(fractions(decay), below + (1 - below) * u), 1 - below


def _resolution(u: EventArray, width: float) -> EventArray:
    """1 + a Gaussian of that width, cut off at ``TAILS``."""
    inside = 0.0013498980316301  # of a Gaussian below −3 widths
    return 1 + width * jnp.clip(normal(inside + (1 - 2 * inside) * u), -TAILS, TAILS)


def _on_shell(x: EventArray, y: EventArray, rapidity: EventArray, mass: float) -> Momentum:
    transverse = jnp.sqrt(mass**2 + x**2 + y**2)
    return Momentum(transverse * jnp.cosh(rapidity), x, y, transverse * jnp.sinh(rapidity))


def arsinh(t: EventArray) -> EventArray:
    """Inverse hyperbolic sine, as precise as an η needs it."""
    return jnp.sign(t) * jnp.log(jnp.abs(t) + jnp.sqrt(1 + t**2))


def _polar(p: Momentum) -> Triple:
    pt = jnp.sqrt(p.x**2 + p.y**2)
    return pt, arsinh(p.z / jnp.maximum(pt, 1e-3)), arctan2(p.y, p.x)


def _measured(
    lepton: Triple,
    tau: Triple,
    system: Pair,
    u: Pair,
    recoil: Triple,
    first: Triple | None = None,
    second: Triple | None = None,
) -> tuple[Hard, Bool[Array, " event"]]:
    """Smear lepton and tau (x, y, η); what is missing of the ``system`` that they come from is missing E_T.

    Also where lepton and tau are above their thresholds, inside the detector, and apart.
    """
    zero = 0 * recoil[0]
    lx, ly = (_resolution(u[0], LEPTON_RESOLUTION) * p for p in lepton[:2])
    tx, ty = (TAU_SCALE * _resolution(u[1], TAU_RESOLUTION) * p for p in tau[:2])
    lepton_pt, tau_pt = jnp.sqrt(lx**2 + ly**2), jnp.sqrt(tx**2 + ty**2)
    # 2 cosh Δη − 2 cos Δφ is ΔR² where it is small, and needs no azimuth.
    apart = jnp.cosh(lepton[2] - tau[2]) - (lx * tx + ly * ty) / (lepton_pt * tau_pt) > CLOSEST**2 / 2
    inside = (jnp.abs(lepton[2]) < ETA) & (jnp.abs(tau[2]) < ETA)
    passes = (lepton_pt > LEPTON) & (tau_pt > TAU) & inside & apart
    hard = Hard(
        lepton_pt,
        lepton[2],
        arctan2(ly, lx),
        tau_pt,
        tau[2],
        arctan2(ty, tx),
        system[0] - lx - tx / TAU_SCALE,
        system[1] - ly - ty / TAU_SCALE,
        *recoil,
        *(first or (zero, zero, zero)),
        *(second or (zero, zero, zero)),
    )
    return hard, passes
