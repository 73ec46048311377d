"""Several effects of one parameter, such as a scale that changes yields of some processes and momenta of others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from verax.events import Events

from ._effect import Effect, Systematic, Theta


@dataclass(frozen=True)
class Together:
    """Effects of one θ, one after another."""

    effects: tuple[Effect, ...]

    def __call__(self, events: Events, theta: Theta) -> Events:
        for effect in self.effects:
            events = effect(events, theta)
        return events


def together(systematics: Sequence[Systematic], parameters: Mapping[str, str]) -> tuple[Systematic, ...]:
    """Give systematics to shared parameters: those of the same one become one systematic, where the first stood.

    Parameters
    ----------
    systematics : in the order in which they act
    parameters : name of a systematic -> name of its parameter, where that is another

    >>> from verax.systematics import normalisation
    >>> rates = [normalisation(name="top", width=0.1), normalisation(name="z", width=0.05)]
    >>> [s.name for s in together(rates, {"top": "scale", "z": "scale"})]
    ['scale']
    """
    grouped: dict[str, list[Systematic]] = {}
    for s in systematics:
        grouped.setdefault(parameters.get(s.name, s.name), []).append(s)
    return tuple(_one(name, parts) for name, parts in grouped.items())


def _one(name: str, parts: list[Systematic]) -> Systematic:
    """A systematic of that parameter; it is one-sided where all its parts are."""
    first = parts[0]
    return Systematic(
        replace(first.parameter, name=name),
        first.effect if len(parts) == 1 else Together(tuple(s.effect for s in parts)),
        all(s.one_sided for s in parts),
        all(s.traceable for s in parts),
        tuple(dict.fromkeys(c for s in parts for c in s.changes)),
        tuple(dict.fromkeys(c for s in parts for c in s.needs)),
    )
