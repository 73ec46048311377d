"""The systematics of an analysis as functions of events, and what must hold between them and the features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from verax.parameters import Parameter, nuisance
from verax.run import file_names
from verax.systematics import FAIR_UNIVERSE, HIGGSML, Layout, Systematic
from verax.templates import WeightSet

from . import _effects
from ._expressions import names
from ._functions import Own, Reads, own
from ._schema import Analysis

LAYOUTS = {"higgsml": HIGGSML, "fair_universe": FAIR_UNIVERSE}


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


Source: TypeAlias = Systematic | VariedFiles | WeightSet
"""A source of systematic uncertainty: a function of events, samples of its own, or a set of weights."""


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
    acting: Mapping[str, tuple[tuple[str, ...], Systematic | WeightSet]]
    moving: tuple[tuple[str, str], ...]
    systematics: tuple[Source, ...]


def sources_of(analysis: Analysis, reads: Reads = ()) -> Sources:
    """The systematics of an analysis; ``reads`` are the files that functions of the user's may read."""
    columns = analysis.layout or (analysis.dataset.name if analysis.dataset else None)
    layout, base = LAYOUTS[columns] if columns else None, analysis.base.resolve()
    given = analysis.systematics
    functions = {s.name: own(s.function, base, reads) for s in given if isinstance(s, _effects.FunctionEffect)}
    acting = {
        s.name: (tuple(s.processes or ()), s.build(layout, functions))
        for s in given
        if isinstance(s, _effects.EffectBase)
    }
    again = moving(analysis.derived, layout, [made for _, made in acting.values()])
    found: dict[str, Source] = {**_varied(analysis)}
    for name, (processes, made) in acting.items():
        if again and isinstance(made, Systematic) and made.changes != ("weight",):
            made = replace(made, effect=_effects.Completed(made.effect, again, processes))
        found[name] = made
    return Sources(layout, functions, acting, again, tuple(found[s.name] for s in given if s.name in found))


def moving(
    derived: Mapping[str, str], layout: Layout | None, systematics: Sequence[Systematic | WeightSet]
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
    given = [s for s in analysis.systematics if isinstance(s, _effects.VariedSamples)]
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
