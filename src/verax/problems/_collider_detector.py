"""Jets, missing transverse momentum and the table's columns, around the hard process."""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, UInt32

from verax.arrays import Array, Scalar
from verax.systematics import Layout, arctan2, cos, sin

from ._collider_decays import EventArray
from ._collider_processes import JET, Hard, falling, to_power
from ._collider_random import normal, uniform

JET_ETA = 4.7
HARDEST = 2000.0  # GeV; the recoil beside a jet at the kinematic limit is no event that anyone looks at
SOFTEST = 18.0  # GeV, of the radiated jets: below the threshold by more than the resolution


class Activity(NamedTuple):
    """Jets and soft activity beside the hard process.

    Parameters
    ----------
    extra : probability of a jet of initial-state radiation beside the one that balances all, and of each further one
        if there is the one before; the first is for a recoil much harder than ``onset``
    onset : recoil p_T (GeV) at which half of the first radiated jets and of the tagging jets are there: what is soft
        does not split; a recoil of no more than ``SOFTEST`` counts as that
    hardness, power : their p_T beyond ``SOFTEST`` falls as ``falling`` (GeV)
    forward : probability that the first one and the balancing one are the tagging jets of vector-boson fusion
    spread : standard deviation of the jets' η around half the system's rapidity
    share : part of what is left to balance that the balancing jet has
    unclustered : transverse momentum of what is in no jet, per component (GeV)
    response : measured over true momentum of what is in no jet
    noise : resolution of the missing transverse momentum, per component (GeV), in an event without jets
    tail : its length goes as (−2 ln u)^tail; 0.5 is a Gaussian, more has longer tails
    """

    extra: tuple[Scalar, ...]
    hardness: Scalar = 22.0
    power: Scalar = 2.0
    forward: Scalar = 0.0
    spread: Scalar = 1.9
    share: Scalar = 0.8
    unclustered: Scalar = 6.0
    response: Scalar = 0.7
    noise: Scalar = 7.0
    onset: Scalar = SOFTEST
    tail: Scalar = 0.6


STOCHASTIC = 0.8
"""Growth of that resolution: its square gains the square of this times the scalar sum of the jets (√GeV)."""

TAGGING = (2.3, 0.9)  # mean and spread of |η| of tagging jets


def measured(
    words: UInt32[Array, "2"], index: UInt32[Array, " event"], hard: Hard, activity: Activity, layout: Layout
) -> dict[str, EventArray]:
    """The measured columns of the layout: jets above their threshold, missing E_T, all turned by a random azimuth."""
    numbers = 11 + 4 * len(activity.extra)
    u = iter(uniform(words, index, numbers))
    turn = 2 * np.pi * next(u)
    length, angle = to_power(-2 * jnp.log(next(u)), activity.tail), 2 * np.pi * next(u)
    jets, (unseen_x, unseen_y) = _jets(u, hard, activity)
    noise = length * jnp.sqrt(activity.noise**2 + STOCHASTIC**2 * sum(jet[0] for jet in jets))
    met_x = hard.met_x - unseen_x + noise * cos(angle)
    met_y = hard.met_y - unseen_y + noise * sin(angle)

    pt = jnp.stack([jet[0] for jet in jets])
    count = (pt > 0).sum(0)
    lead = jnp.argmax(pt, axis=0)
    rest = jnp.where(jnp.arange(len(jets))[:, None] == lead, 0, pt)
    second = jnp.argmax(rest, axis=0)

    def listed(which: Int[Array, " event"], rank: int) -> list[jax.Array]:
        at = jnp.arange(len(jets))[:, None] == which
        values: list[EventArray] = [jnp.where(at, jnp.stack([jet[i] for jet in jets]), 0).sum(0) for i in range(3)]
        values[2] = wrapped(values[2] + turn)
        return [jnp.where(count > rank, value, layout.missing) for value in values]

    values = (
        *(hard.lepton_pt, hard.lepton_eta, wrapped(hard.lepton_phi + turn)),
        *(hard.tau_pt, hard.tau_eta, wrapped(hard.tau_phi + turn)),
        *listed(lead, 0),
        *listed(second, 1),
        jnp.sqrt(met_x**2 + met_y**2),
        wrapped(arctan2(met_y, met_x) + turn),
        count.astype(jnp.float32),
        pt.sum(0),
    )
    return dict(zip(layout.measured, values, strict=True))


