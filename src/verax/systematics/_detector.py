"""Detector systematics of the H→ττ final state: energy scales and the soft term of the missing transverse momentum.

An energy scale multiplies the p_T of its objects by s = 1 + width·θ, and the missing-E_T vector gains (1 − s) times
their original p_T vectors. Derived columns are then recomputed. Sources: zenodo 1887847 (HiggsML), arXiv:2410.02867
(FAIR Universe).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float, UInt32

from verax.arrays import Array
from verax.events import Events
from verax.parameters import nuisance

from ._effect import StagedEffect, Systematic, Theta, aslike, checked_width, limited
from ._kinematics import Derive, EventArray, Layout, Particle, cartesian, polar

GROUP = "detector"


def tau_energy_scale(
    layout: Layout, width: float, *, name: str = "tes", group: str = GROUP, processes: Sequence[str] = ()
) -> Systematic:
    """Scale the tau's energy: its p_T times 1 + width·θ; missing E_T and derived columns follow.

    Parameters
    ----------
    layout : which column is what
    width : relative prior width (0.03: three per cent at θ = 1)
    name : of the parameter
    group : row of the uncertainty breakdown
    processes : those whose events move; () for all

    Raises
    ------
    InputError : for a width that is not positive and finite
    """
    return _scale(layout, width, "tau", name, group, processes)


def lepton_energy_scale(
    layout: Layout, width: float, *, name: str = "les", group: str = GROUP, processes: Sequence[str] = ()
) -> Systematic:
    """Scale the lepton's energy: its p_T times 1 + width·θ; missing E_T and derived columns follow.

    Parameters
    ----------
    layout : which column is what
    width : relative prior width
    name : of the parameter
    group : row of the uncertainty breakdown
    processes : those whose events move; () for all

    Raises
    ------
    InputError : for a width that is not positive and finite
    """
    return _scale(layout, width, "lepton", name, group, processes)


def jet_energy_scale(
    layout: Layout, width: float, *, name: str = "jes", group: str = GROUP, processes: Sequence[str] = ()
) -> Systematic:
    """Scale the energy of leading and subleading jet, and the scalar sum of all jets, by 1 + width·θ.

    The missing-E_T vector follows the two listed jets only; further jets have no direction in the table.

    Parameters
    ----------
    layout : which column is what
    width : relative prior width
    name : of the parameter
    group : row of the uncertainty breakdown
    processes : those whose events move; () for all

    Raises
    ------
    InputError : for a width that is not positive and finite
    """
    return _scale(layout, width, "jets", name, group, processes)


def soft_met(
    layout: Layout,
    width: float,
    *,
    name: str = "soft_met",
    group: str = GROUP,
    seed: int = 0,
    processes: Sequence[str] = (),
) -> Systematic:
    """Smear the soft term: both components of the missing transverse momentum gain θ·width·z.

    z is a pair of standard normal numbers that the event number fixes (see :func:`normal_pair`), so that the effect is
    differentiable in θ and the same in each chunk, region and call. It smears: θ and −θ widen the distributions alike,
    so the systematic is one-sided. In the FAIR Universe challenge the smearing is σ ~ LogNormal(0, 1) clipped to 5 GeV.

    Parameters
    ----------
    layout : which column is what
    width : of the smearing at θ = 1, in GeV
    name : of the parameter
    group : row of the uncertainty breakdown
    seed : of the numbers z
    processes : those whose events move; () for all

    Raises
    ------
    InputError : for a width that is not positive and finite
    """
    effect = SoftMet(layout, checked_width(width, name), seed, tuple(processes))
    return Systematic(nuisance(name, group), effect, one_sided=True, changes=effect.changes, needs=effect.changes)


@dataclass(frozen=True)
class EnergyScale(StagedEffect):
    """p_T → s·p_T of ``objects`` (``tau``, ``lepton`` or ``jets``) with s = 1 + width·θ."""

    layout: Layout
    width: float
    objects: str
    processes: tuple[str, ...] = ()

    @property
    def particles(self) -> tuple[Particle, ...]:
        """The objects whose p_T is scaled."""
        layout = self.layout
        return {"tau": (layout.tau,), "lepton": (layout.lepton,), "jets": (layout.leading, layout.subleading)}[
            self.objects
        ]

    @property
    def changes(self) -> tuple[str, ...]:
        """The measured columns that change."""
        jet_sum = (self.layout.jet_sum,) if self.objects == "jets" else ()
        return (*(p.pt for p in self.particles), *jet_sum, self.layout.met, self.layout.met_phi)

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that are read."""
        n_jets = (self.layout.n_jets,) if self.objects == "jets" else ()
        return (*self.changes, *(p.phi for p in self.particles), *n_jets)

    @property
    def recompute(self) -> Derive:
        """Derived columns, after any change of momenta."""
        return Derive(self.layout)

    def move(self, events: Events, theta: Theta) -> Events:
        """The events with the objects scaled and missing E_T balanced."""
        gain = self.width * aslike(theta, events.x)
        values: dict[str, EventArray] = {}
        x = y = jnp.zeros(events.x.shape[0], events.x.dtype)
        for rank, particle in enumerate(self.particles):
            pt, phi = jnp.asarray(events.column(particle.pt)), jnp.asarray(events.column(particle.phi))
            exists = events.column(self.layout.n_jets) > rank if self.objects == "jets" else True
            values[particle.pt] = jnp.where(exists, pt * (1 + gain), pt)
            px, py = cartesian(jnp.where(exists, pt, 0), jnp.where(exists, phi, 0))
            x, y = x - gain * px, y - gain * py
        if self.objects == "jets":
            total = jnp.asarray(events.column(self.layout.jet_sum))
            values[self.layout.jet_sum] = jnp.where(total == self.layout.missing, total, total * (1 + gain))
        return limited(events, _moved(events, self.layout, values, x, y), self.processes)


