"""From an analysis file's words to what they mean: events in chunks, systematics, the channel of an event."""

import importlib
import importlib.util
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from verax import config
from verax.arrays import Array
from verax.config import Analysis, Function, Sample, Source
from verax.data import Table, check_values, expression, fair_universe, higgsml, open_table
from verax.errors import InputError, check_known
from verax.events import Events, make_events
from verax.parameters import nuisance
from verax.store import checksums, digest
from verax.systematics import (
    FAIR_UNIVERSE,
    HIGGSML,
    Layout,
    Systematic,
    derive,
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


# --------------------------------------------------------------------------------------------------------- systematics


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
            return reweight(name, factor, group=group, processes=processes, needs=_names(given.up, given.down))
        case config.ColumnScale():
            return scale_columns(name, given.width, given.columns, group=group, processes=processes)
        case config.FunctionEffect():
            effect = Completed(function_of(analysis, given.function), (), processes)
            return Systematic(nuisance(name, group), effect, given.one_sided, False, tuple(given.changes))
    raise InputError(f"systematic '{name}'", str(type(given)), "an effect of the analysis file")


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


# -------------------------------------------------------------------------------------------------------------- columns


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


def _names(*texts: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for text in texts if text for name in expression(text).names))


def columns_of(analysis: Analysis, present: Sequence[str]) -> tuple[str, ...]:
    """The columns that the analysis works with, in a fixed order; those of the layout only where ``present``."""
    layout = layout_of(analysis)
    wanted = [*analysis.features, *_names(*analysis.derived.values(), *(c.select for c in analysis.channels))]
    wanted += [analysis.summary.column] if analysis.summary.column else []
    for s in analysis.systematics:
        match s:
            case config.WeightVariation():
                wanted += _names(s.up, s.down)
            case config.ColumnScale():
                wanted += s.columns
            case config.FunctionEffect():
                wanted += [c for c in s.changes if c != "weight"]
    for made in systematics_of(analysis):
        wanted += made.needs
    if layout:
        wanted += [c for c in layout.measured if c in present]
    return tuple(dict.fromkeys([*wanted, *analysis.derived]))


@dataclass(frozen=True)
class Channels:
    """The channel of each event: the first whose selection it passes, −1 for none."""

    selections: tuple[str | None, ...]

    def __call__(self, events: Events) -> Int[np.ndarray, " event"]:
        channel = np.full(len(events), -1, np.int64)
        for i, text in reversed(list(enumerate(self.selections))):
            passed = np.ones(len(events), bool) if text is None else np.asarray(evaluate(text, events), bool)
            channel[np.broadcast_to(passed, channel.shape)] = i
        return channel


# --------------------------------------------------------------------------------------------------------------- events


@dataclass
class Read:
    """What reading counts: rows seen and rows dropped for values that are not finite."""

    rows: int = 0
    dropped: int = 0


def processes_of(analysis: Analysis) -> tuple[str, ...]:
    """Names of the simulated processes, in order."""
    if analysis.dataset:
        return DATASETS[analysis.dataset.name].PROCESSES
    return tuple(dict.fromkeys(s.process for s in analysis.samples))


DATASETS: dict[str, Any] = {"higgsml": higgsml, "fair_universe": fair_universe}


def simulated(analysis: Analysis, samples: Sequence[Sample], count: Read) -> Iterator[Events]:
    """Events of the samples (or of the data set), chunk by chunk, checked, weighted, with derived columns."""
    processes = processes_of(analysis)
    if analysis.dataset and samples == analysis.samples:
        yield from _dataset(analysis, count)
        return
    for sample in samples:
        index = processes.index(sample.process)
        factor = 1.0
        if sample.total is not None:
            unscaled = _rows(analysis, sample, processes, index, 1.0, Read())
            factor = sample.total / _sum(sample.process, unscaled)
        yield from _rows(analysis, sample, processes, index, factor, count)


def is_real(analysis: Analysis) -> bool:
    """True when the analysis names files of observed data."""
    return isinstance(analysis.observed, Source)


def observed(analysis: Analysis, count: Read) -> Iterator[Events]:
    """Observed events, chunk by chunk."""
    assert isinstance(analysis.observed, Source)
    yield from _rows(analysis, analysis.observed, ("observed",), 0, 1.0, count)


def files_of(analysis: Analysis, source: Source) -> list[Path]:
    """The files of a source, patterns expanded in alphabetical order."""
    return list(_open(analysis, source).files)


def _open(analysis: Analysis, source: Source) -> Table:
    return open_table([str(analysis.path(name)) for name in source.files], tree=source.tree)


def _dataset(analysis: Analysis, count: Read) -> Iterator[Events]:
    assert analysis.dataset is not None
    name, file = analysis.dataset.name, analysis.dataset.file
    if name == "fair_universe" and file is None:
        raise InputError("dataset.file", "nothing", "the path of a FAIR Universe Parquet file")
    module = DATASETS[name]
    columns = columns_of(analysis, module.COLUMNS)
    stored = [c for c in columns if c not in analysis.derived]
    check_known(stored, module.COLUMNS, f"dataset '{name}'", "column")
    for part in module.chunks(analysis.path(file) if file else None, rows=analysis.chunk):
        count.rows += len(part)
        values = {c: np.asarray(part.column(c)) for c in stored}
        check_values({**values, "weight": np.asarray(part.weight)}, "error", where=f"dataset '{name}'")
        events = _table(values, columns, part.weight, part.process, part.number, part.processes)
        yield with_derived(events, tuple(analysis.derived.items()))


