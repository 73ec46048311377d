"""Systematics that act on weights or on a single column: normalisations, user weights, scales of plain columns.

Log-normal normalisations are those of HistFactory (CERN-OPEN-2012-016).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Float

from verax.arrays import Array
from verax.events import Events
from verax.parameters import nuisance

from ._effect import Systematic, Theta, aslike, checked_width, limited

WEIGHT = "weight"


def normalisation(name: str, width: float, processes: Sequence[str] = (), group: str = "normalisation") -> Systematic:
    """Change the normalisation of some processes, log-normal: weights times κ^θ with κ = 1 + width.

    Parameters
    ----------
    name : of the parameter
    width : relative prior width
    processes : those whose weights change; () for all
    group : row of the uncertainty breakdown

    Raises
    ------
    InputError : for a width that is not positive and finite

    >>> from verax.events import make_events
    >>> import numpy as np
    >>> round(float(normalisation("lumi", 0.02)(make_events({"x": np.zeros(1)}), 1.0).weight[0]), 4)
    1.02
    """
    effect = Normalisation(checked_width(width, name), tuple(processes))
    return Systematic(nuisance(name, group), effect, changes=(WEIGHT,))


def reweight(
    name: str,
    function: Callable[[Events, Theta], Float[Array, " event"]],
    *,
    group: str = "theory",
    processes: Sequence[str] = (),
    traceable: bool = True,
    needs: Sequence[str] = (),
) -> Systematic:
    """Multiply weights by ``function(events, θ)``, which must be 1 at θ = 0.

    Parameters
    ----------
    name : of the parameter
    function : ``events, θ → factor[event]``
    group : row of the uncertainty breakdown
    processes : those whose weights change; () for all
    traceable : the function is made of JAX operations
    needs : columns that it reads

    >>> reweight("tilt", lambda events, theta: 1 + theta * events.column("x"), needs=("x",)).changes
    ('weight',)
    """
    effect = Reweight(function, tuple(processes))
    return Systematic(nuisance(name, group), effect, traceable=traceable, changes=(WEIGHT,), needs=tuple(needs))


def scale_columns(
    name: str, width: float, columns: Sequence[str], *, group: str = "detector", processes: Sequence[str] = ()
) -> Systematic:
    """Multiply plain columns by 1 + width·θ, for tables without a :class:`~verax.systematics.Layout`.

    Nothing is recomputed: columns derived from these are the caller's.

    Parameters
    ----------
    name : of the parameter
    width : relative prior width
    columns : that are scaled
    group : row of the uncertainty breakdown
    processes : those whose events move; () for all

    Raises
    ------
    InputError : for a width that is not positive and finite

    >>> scale_columns("jes", 0.03, ("pt",)).changes
    ('pt',)
    """
    effect = ScaleColumns(checked_width(width, name), tuple(columns), tuple(processes))
    return Systematic(nuisance(name, group), effect, changes=tuple(columns), needs=tuple(columns))


@dataclass(frozen=True)
class Normalisation:
    """Weights of ``processes`` times (1 + width)^θ."""

    width: float
    processes: tuple[str, ...] = ()

    def __call__(self, events: Events, theta: Theta) -> Events:
        """The events reweighted."""
        factor = jnp.exp(aslike(theta, events.weight) * math.log1p(self.width))
        if self.processes:
            factor = jnp.where(events.is_process(self.processes), factor, 1)
        return events.reweight(factor)


@dataclass(frozen=True)
class Reweight:
    """Weights of ``processes`` times ``function(events, θ)``."""

    function: Callable[[Events, Theta], Float[Array, " event"]]
    processes: tuple[str, ...] = ()

    def __call__(self, events: Events, theta: Theta) -> Events:
        """The events reweighted."""
        return limited(events, events.reweight(self.function(events, theta)), self.processes)


@dataclass(frozen=True)
class ScaleColumns:
    """``columns`` of ``processes`` times 1 + width·θ."""

    width: float
    columns: tuple[str, ...]
    processes: tuple[str, ...] = ()

    def __call__(self, events: Events, theta: Theta) -> Events:
        """The events with the columns scaled."""
        gain = 1 + self.width * aslike(theta, events.x)
        varied = events.replace({name: events.column(name) * gain for name in self.columns})
        return limited(events, varied, self.processes)
