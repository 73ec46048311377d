"""Four-vectors of the lepton + hadronic-tau final state, and the derived columns recomputed from them.

All formulas are written for float32 (no difference of large numbers) and have finite derivatives everywhere: at zero
momentum, for missing jets and for parallel vectors.

Sources: the HiggsML data (CERN Open Data record 328, doi:10.7483/OPENDATA.ATLAS.ZBP2.M5T8) and the FAIR Universe
HiggsML Uncertainty Challenge (arXiv:2410.02867), which define the same quantities; jets and leptons are massless.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from verax.arrays import Array
from verax.errors import check_known
from verax.events import Events

from ._effect import Systematic

EventArray = Float[Array, " event"]

REGULARISER = 1e-4
"""What stands for a zero denominator (arXiv:2410.02867)."""


MAX_GAP = 50.0
"""Pseudorapidity gap beyond any detector, where a mass is cut off so that a missing value cannot overflow float32."""


@dataclass(frozen=True)
class Particle:
    """Names of one object's columns.

    Parameters
    ----------
    pt : transverse momentum (GeV)
    eta : pseudorapidity
    phi : azimuth (radians)
    """

    pt: str
    eta: str
    phi: str


@dataclass(frozen=True)
class Layout:
    """Which column is what, in a table of events with a lepton, a hadronic tau, missing E_T and up to two jets.

    Parameters
    ----------
    lepton : columns of the lepton
    tau : columns of the hadronic tau
    leading : columns of the leading jet
    subleading : columns of the subleading jet
    met : missing transverse momentum (GeV)
    met_phi : its azimuth
    n_jets : number of jets (2 or more means that both are listed)
    jet_sum : scalar p_T sum of all jets (GeV)
    missing : value that a column has where its jet does not exist
    tau_mass : mass of the hadronic tau in the derived columns (GeV)
    derived : pairs of a column and the quantity (a key of :data:`DERIVED`) that it holds
    frozen : columns that depend on the momenta, but cannot be recomputed from the columns above
    """

    lepton: Particle
    tau: Particle
    leading: Particle
    subleading: Particle
    met: str
    met_phi: str
    n_jets: str
    jet_sum: str
    missing: float
    tau_mass: float
    derived: tuple[tuple[str, str], ...]
    frozen: tuple[str, ...] = ()

    @property
    def measured(self) -> tuple[str, ...]:
        """All columns that the derived ones are recomputed from."""
        objects = (self.lepton, self.tau, self.leading, self.subleading)
        names = [name for p in objects for name in (p.pt, p.eta, p.phi)]
        return (*names, self.met, self.met_phi, self.n_jets, self.jet_sum)

    @property
    def recomputed(self) -> tuple[str, ...]:
        """All columns that :func:`derive` can recompute."""
        return tuple(column for column, _ in self.derived)

    def columns_of(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Find the columns of the named roles.

        Parameters
        ----------
        roles : of ``lepton``, ``tau``, ``jets``, ``met``, ``jet_sum``
        """
        table = {
            "lepton": _columns(self.lepton),
            "tau": _columns(self.tau),
            "jets": (*_columns(self.leading), *_columns(self.subleading), self.n_jets),
            "met": (self.met, self.met_phi),
            "jet_sum": (self.jet_sum,),
        }
        return tuple(column for role in roles for column in table[role])


def _columns(particle: Particle) -> tuple[str, str, str]:
    return (particle.pt, particle.eta, particle.phi)


def _derived(tau: str) -> tuple[tuple[str, str], ...]:
    renamed = {"deltar_tau_lep": f"deltar_{tau}_lep", "pt_ratio_lep_tau": f"pt_ratio_lep_{tau}"}
    return tuple((f"DER_{renamed.get(name, name)}", name) for name in DERIVED)


# --------------------------------------------------------------------------- vectors with derivatives that stay finite


