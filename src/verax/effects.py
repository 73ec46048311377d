"""From an analysis file's words to functions of events: its systematics, and expressions of columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from jaxtyping import Float

from verax import config, own_code
from verax.arrays import Array
from verax.config import Analysis, Function
from verax.data import Expression, expression
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
    """A function by ``module:name`` or ``file.py:name``, found when it is first called; so it travels to processes.

    ``version`` is that of the files which it is made of: an edited function is another one.
    """

    name: str
    base: Path
    version: str

    def __call__(self, *arguments: Any) -> Any:
        return own_code.find(self.name, self.base, self.version)(*arguments)


@dataclass(frozen=True)
class Given:
    """A function given in Python, another one when what it reads has changed: compiled programs are kept for equal ones."""

    function: Callable[..., Any]
    version: str

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


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


def systematics_of(analysis: Analysis) -> tuple[Systematic, ...]:
    """The systematics that act on events, in the order of the analysis (varied samples are not among them)."""
    derived = moving(analysis)
    found = []
    for given, made in _made(analysis):
        if derived and made.changes != ("weight",):
            effect = Completed(made.effect, derived, tuple(given.processes or ()))
            made = Systematic(made.parameter, effect, made.one_sided, made.traceable, made.changes, made.needs)
        found.append(made)
    return tuple(found)


def _made(analysis: Analysis) -> list[tuple[Any, Systematic]]:
    """The systematics that act on events as given and as they act, derived columns not computed again."""
    layout = layout_of(analysis)
    given = [s for s in analysis.systematics if not isinstance(s, config.VariedSamples)]
    return [(s, _systematic(analysis, s, layout)) for s in given]


def touched(analysis: Analysis, given: Any) -> tuple[set[str], set[str]]:
    """Columns that a systematic changes, and those that it needs; the user's functions are not looked for."""
    if isinstance(given, config.VariedSamples):
        return set(), set()
    if isinstance(given, config.FunctionEffect):
        return set(given.changes), set()
    made = _systematic(analysis, given, layout_of(analysis))
    return set(made.changes), set(made.needs)


def moving(analysis: Analysis) -> tuple[tuple[str, str], ...]:
    """The derived columns that change with a systematic, or are made of columns that do.

    All others are computed once, from the files' columns in their own types.
    """
    layout = layout_of(analysis)
    moved = {c for s in analysis.systematics for c in touched(analysis, s)[0]}
    moved |= set(layout.recomputed if layout else ())
    found: dict[str, str] = {}
    for name, text in analysis.derived.items():
        if any(n in moved or n in found for n in names(text)):
            found[name] = text
    return tuple(found.items())


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
            function = function_of(analysis, given.function)
            if not isinstance(function, Named):
                function = Given(function, own_code.stamp(function, analysis.base.resolve()))
            effect = Completed(function, (), processes)
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
    place, _, attribute = function.rpartition(":")
    where, base = place_of(analysis, place), analysis.base.resolve()
    return Named(f"{where}:{attribute}", base, own_code.version_of(where, base))


def place_of(analysis: Analysis, place: str) -> str:
    """A module's name, or the whole path of its file."""
    return str(analysis.path(place).resolve()) if place.endswith(".py") else place


def place_of_function(analysis: Analysis, function: Any) -> str:
    """Where a function is from, named or given."""
    if isinstance(function, str):
        return place_of(analysis, function.rpartition(":")[0])
    return own_code.file_of(function)


def places_of(analysis: Analysis) -> tuple[str, ...]:
    """Modules and files with the functions that an analysis names."""
    given = [s.function for s in analysis.systematics if isinstance(s, config.FunctionEffect)]
    named = [f for f in (*given, analysis.summary.function) if isinstance(f, str)]
    return tuple(dict.fromkeys(place_of(analysis, f.rpartition(":")[0]) for f in named))


def check_recomputed(analysis: Analysis) -> None:
    """Refuse a feature that a systematic would change but nothing recomputes.

    Raises
    ------
    InputError : with the feature, the systematic, and both ways out
    """
    layout, systematics = layout_of(analysis), systematics_of(analysis)
    safe = set(analysis.derived)
    if layout:
        safe |= {*layout.measured, *layout.recomputed}
    again = {name for name, _ in moving(analysis)}
    moving_ones = [s for s in systematics if set(s.changes) - {"weight"}]
    frozen = set(not_recomputed(analysis.features, layout, systematics)) if layout else set()
    for s in moving_ones:
        if undone := again & set(s.changes):
            raise InputError(
                f"systematic '{s.name}'",
                f"a change of '{min(undone)}', which is computed again from its formula under `derived`",
                "changes of columns that are read",
                "let it change what the formula is made of",
            )
        word = analysis.unaffected
        for feature in analysis.features:
            if feature in (word.get(s.name, ()) if isinstance(word, dict) else word):
                continue
            if feature in frozen or (feature not in safe and feature not in s.changes):
                raise InputError(
                    f"feature '{feature}'",
                    f"a column that nothing recomputes when systematic '{s.name}' changes {', '.join(s.changes)}",
                    "a formula under `derived`, or your word that it does not change under `unaffected`",
                    f"unaffected: {{{s.name}: [{feature}]}} gives it; drop the feature otherwise",
                )
    check_word(analysis, systematics)


def check_word(analysis: Analysis, systematics: Sequence[Systematic]) -> None:
    """Refuse a feature that is said to be unaffected by a systematic that changes it."""
    by_name = {s.name: s for s in systematics}
    word = analysis.unaffected
    said = word if isinstance(word, dict) else dict.fromkeys(by_name, word)
    for name, features in said.items():
        for feature in features:
            if name in by_name and feature in by_name[name].changes:
                raise InputError(
                    "unaffected",
                    f"feature '{feature}', which systematic '{name}' changes",
                    "features that it does not change",
                    "say it for each systematic, as in unaffected: {other_systematic: [feature, ...]}",
                )


def evaluate(text: str, events: Events) -> Any:
    """An expression of the events' columns."""
    formula = expression(text)
    return formula(_columns(formula, events))


def passed(text: str, events: Events) -> Any:
    """Which events pass a selection."""
    formula = expression(text)
    return formula.passed(_columns(formula, events))


def _columns(formula: Expression, events: Events) -> dict[str, Any]:
    return {name: events.column(name) for name in formula.names}


def with_derived(events: Events, derived: Sequence[tuple[str, str]]) -> Events:
    """The events with ``derived`` columns computed, each from those before it."""
    for name, text in derived:
        value = jnp.broadcast_to(jnp.asarray(evaluate(text, events), jnp.float32), (len(events),))
        events = events.replace({name: value})
    return events


def names(*texts: str | None) -> tuple[str, ...]:
    """Columns that some expressions read, in order."""
    return tuple(dict.fromkeys(name for text in texts if text for name in expression(text).names))
