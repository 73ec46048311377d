"""The effects of systematics: what may be said of each, and the function of events that comes of it, side by side.

An effect is one class here, and its name in ``Systematics``: its keys, and ``build``, which gives them to its function in
``verax.systematics``.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import starmap
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import jax.numpy as jnp
import numpy as np
import pydantic
from jaxtyping import Float
from pydantic import Field

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events
from verax.parameters import nuisance
from verax.systematics import (
    Effect,
    Layout,
    Systematic,
    Theta,
    jet_energy_scale,
    lepton_energy_scale,
    limited,
    normalisation,
    reweight,
    scale_columns,
    soft_met,
    tau_energy_scale,
)
from verax.templates import Combination, Envelope, Hessian, Replicas, Reweighted, WeightSet

from ._expressions import evaluate, names, with_derived
from ._functions import Own
from ._sections import Correlate, Function, Name, Sample, Strict, Width


@dataclass(frozen=True)
class Interpolated:
    """Weight factor, linear in θ on each side: ``up`` at θ = 1, ``down`` (default: 1/up) at θ = −1."""

    up: str
    down: str | None

    def __call__(self, events: Events, theta: Theta) -> Float[Array, " event"]:
        up = evaluate(self.up, events)
        down = evaluate(self.down, events) if self.down else 1 / up
        return 1 + jnp.where(jnp.asarray(theta) >= 0, theta * (up - 1), theta * (1 - down))


SLICE = re.compile(r"\[(\d+):(\d+)\]")


@dataclass(frozen=True)
class Factor:
    """A factor on the weights, an expression of columns."""

    text: str

    def __call__(self, events: Events) -> Float[Array, " event"]:
        return np.asarray(evaluate(self.text, events))


@dataclass(frozen=True)
class Completed:
    """An effect followed by what depends on it: derived columns, computed again."""

    effect: Effect
    derived: tuple[tuple[str, str], ...]
    processes: tuple[str, ...] = ()

    def __call__(self, events: Events, theta: Theta) -> Events:
        again = [(name, text) for name, text in self.derived if name in events.columns]
        return limited(events, with_derived(self.effect(events, theta), again), self.processes)


class SystematicBase(Strict):
    """What all systematics share."""

    name: Name = Field(description="unique")
    group: str = Field("experimental", description="row of the uncertainty breakdown")
    parameter: Name | None = Field(
        None, description="the nuisance parameter, which systematics of the same one share (default: the name)"
    )
    prior: Literal["gaussian", "none"] = Field(
        "gaussian",
        description="of θ: G(θ; 0, 1); or none between −5 and 5, as of a mass that is measured (`infer.further`)",
    )
    channels: list[str] | None = Field(None, min_length=1, description="channels it acts in (default: all)")
    correlate: Correlate | None = Field(None, description="a parameter for each part, correlated in part or not at all")

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of its nuisance parameters."""
        return (self.name,)


class EffectBase(SystematicBase):
    """What all systematics share that act on the nominal events."""

    processes: list[str] | None = Field(None, min_length=1, description="processes it acts on (default: all)")

    needs_layout: ClassVar[bool] = False

    @abstractmethod
    def build(self, layout: Layout | None, functions: Mapping[str, Own]) -> Systematic | WeightSet:
        """The systematic; ``functions`` are the user's own, by systematic."""

    @property
    def _common(self) -> dict[str, Any]:
        """What every effect's function takes."""
        return {"name": self.name, "group": self.group, "processes": tuple(self.processes or ())}


SCALES = {
    "tau_energy_scale": tau_energy_scale,
    "jet_energy_scale": jet_energy_scale,
    "lepton_energy_scale": lepton_energy_scale,
}


