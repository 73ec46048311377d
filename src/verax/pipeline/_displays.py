"""Variables that are shown beside the summary: filled with it, with the parameters of its fit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verax.analysis import Channels, Variable
from verax.events import Events
from verax.templates import Filling, Templates

from ._outside import Outside


@dataclass(frozen=True)
class Displayed:
    """A variable in all channels.

    Parameters
    ----------
    variable : the column
    templates : of the parameters that are fitted
    observed : counts; NaN in channels of which anything is blind, None without data
    notes : what lies outside the bins, or has no value
    """

    variable: str
    templates: Templates
    observed: np.ndarray | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """The variable of each event, and its channel; −1 also where it is missing."""

    variable: Variable
    channels: Channels

    def __call__(self, events: Events) -> tuple[np.ndarray, np.ndarray]:
        value, channel = np.asarray(events.column(self.variable.column)), self.channels(events)
        if self.variable.missing is not None:
            channel = np.where(value == np.float32(self.variable.missing), -1, channel)
        return np.asarray(value, np.float64), channel


class Shown:
    """The variables of an analysis, to be filled in the same pass as the summary."""

    def __init__(
        self, variables: Sequence[Variable], names: tuple[str, ...], channels: Channels, observed: bool
    ) -> None:
        self.columns, self.names, self.channels = [Column(v, channels) for v in variables], names, channels
        self.label = "observed events" if observed else "simulated events"
        self.outside = [Outside((v.edges,) * len(names), self.label, observed, v.column, v.missing) for v in variables]

    def fillings(self) -> list[Filling]:
        """What is filled."""
        return [Filling(c, (c.variable.edges,) * len(self.names), self.names) for c in self.columns]

    def add(self, events: Events) -> None:
        """Take some events, to see which lie outside."""
        channel = self.channels(events) if self.columns else np.zeros(0)
        for column, outside in zip(self.columns, self.outside, strict=True):
            outside.add(events, np.asarray(events.column(column.variable.column)), channel)

    def notes(self, i: int) -> tuple[str, ...]:
        """What lies outside the bins of a variable, or has no value."""
        return () if self.outside[i].sums is None else self.outside[i].problems()


def aligned(given: Templates, fitted: Templates) -> Templates:
    """The templates with the parameters of those fitted: rows beyond them are dropped, lacking ones nominal."""
    parameters = fitted.systematics
    known, nominal = {p.name: k for k, p in enumerate(given.systematics)}, np.asarray(given.nominal)
    shape = (len(parameters), *nominal.shape)
    up, down = (
        np.reshape([side[known[p.name]] if p.name in known else nominal for p in parameters], shape)
        for side in (np.asarray(given.up), np.asarray(given.down))
    )
    return Templates(nominal, given.variance, up, down, given.channels, given.edges, given.processes, parameters)
