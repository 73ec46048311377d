"""The stages of a measurement: what each reads, does and keeps. `pipeline.measure` runs them in order."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np
from scipy.special import xlogy

from verax import config, effects, sources
from verax.agreement import Overlap, compare, sampled
from verax.check import Reliability, ReliabilitySums, coverage, diagram, reliability_sums
from verax.config import Analysis
from verax.data import read_events, write_events
from verax.errors import InputError
from verax.events import Events
from verax.infer import (
    Breakdown,
    Fit,
    Ranking,
    Scan,
    breakdown,
    fit,
    goodness_of_fit,
    interval,
    profile,
    ranking,
    sample_toys,
)
from verax.infer.results import Row
from verax.learn import History, score
from verax.learning import Learned, networks_of
from verax.model import (
    BinnedLikelihood,
    Data,
    Pruned,
    Templates,
    Yields,
    binned_likelihood,
    postfit_yields,
    prefit_yields,
    prune,
    smooth,
    symmetrise,
)
from verax.model.binwise import CellModifier
from verax.model.interpolate import code0, code1, code2, code4, code4p
from verax.parameters import Gaussian, Parameter, Poisson, nuisance
from verax.results import Coverage, Interval, Status
from verax.scores import Outside, fine_edges_of, summary_of, try_functions, undeclared
from verax.store import Run, digest, named
from verax.summarise import Varied, choose_edges, histogram, templates

# ------------------------------------------------------------------------------------------------------------- simulate


@dataclass(frozen=True)
class Yield:
    """Rows of one process and what their weights sum to; ``effective`` is (Σw)²/Σw², ``negative`` a share of Σ|w|."""

    process: str
    rows: int
    total: float
    negative: float
    effective: float


@dataclass(frozen=True)
class Table:
    """What is in the table of events that the stage wrote; simulated ``rows`` were read, and ``dropped`` of them left out.

    ``material`` is a checksum of what networks learn from: features, weights, processes and numbers. ``notes`` are what
    a careful analyst would want to know.
    """

    yields: tuple[Yield, ...]
    observed: int | None
    rows: int
    dropped: int
    material: str = ""
    notes: tuple[str, ...] = ()


def simulate(analysis: Analysis, run: Run, folder: Path) -> Table:
    """Read every sample, check each value, and write one table of events (a file for each variation)."""
    effects.check_recomputed(analysis)
    before = _tell_changes(analysis, run, folder)
    sources.check_duplicates(analysis)
    material, numbers = [hashlib.sha256() for _ in range(4)], sources.Numbers()
    count = sources.Read()
    processes = sources.processes_of(analysis)
    sums = [histogram(np.zeros(0, np.int64), np.zeros(0, np.float32), len(processes))] * 2

    def tallied(chunks: Iterator[Events]) -> Iterator[Events]:
        for events in chunks:
            process, weight = np.asarray(events.process), np.asarray(events.weight)
            sums[0] += histogram(process, weight, len(processes))
            below = weight < 0
            sums[1] += histogram(process[below], weight[below], len(processes))
            rows.append(np.bincount(process, minlength=len(processes)))
            for h, a in zip(
                material, (events.features(analysis.features), weight, process, events.number), strict=True
            ):
                h.update(np.ascontiguousarray(a).tobytes())
            if numbers.add(events):  # the first of a process
                try_functions(analysis, events)
            run.progress.step("events read", count.rows, None)
            yield events

    rows: list[np.ndarray] = []
    write_events(folder / "nominal.parquet", tallied(sources.simulated(analysis, analysis.samples, count)))
    files = effects.varied_files(analysis)
    for s in _varied(analysis):
        for side, samples in {"up": s.up, "down": s.down}.items():
            if samples:
                write_events(folder / files[s.name, side], sources.simulated(analysis, samples, count, varied=True))
    seen = sources.Read()
    if sources.is_real(analysis):
        write_events(folder / "observed.parquet", sources.observed(analysis, seen))
    total, negative, squares = sums[0].weight.value(), -sums[1].weight.value(), sums[0].square.value()
    yields = [
        _yield(name, int(n), float(t), float(m), float(q))
        for name, n, t, m, q in zip(processes, np.sum(rows, axis=0), total, negative, squares, strict=True)
    ]
    observed = seen.rows - seen.dropped if sources.is_real(analysis) else None
    if sources.placed(analysis, sources.files(analysis)) != before:
        raise InputError("samples", "files that changed while they were read", "the same throughout", "start again")
    notes = [*numbers.notes(analysis), *undeclared(analysis, run.folder)]
    if seen.dropped:  # without how many there are, which a blind analysis keeps to itself
        notes.append(f"{seen.dropped} observed rows dropped for values that are not finite")
    learnt_from = digest([processes, *(h.hexdigest() for h in material)])
    return Table(tuple(yields), observed, count.rows, count.dropped, learnt_from, tuple(notes))


def _tell_changes(analysis: Analysis, run: Run, folder: Path) -> list[tuple[str, str]]:
    """The files with their checksums, after a line on those that changed since the run's folder was last written."""
    files = sources.placed(analysis, sources.files(analysis))
    given = dict(files)
    (folder / "inputs.json").write_text(json.dumps(given), encoding="utf-8")
    content = run.read_file("simulate", "inputs.json")
    before = json.loads(content) if content else {}
    changed = [path for path, checksum in given.items() if before.get(path, checksum) != checksum]
    if changed:
        run.note(f"changed since the last run: {', '.join(changed)}; what depends on it is done again")
    return files


