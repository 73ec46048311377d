"""From an analysis file's words to functions of events: its systematics, and expressions of columns."""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from jaxtyping import Float

from verax import config
from verax.arrays import Array
from verax.config import Analysis, Function
from verax.data import expression
from verax.errors import InputError
from verax.events import Events
from verax.folder import file_names
from verax.parameters import nuisance
from verax.systematics import (
    FAIR_UNIVERSE,
    HIGGSML,
    Layout,
    Systematic,
    jet_energy_scale,
    lepton_energy_scale,
    normalisation,
    not_recomputed,
    reweight,
    scale_columns,
    soft_met,
    tau_energy_scale,
)
from verax.systematics.effect import Effect, Theta, limited

LAYOUTS = {"higgsml": HIGGSML, "fair_universe": FAIR_UNIVERSE}
SCALES = {
    "tau_energy_scale": tau_energy_scale,
    "jet_energy_scale": jet_energy_scale,
    "lepton_energy_scale": lepton_energy_scale,
}


def layout_of(analysis: Analysis) -> Layout | None:
    """The names of the four-vector columns, from ``layout`` or the data set."""
    name = analysis.layout or (analysis.dataset.name if analysis.dataset else None)
    return LAYOUTS[name] if name else None


def missing_of(analysis: Analysis) -> float | None:
    """The value that stands for "not there" in the features."""
    layout = layout_of(analysis)
    return analysis.missing if analysis.missing is not None or layout is None else layout.missing


@dataclass(frozen=True)
class Named:
    """A function by ``module:name`` or ``file.py:name``, found when it is first called; so it travels to processes."""

    name: str

    def __call__(self, *arguments: Any) -> Any:
        return _find(self.name)(*arguments)


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
        return limited(events, with_derived(self.effect(events, theta), self.derived), self.processes)


def systematics_of(analysis: Analysis) -> tuple[Systematic, ...]:
    """The systematics that act on events, in the order of the analysis (varied samples are not among them)."""
    layout, derived = layout_of(analysis), tuple(analysis.derived.items())
    found = []
    for given in analysis.systematics:
        if isinstance(given, config.VariedSamples):
            continue
        made = _systematic(analysis, given, layout)
        if derived and made.changes != ("weight",):
            effect = Completed(made.effect, derived, tuple(given.processes or ()))
            made = Systematic(made.parameter, effect, made.one_sided, made.traceable, made.changes, made.needs)
        found.append(made)
    return tuple(found)


def _systematic(analysis: Analysis, given: Any, layout: Layout | None) -> Systematic:
    name, group, processes = given.name, given.group, tuple(given.processes or ())
    match given:
        case config.EnergyScale():
            assert layout is not None
            return SCALES[given.effect](layout, given.width, name=name, group=group, processes=processes)
        case config.SoftMet():
            assert layout is not None
            return soft_met(layout, given.sigma, name=name, group=group, processes=processes)
        case config.Normalisation():
            return normalisation(name, given.width, processes, group)
        case config.WeightVariation():
            factor = Interpolated(given.up, given.down)
            return reweight(name, factor, group=group, processes=processes, needs=names(given.up, given.down))
        case config.ColumnScale():
            return scale_columns(name, given.width, given.columns, group=group, processes=processes)
        case config.FunctionEffect():
            effect = Completed(function_of(analysis, given.function), (), processes)
            return Systematic(nuisance(name, group), effect, given.one_sided, given.jax, tuple(given.changes))
    raise InputError(f"systematic '{name}'", str(type(given)), "an effect of the analysis file")


def varied_files(analysis: Analysis) -> dict[tuple[str, ...], str]:
    """The file of each varied sample in the stage ``simulate``, by name and side ("up", "down"); never a path."""
    varied = [s for s in analysis.systematics if isinstance(s, config.VariedSamples)]
    names = file_names((s.name, side) for s in varied for side in ("up", "down"))
    return {label: f"{name}.parquet" for label, name in names.items()}


def function_of(analysis: Analysis, function: Function | None) -> Callable[..., Any]:
    """The callable that an analysis names (a file relative to its own), or has been given."""
    if not isinstance(function, str):
        assert function is not None
        return function
    place, colon, attribute = function.rpartition(":")
    return Named(f"{analysis.path(place).resolve() if place.endswith('.py') else place}{colon}{attribute}")


@cache
def _find(name: str) -> Callable[..., Any]:
    place, _, attribute = name.rpartition(":")
    try:
        if place.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(place).stem, place)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(place)
        found = getattr(module, attribute)
    except (ImportError, OSError, AttributeError, ValueError) as error:
        raise InputError(
            f"function '{name}'", str(error), "module:name or path.py:name that can be imported"
        ) from error
    if not callable(found):
        raise InputError(f"function '{name}'", type(found).__name__, "a callable")
    return found


def check_recomputed(analysis: Analysis) -> None:
    """Refuse a feature that a systematic would change but nothing recomputes.

    Raises
    ------
    InputError : with the feature, the systematic, and both ways out
    """
    layout, systematics = layout_of(analysis), systematics_of(analysis)
    safe = {*analysis.unaffected, *analysis.derived}
    if layout:
        safe |= {*layout.measured, *layout.recomputed}
    moving = [s for s in systematics if set(s.changes) - {"weight"}]
    frozen = set(not_recomputed(analysis.features, layout, systematics)) if layout else set()
    for s in moving:
        for feature in analysis.features:
            if feature in analysis.unaffected:
                continue
            if feature in frozen or (feature not in safe and feature not in s.changes):
                raise InputError(
                    f"feature '{feature}'",
                    f"a column that nothing recomputes when systematic '{s.name}' changes {', '.join(s.changes)}",
                    "a formula under `derived`, or your word that it does not change under `unaffected`",
                    "drop the feature otherwise",
                )


def evaluate(text: str, events: Events) -> Any:
    """An expression of the events' columns."""
    formula = expression(text)
    return formula({name: events.column(name) for name in formula.names})


def with_derived(events: Events, derived: Sequence[tuple[str, str]]) -> Events:
    """The events with ``derived`` columns computed, each from those before it."""
    for name, text in derived:
        value = jnp.broadcast_to(jnp.asarray(evaluate(text, events), jnp.float32), (len(events),))
        events = events.replace({name: value})
    return events


def names(*texts: str | None) -> tuple[str, ...]:
    """Columns that some expressions read, in order."""
    return tuple(dict.fromkeys(name for text in texts if text for name in expression(text).names))
