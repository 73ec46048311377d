"""An analysis translated, once, into what each stage is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jaxtyping import PRNGKeyArray

from verax import config
from verax.analysis import _files
from verax.analysis._columns import Columns, columns_of
from verax.analysis._functions import Own, own
from verax.analysis._recomputed import check_recomputed
from verax.analysis._samples import DATASETS, Reading, Side, Tried
from verax.analysis._summary import Channels, ColumnScore, FunctionScore
from verax.analysis._systematics import Source, Sources, VariedSamples, sources_of
from verax.config import Analysis, Factor, Learn, Report, Treatment
from verax.parameters import nuisance
from verax.store import HOW, checksums, stage_key
from verax.summarise import fine_edges


@dataclass(frozen=True)
class Learning:
    """What networks learn.

    Parameters
    ----------
    key : of all that is random in training
    options : how they are made and trained; its ``systematics`` are chosen already
    features : columns that they read
    missing : the value that stands for "not there" in these
    free : normalisation factors and the processes that they multiply, the parameter of interest first
    systematics : those that the approach acts on
    chunk : rows read at once
    """

    key: PRNGKeyArray
    options: Learn
    features: tuple[str, ...]
    missing: float | None
    free: Mapping[str, tuple[str, ...]]
    systematics: tuple[Source, ...]
    chunk: int = field(metadata=HOW)

    @property
    def sorts(self) -> bool:
        """Whether the network sorts events into bins itself, instead of giving a score that is binned afterwards."""
        return self.options.approach == "inferno"


@dataclass(frozen=True)
class Filling:
    """What is histogrammed, and how.

    Parameters
    ----------
    score : the number per event; None for the networks' own
    channels, selections : names of the categories, and who belongs to each
    edges : of each channel, or None where they are chosen among the ``fine`` ones
    most : take as many bins as there are
    """

    score: ColumnScore | FunctionScore | None
    features: tuple[str, ...]
    channels: tuple[str, ...]
    selections: Channels
    edges: tuple[tuple[float, ...] | None, ...]
    fine: tuple[float, ...]
    max_bins: int
    min_effective: float
    max_relative_error: float
    most: bool
    processes: tuple[str, ...]
    signal: tuple[str, ...]
    systematics: tuple[Source, ...]
    blind: bool
    chunk: int = field(metadata=HOW)


@dataclass(frozen=True)
class Asked:
    """What is asked of the likelihood: interval and scan of the parameter of interest; ``truth`` of a pseudo-experiment."""

    key: PRNGKeyArray
    poi: str
    bounds: tuple[float, float]
    level: float
    scan_points: int
    truth: Mapping[str, float] | None


@dataclass(frozen=True)
class Campaign:
    """The coverage campaign: ``toys`` at each of the ``truths``, and at ``shifts`` of the systematics."""

    key: PRNGKeyArray
    poi: str
    signal: tuple[str, ...]
    level: float
    toys: int
    truths: tuple[float, ...]
    shifts: bool


@dataclass(frozen=True)
class Words:
    """What the report says that is in no result.

    Parameters
    ----------
    kind, axis : of the summary, and its name on figures
    labels : how names are written
    factors : normalisation factors, the parameter of interest first
    """

    name: str
    title: str
    kind: str
    axis: str
    labels: Mapping[str, str]
    report: Report
    factors: tuple[Factor, ...]
    blind: bool


@dataclass(frozen=True)
class Plan:
    """An analysis, translated: the parts that its stages are given, and ``files`` with their checksums."""

    files: Mapping[str, str]
    reading: Reading
    systematics: tuple[Source, ...]
    learning: Learning | None
    filling: Filling
    treatment: Treatment
    factors: tuple[Factor, ...]
    simulation_statistics: bool
    asked: Asked
    campaign: Campaign
    words: Words


def plan(analysis: Analysis) -> Plan:
    """Translate an analysis: its words become functions, and its files are found.

    Raises
    ------
    InputError : for files that are not there or cannot be read, and a feature that a systematic would change though
        nothing recomputes it
    """
    a, base = analysis, analysis.base.resolve()
    reads = _files.placed(base, checksums(_files.declared(a.inputs, a.base)))
    sources = sources_of(a, reads)
    check_recomputed(a, sources)
    score = own(a.summary.function, base, reads) if a.summary.kind == "function" and a.summary.function else None
    reading = _reading(a, sources, score)
    files = _files.files(reading)
    learning = _learning(a, reading.columns, sources) if a.summary.kind == "classifier" else None
    factors, truth = (a.poi, *a.normalisations), a.pseudo_experiment.truth if a.pseudo_experiment else None
    names = {c.name: c.label or ("all events" if c.name == "all" else c.name) for c in a.channels}
    poi, level = a.poi.name, a.infer.level
    return Plan(
        files,
        replace(reading, files=_files.placed(base, files)),
        sources.systematics,
        learning,
        _filling(a, reading, sources, learning is not None and learning.sorts),
        a.templates,
        factors,
        a.infer.simulation_statistics,
        Asked(stage_key(a.seed, "infer"), poi, a.poi.bounds, level, a.infer.scan_points, truth),
        Campaign(
            stage_key(a.seed, "check"),
            poi,
            tuple(a.poi.processes),
            level,
            a.check.toys,
            tuple(a.check.truths),
            a.check.shifts,
        ),
        Words(
            a.name,
            a.title,
            a.summary.kind,
            a.summary.label,
            {**a.report.process_labels, **names},
            a.report,
            factors,
            a.blind,
        ),
    )


def _reading(a: Analysis, sources: Sources, score: Own | None) -> Reading:
    """What is read, before the files are found."""
    made = {s.name: s for s in sources.systematics if isinstance(s, VariedSamples)}
    sides = [
        Side(s.name, file, tuple(samples))
        for s in a.systematics
        if isinstance(s, config.VariedSamples)
        for file, samples in ((made[s.name].up, s.up), (made[s.name].down, s.down))
        if file and samples
    ]
    tried = [
        Tried(s.name, sources.functions[s.name], tuple(s.processes or ()), tuple(s.changes))
        for s in a.systematics
        if isinstance(s, config.FunctionEffect)
    ]
    processes = DATASETS[a.dataset.name].PROCESSES if a.dataset else tuple(dict.fromkeys(s.process for s in a.samples))
    return Reading(
        base=a.base,
        chunk=a.chunk,
        files=(),
        processes=processes,
        samples=tuple(a.samples),
        dataset=a.dataset,
        varied=tuple(sides),
        observed=None if a.observed == "asimov" else a.observed,
        number=a.number,
        nonfinite=a.nonfinite,
        columns=columns_of(a, processes, sources),
        effects=tuple(tried),
        score=score,
        inputs=tuple(a.inputs),
    )


def _learning(a: Analysis, columns: Columns, sources: Sources) -> Learning:
    """What networks learn; those that know nothing of systematics are given none, and no names of factors."""
    options = a.learn.model_copy(update={"systematics": None})
    free, chosen = {"signal": tuple(a.poi.processes)}, list[Source]()
    if options.approach != "propagate":
        free = {f.name: tuple(f.processes) for f in (a.poi, *a.normalisations)}
        wanted = a.learn.systematics
        chosen = [_ungrouped(s) for s in sources.systematics if wanted is None or s.name in wanted]
    key = stage_key(a.seed, "learn")
    return Learning(key, options, tuple(a.features), columns.missing, free, tuple(chosen), a.chunk)


def _ungrouped(systematic: Source) -> Source:
    """Without its row of the breakdown, which no network knows of."""
    return replace(systematic, parameter=nuisance(systematic.name, ""))


def _filling(a: Analysis, reading: Reading, sources: Sources, sorts: bool) -> Filling:
    """What is histogrammed; networks that sort events (``sorts``) have made the bins already."""
    count, ends = (a.learn.bins, (0.0, float(a.learn.bins))) if sorts else (a.binning.fine_bins, a.summary.range)
    fine = fine_edges(count, *ends)
    return Filling(
        score=_score(a, reading.score),
        features=tuple(a.features),
        channels=tuple(c.name for c in a.channels),
        selections=Channels(tuple(c.select for c in a.channels)),
        edges=tuple(tuple(c.edges) if c.edges else None for c in a.channels),
        fine=fine,
        max_bins=len(fine) if sorts else a.binning.max_bins,
        min_effective=a.binning.min_effective,
        max_relative_error=a.binning.max_relative_error,
        most=sorts,
        processes=reading.processes,
        signal=tuple(a.poi.processes),
        systematics=sources.systematics,
        blind=a.blind,
        chunk=a.chunk,
    )


def _score(a: Analysis, function: Own | None) -> ColumnScore | FunctionScore | None:
    """The number per event, where it is not the networks' own."""
    if function is not None:
        return FunctionScore(function, tuple(a.features))
    return ColumnScore(str(a.summary.column)) if a.summary.kind == "column" else None
