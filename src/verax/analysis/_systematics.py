"""The systematics of an analysis as functions of events, and what must hold between them and the features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import jax.numpy as jnp
from jaxtyping import Float

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events
from verax.parameters import Parameter, nuisance
from verax.run import file_names
from verax.systematics import (
    FAIR_UNIVERSE,
    HIGGSML,
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

from . import _sections
from ._expressions import evaluate, names, with_derived
from ._functions import Own, Reads, own
from ._schema import Analysis

LAYOUTS = {"higgsml": HIGGSML, "fair_universe": FAIR_UNIVERSE}
SCALES = {
    "tau_energy_scale": tau_energy_scale,
    "jet_energy_scale": jet_energy_scale,
    "lepton_energy_scale": lepton_energy_scale,
}


@dataclass(frozen=True)
class Interpolated:
    """Weight factor, linear in θ on each side: ``up`` at θ = 1, ``down`` (default: 1/up) at θ = −1."""

    up: str
    down: str | None

    def __call__(self, events: Events, theta: Theta) -> Float[Array, " event"]:
        up = evaluate(self.up, events)
        down = evaluate(self.down, events) if self.down else 1 / up
        return 1 + jnp.where(jnp.asarray(theta) >= 0, theta * (up - 1), theta * (1 - down))


@dataclass(frozen=True)
class Completed:
    """An effect followed by what depends on it: derived columns, computed again."""

    effect: Effect
    derived: tuple[tuple[str, str], ...]
    processes: tuple[str, ...] = ()

    def __call__(self, events: Events, theta: Theta) -> Events:
        again = [(name, text) for name, text in self.derived if name in events.columns]
        return limited(events, with_derived(self.effect(events, theta), again), self.processes)


@dataclass(frozen=True)
class VariedFiles:
    """A systematic that has simulation of its own.

    Parameters
    ----------
    parameter : θ, +1 for ``up`` and −1 for ``down``
    processes : those that the samples replace
    up, down : files in the stage ``simulate``; None where down is the mirror image of up
    """

    parameter: Parameter
    processes: tuple[str, ...]
    up: str
    down: str | None

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.parameter.name


Source: TypeAlias = Systematic | VariedFiles
"""A source of systematic uncertainty: a function of events, or samples of its own."""


@dataclass(frozen=True)
class Sources:
    """The sources of systematic uncertainty of an analysis.

    Parameters
    ----------
    layout : names of the four-vector columns, from ``layout`` or the data set
    functions : of the user's, by systematic
    acting : by systematic, the processes that it acts on (() for all), and what it does before anything is recomputed
    moving : derived columns, with their formulas, that change with a systematic or are made of columns that do
    systematics : all, in the order of the analysis; those that act on events recompute what is ``moving``
    """

    layout: Layout | None
    functions: Mapping[str, Own]
    acting: Mapping[str, tuple[tuple[str, ...], Systematic]]
    moving: tuple[tuple[str, str], ...]
    systematics: tuple[Source, ...]


def sources_of(analysis: Analysis, reads: Reads = ()) -> Sources:
    """The systematics of an analysis; ``reads`` are the files that functions of the user's may read."""
    columns = analysis.layout or (analysis.dataset.name if analysis.dataset else None)
    layout, base = LAYOUTS[columns] if columns else None, analysis.base.resolve()
    given = analysis.systematics
    functions = {s.name: own(s.function, base, reads) for s in given if isinstance(s, _sections.FunctionEffect)}
    acting = {
        s.name: (tuple(s.processes or ()), _systematic(s, layout, functions))
        for s in given
        if not isinstance(s, _sections.VariedSamples)
    }
    again = moving(analysis.derived, layout, [made for _, made in acting.values()])
    found: dict[str, Source] = {**_varied(analysis)}
    for name, (processes, made) in acting.items():
        if again and made.changes != ("weight",):
            made = replace(made, effect=Completed(made.effect, again, processes))
        found[name] = made
    return Sources(layout, functions, acting, again, tuple(found[s.name] for s in given))


def moving(
    derived: Mapping[str, str], layout: Layout | None, systematics: Sequence[Systematic]
) -> tuple[tuple[str, str], ...]:
    """The derived columns that change with a systematic, or are made of columns that do."""
    moved = {c for s in systematics for c in s.changes} | set(layout.recomputed if layout else ())
    found: dict[str, str] = {}
    for name, text in derived.items():
        if any(n in moved or n in found for n in names(text)):
            found[name] = text
    return tuple(found.items())


def _varied(analysis: Analysis) -> dict[str, VariedFiles]:
    """The systematics with samples of their own, by name; names of files are never paths."""
    given = [s for s in analysis.systematics if isinstance(s, _sections.VariedSamples)]
    files = file_names((s.name, side) for s in given for side in ("up", "down"))
    return {
        s.name: VariedFiles(
            nuisance(s.name, s.group),
            tuple(dict.fromkeys(sample.process for sample in s.up)),
            f"{files[s.name, 'up']}.parquet",
            f"{files[s.name, 'down']}.parquet" if s.down else None,
        )
        for s in given
    }


def _systematic(given: Any, layout: Layout | None, functions: Mapping[str, Own]) -> Systematic:
    name, group, processes = given.name, given.group, tuple(given.processes or ())
    match given:
        case _sections.EnergyScale():
            assert layout is not None
            return SCALES[given.effect](layout, given.width, name=name, group=group, processes=processes)
        case _sections.SoftMet():
            assert layout is not None
            return soft_met(layout, given.sigma, name=name, group=group, processes=processes)
        case _sections.Normalisation():
            return normalisation(name, given.width, processes, group)
        case _sections.WeightVariation():
            factor = Interpolated(given.up, given.down)
            return reweight(name, factor, group=group, processes=processes, needs=names(given.up, given.down))
        case _sections.ColumnScale():
            return scale_columns(name, given.width, given.columns, group=group, processes=processes)
        case _sections.FunctionEffect():
            effect = Completed(functions[name], (), processes)
            return Systematic(nuisance(name, group), effect, given.one_sided, given.jax, tuple(given.changes))
    raise InputError(f"systematic '{name}'", str(type(given)), "an effect of the analysis file")