def _yield(process: str, rows: int, total: float, negative: float, squares: float) -> Yield:
    if rows == 0:
        raise InputError(f"process '{process}'", "no event", "at least one", "check its files and its selection")
    if not total > 0:
        seen = f"weights that sum to {total:g}"
        raise InputError(f"process '{process}'", seen, "a positive sum", "check its weight expression")
    return Yield(process, rows, total, negative / (total + 2 * negative), total**2 / squares)


def _varied(analysis: Analysis) -> list[config.VariedSamples]:
    return [s for s in analysis.systematics if isinstance(s, config.VariedSamples)]


def _nominal(analysis: Analysis, run: Run) -> Iterator[Events]:
    return read_events(run.path("simulate") / "nominal.parquet", analysis.chunk)


# ------------------------------------------------------------------------------------------------------------ summarise


@dataclass(frozen=True)
class Summarised:
    """Templates in the final bins, observed counts (when not blind), and what a careful analyst would want to know."""

    templates: Templates
    observed: np.ndarray | None
    problems: tuple[str, ...]
    treated: tuple[str, ...] = ()
    compared: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    """Of each feature, simulated and observed median, largest distance of the distributions and its p-value."""


def summarise(analysis: Analysis, run: Run, folder: Path, table: Table, learned: Learned) -> Summarised:
    """Fill fine templates for nominal and each variation in one pass, choose bins, and merge into them."""
    del folder, learned
    summary = summary_of(analysis, run)
    fine, sorts = fine_edges_of(analysis), analysis.sorts
    edges = [tuple(c.edges) if c.edges else fine for c in analysis.channels]
    total = sum(y.rows for y in table.yields)
    stage = run.path("simulate")

    whole = all(e[0] <= fine[0] and e[-1] >= fine[-1] for e in edges)
    given = None if analysis.summary.kind == "classifier" and whole else Outside(tuple(edges))
    overlap = Overlap(tuple((c.name, c.select) for c in analysis.channels if c.select))

    def told() -> Iterator[Events]:
        done = 0
        for events in _nominal(analysis, run):
            yield events
            overlap.add(events)
            if given:
                given.add(events, *summary(events))
            done += len(events)
            run.progress.step("events histogrammed", done, total)

    files = effects.varied_files(analysis)
    varied = [
        Varied(
            nuisance(s.name, s.group),
            tuple(dict.fromkeys(sample.process for sample in s.up)),
            read_events(stage / files[s.name, "up"], analysis.chunk),
            read_events(stage / files[s.name, "down"], analysis.chunk) if s.down else None,
        )
        for s in _varied(analysis)
    ]
    order = [s.name for s in analysis.systematics]
    filled = templates(
        summary,
        told(),
        sorted([*effects.systematics_of(analysis), *varied], key=lambda s: order.index(s.parameter.name)),
        tuple(edges),
        channels=tuple(c.name for c in analysis.channels),
        processes=sources.processes_of(analysis),
        executor=run.executor,
    )
    problems = [*overlap.problems(), *(given.problems() if given else ())]
    options = analysis.binning
    chosen = choose_edges(
        filled,
        signal=tuple(analysis.poi.processes),
        max_bins=len(fine) if sorts else options.max_bins,
        min_effective=options.min_effective,
        max_relative_error=options.max_relative_error,
        most=sorts,
    )
    final = tuple(given if c.edges else new for c, given, new in zip(analysis.channels, edges, chosen, strict=True))
    merged = filled.rebin(final)
    observed, compared = None, dict[str, tuple[float, float, float, float]]()
    if sources.is_real(analysis) and not analysis.blind:
        seen = templates(
            summary,
            read_events(stage / "observed.parquet", analysis.chunk),
            (),
            final,
            channels=merged.channels,
            processes=("observed",),
        )
        observed = np.asarray(seen.nominal)[0]
        data = Outside(final, "observed events", observed=True)
        for events in read_events(stage / "observed.parquet", analysis.chunk):
            data.add(events, *summary(events))
        problems += data.problems()
        simulated = sampled(analysis, _nominal(analysis, run), total)
        real = sampled(analysis, read_events(stage / "observed.parquet", analysis.chunk), table.observed or 0)
        compared = compare(analysis.features, simulated, real)
    final_templates, changes = treat(analysis, merged)
    return Summarised(final_templates, observed, (*problems, *final_templates.problems()), changes, compared)


