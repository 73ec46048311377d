"""The stages of a measurement: what each reads, does and keeps. `pipeline.measure` runs them in order."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy.special import xlogy

from verax.agreement import Overlap, compare, sampled
from verax.analysis import (
    Asked,
    Campaign,
    Filling,
    Learning,
    Read,
    Reading,
    VariedSamples,
    check_duplicates,
    files,
    observed,
    placed,
    simulated,
)
from verax.check import Reliability, ReliabilitySums, coverage, diagram, reliability_sums
from verax.config import Factor, Treatment
from verax.data import read_events, write_events
from verax.errors import InputError
from verax.events import Events
from verax.infer import Breakdown, Fit, Ranking, Scan, breakdown, fit, goodness_of_fit, interval, profile, ranking, toys
from verax.infer.results import Row
from verax.infer.yields import Yields, postfit_yields, prefit_yields
from verax.learn import History, score
from verax.learning import Learned, networks_of
from verax.model import BinnedLikelihood, Data, Pruned, Templates, binned_likelihood, prune, smooth, symmetrise
from verax.model.binwise import CellModifier
from verax.model.interpolate import code0, code1, code2, code4, code4p
from verax.parameters import Gaussian, Parameter, Poisson
from verax.results import Coverage, Interval, Status
from verax.scores import Outside, summary_of, try_functions, undeclared
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
    """What is in the table of events that the stage wrote; ``rows`` were read and ``dropped`` left out.

    ``material`` is a checksum of what networks learn from: features, weights, processes and numbers; ``contents`` are
    those of all columns of each file of simulated events. ``notes`` are what a careful analyst would want to know.
    """

    yields: tuple[Yield, ...]
    observed: int | None
    rows: int
    dropped: int
    material: str = ""
    notes: tuple[str, ...] = ()
    contents: dict[str, str] = field(default_factory=dict)


def simulate(run: Run, folder: Path, reading: Reading) -> Table:
    """Read every sample, check each value, and write one table of events (a file for each variation)."""
    _tell_changes(reading, run, folder)
    check_duplicates(reading)
    numbers, count, processes = Numbers(), Read(), reading.processes
    material, contents = [hashlib.sha256() for _ in range(4)], dict[str, str]()
    sums = [histogram(np.zeros(0, np.int64), np.zeros(0, np.float32), len(processes))] * 2
    rows: list[np.ndarray] = []

    def tallied(chunks: Iterator[Events]) -> Iterator[Events]:
        for events in chunks:
            process, weight = np.asarray(events.process), np.asarray(events.weight)
            sums[0] += histogram(process, weight, len(processes))
            below = weight < 0
            sums[1] += histogram(process[below], weight[below], len(processes))
            rows.append(np.bincount(process, minlength=len(processes)))
            _hash(material, events.features(reading.columns.features), weight, process, events.number)
            if numbers.add(events):  # the first of a process
                try_functions(reading, events)
            run.progress.step("events read", count.rows, None)
            yield events

    def write(file: str, chunks: Iterator[Events]) -> None:
        whole, names = [hashlib.sha256() for _ in range(4)], dict[str, None]()

        def hashed() -> Iterator[Events]:
            for events in chunks:
                _hash(whole, events.x, events.weight, events.process, events.number)
                names.update(dict.fromkeys((*events.columns, "", *events.processes)))
                yield events

        write_events(folder / file, hashed())
        contents[file] = digest([*names, *(h.hexdigest() for h in whole)])

    write("nominal.parquet", tallied(simulated(reading, reading.samples, count)))
    for side in reading.varied:
        write(side.file, simulated(reading, side.samples, count, varied=True))
    seen = Read()
    if reading.observed:
        write_events(folder / "observed.parquet", observed(reading, seen))
    total, negative, squares = sums[0].weight.value(), -sums[1].weight.value(), sums[0].square.value()
    yields = [
        _yield(name, int(n), float(t), float(m), float(q))
        for name, n, t, m, q in zip(processes, np.sum(rows, axis=0), total, negative, squares, strict=True)
    ]
    if placed(reading.base.resolve(), files(reading)) != reading.files:
        raise InputError("samples", "files that changed while they were read", "the same throughout", "start again")
    notes = [*numbers.notes(reading.number), *undeclared(reading, run.folder)]
    learnt_from = digest([processes, *(h.hexdigest() for h in material)])
    rows_read, dropped = count.rows + seen.rows, count.dropped + seen.dropped
    found = seen.rows - seen.dropped if reading.observed else None
    return Table(tuple(yields), found, rows_read, dropped, learnt_from, tuple(notes), contents)


def _hash(sums: Iterable[Any], *arrays: Any) -> None:
    """Take the rows of arrays, in the same order whatever the chunks."""
    for h, a in zip(sums, arrays, strict=True):
        h.update(np.ascontiguousarray(a).tobytes())


def _tell_changes(reading: Reading, run: Run, folder: Path) -> None:
    """Keep the files with their checksums, after a line on those that changed since the run's folder was last written."""
    given = dict(reading.files)
    (folder / "inputs.json").write_text(json.dumps(given), encoding="utf-8")
    content = run.read_file("simulate", "inputs.json")
    before = json.loads(content) if content else {}
    changed = [path for path, checksum in given.items() if before.get(path, checksum) != checksum]
    if changed:
        run.note(f"changed since the last run: {', '.join(changed)}; what depends on it is done again")


