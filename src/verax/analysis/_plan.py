"""An analysis translated, once, into what each stage is given."""

import importlib.util
from dataclasses import replace

from verax.errors import InputError
from verax.parameters import nuisance
from verax.run import checksums, stage_key
from verax.systematics import Systematic
from verax.templates import WeightSet, fine_edges

from . import _effects, _files
from ._arrangement import Arranged, arranged
from ._columns import Columns, columns_of
from ._functions import Reads, own
from ._headers import check_headers
from ._onnx import OnnxScore, onnx_score
from ._parts import (
    Campaign,
    Histograms,
    Inference,
    Learning,
    Modelling,
    Plan,
    Reading,
    UserEffect,
    Variable,
    VariedSide,
    Wording,
)
from ._rates import by_expression
from ._recomputed import check_recomputed
from ._samples import DATASETS
from ._schema import Analysis
from ._stored_channels import of_events, stored_channels, stored_parameters
from ._summary import Channels, ColumnScore, FunctionScore
from ._systematics import Sources, VariedFiles, sources_of


def plan(analysis: Analysis) -> Plan:
    """Translate an analysis: its words become functions, and its files are found.

    Raises
    ------
    InputError : for files that are not there, cannot be read or lack a column, and a feature that a systematic would
        change though nothing recomputes it
    """
    a, base = analysis, analysis.base.resolve()
    reads = _files.placed(base, checksums(_files.declared(a.inputs, a.base)))
    events = of_events(a)
    sources = sources_of(events, reads)
    reading = replace(reading_of(events, sources, _own_score(a, reads)), histograms=stored_channels(a))
    check_headers(reading)
    check_recomputed(events, sources)
    files = _files.files(reading)
    learning = _learning(events, reading.columns, sources) if a.has_events and a.summary.kind == "classifier" else None
    histograms = _histograms(events, reading, sources, learning is not None and learning.sorts)
    factors, truth = (a.poi, *a.normalisations), a.pseudo_experiment.truth if a.pseudo_experiment else None
    poi, signal, level, asked = a.poi.name, a.signal_processes, a.infer.level, a.check
    channels = {c.name: c.label or "all events" for c in a.categories if c.label or c.name == "all"}
    folds = len(a.summary.models) if a.summary.models else a.summary.folds
    labels = {**a.report.process_labels, **channels}
    roles = {c.name: c.role for c in a.categories}
    fitted = [c for c in a.categories if c.role != "validation"]
    blind = any(a.hides(c) is not False for c in fitted)
    modelling = Modelling(factors, by_expression(a.rates), a.infer.simulation_statistics, tuple(c.name for c in fitted))
    keys, further = {stage: stage_key(a.seed, stage) for stage in ("infer", "check")}, tuple(a.infer.further)
    selected = tuple(c.name for c in a.channels), Channels(tuple(c.select for c in a.channels))
    shown = tuple((f.label or f.variable, tuple(f.channels or selected[0])) for f in a.figures)
    tests = (a.infer.limit, a.infer.significance)
    inference = Inference(
        keys["infer"], modelling, poi, a.poi.bounds, level, a.infer.scan_points, further, *tests, truth
    )
    kind, label = (a.summary.kind, a.summary.label) if a.has_events else ("histogram", "")
    label = a.summary.label if "label" in a.summary.model_fields_set else label
    return Plan(
        files,
        replace(reading, files=_files.placed(base, files)),
        sources.systematics,
        learning,
        replace(histograms, stored=stored_parameters(a)),
        a.templates,
        tuple(s for s in arranged(a.systematics, a.tags) if s != Arranged(s.name, s.name, None)),
        modelling,
        inference,
        Campaign(keys["check"], poi, signal, level, asked.toys, tuple(asked.truths), asked.shifts, further, *selected),
        Wording(a.name, a.title, kind, folds, label, labels, a.report, factors, blind, roles, signal, shown),
    )


