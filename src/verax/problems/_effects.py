"""Effects of the known-answer problems on plain columns and weights; frozen dataclasses, so that they compare by value."""

from dataclasses import dataclass

import jax.numpy as jnp

from verax.events import Events
from verax.systematics import Theta, aslike, limited


@dataclass(frozen=True)
class ShiftColumn:
    """``column`` of ``processes`` plus unit·θ."""

    column: str
    unit: float
    processes: tuple[str, ...] = ()

    def __call__(self, events: Events, theta: Theta) -> Events:
        """The events with the column shifted."""
        moved = events.column(self.column) + self.unit * aslike(theta, events.x)
        return limited(events, events.replace({self.column: moved}), self.processes)


@dataclass(frozen=True)
class RescaleRate:
    """``column`` of ``processes``, exponential with the given rate at θ = 0, with rate + unit·θ."""

    column: str
    rate: float
    unit: float
    processes: tuple[str, ...] = ()

    def __call__(self, events: Events, theta: Theta) -> Events:
        """The events with the column times rate / (rate + unit·θ)."""
        factor = self.rate / (self.rate + self.unit * aslike(theta, events.x))
        return limited(events, events.replace({self.column: events.column(self.column) * factor}), self.processes)


@dataclass(frozen=True)
class LinearWeight:
    """Weights of ``processes`` times 1 + width·θ: a yield with a Gaussian prior, as published, not a log-normal one."""

    width: float
    processes: tuple[str, ...] = ()

    def __call__(self, events: Events, theta: Theta) -> Events:
        """The events reweighted."""
        return limited(events, events.reweight(1 + self.width * aslike(theta, events.weight)), self.processes)


@dataclass(frozen=True)
class Rotate:
    """The plane of two ``columns`` rotated about its origin by unit·θ (radians)."""

    columns: tuple[str, str]
    unit: float

    def __call__(self, events: Events, theta: Theta) -> Events:
        """The events rotated."""
        x, y = (events.column(name) for name in self.columns)
        angle = self.unit * aslike(theta, events.x)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        return events.replace({self.columns[0]: cos * x - sin * y, self.columns[1]: sin * x + cos * y})