def safe_sqrt(x: EventArray) -> EventArray:
    """√x, and 0 with derivative 0 for x ≤ 0."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)


def polar(x: EventArray, y: EventArray) -> tuple[EventArray, EventArray]:
    """Length and azimuth in (−π, π] of a transverse vector; both 0, with derivative 0, for the null vector."""
    null = (x == 0) & (y == 0)
    return safe_sqrt(x * x + y * y), jnp.where(null, 0, jnp.arctan2(y, jnp.where(null, 1, x)))


def cartesian(pt: EventArray, phi: EventArray) -> tuple[EventArray, EventArray]:
    """Components of a transverse vector."""
    return pt * jnp.cos(phi), pt * jnp.sin(phi)


def angle(a: EventArray, b: EventArray) -> EventArray:
    """A − b as an angle in (−π, π]."""
    return np.pi - jnp.mod(np.pi - (a - b), 2 * np.pi)


def mass(pt_1: EventArray, pt_2: EventArray, deta: EventArray, dphi: EventArray) -> EventArray:
    """Invariant mass of two massless objects, m² = 4 p₁ p₂ (sinh²(Δη/2) + sin²(Δφ/2)).

    >>> pt, deta, dphi = np.array([45.6]), np.array([0.0]), np.array([np.pi])
    >>> print(f"{mass(pt, pt, deta, dphi)[0]:.2f} GeV")  # back to back
    91.20 GeV
    """
    deta = jnp.clip(deta, -MAX_GAP, MAX_GAP)
    return 2 * safe_sqrt(pt_1 * pt_2 * (jnp.sinh(deta / 2) ** 2 + jnp.sin(dphi / 2) ** 2))


def _nonzero(x: EventArray) -> EventArray:
    return jnp.where(x == 0, REGULARISER, x)


# ------------------------------------------------------------------------------------------------- derived quantities


class Vector(NamedTuple):
    """One object's momentum; all zero where it does not exist."""

    pt: EventArray
    eta: EventArray
    phi: EventArray
    x: EventArray
    y: EventArray


class Objects(NamedTuple):
    """All that the derived quantities are functions of."""

    lepton: Vector
    tau: Vector
    leading: Vector
    subleading: Vector
    met: Vector
    jet_sum: EventArray
    tau_mass: float


@dataclass(frozen=True)
class Quantity:
    """A derived quantity: how to compute it, which objects it needs, and whether it takes two jets to exist."""

    compute: Callable[[Objects], EventArray]
    uses: tuple[str, ...]
    two_jets: bool = False


def _transverse_mass(o: Objects) -> EventArray:
    return mass(o.lepton.pt, o.met.pt, jnp.zeros_like(o.met.pt), o.lepton.phi - o.met.phi)


def _visible_mass(o: Objects) -> EventArray:
    deta, dphi = o.tau.eta - o.lepton.eta, o.tau.phi - o.lepton.phi
    massless = mass(o.tau.pt, o.lepton.pt, deta, dphi)
    if o.tau_mass == 0:
        return massless
    momentum, other = o.tau.pt * jnp.cosh(o.tau.eta), o.lepton.pt * jnp.cosh(o.lepton.eta)
    # E − |p| of the tau without a difference of large numbers
    excess = o.tau_mass**2 / (jnp.sqrt(momentum**2 + o.tau_mass**2) + momentum)
    return safe_sqrt(massless**2 + 2 * excess * other + o.tau_mass**2)


def _pt_of(*vectors: Vector) -> EventArray:
    x, y = vectors[0].x, vectors[0].y
    for vector in vectors[1:]:
        x, y = x + vector.x, y + vector.y
    return safe_sqrt(x * x + y * y)


def _delta_r(o: Objects) -> EventArray:
    return safe_sqrt((o.tau.eta - o.lepton.eta) ** 2 + angle(o.tau.phi, o.lepton.phi) ** 2)


def _met_centrality(o: Objects) -> EventArray:
    side = jnp.sign(jnp.sin(o.tau.phi - o.lepton.phi))
    a = side * jnp.sin(o.met.phi - o.lepton.phi)
    b = side * jnp.sin(o.tau.phi - o.met.phi)
    return (a + b) / _nonzero(safe_sqrt(a * a + b * b))