class EnergyScale(EffectBase):
    """p_T → (1 + width·θ) p_T of one kind of object, with the missing transverse momentum and derived columns."""

    effect: Literal["tau_energy_scale", "jet_energy_scale", "lepton_energy_scale"]
    width: Width = Field(description="prior width of the relative scale, e.g. 0.03")

    needs_layout: ClassVar[bool] = True

    def build(self, layout: Layout | None, functions: Mapping[str, Own]) -> Systematic:
        """The systematic."""
        assert layout is not None
        return SCALES[self.effect](layout, self.width, **self._common)


class SoftMet(EffectBase):
    """Gaussian noise of θ·sigma on both components of the missing transverse momentum; one-sided by nature."""

    effect: Literal["soft_met"]
    sigma: Width = Field(description="noise per component at θ = 1, in the unit of the columns (GeV)")

    needs_layout: ClassVar[bool] = True

    def build(self, layout: Layout | None, functions: Mapping[str, Own]) -> Systematic:
        """The systematic."""
        assert layout is not None
        return soft_met(layout, self.sigma, **self._common)


class Normalisation(EffectBase):
    """Log-normal yield: weight × (1 + width)^θ."""

    effect: Literal["normalisation"]
    width: Width = Field(description="relative prior width")

    def build(self, layout: Layout | None, functions: Mapping[str, Own]) -> Systematic:
        """The systematic."""
        return normalisation(width=self.width, **self._common)


class WeightVariation(EffectBase):
    """Weight factors from expressions of columns, at θ = +1 and −1 (default for down: 1/up)."""

    effect: Literal["weight"]
    up: str = Field(description="factor at θ = +1")
    down: str | None = Field(None, description="factor at θ = −1 (default: 1/up)")

    def build(self, layout: Layout | None, functions: Mapping[str, Own]) -> Systematic:
        """The systematic."""
        factor = Interpolated(self.up, self.down)
        return reweight(function=factor, needs=names(self.up, self.down), **self._common)


class ColumnScale(EffectBase):
    """columns → (1 + width·θ) × columns; ``derived`` columns are recomputed."""

    effect: Literal["scale"]
    columns: list[str] = Field(min_length=1, description="columns that scale together")
    width: Width = Field(description="relative prior width")

    def build(self, layout: Layout | None, functions: Mapping[str, Own]) -> Systematic:
        """The systematic."""
        return scale_columns(width=self.width, columns=self.columns, **self._common)


class VariedSamples(SystematicBase):
    """Varied simulation in files of its own, with the weights, selection and number of the nominal samples."""

    effect: Literal["samples"]
    up: list[Sample] = Field(min_length=1, description="simulation at θ = +1")
    down: list[Sample] | None = Field(None, description="without it, the up variation is mirrored")


class VariedHistograms(SystematicBase):
    """Varied histograms of channels without events, and nothing in others."""

    effect: Literal["histograms"]


class FunctionEffect(EffectBase):
    """A Python callable ``(Events, θ) → Events``."""

    effect: Literal["function"]
    function: Function = Field(description="module:name or path.py:name")
    changes: list[str] = Field(description="columns that it changes ('weight' counts)")
    one_sided: bool = Field(False, description="θ and −θ do the same: down is the mirror image of up")
    jax: bool = Field(False, description="made of JAX operations, so that it can be compiled and differentiated")

    def build(self, layout: Layout | None, functions: Mapping[str, Own]) -> Systematic:
        """The systematic."""
        effect = Completed(functions[self.name], (), tuple(self.processes or ()))
        return Systematic(nuisance(self.name, self.group), effect, self.one_sided, self.jax, tuple(self.changes))