def _sum(process: str, chunks: Iterator[Events]) -> float:
    """Sum of weights, exact whatever the chunks."""
    total = math.fsum(w for events in chunks for w in np.asarray(events.weight).tolist())
    if not total > 0:
        raise InputError(f"process '{process}'", f"weights that sum to {total:g}", "a positive sum, to rescale")
    return total


def _raw(
    analysis: Analysis, source: Source, columns: Sequence[str]
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]]:
    """Columns, event numbers and weights of the selected rows."""
    number = (analysis.number,) if analysis.number else ()
    formulas = [expression(text) for text in (source.select, source.weight) if text]
    needed = tuple(dict.fromkeys([*columns, *(n for f in formulas for n in f.names), *number]))
    text = [n for f in formulas for n in f.text]
    seen = 0
    for chunk in _open(analysis, source).chunks(needed, analysis.chunk, text=text, integer=number):
        rows = len(next(iter(chunk.values())))
        numbers = chunk[analysis.number] if analysis.number else np.arange(seen, seen + rows)
        seen += rows
        weight = np.asarray(expression(source.weight)(chunk) if source.weight else np.ones(rows), np.float64)
        keep = np.asarray(expression(source.select)(chunk) if source.select else np.ones(rows), bool)
        yield {c: chunk[c][keep] for c in columns}, numbers[keep], weight[keep]


def _rows(
    analysis: Analysis, source: Source, processes: tuple[str, ...], process: int, factor: float, count: Read
) -> Iterator[Events]:
    table, layout = _open(analysis, source), layout_of(analysis)
    columns = columns_of(analysis, table.columns)
    made = {*analysis.derived, *(layout.recomputed if layout else ())}
    stored = [c for c in columns if c not in made]
    name = f"process '{processes[process]}'"
    for values, number, weight in _raw(analysis, source, stored or table.columns[:1]):
        count.rows += len(weight)
        keep, _ = check_values({**values, "weight": weight}, analysis.nonfinite, where=name)
        count.dropped += int((~keep).sum())
        kept = {c: v[keep] for c, v in values.items()}
        index = np.full(int(keep.sum()), process, np.int32)
        events = _table(kept, columns, weight[keep] * factor, index, number[keep], processes)
        yield with_derived(derive(events, layout) if layout else events, tuple(analysis.derived.items()))


def _table(
    values: Mapping[str, np.ndarray],
    columns: Sequence[str],
    weight: Array,
    process: Array,
    number: Array,
    processes: tuple[str, ...],
) -> Events:
    """Events with all ``columns``; those without values are zero until they are computed."""
    zero = np.zeros(len(weight), np.float32)
    return make_events(
        {c: values.get(c, zero) for c in columns},
        weight=np.asarray(weight),
        process=np.asarray(process),
        number=np.asarray(number),
        processes=processes,
    )


# --------------------------------------------------------------------------------------------------------- fingerprints


def inputs(analysis: Analysis, stage: str) -> Any:
    """What a stage depends on beyond the stages before it: keys of the analysis, and checksums of files."""
    a = analysis.model_dump(mode="json", fallback=_source)
    if stage == "simulate":
        keys = ("dataset", "samples", "observed", "number", "layout", "derived", "features", "unaffected", "nonfinite")
        return [{k: a[k] for k in (*keys, "missing", "systematics", "channels", "summary")}, files(analysis)]
    sections = {
        "learn": ("learn", "seed", "poi"),
        "summarise": ("summary", "binning", "channels", "systematics", "blind", "poi"),
        "model": ("poi", "normalisations", "infer"),
        "infer": ("infer", "pseudo_experiment", "seed"),
        "check": ("check", "seed"),
        "report": ("report", "title", "name"),
    }
    return {k: a[k] for k in sections[stage]}


def files(analysis: Analysis) -> dict[str, str]:
    """SHA-256 of every file that the analysis reads, code of its own included."""
    found: list[Path] = []
    varied = [s for s in analysis.systematics if isinstance(s, config.VariedSamples)]
    sources: list[Source] = [*analysis.samples, *(v for s in varied for v in (*s.up, *(s.down or ())))]
    if isinstance(analysis.observed, Source):
        sources.append(analysis.observed)
    for source in sources:
        found += files_of(analysis, source)
    if analysis.dataset:
        found.append(analysis.path(analysis.dataset.file) if analysis.dataset.file else higgsml.path())
    functions = [s.function for s in analysis.systematics if isinstance(s, config.FunctionEffect)]
    for function in (*functions, analysis.summary.function):
        if isinstance(function, str) and ".py:" in function:
            found.append(analysis.path(function.rpartition(":")[0]))
    return checksums(list(dict.fromkeys(found)))


def _source(function: Any) -> str:
    """What stands for a callable in a fingerprint: its source text."""
    try:
        return digest(inspect.getsource(function))
    except (OSError, TypeError):
        return repr(function)