class Numbers:
    """Whether event numbers tell events apart, for folds and bootstrap derive from them."""

    LOOKED_AT = 2_000_000
    """Rows of each process."""

    def __init__(self) -> None:
        self.found: dict[str, list[np.ndarray]] = {}
        self.rows: dict[str, int] = {}

    def add(self, events: Events) -> bool:
        """Take some events; True when a process is among them for the first time."""
        first = False
        for i, name in enumerate(events.processes):
            number = np.asarray(events.number)[np.asarray(events.process) == i]
            if len(number):
                first |= name not in self.found
                room = max(self.LOOKED_AT - self.rows.get(name, 0), 0)
                self.found.setdefault(name, []).append(number[:room])
                self.rows[name] = self.rows.get(name, 0) + len(number)
        return first

    def notes(self, column: str | None) -> list[str]:
        """Lines on processes in which many rows share a number.

        Raises
        ------
        InputError : for a process in which all do
        """
        lines = []
        for process, parts in self.found.items():
            number = np.concatenate(parts)
            different = len(np.unique(number))
            if different == 1 and len(number) > 1:
                seen = f"event number {number[0]} on all {self.rows[process]} rows"
                action = f"correct `number: {column}`; without it, the row is the number"
                raise InputError(f"process '{process}'", seen, "a number of its own for each event", action)
            if len(number) > 10 * different:
                lines.append(
                    f"process '{process}': {len(number)} rows have {different} event numbers; rows of one number share "
                    "their fold and their bootstrap factors"
                )
        return lines


def _yield(process: str, rows: int, total: float, negative: float, squares: float) -> Yield:
    if rows == 0:
        raise InputError(f"process '{process}'", "no event", "at least one", "check its files and its selection")
    if not total > 0:
        seen = f"weights that sum to {total:g}"
        raise InputError(f"process '{process}'", seen, "a positive sum", "check its weight expression")
    return Yield(process, rows, total, negative / (total + 2 * negative), total**2 / squares)


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


def summarise(
    run: Run,
    folder: Path,
    filling: Filling,
    treatment: Treatment,
    learning: Learning | None,
    table: Table,
    learned: Learned,
) -> Summarised:
    """Fill fine templates for nominal and each variation in one pass, choose bins, and merge into them."""
    del folder, learned
    summary, stage, total = summary_of(filling, learning, run), run.path("simulate"), sum(y.rows for y in table.yields)
    edges = [given or filling.fine for given in filling.edges]

    def read(file: str) -> Iterator[Events]:
        return read_events(stage / file, filling.chunk)

    whole = all(e[0] <= filling.fine[0] and e[-1] >= filling.fine[-1] for e in edges)
    given = None if filling.score is None and whole else Outside(tuple(edges))
    selected = zip(filling.channels, filling.selections.selections, strict=True)
    overlap = Overlap(tuple((name, select) for name, select in selected if select))

    def told() -> Iterator[Events]:
        done = 0
        for events in read("nominal.parquet"):
            yield events
            overlap.add(events)
            if given:
                given.add(events, *summary(events))
            done += len(events)
            run.progress.step("events histogrammed", done, total)

    filled = templates(
        summary,
        told(),
        [
            Varied(s.parameter, s.processes, read(s.up), read(s.down) if s.down else None)
            if isinstance(s, VariedSamples)
            else s
            for s in filling.systematics
        ],
        tuple(edges),
        channels=filling.channels,
        processes=filling.processes,
        executor=run.executor,
    )
    problems = [*overlap.problems(), *(given.problems() if given else ())]
    chosen = choose_edges(
        filled,
        signal=filling.signal,
        max_bins=filling.max_bins,
        min_effective=filling.min_effective,
        max_relative_error=filling.max_relative_error,
        most=filling.most,
    )
    final = tuple(given or new for given, new in zip(filling.edges, chosen, strict=True))
    merged = filled.rebin(final)
    observed, compared = None, dict[str, tuple[float, float, float, float]]()
    if not filling.blind and table.observed is not None:
        seen = templates(
            summary, read("observed.parquet"), (), final, channels=merged.channels, processes=("observed",)
        )
        observed = np.asarray(seen.nominal)[0]
        data = Outside(final, "observed events", observed=True)
        for events in read("observed.parquet"):
            data.add(events, *summary(events))
        problems += data.problems()
        numbers = {"nominal.parquet": total, "observed.parquet": table.observed}
        simulated, real = (sampled(filling.features, filling.selections, read(f), n) for f, n in numbers.items())
        compared = compare(filling.features, simulated, real)
    final_templates, changes = treat(treatment, merged)
    return Summarised(final_templates, observed, (*problems, *final_templates.problems()), changes, compared)