class WeightsBase(EffectBase):
    """What all effects of several weights per event share; in training no network learns them."""

    weights: str | list[str] = Field(
        description="factors on the nominal weight, expressions of columns; w[1:101] stands for w[1] … w[100]"
    )
    nominal: str | None = Field(
        None, description="what they are divided by, such as w[0], where they are no factors yet"
    )

    least: ClassVar[int] = 1

    @pydantic.model_validator(mode="after")
    def has_members(self) -> "WeightsBase":
        """There are members, as many as the effect needs."""
        count = len(self.members)
        if count < self.least:
            seen = f"{count or 'no'} member{'s' if count > 1 else ''} in {self.weights}"
            expected = f"{self.least} weight{'s' if self.least > 1 else ''} or more"
            raise InputError(f"systematic '{self.name}'", seen, expected, "w[1:4] stands for w[1], w[2], w[3]")
        try:
            self.parameter_names  # noqa: B018
        except InputError as error:
            raise InputError(f"systematic '{self.name}'", error.got, error.expected, error.action) from error
        return self

    @property
    def members(self) -> list[str]:
        """The expressions of all members, slices written out."""
        texts = [self.weights] if isinstance(self.weights, str) else self.weights
        return [member for text in texts for member in self._written_out(text)]

    def _written_out(self, text: str) -> list[str]:
        slices = [range(int(a), int(b)) for a, b in SLICE.findall(text)]
        if len({len(s) for s in slices}) > 1:
            raise InputError(f"systematic '{self.name}'", f"'{text}'", "slices of one length")
        if not slices:
            return [text]
        fixed = SLICE.sub("{}", text.replace("{", "{{").replace("}", "}}"))
        return [fixed.format(*(f"[{i}]" for i in row)) for row in zip(*slices, strict=True)]

    @property
    @abstractmethod
    def combination(self) -> Combination:
        """How the members' histograms are combined."""

    def build(self, layout: Layout | None, functions: Mapping[str, Own]) -> WeightSet:
        """The set of weights."""
        over = f" / ({self.nominal})" if self.nominal else ""
        texts = [f"({text}){over}" if over else text for text in self.members]
        made = [(nuisance(f"{self.name}: {text}", ""), Factor(text), tuple(self.processes or ())) for text in texts]
        parameters = tuple(nuisance(name, self.group) for name in self.parameter_names)
        return WeightSet(parameters, tuple(starmap(Reweighted, made)), self.combination, names(*texts))


class EnvelopeEffect(WeightsBase):
    """The largest change up and down among the weights, in each bin; of seven scale choices the 7-point envelope."""

    effect: Literal["envelope"]

    @property
    def combination(self) -> Envelope:
        """How the members' histograms are combined."""
        return Envelope()


class HessianEffect(WeightsBase):
    """PDF eigenvectors by the master formulas."""

    effect: Literal["hessian"]
    formula: Literal["asymmetric", "symmetric", "single"] = Field(
        "asymmetric",
        description="of pairs (+, −) of weights, asymmetric or symmetric; or of a single one an eigenvector",
    )
    confidence: Literal[68, 90] = Field(68, description="level of the set in per cent; 90 is divided by 1.645")
    parameters: Literal["one", "each"] = Field(
        "one", description="one nuisance parameter for the quadratic sum, or NAME_1, NAME_2, … for each eigenvector"
    )

    @property
    def combination(self) -> Hessian:
        """How the members' histograms are combined."""
        return Hessian(self.formula, self.confidence, self.parameters == "each")

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of its nuisance parameters."""
        count = self.combination.parameters(len(self.members))
        return (self.name,) if self.parameters == "one" else tuple(f"{self.name}_{i + 1}" for i in range(count))


class ReplicasEffect(WeightsBase):
    """The standard deviation of replicas in each bin, on both sides of nominal."""

    effect: Literal["replicas"]
    about: Literal["mean", "nominal"] = Field("mean", description="the replicas' mean, or the nominal bin")

    least: ClassVar[int] = 2

    @property
    def combination(self) -> Replicas:
        """How the members' histograms are combined."""
        return Replicas(self.about)


Systematics: TypeAlias = Annotated[
    EnergyScale
    | SoftMet
    | Normalisation
    | WeightVariation
    | ColumnScale
    | VariedSamples
    | VariedHistograms
    | FunctionEffect
    | EnvelopeEffect
    | HessianEffect
    | ReplicasEffect,
    Field(discriminator="effect"),
]
