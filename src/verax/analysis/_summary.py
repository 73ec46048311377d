"""The number per event that is histogrammed, and the channel that an event belongs to."""

import inspect
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int

from verax.errors import InputError
from verax.events import Events
from verax.learn import fold_of

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
    """A user's own callable, of what it asks for.

    Parameters
    ----------
    function : of ``(x)``, the features' array; of ``(x, fold)``, called with the events of one fold at a time; or of
        ``(events)``, which have the features and their numbers, and nothing that data do not have
    features : columns that it reads
    folds : number of folds, for a function that asks for them
    """

    function: Own
    features: tuple[str, ...]
    folds: int | None = None

    def __call__(self, events: Events) -> np.ndarray:
        asked, x = self.asked(), np.asarray(events.features(self.features))
        if asked == "events":
            number, n = np.asarray(events.number), len(x)
            alike = Events(x, np.ones(n, np.float32), np.zeros(n, np.int32), number, self.features, ("data",))
            return self._one_each(self.function(alike), n)
        if asked == "x":
            return self._one_each(self.function(x), len(x))
        assert self.folds is not None
        fold, found = fold_of(events.number, self.folds), np.empty(len(x))
        for f in np.unique(fold).tolist():
            rows, called = fold == f, self.function.found()
            found[rows] = self._one_each(called(x[rows], fold=f), int(rows.sum()))
        return found

    def asked(self) -> Literal["x", "fold", "events"]:
        """What the function takes, by the names of its parameters.

        Raises
        ------
        InputError : for a function of the fold without ``folds``, and for these with another function
        """
        try:
            names = [*inspect.signature(self.function.found()).parameters]
        except ValueError:  # written in C
            names = ["x"]
        shown = f"a function of ({', '.join(names)})"
        if "fold" in names:
            if self.folds is None:
                action = "an event's fold is its number modulo folds, as verax.learn.fold_of gives it for the training"
                raise InputError("summary.folds", f"nothing, with {shown}", "the number of folds", action)
            return "fold"
        if self.folds is not None:
            raise InputError(
                "summary.folds", f"{self.folds} with {shown}", "a function (x, fold) → score", "or leave it out"
            )
        return "events" if names[:1] == ["events"] else "x"

    def _one_each(self, found: object, n: int) -> np.ndarray:
        scores = np.asarray(found)
        if scores.shape != (n,):
            where = f"summary.function '{self.function.name}'"
            raise InputError(where, f"output of shape {scores.shape}", f"({n},), a score per event")
        return scores