def reading_of(a: Analysis, sources: Sources, score: FunctionScore | OnnxScore | None) -> Reading:
    """What is read, before the files are found."""
    made = {s.name: s for s in sources.systematics if isinstance(s, VariedFiles)}
    sides = [
        VariedSide(s.name, file, tuple(samples))
        for s in a.systematics
        if isinstance(s, _effects.VariedSamples)
        for file, samples in ((made[s.name].up, s.up), (made[s.name].down, s.down))
        if file and samples
    ]
    tried = [
        UserEffect(s.name, sources.functions[s.name], tuple(s.processes or ()), tuple(s.changes))
        for s in a.systematics
        if isinstance(s, _effects.FunctionEffect)
    ]
    processes = DATASETS[a.dataset.name].PROCESSES if a.dataset else tuple(dict.fromkeys(s.process for s in a.samples))
    return Reading(
        base=a.base,
        chunk=a.chunk,
        files=(),
        processes=processes,
        lumi=a.lumi,
        samples=tuple(a.samples),
        dataset=a.dataset,
        varied=tuple(sides),
        observed=None if a.observed == "asimov" else a.observed,
        number=a.number,
        nonfinite=a.nonfinite,
        columns=columns_of(a, processes, sources),
        signed=tuple(a.rates),
        effects=tuple(tried),
        score=score,
        inputs=tuple(a.inputs),
        histograms=(),
    )


def _own_score(a: Analysis, reads: Reads) -> FunctionScore | OnnxScore | None:
    """The score of a function, or of models, of the user's."""
    base, features, given = a.base.resolve(), tuple(a.features), a.summary.function
    if a.summary.kind == "onnx":
        return onnx_score(a.summary, base, features)
    return FunctionScore(own(given, base, reads), features, a.summary.folds) if given else None


def _learning(a: Analysis, columns: Columns, sources: Sources) -> Learning:
    """What networks learn; those that know nothing of systematics are given none, and no names of factors.

    Raises
    ------
    InputError : for a method that needs a package that is not installed
    """
    if not a.signal_processes:
        raise InputError("poi", "no events of its processes", "samples of one, to learn from", "or another summary")
    options = a.learn.model_copy(update={"systematics": None})
    if (package := options.package) and importlib.util.find_spec(package) is None:
        seen = f"{options.epistemic} without the package '{package}'"
        raise InputError("learn.epistemic", seen, "it installed", f"pip install {package}")
    free, shared = {"signal": a.signal_processes}, dict[str, str]()
    chosen = list[Systematic | VariedFiles]()
    if options.approach != "propagate":
        free = {a.poi.name: a.signal_processes} | {f.name: tuple(f.processes) for f in a.normalisations}
        wanted = a.learn.systematics
        known = [s for s in sources.systematics if not isinstance(s, WeightSet)]
        kept = [s for s in known if wanted is None or s.name in wanted]
        chosen = [replace(s, parameter=nuisance(s.name, "")) for s in kept]  # no network knows of rows of a breakdown
        names = {s.name for s in kept}
        shared = {s.name: s.parameter for s in a.systematics if s.name in names and s.parameter not in (None, s.name)}
    key = stage_key(a.seed, "learn")
    return Learning(key, options, tuple(a.features), columns.missing, free, tuple(chosen), shared, a.chunk)


def _histograms(a: Analysis, reading: Reading, sources: Sources, sorts: bool) -> Histograms:
    """What is histogrammed; networks that sort events (``sorts``) have made the bins already."""
    count, ends = (a.learn.bins, (0.0, float(a.learn.bins))) if sorts else (a.binning.fine_bins, a.summary.range)
    fine, channels = fine_edges(count, *ends), a.channels if a.has_events else []
    return Histograms(
        score=reading.score or (ColumnScore(str(a.summary.column)) if a.summary.kind == "column" else None),
        features=tuple(a.features),
        channels=tuple(c.name for c in channels),
        selections=Channels(tuple(c.select for c in channels)),
        edges=tuple(tuple(c.edges) if c.edges else None for c in channels),
        fine=fine,
        max_bins=len(fine) if sorts else a.binning.max_bins,
        min_effective=a.binning.min_effective,
        max_relative_error=a.binning.max_relative_error,
        most=sorts,
        processes=reading.processes,
        signal=a.signal_processes,
        systematics=sources.systematics,
        hidden=tuple(a.hides(c) for c in a.categories),
        stored=(),
        variables=tuple(Variable(f.variable, f.all_edges, reading.columns.missing) for f in a.figures),
        chunk=a.chunk,
    )