def treat(options: Treatment, given: Templates) -> tuple[Templates, tuple[str, ...]]:
    """Variations symmetrised, smoothed and pruned as the analysis says, in this order, and a line on each change."""
    said = []
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


def model(
    run: Run, folder: Path, factors: tuple[Factor, ...], simulation_statistics: bool, summarised: Summarised
) -> BinnedLikelihood:
    """The binned likelihood of the templates."""
    del run, folder
    return binned_likelihood(
        summarised.templates,
        free={f.name: tuple(f.processes) for f in factors},
        bounds={f.name: f.bounds for f in factors},
        simulation_statistics=simulation_statistics,
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
    run: Run, folder: Path, asked: Asked, summarised: Summarised, likelihood: BinnedLikelihood
) -> tuple[Measured, ...]:
    """Fit, interval, scans, breakdown by both definitions and ranking, for each data set that may be looked at."""
    del folder
    nominal = {p.name: p.init for p in likelihood.parameters}
    data = {"expected": (nominal, likelihood.asimov(nominal))}
    if asked.truth is not None:
        truth = {**nominal, **asked.truth}
        one = toys(asked.key, likelihood, truth, 1)
        data["pseudo-experiment"] = (truth, Data(np.asarray(one.counts)[0], np.asarray(one.auxiliary)[0]))
    if summarised.observed is not None:
        data["observed"] = ({}, Data(summarised.observed, likelihood.asimov(nominal).auxiliary))
    found = []
    for i, (kind, (truth, one)) in enumerate(data.items()):
        run.progress.step(kind, i, len(data))
        found.append(_measure(asked, likelihood, kind, truth, one))
        run.progress.step(kind, i + 1, len(data))
    return tuple(found)


def _measure(asked: Asked, likelihood: BinnedLikelihood, kind: str, truth: dict[str, float], data: Data) -> Measured:
    poi = asked.poi
    best = fit(likelihood, data)
    found = interval(likelihood, data, poi, level=asked.level)
    down, up = (2.4 * float(x) if np.isfinite(x) else 1.0 for x in (found.down, found.up))
    told = None if kind == "expected" else goodness_of_fit(likelihood, data)
    values = np.clip(found.value + np.linspace(-down, up, asked.scan_points), *asked.bounds)
    return Measured(
        kind,
        truth,
        data,
        best,
        found,
        profile(likelihood, data, poi, values),
        statistical(likelihood, data, best, poi, 4 * asked.scan_points),
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
    sigma = 1 / np.sqrt((slope**2 / there).sum())
    values = hat + np.linspace(-3.5, 3.5, points) * sigma
    nu = there + slope * (values - hat)[:, None]  # expected events are linear in a normalisation factor
    with np.errstate(divide="ignore", invalid="ignore"):
        nll = np.where(nu > 0, nu - xlogy(counts, nu), np.inf).sum(axis=1)
    t = np.maximum(2 * (nll - (there - xlogy(counts, there)).sum()), 0.0)
    return Scan(name, values, t, np.where(np.isfinite(t), Status.OK, Status.NOT_FINITE))


# ---------------------------------------------------------------------------------------------------------------- check


@dataclass(frozen=True)
class Checked:
    """Coverage at each truth, and the reliability of the classifier (None where the summary is no probability)."""

    coverage: dict[str, Coverage]
    reliability: Reliability | None = field(default=None)


def check(
    run: Run,
    folder: Path,
    campaign: Campaign,
    learning: Learning | None,
    table: Table,
    learned: Learned,
    likelihood: BinnedLikelihood,
) -> Checked:
    """Coverage of the interval from toys, at the nominal truth and at shifted ones; reliability of the classifier."""
    del folder, learned
    truths, found = truths_of(campaign, likelihood), {}
    for i, (label, truth) in enumerate(truths.items()):
        run.progress.step("coverage", i, len(truths))
        data = toys(jax.random.fold_in(campaign.key, i), likelihood, truth, campaign.toys)
        intervals = interval(likelihood, data, campaign.poi, level=campaign.level)
        found[label] = coverage(intervals, truth[campaign.poi])
        run.progress.step("coverage", i + 1, len(truths))
    scores = learning is not None and not learning.sorts
    return Checked(found, _reliability(campaign.signal, learning, table, run) if learning and scores else None)


def truths_of(campaign: Campaign, likelihood: BinnedLikelihood) -> dict[str, dict[str, float]]:
    """The truths of the coverage campaign by label: values of the parameter of interest, and each θ = ±1."""
    poi, nominal = campaign.poi, {p.name: p.init for p in likelihood.parameters}
    truths = {f"{poi} = {value:g}": nominal | {poi: value} for value in campaign.truths}
    if campaign.shifts:
        for p in likelihood.parameters:
            if p.constraint is not None:
                truths |= {f"{p.name} = {side:+d}": nominal | {p.name: float(side)} for side in (1, -1)}
    return truths


def _reliability(signal: tuple[str, ...], learning: Learning, table: Table, run: Run) -> Reliability:
    """Of the scores, with signal and background at equal total weight, as the networks were trained."""
    networks, yields = networks_of(learning, run), {y.process: y.total for y in table.yields}
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
