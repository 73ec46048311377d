"""What is audited: a likelihood, its data and their fit, and what several checks need to know of them.

Expected data are Asimov's of EPJC 71 (2011) 1554.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from verax.arrays import Float
from verax.infer import Fit, fisher_information
from verax.model import BinnedLikelihood, Data, DataSets, Gammas, fitted_gammas, templates
from verax.parameters import prior_width
from verax.results import good
from verax.templates import Templates

from ._verdict import Place


@dataclass(frozen=True)
class Subject:
    """A likelihood, one data set, the parameter of interest ("" for none) and the fit.

    Parameters
    ----------
    variance : Σw² behind each template [process, bin] where it is known from elsewhere
    at : parameter values of expected data, where they are others than the initial ones
    """

    model: BinnedLikelihood
    data: Data
    poi: str
    best: Fit
    variance: Float[np.ndarray, "process bin"] | None = None
    at: Mapping[str, float] | None = None

    @property
    def fitted(self) -> bool:
        """Whether the fit did not fail."""
        return bool(good(self.best.status))

    @cached_property
    def expected(self) -> bool:
        """Whether the data are expected ones."""
        return is_expected(self.model, self.data, self.at)

    @cached_property
    def templates(self) -> Templates:
        """Templates, and those at θ = ±1 of each systematic."""
        return templates(self.model)

    @cached_property
    def gammas(self) -> Gammas:
        """The γ of single bins that the likelihood profiles."""
        return fitted_gammas(self.model, self.data, self.best)

    @cached_property
    def theta(self) -> np.ndarray:
        """Initial values, with 1 in place of a free factor of 0, which would hide what it multiplies."""
        return np.array([p.init or float(p.constraint is None) for p in self.model.parameters], np.float64)

    @cached_property
    def rates(self) -> Float[np.ndarray, "process bin"]:
        """Expected events there."""
        return np.asarray(self.model.rates(self.theta), np.float64)

    @cached_property
    def weight(self) -> Float[np.ndarray, " bin"]:
        """1/variance of what each bin counts: of the data and, through γ, of the simulation."""
        total, tau = np.maximum(self.rates.sum(0), np.asarray(self.model.floor)), np.asarray(self.model.tau)
        spread = np.where(tau > 0, 1 / np.where(tau > 0, tau, 1.0), np.square(self.model.width))
        return np.asarray(1 / (total * (1 + total * spread)))

    @cached_property
    def constrained(self) -> list[tuple[int, float, float]]:
        """Position, global observable and prior width of each parameter that has one and is not fixed."""
        start = self.model.start(DataSets.of(self.data).batch)[0]
        found = ((i, float(start[i]), prior_width(p)) for i, p in enumerate(self.model.parameters) if not p.fixed)
        return [(i, a, width) for i, a, width in found if width > 0]

    @cached_property
    def expected_error(self) -> Float[np.ndarray, " parameter"]:
        """σ of each parameter where the data are those expected at the fit; 0 of what is fixed, NaN where there is none."""
        free = [i for i, p in enumerate(self.model.parameters) if not p.fixed]
        information = np.asarray(fisher_information(self.model, self.best.params), np.float64)[np.ix_(free, free)]
        unit, error = 1 / np.sqrt(np.maximum(np.diagonal(information), 1e-300)), np.zeros(len(self.model.parameters))
        try:
            inverse = np.linalg.inv(information * unit * unit[:, None])
        except np.linalg.LinAlgError:
            inverse = np.full(information.shape, np.nan)
        with np.errstate(invalid="ignore"):
            error[free] = unit * np.sqrt(np.diagonal(inverse))
        return error

    @cached_property
    def simulated(self) -> Float[np.ndarray, "process bin"]:
        """Σw² behind each template, as far as it is known: of modifiers bin by bin, or of a run; 0 where it is not."""
        found = np.array(self.model.variance if self.variance is None else self.variance, np.float64)
        for m in self.model.modifiers:
            if m.kind in ("staterror", "shapesys"):
                here = m.process, self.model.layout.channel == m.channel
                found[here] = np.maximum(found[here], np.square(m.data))
        return found

    def place(self, bins: np.ndarray, parameter: str = "", process: str = "") -> list[Place]:
        """Say where bins lie, a place for each channel."""
        layout, found = self.model.layout, []
        for c, channel in enumerate(self.model.channels):
            here = np.asarray(bins, int)[layout.channel[bins] == c]
            if here.size:
                found.append(Place(parameter, process, channel, tuple(int(x) for x in layout.slot[here])))
        return found

    def bins(self, place: Place) -> np.ndarray:
        """The numbers of a place's bins in the model."""
        first = np.flatnonzero(self.model.layout.channel == self.model.channels.index(place.channel))[0]
        return np.asarray(first + np.array(place.bins, int))

    def by_channel(self, name: str, step: float) -> tuple[np.ndarray, np.ndarray]:
        """First and second derivative, by channel, of −log L of the counts in one parameter, all others held at the fit."""
        i, theta = self.best.names.index(name), np.asarray(self.best.value, np.float64)
        moved = [theta + k * step * (np.arange(len(theta)) == i) for k in (-1, 0, 1)]
        low, here, high = (np.asarray(self.model.excess(t, self.data)[0], np.float64) for t in moved)
        return (high - low) / (2 * step), (high - 2 * here + low) / step**2


def is_expected(model: BinnedLikelihood, data: Data, at: Mapping[str, float] | None = None) -> bool:
    """Find whether data are those expected at the initial values (Asimov), or at given ones, which pull nothing.

    Parameters
    ----------
    model : the likelihood
    data : one data set
    at : further parameter values that they may be those of

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> is_expected(model, data), is_expected(model, model.asimov({}))
    (False, True)
    """
    for values in ({}, at or {}):
        asimov = model.asimov({p.name: float(values.get(p.name, p.init)) for p in model.parameters})
        pairs = ((data.counts, asimov.counts), (data.auxiliary, asimov.auxiliary))
        if all(np.allclose(a, b, rtol=1e-6, atol=1e-9) for a, b in pairs):
            return True
    return False
