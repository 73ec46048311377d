"""Systematics of several weights per event, combined bin by bin: scale envelopes, PDF Hessians and replicas.

Histograms of all members are filled side by side, exact and additive like any other; what is not linear in them comes
last, in the final bins: the envelope of merged bins is not the sum of envelopes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal, TypeAlias

import numpy as np

from verax.arrays import Array, Float
from verax.errors import InputError
from verax.events import Events
from verax.parameters import Parameter

from ._templates import Templates
from ._treatment import cells

Bins: TypeAlias = Float[np.ndarray, "process bin"]
Members: TypeAlias = Float[np.ndarray, "member process bin"]
Sides: TypeAlias = Float[np.ndarray, "parameter process bin"]


@dataclass(frozen=True)
class Envelope:
    """The largest change up and down among the members, in each bin.

    Of the scale variations (μ_R, μ_F) by factors of two without the two opposite ones, this is the 7-point envelope
    (Cacciari, Frixione, Mangano, Nason, Ridolfi, hep-ph/0303085, JHEP 04 (2004) 068). Nominal is a member, too.
    """

    def __call__(self, nominal: Bins, members: Members) -> tuple[Sides, Sides]:
        """Up and down of one parameter."""
        return np.maximum(nominal, members.max(axis=0))[None], np.minimum(nominal, members.min(axis=0))[None]


@dataclass(frozen=True)
class Hessian:
    """The master formulas of PDF eigenvectors k, with members in the order of the set, for X in each bin.

    ==============  ============================  ==================================================================
    formula         members                       ΔX
    ==============  ============================  ==================================================================
    ``asymmetric``  X₁⁺, X₁⁻, X₂⁺, …              (Σ max(X⁺ − X₀, X⁻ − X₀, 0)²)^½ up, with X₀ − X^± down
    ``symmetric``   X₁⁺, X₁⁻, X₂⁺, …              ½ (Σ (X⁺ − X⁻)²)^½
    ``single``      X₁, X₂, … (as PDF4LHC's)      (Σ (X − X₀)²)^½
    ==============  ============================  ==================================================================

    Sources: Nadolsky and Sullivan, hep-ph/0110378; LHAPDF 6 (Buckley et al., 1412.7420, eqs. 1 and 2); PDF4LHC
    (Butterworth et al., 1510.03865, eq. 20).

    Parameters
    ----------
    formula : one of the table
    confidence : level of the set in per cent; 90 is divided by 1.645, 68 counts as one standard deviation
    each : one parameter for each eigenvector, instead of one for their quadratic sum
    """

    formula: Literal["asymmetric", "symmetric", "single"] = "asymmetric"
    confidence: Literal[68, 90] = 68
    each: bool = False

    def parameters(self, members: int) -> int:
        """Number of parameters that a number of members makes.

        Raises
        ------
        InputError : for members that are no pairs, where the formula is one of pairs
        """
        if self.formula != "single" and members % 2:
            expected = "pairs, + and − of each eigenvector"
            raise InputError("hessian", f"{members} members", expected, "leave out the nominal one, or formula: single")
        count = members if self.formula == "single" else members // 2
        return count if self.each else 1

    def __call__(self, nominal: Bins, members: Members) -> tuple[Sides, Sides]:
        """Up and down of each parameter."""
        self.parameters(len(members))
        change = (members - nominal) / (NormalDist().inv_cdf(0.95) if self.confidence == 90 else 1.0)
        plus, minus = (change, -change) if self.formula == "single" else (change[::2], change[1::2])
        if self.formula == "symmetric":
            plus, minus = (plus - minus) / 2, (minus - plus) / 2
        if not self.each:
            rise, fall = np.maximum(np.maximum(plus, minus), 0.0), np.maximum(np.maximum(-plus, -minus), 0.0)
            plus, minus = (np.sqrt(np.square(side).sum(axis=0))[None] for side in (rise, fall))
            minus = -minus
        return nominal + plus, nominal + minus


@dataclass(frozen=True)
class Replicas:
    """The standard deviation of Monte Carlo replicas in each bin, on both sides of nominal.

    About their mean it is (Σ (X − ⟨X⟩)² / (N − 1))^½ (PDF4LHC, 1510.03865, eqs. 21 and 22); about the nominal bin,
    which is not estimated from them, (Σ (X − X₀)² / N)^½.
    """

    about: Literal["mean", "nominal"] = "mean"

    def __call__(self, nominal: Bins, members: Members) -> tuple[Sides, Sides]:
        """Up and down of one parameter."""
        change, free = (members - members.mean(axis=0), 1) if self.about == "mean" else (members - nominal, 0)
        spread = np.sqrt(np.square(change).sum(axis=0) / (len(members) - free))
        return (nominal + spread)[None], (nominal - spread)[None]


Combination: TypeAlias = Envelope | Hessian | Replicas


@dataclass(frozen=True)
class Reweighted:
    """Events of some processes with other weights: one member of a set.

    Parameters
    ----------
    parameter : its name says which member it is
    factor : ``events → factor[event]`` on the nominal weights
    processes : those whose weights change; () for all
    """

    parameter: Parameter
    factor: Callable[[Events], Array]
    processes: tuple[str, ...] = ()
    one_sided = True

    def weight(self, events: Events) -> Float[np.ndarray, " event"]:
        """The member's weights."""
        weight = np.asarray(events.weight)
        chosen = np.isin(events.processes, self.processes or events.processes)[np.asarray(events.process)]
        if not chosen.any():
            return weight
        with np.errstate(invalid="ignore"):  # what does not act there may be anything
            return np.where(chosen, weight * np.asarray(self.factor(events), np.float32), weight)


@dataclass(frozen=True)
class WeightSet:
    """A systematic of several weights per event: members to be filled, and how their histograms are combined.

    Parameters
    ----------
    parameters : one, or one for each eigenvector
    members : in the order that ``combine`` takes them in
    combine : ``nominal, members → up, down`` of each parameter
    needs : columns that the factors read
    """

    parameters: tuple[Parameter, ...]
    members: tuple[Reweighted, ...]
    combine: Combination
    needs: tuple[str, ...] = ()
    changes = ("weight",)


def members(systematics: Sequence[Any]) -> list[Any]:
    """List what is to be filled: sets as their members, all else as it is.

    Parameters
    ----------
    systematics : of which some may be sets

    >>> members(["jes"])
    ['jes']
    """
    parts = [s.members if isinstance(s, WeightSet) else (s,) for s in systematics]
    return [part for some in parts for part in some]


def combined(templates: Templates, systematics: Sequence[Any]) -> Templates:
    """Combine the histograms of members in each bin, after bins were merged.

    Parameters
    ----------
    templates : filled with :func:`members` of the systematics
    systematics : of which some may be sets

    >>> from verax.model import example_templates
    >>> combined(example_templates(), example_templates().systematics).systematics == example_templates().systematics
    True
    """
    if not any(isinstance(s, WeightSet) for s in systematics):
        return templates
    nominal, _, up, down = cells(templates)
    highs, lows, parameters, start = list[Any](), list[Any](), list[Parameter](), 0
    for s in systematics:
        count = len(s.members) if isinstance(s, WeightSet) else 1
        high, low = up[start : start + count], down[start : start + count]
        if isinstance(s, WeightSet):
            high, low = s.combine(nominal, high)
            parameters += s.parameters
        else:
            parameters.append(templates.systematics[start])
        highs.append(high)
        lows.append(low)
        start += count
    up, down = np.concatenate(highs), np.concatenate(lows)
    return replace(templates, up=up, down=down, systematics=tuple(parameters))
