"""Every effect of the analysis file that acts on the nominal events: a new one is a line here."""

from typing import Any

import jax.numpy as jnp


def pulled(events: Any, theta: Any) -> Any:
    """A function of the user's, made of JAX operations: a column moves by a tenth of its distance from 50."""
    column = events.column("PRI_tau_pt")
    return events.replace({"PRI_tau_pt": column + 0.1 * jnp.asarray(theta, column.dtype) * (column - 50)})


EFFECTS: dict[str, dict[str, Any]] = {
    "tau_energy_scale": {"width": 0.03},
    "jet_energy_scale": {"width": 0.03},
    "lepton_energy_scale": {"width": 0.02},
    "soft_met": {"sigma": 3.0},
    "normalisation": {"width": 0.1},
    "weight": {"up": "1 + 0.002 * PRI_tau_pt", "down": "1 - 0.001 * PRI_tau_pt"},
    "scale": {"columns": ["PRI_tau_pt", "PRI_met"], "width": 0.05},
    "function": {"function": pulled, "changes": ["PRI_tau_pt"], "jax": True},
}