@dataclass(frozen=True)
class SoftMet(StagedEffect):
    """Missing E_T components + θ·width·z with z fixed by ``seed`` and the event number."""

    layout: Layout
    width: float
    seed: int = 0
    processes: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[str, ...]:
        """The measured columns that change."""
        return (self.layout.met, self.layout.met_phi)

    @property
    def recompute(self) -> Derive:
        """Derived columns, after any change of momenta."""
        return Derive(self.layout)

    def move(self, events: Events, theta: Theta) -> Events:
        """The events with missing E_T smeared."""
        size = self.width * aslike(theta, events.x)
        z = normal_pair(events.number, seed=self.seed).astype(events.x.dtype)
        varied = _moved(events, self.layout, {}, size * z[:, 0], size * z[:, 1])
        return limited(events, varied, self.processes)


def normal_pair(number: UInt32[Array, " event"], *, seed: int = 0) -> Float[Array, "event 2"]:
    """Two independent standard normal numbers per event, fixed by ``seed`` and the event's number alone.

    Threefry with the event number as counter, then Box–Muller; the same on each device, chunk and order.
    """
    key = jax.random.key(seed, impl="threefry2x32")
    bits = jax.vmap(lambda n: jax.random.key_data(jax.random.fold_in(key, n)))(jnp.asarray(number))
    uniform = (bits >> 8).astype(jnp.float32) * 2.0**-24 + 2.0**-25  # strictly between 0 and 1
    radius = jnp.sqrt(-2 * jnp.log(uniform[:, 0]))
    angle = 2 * math.pi * uniform[:, 1]
    return radius[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)


def _scale(layout: Layout, width: float, objects: str, name: str, group: str, processes: Sequence[str]) -> Systematic:
    effect = EnergyScale(layout, checked_width(width, name), objects, tuple(processes))
    return Systematic(nuisance(name, group), effect, changes=effect.changes, needs=effect.needs)


def _moved(events: Events, layout: Layout, values: dict[str, EventArray], x: EventArray, y: EventArray) -> Events:
    """The events with some ``values`` replaced, and (x, y) added to the missing transverse momentum."""
    met, phi = jnp.asarray(events.column(layout.met)), jnp.asarray(events.column(layout.met_phi))
    met_x, met_y = cartesian(met, phi)
    new_met, new_phi = polar(met_x + x, met_y + y)
    still = (x == 0) & (y == 0)
    moved = {layout.met: _exact(still, met, new_met), layout.met_phi: _exact(still, phi, new_phi)}
    return events.replace({**values, **moved})


def _exact(still: Array, old: EventArray, new: EventArray) -> EventArray:
    """``new``, but to the last bit ``old`` where nothing moved; with the derivative of ``new`` everywhere."""
    return lax.stop_gradient(jnp.where(still, old, new)) + (new - lax.stop_gradient(new))