def treat(analysis: Analysis, given: Templates) -> tuple[Templates, tuple[str, ...]]:
    """Variations symmetrised, smoothed and pruned as the analysis says, in this order, and a line on each change."""
    options, said = analysis.templates, []
    for name, method in options.symmetrise.items():
        given, halves = symmetrise(given, name, method)
        largest = max((h.size for h in halves), default=0.0)
        said.append(f"{name}: symmetrised ({method}); bins move by up to {largest:.2%}")
    if options.smooth:
        given, sides = smooth(given, options.smooth)
        for name in options.smooth:
            moved = [s for s in sides if s.systematic == name]
            most = max((s.size for s in moved), default=0.0)
            said.append(f"{name}: {len(moved)} variations smoothed; bins move by up to {most:.2%}")
    gone: tuple[Pruned, ...] = ()
    if options.prune.shape or options.prune.normalisation:
        given, gone = prune(given, shape=options.prune.shape, normalisation=options.prune.normalisation)
    for p in gone:
        where = f", {p.process} in {p.channel}" if p.process else ""
        said.append(f"{p.systematic}{where}: {p.effect} pruned ({p.size:.2%})")
    return given, tuple(said)


# ---------------------------------------------------------------------------------------------------------------- model


def model(analysis: Analysis, run: Run, folder: Path, summarised: Summarised) -> BinnedLikelihood:
    """The binned likelihood of the templates."""
    del run, folder
    factors = (analysis.poi, *analysis.normalisations)
    return binned_likelihood(
        summarised.templates,
        free={f.name: tuple(f.processes) for f in factors},
        bounds={f.name: f.bounds for f in factors},
        simulation_statistics=analysis.infer.simulation_statistics,
    )


# ---------------------------------------------------------------------------------------------------------------- infer


@dataclass(frozen=True)
class Measured:
    """All answers for one data set: ``kind`` is expected, pseudo-experiment or observed."""

    kind: str
    truth: dict[str, float]
    data: Data
    fit: Fit
    interval: Interval
    scan: Scan
    statistical: Scan
    breakdowns: tuple[Breakdown, ...]
    ranking: Ranking
    prefit: Yields
    postfit: Yields
    goodness: tuple[float, int, float] | None = None
    """Saturated goodness of fit of data that are not the expectation: statistic, degrees of freedom, p-value."""


def infer(
    analysis: Analysis, run: Run, folder: Path, summarised: Summarised, likelihood: BinnedLikelihood
) -> tuple[Measured, ...]:
    """Fit, interval, scans, breakdown by both definitions and ranking, for each data set that may be looked at."""
    del folder
    nominal = {p.name: p.init for p in likelihood.parameters}
    data = {"expected": (nominal, likelihood.asimov(nominal))}
    if analysis.pseudo_experiment:
        truth = nominal | analysis.pseudo_experiment.truth
        one = sample_toys(run.key("infer"), likelihood, truth, 1)
        data["pseudo-experiment"] = (truth, Data(np.asarray(one.counts)[0], np.asarray(one.auxiliary)[0]))
    if summarised.observed is not None:
        data["observed"] = ({}, Data(summarised.observed, likelihood.asimov(nominal).auxiliary))
    found = []
    for i, (kind, (truth, one)) in enumerate(data.items()):
        run.progress.step(kind, i, len(data))
        found.append(_measure(analysis, likelihood, kind, truth, one))
        run.progress.step(kind, i + 1, len(data))
    return tuple(found)


def _measure(
    analysis: Analysis, likelihood: BinnedLikelihood, kind: str, truth: dict[str, float], data: Data
) -> Measured:
    poi, level = analysis.poi.name, analysis.infer.level
    best = fit(likelihood, data)
    found = interval(likelihood, data, poi, level=level)
    down, up = (2.4 * float(x) if np.isfinite(x) else 1.0 for x in (found.down, found.up))
    told = None if kind == "expected" else goodness_of_fit(likelihood, data)
    values = np.clip(found.value + np.linspace(-down, up, analysis.infer.scan_points), *analysis.poi.bounds)
    return Measured(
        kind,
        truth,
        data,
        best,
        found,
        profile(likelihood, data, poi, values),
        statistical(likelihood, data, best, poi, 4 * analysis.infer.scan_points),
        tuple(breakdown(likelihood, data, poi, method=m) for m in ("shifted-observables", "freeze")),
        ranking(likelihood, data, poi),
        prefit_yields(likelihood),
        postfit_yields(likelihood, data, best),
        None if told is None else (float(told.statistic), told.ndf, float(told.p_value)),
    )