def _lepton_centrality(o: Objects) -> EventArray:
    gap = _nonzero((o.leading.eta - o.subleading.eta) ** 2)
    return jnp.exp(-4 / gap * (o.lepton.eta - (o.leading.eta + o.subleading.eta) / 2) ** 2)


DERIVED: dict[str, Quantity] = {
    "mass_transverse_met_lep": Quantity(_transverse_mass, ("lepton", "met")),
    "mass_vis": Quantity(_visible_mass, ("tau", "lepton")),
    "pt_h": Quantity(lambda o: _pt_of(o.tau, o.lepton, o.met), ("tau", "lepton", "met")),
    "deltaeta_jet_jet": Quantity(lambda o: jnp.abs(o.leading.eta - o.subleading.eta), ("jets",), True),
    "mass_jet_jet": Quantity(
        lambda o: mass(
            o.leading.pt, o.subleading.pt, o.leading.eta - o.subleading.eta, o.leading.phi - o.subleading.phi
        ),
        ("jets",),
        True,
    ),
    "prodeta_jet_jet": Quantity(lambda o: o.leading.eta * o.subleading.eta, ("jets",), True),
    "deltar_tau_lep": Quantity(_delta_r, ("tau", "lepton")),
    "pt_tot": Quantity(
        lambda o: _pt_of(o.tau, o.lepton, o.met, o.leading, o.subleading), ("tau", "lepton", "met", "jets")
    ),
    "sum_pt": Quantity(lambda o: o.tau.pt + o.lepton.pt + o.jet_sum, ("tau", "lepton", "jet_sum")),
    "pt_ratio_lep_tau": Quantity(lambda o: o.lepton.pt / _nonzero(o.tau.pt), ("tau", "lepton")),
    "met_phi_centrality": Quantity(_met_centrality, ("tau", "lepton", "met")),
    "lep_eta_centrality": Quantity(_lepton_centrality, ("lepton", "jets"), True),
}
"""Derived quantities by their name in the HiggsML data (without ``DER_``); Δη of the jets is absolute, as there."""


HIGGSML = Layout(
    lepton=Particle("PRI_lep_pt", "PRI_lep_eta", "PRI_lep_phi"),
    tau=Particle("PRI_tau_pt", "PRI_tau_eta", "PRI_tau_phi"),
    leading=Particle("PRI_jet_leading_pt", "PRI_jet_leading_eta", "PRI_jet_leading_phi"),
    subleading=Particle("PRI_jet_subleading_pt", "PRI_jet_subleading_eta", "PRI_jet_subleading_phi"),
    met="PRI_met",
    met_phi="PRI_met_phi",
    n_jets="PRI_jet_num",
    jet_sum="PRI_jet_all_pt",
    missing=-999.0,
    tau_mass=0.8,
    derived=_derived("tau"),
    frozen=("DER_mass_MMC",),
)
"""The ATLAS open data of the 2014 Higgs challenge (doi:10.7483/OPENDATA.ATLAS.ZBP2.M5T8)."""

FAIR_UNIVERSE = replace(
    HIGGSML,
    tau=Particle("PRI_had_pt", "PRI_had_eta", "PRI_had_phi"),
    n_jets="PRI_n_jets",
    missing=-25.0,
    tau_mass=0.0,
    derived=_derived("had"),
    frozen=(),
)
"""The FAIR Universe HiggsML Uncertainty Challenge (arXiv:2410.02867)."""


