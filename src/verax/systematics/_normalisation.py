"""Systematics that act on weights or on a single column: normalisations, user weights, scales of plain columns."""

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
    """Normalisation of some processes (() for all), log-normal: weights times κ^θ with κ = 1 + width."""
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
    """Weights times ``function(events, θ)``, which must be 1 at θ = 0; () for all processes.

    ``traceable`` says that the function is made of JAX operations; ``needs`` are the columns that it reads.
    """
    effect = Reweight(function, tuple(processes))
    return Systematic(nuisance(name, group), effect, traceable=traceable, changes=(WEIGHT,), needs=tuple(needs))


def scale_columns(
    name: str, width: float, columns: Sequence[str], *, group: str = "detector", processes: Sequence[str] = ()
) -> Systematic:
    """Plain columns times 1 + width·θ, for tables without a :class:`~verax.systematics.Layout`.

    Nothing is recomputed: columns derived from these are the caller's.
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