def wrapped(phi: EventArray) -> EventArray:
    """The angle in [−π, π]."""
    return phi - 2 * np.pi * jnp.round(phi / (2 * np.pi))


Jet = tuple[EventArray, EventArray, EventArray]


def _jets(u: Iterator[EventArray], hard: Hard, activity: Activity) -> tuple[list[Jet], tuple[EventArray, EventArray]]:
    """Jets as measured (p_T, η, φ), p_T = 0 for those that are not seen; and the sum of measured − true momenta.

    The radiated jets and the one that balances them and the hard process add up to nothing but what is unclustered.
    """
    kind = next(u)
    hardness = hard.recoil_x**2 + hard.recoil_y**2
    growth = (SOFTEST**2 + hardness) / (activity.onset**2 + hardness)
    forward = activity.forward * growth
    tag = kind < forward
    side = jnp.where(kind < forward / 2, 1.0, -1.0)
    centre = hard.rapidity / 2
    x = hard.recoil_x + activity.unclustered * normal(next(u))
    y = hard.recoil_y + activity.unclustered * normal(next(u))
    jets: list[Jet] = [
        (hard.first_pt, hard.first_eta, hard.first_phi),
        (hard.second_pt, hard.second_eta, hard.second_phi),
    ]
    before = jnp.ones_like(tag)
    for slot, probability in enumerate(activity.extra):
        v = next(u)
        if slot == 0:
            probability = probability * growth
        exists = before & (v < probability)
        v = v / probability
        if slot == 0:
            exists, v = exists | tag, jnp.where(tag, kind / jnp.maximum(forward, 1e-6), v)
        pt = SOFTEST + jnp.minimum(falling(1 - v, activity.hardness, activity.power), HARDEST)
        before = exists
        pt = jnp.where(exists, pt, 0)
        z = normal(next(u))
        eta = centre + activity.spread * z
        if slot == 0:
            eta = jnp.where(tag, side * (TAGGING[0] + TAGGING[1] * z), eta)
        phi = 2 * np.pi * next(u)
        x, y = x + pt * cos(phi), y + pt * sin(phi)
        jets.append((pt, eta, phi))
    z = normal(next(u))
    eta = jnp.where(tag, -side * (TAGGING[0] + TAGGING[1] * z), centre + activity.spread * z)
    jets.append((activity.share * jnp.sqrt(x**2 + y**2), eta, arctan2(-y, -x)))

    seen: list[Jet] = []
    # What is in no jet: all that balances the hard process and its b quarks, less the jets; it is seen in part.
    soft_x, soft_y = -hard.recoil_x, -hard.recoil_y
    for true, _, phi_jet in jets[:2]:
        soft_x, soft_y = soft_x + true * cos(phi_jet), soft_y + true * sin(phi_jet)
    dx: EventArray = 0 * x
    dy: EventArray = 0 * x
    for true, eta_jet, phi_jet in jets:
        resolution = jnp.sqrt(0.6 / jnp.maximum(true, 1.0) + 0.05**2)  # 0.8/√p_T and 5 %, of a typical calorimeter
        smeared = true * jnp.maximum(1 + resolution * normal(next(u)), 0.2)
        visible = (smeared > JET) & (jnp.abs(eta_jet) < JET_ETA)
        change, counted = jnp.where(visible, smeared - true, 0), jnp.where(visible, true, 0)
        cosine, sine = cos(phi_jet), sin(phi_jet)
        dx, dy = dx + change * cosine, dy + change * sine
        soft_x, soft_y = soft_x - counted * cosine, soft_y - counted * sine
        seen.append((jnp.where(visible, smeared, 0), eta_jet, phi_jet))
    lost = 1 - activity.response
    return seen, (dx - lost * soft_x, dy - lost * soft_y)
