"""The number per event that is histogrammed, and the channel that an event belongs to."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from verax.errors import InputError
from verax.events import Events

from ._expressions import passed
from ._functions import Own


@dataclass(frozen=True)
class Channels:
    """The channel of each event: the first whose selection it passes, −1 for none, or one that is not ``kept``."""

    selections: tuple[str | None, ...]
    kept: tuple[bool, ...] = ()

    def __call__(self, events: Events) -> Int[np.ndarray, " event"]:
        channel = np.full(len(events), -1, np.int64)
        for i, text in reversed(list(enumerate(self.selections))):
            here = i if all(self.kept[i : i + 1]) else -1
            channel[slice(None) if text is None else passed(text, events)] = here
        return channel


@dataclass(frozen=True)
class ColumnScore:
    """One column."""

    column: str

    def __call__(self, events: Events) -> np.ndarray:
        return np.asarray(events.column(self.column))


@dataclass(frozen=True)
class FunctionScore:
    """A user's own callable on the features' array."""

    function: Own
    features: tuple[str, ...]

    def __call__(self, events: Events) -> np.ndarray:
        x = np.asarray(events.features(self.features))
        found = np.asarray(self.function(x))
        if found.shape != (len(x),):
            raise InputError("summary.function", f"output of shape {found.shape}", f"({len(x)},), a score per event")
        return found
