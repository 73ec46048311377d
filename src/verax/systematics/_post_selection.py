"""Thresholds applied again after a shift, as in the FAIR Universe challenge (arXiv:2410.02867)."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from verax.arrays import Array
from verax.events import Events

from ._kinematics import EventArray, Layout, derive


def post_selection(
    events: Events, layout: Layout, *, tau: float = 26.0, lepton: float = 20.0, jet: float = 26.0
) -> tuple[Events, Bool[Array, " event"]]:
    """Apply thresholds again: the events without soft jets, and which events pass those of the tau and the lepton.

    A removed jet leaves the number and the scalar sum of jets, and its columns are missing; the subleading goes first.
    Derived columns are recomputed. Shapes do not change, so that it works under ``jit``; ``events.take(passed)`` drops
    the rest on the host. An object at its threshold passes, a jet does not.

    As in the challenge, an event of three or more jets that loses its subleading one still counts two: its two-jet
    quantities are then computed from the missing value (3 of the 925 events of the published sample).

    Parameters
    ----------
    events : after a shift
    layout : which column is what
    tau : threshold of the tau's p_T, in GeV
    lepton : threshold of the lepton's p_T, in GeV
    jet : threshold of a jet's p_T, in GeV
    """
    values: dict[str, EventArray] = {}

    def current(name: str) -> EventArray:
        return jnp.asarray(values[name] if name in values else events.column(name))

    for particle in (layout.subleading, layout.leading):
        soft = (current(particle.pt) >= 0) & (current(particle.pt) <= jet)
        values[layout.jet_sum] = current(layout.jet_sum) - jnp.where(soft, current(particle.pt), 0)
        values[layout.n_jets] = current(layout.n_jets) - soft
        for name in (particle.pt, particle.eta, particle.phi):
            values[name] = jnp.where(soft, layout.missing, current(name))
    passed = (events.column(layout.tau.pt) >= tau) & (events.column(layout.lepton.pt) >= lepton)
    return derive(events.replace(values), layout), jnp.asarray(passed)


def rounded(events: Events, layout: Layout, *, decimals: int = 3) -> Events:
    """Round all measured columns, as published files are; derived columns are recomputed.

    For comparisons with such files only, and not under ``jit``: a rounded number has no derivative.

    Parameters
    ----------
    events : to be compared with a published file
    layout : which column is what
    decimals : that are kept
    """
    unit = np.float32(10**decimals)  # ties fall as in the challenge's own float32 arithmetic
    values = {name: np.asarray(events.column(name)) for name in layout.measured if name in events.columns}
    return derive(events.replace({name: np.rint(value * unit) / unit for name, value in values.items()}), layout)