def statistical(likelihood: BinnedLikelihood, data: Data, best: Fit, name: str, points: int) -> Scan:
    """Profile of one parameter with all else, γ included, held at the best fit: what the counts alone say."""
    gamma, counts, hat = likelihood.profiled(best.params, data), np.asarray(data.counts), best.params[name]

    def events(values: np.ndarray) -> np.ndarray:
        return np.stack([likelihood.expected({**best.params, name: float(v)}, gamma) for v in values])

    there, slope = events(np.array([hat])), np.diff(events(np.array([hat, hat + 1])), axis=0)
    sigma = 1 / np.sqrt(np.divide(slope**2, there, out=np.zeros_like(there), where=there > 0).sum())
    values = hat + np.linspace(-3.5, 3.5, points) * sigma
    nu = there + slope * (values - hat)[:, None]  # expected events are linear in a normalisation factor
    with np.errstate(divide="ignore", invalid="ignore"):
        nll = np.where((nu > 0) | (nu == counts), nu - xlogy(counts, nu), np.inf).sum(axis=1)
    t = np.maximum(2 * (nll - (there - xlogy(counts, there)).sum()), 0.0)
    return Scan(name, values, t, np.where(np.isfinite(t), Status.OK, Status.NOT_FINITE))


# ---------------------------------------------------------------------------------------------------------------- check


@dataclass(frozen=True)
class Checked:
    """Coverage at each truth, and the reliability of the classifier (None where the summary is no probability)."""

    coverage: dict[str, Coverage]
    reliability: Reliability | None = field(default=None)


def check(analysis: Analysis, run: Run, folder: Path, likelihood: BinnedLikelihood, learned: Learned) -> Checked:
    """Coverage of the interval from toys, at the nominal truth and at shifted ones; reliability of the classifier."""
    del folder
    truths = truths_of(analysis, likelihood)
    found = {}
    for i, (label, truth) in enumerate(truths.items()):
        run.progress.step("coverage", i, len(truths))
        data = sample_toys(jax.random.fold_in(run.key("check"), i), likelihood, truth, analysis.check.toys)
        intervals = interval(likelihood, data, analysis.poi.name, level=analysis.infer.level)
        found[label] = coverage(intervals, truth[analysis.poi.name])
        run.progress.step("coverage", i + 1, len(truths))
    return Checked(found, _reliability(analysis, run) if learned.histories and not analysis.sorts else None)


def truths_of(analysis: Analysis, likelihood: BinnedLikelihood) -> dict[str, dict[str, float]]:
    """The truths of the coverage campaign by label: values of the parameter of interest, and each θ = ±1."""
    poi, nominal = analysis.poi.name, {p.name: p.init for p in likelihood.parameters}
    truths = {f"{poi} = {value:g}": nominal | {poi: value} for value in analysis.check.truths}
    if analysis.check.shifts:
        for p in likelihood.parameters:
            if p.constraint is not None:
                truths |= {f"{p.name} = {side:+d}": nominal | {p.name: float(side)} for side in (1, -1)}
    return truths


def _reliability(analysis: Analysis, run: Run) -> Reliability:
    """Of the scores, with signal and background at equal total weight, as the networks were trained."""
    networks, signal = networks_of(analysis, run), tuple(analysis.poi.processes)
    yields = {y.process: y.total for y in run.results["simulate"].yields}
    s = sum(yields[p] for p in signal)
    b = sum(yields.values()) - s
    sums: ReliabilitySums | None = None
    # Chunks of a fixed size, not the analysis' own: these sums are rounded, and must not depend on it.
    for events in read_events(run.path("simulate") / "nominal.parquet", 65536):
        label = np.asarray(events.is_process(signal))
        weight = np.asarray(events.weight, np.float64) / np.where(label, 2 * s, 2 * b)
        part = reliability_sums(score(networks, events).mean, label, weight)
        sums = part if sums is None else sums + part
    assert sums is not None
    return diagram(sums)


# -------------------------------------------------------------------------------------------------------------- results

RESULTS = {
    **named(Yield, Table, Learned, History, Summarised, Templates, Parameter, Gaussian, Poisson),
    **named(BinnedLikelihood, Data, CellModifier, code0, code1, code2, code4, code4p),
    **named(Measured, Fit, Interval, Scan, Breakdown, Row, Ranking, Yields, Checked, Coverage, Reliability),
}
"""All that a result of these stages may be made of, by the name in its file."""