def objects(
    events: Events, layout: Layout, roles: Iterable[str] = ("lepton", "tau", "jets", "met", "jet_sum")
) -> Objects:
    """The momenta of the events' objects; those of roles that are not asked for, and of missing jets, are zero."""
    roles = set(roles)
    zero = jnp.zeros_like(jnp.asarray(events.weight, events.x.dtype))

    def vector(role: str, particle: Particle, exists: Array | bool = True) -> Vector:
        if role not in roles:
            return Vector(zero, zero, zero, zero, zero)
        pt, eta, phi = (jnp.where(exists, events.column(name), 0) for name in _columns(particle))
        return Vector(pt, eta, phi, *cartesian(pt, phi))

    n_jets = jnp.asarray(events.column(layout.n_jets)) if "jets" in roles else zero
    met = Vector(zero, zero, zero, zero, zero)
    if "met" in roles:
        pt, phi = jnp.asarray(events.column(layout.met)), jnp.asarray(events.column(layout.met_phi))
        met = Vector(pt, zero, phi, *cartesian(pt, phi))
    return Objects(
        lepton=vector("lepton", layout.lepton),
        tau=vector("tau", layout.tau),
        leading=vector("jets", layout.leading, n_jets >= 1),
        subleading=vector("jets", layout.subleading, n_jets >= 2),
        met=met,
        jet_sum=jnp.asarray(events.column(layout.jet_sum)) if "jet_sum" in roles else zero,
        tau_mass=layout.tau_mass,
    )


def derive(events: Events, layout: Layout) -> Events:
    """Recompute every derived column that the events have from their momenta.

    Derived columns that the events do not have are not added. Quantities of two jets are ``layout.missing`` where there
    are fewer.

    Parameters
    ----------
    events : with momenta
    layout : which column is what

    Raises
    ------
    InputError : when the events lack a column that one of their derived columns is computed from
    """
    wanted = [(column, DERIVED[name]) for column, name in layout.derived if column in events.columns]
    if not wanted:
        return events
    roles = {role for _, quantity in wanted for role in quantity.uses}
    needed = layout.columns_of(sorted(roles))
    check_known(needed, events.columns, "derive", "column")
    found = objects(events, layout, roles)
    values = {}
    for column, quantity in wanted:
        value = quantity.compute(found)
        if quantity.two_jets:
            value = jnp.where(jnp.asarray(events.column(layout.n_jets)) >= 2, value, layout.missing)
        values[column] = value
    return events.replace(values)


_derive = jax.jit(derive, static_argnames="layout")


def derive_compiled(events: Events, layout: Layout) -> Events:
    """Recompute as :func:`derive`, for events just read: compiled, and back in NumPy arrays.

    Parameters
    ----------
    events : with momenta
    layout : which column is what

    Raises
    ------
    InputError : as :func:`derive`
    """
    return jax.tree.map(np.asarray, _derive(events, layout))


def fill_missing(events: Events, layout: Layout, value: float = 0.0) -> Events:
    """Put ``value`` for what is missing, to be called last: on features, not before a shift.

    Zero suits networks: a missing jet has no momentum, and −999 would dominate any standardisation.

    Parameters
    ----------
    events : after all shifts
    layout : whose ``missing`` is replaced
    value : by what
    """
    x = jnp.where(events.x == layout.missing, value, events.x)
    return Events(x, events.weight, events.process, events.number, events.columns, events.processes)


@dataclass(frozen=True)
class Derive:
    """:func:`derive` for one layout, as a function of events that compares by value and can be sent elsewhere.

    Parameters
    ----------
    layout : which column is what
    """

    layout: Layout

    def __call__(self, events: Events) -> Events:
        """The events with their derived columns recomputed."""
        return derive(events, self.layout)


def not_recomputed(features: Sequence[str], layout: Layout, systematics: Sequence[Systematic]) -> tuple[str, ...]:
    """Find features that a systematic would change, but that cannot be recomputed: an analysis must not use them.

    With no systematic that changes a momentum there are none.

    Parameters
    ----------
    features : names of the columns that an analysis uses
    layout : which column is what
    systematics : those of the analysis
    """
    momenta = set(layout.measured)
    if not any(momenta & set(s.changes) for s in systematics):
        return ()
    return tuple(name for name in features if name in layout.frozen)
