"""What an analysis file may say, and what must hold between its sections."""

import itertools
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pydantic
from pydantic import Field

from verax.choices import LARGEST_SEED
from verax.errors import InputError, check_known
from verax.parameters import Parameter, check_value, nuisance
from verax.report import check_formula

from ._arrangement import check_arranged
from ._effects import EffectBase, Normalisation, Systematics, VariedHistograms, VariedSamples, WeightsBase
from ._methods import Ensemble, LearnSection
from ._rates import check_rates, derivatives, in_rates
from ._sections import (
    Binning,
    Category,
    Channel,
    Check,
    Count,
    Dataset,
    Factor,
    Figure,
    Finite,
    HistogramChannel,
    Infer,
    IsNumber,
    Label,
    PseudoExperiment,
    Report,
    Sample,
    Source,
    Strict,
    Summary,
    Treatment,
)
from ._units import Luminosity


class Analysis(Strict):
    """Everything that a measurement depends on."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] = Field(
        description="names the run folder, runs/NAME"
    )
    title: str = Field(description="heading of the report")
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED), IsNumber] = Field(0, description="of all random numbers")
    dataset: Dataset | None = Field(None, description="a data set that verax knows, instead of samples")
    lumi: Luminosity | None = Field(
        None, description="integrated luminosity in fb⁻¹, or text such as '36.1 fb^-1': of samples with a cross_section"
    )
    samples: list[Sample] = Field([], description="simulated events, in any number of files and processes")
    observed: Source | Literal["asimov"] = Field("asimov", description="files of observed events, or asimov")
    blind: bool = Field(True, description="with observed files: show expected results only until this is false")
    pseudo_experiment: PseudoExperiment | None = Field(None, description="also measure one drawn at a known truth")
    poi: Factor
    normalisations: list[Factor] = Field([], description="further normalisations that float freely in the fit")
    rates: dict[str, str] = Field(
        {},
        description="process → expression of the parameters above that multiplies it, e.g. {interference: c, square: c**2}",
    )
    signal: list[str] | None = Field(
        None,
        min_length=1,
        description="processes that networks tell from the others and bins are chosen for (default: those of the poi)",
    )
    layout: Literal["higgsml", "fair_universe"] | None = Field(None, description="names of four-vector columns")
    number: str | None = Field(None, description="event-number column (default: the row number)")
    derived: dict[str, str] = Field({}, description="columns computed from others, again after each variation")
    features: list[str] = Field(
        [], min_length=1, description="columns that the classifier or your function reads, in this order"
    )
    unaffected: list[str] | dict[str, list[str]] = Field(
        [], description="features that no systematic changes, on your word; or for each systematic those that it leaves"
    )
    inputs: list[str] = Field(
        [], description="further files that your functions read (patterns, folders): a change of theirs redoes the work"
    )
    nonfinite: Literal["error", "drop"] = Field(
        "error", description="rows with NaN or infinities: an error, or counted and dropped"
    )
    missing: Finite | None = Field(None, description="value that stands for 'not there' in feature columns")
    chunk: Count = Field(65536, description="rows read at once; results do not depend on it")
    channels: list[Channel] = Field(
        [Channel(name="all")],
        min_length=1,
        description="categories; an event belongs to the first whose selection it passes",
    )
    histograms: list[HistogramChannel] = Field(
        [], description="categories whose templates are histograms in files, beside those of events or without any"
    )
    tags: dict[str, dict[Annotated[str, Label], list[str]]] = Field(
        {},
        description="partitions of channels or processes by name, for `correlate`; e.g. year: {2016: [SR_16, CR_16]}",
    )
    systematics: list[Systematics] = Field([], description="sources of systematic uncertainty")
    figures: list[Figure] = Field(
        [], description="further variables to show, before and after the fit with its covariance"
    )
    summary: Summary = Summary()
    learn: LearnSection = Ensemble()
    binning: Binning = Binning()
    templates: Treatment = Treatment()
    infer: Infer = Infer()
    check: Check = Check()
    report: Report = Report()
    base: Path = Field(Path(), exclude=True, description="folder that relative paths start from")

    @pydantic.model_validator(mode="after")
    def consistent(self) -> "Analysis":
        """Names used across sections exist, and each choice has what it needs."""
        if (self.dataset is None) == (not self.samples) and (self.samples or not self.histograms):
            raise InputError("samples", "neither or both of dataset and samples", "one of them", "remove one")
        if self.has_events and not self.features:
            raise InputError("features", "nothing", "a value")
        self._check_histograms()
        given = [n for s in self.systematics for n in s.parameter_names] + [
            f.name for f in (self.poi, *self.normalisations)
        ]
        for name in given:
            if given.count(name) > 1:
                raise InputError("parameters", f"'{name}' twice", "a name of its own for each parameter")
        channels = [c.name for c in self.categories]
        if len(set(channels)) < len(channels):
            raise InputError("channels", "a name twice", "a name of its own for each channel")
        for f in (self.poi, *self.normalisations):
            check_known(f.channels or (), channels, f"normalisation '{f.name}'", "channel")
        nuisances = check_arranged(self.systematics, self.tags, channels, self._processes())
        names = [*nuisances, *(f.name for f in (self.poi, *self.normalisations))]
        for name in names:
            if names.count(name) > 1:
                raise InputError("parameters", f"'{name}' twice", "a name of its own for each parameter")
        if self.dataset is None:
            known = self._processes()
            for where, processes in (
                *((f"normalisation '{f.name}'", f.processes) for f in (self.poi, *self.normalisations)),
                *((f"systematic '{s.name}'", s.processes or []) for s in self.systematics if isinstance(s, EffectBase)),
                *(
                    (f"systematic '{s.name}', varied samples", [sample.process for sample in [*s.up, *(s.down or [])]])
                    for s in self.systematics
                    if isinstance(s, VariedSamples)
                ),
            ):
                check_known(processes, known, where, "process")
        check_known(self.infer.further, names, "infer.further", "parameter")
        if self.poi.name in self.infer.further or len(set(self.infer.further)) < len(self.infer.further):
            raise InputError("infer.further", f"{self.infer.further}", f"each once, without {self.poi.name}, the first")
        moved = [n for s in self.systematics for n in s.parameter_names]
        factors = (self.poi, *self.normalisations)
        check_rates(self.rates, factors, self._processes())
        check_known(self.signal or (), self._processes(), "signal", "process")
        if self.rates and self.summary.kind == "classifier" and self.learn.approach == "inferno":
            raise InputError("rates", "approach inferno, whose bins are for normalisations", "approach: propagate")
        for f in factors:
            if not f.bounds[0] <= f.nominal <= f.bounds[1]:
                seen = f"{f.nominal:g} outside bounds {list(f.bounds)}"
                raise InputError(f"normalisation '{f.name}', nominal", seen, "a value between them")
            if f.width and f.events:
                raise InputError(f"normalisation '{f.name}'", "width and events", "one prior", "remove one of them")
            if f.events and not f.nominal > 0:
                seen = f"events with a nominal value of {f.nominal:g}"
                raise InputError(f"normalisation '{f.name}'", seen, "one above 0, which they are counted at")
            if f.group and not (f.width or f.events):
                expected = "width or events: free ones are in the row of statistics"
                raise InputError(f"normalisation '{f.name}'", f"group '{f.group}' without a prior", expected)
        self._check_factors(nuisances)
        self._check_luminosity()
        self._check_derived()
        check_known([*self.templates.symmetrise, *self.templates.smooth], moved, "templates", "systematic")
        check_known(self.learn.systematics or (), [s.name for s in self.systematics], "learn", "systematic")
        check_known(self.learn.at, [s.parameter or s.name for s in self.systematics], "learn.at", "parameter")
        learnt = [*(self.learn.systematics or ()), *self.learn.at]
        for s in self.systematics:
            if isinstance(s, WeightsBase) and s.name in learnt:
                seen, action = f"systematic '{s.name}' of effect {s.effect}", "its templates are filled all the same"
                raise InputError("learn", seen, "systematics that move single events", f"leave it out: {action}")
        if self.pseudo_experiment:
            check_known(self.pseudo_experiment.truth, names, "pseudo_experiment.truth", "parameter")
        parameters = {name: nuisance(name, "") for name in (*nuisances, *self.learn.at)}
        parameters |= {f.name: Parameter(f.name, "", f.bounds[0], f.bounds) for f in factors}
        truth = self.pseudo_experiment.truth if self.pseudo_experiment else {}
        for where, values in (("pseudo_experiment.truth", truth), ("learn.at", self.learn.at)):
            for name, value in values.items():
                check_value(parameters[name], value, where)
        for value in self.check.truths:
            check_value(parameters[self.poi.name], value, "check.truths")
        if all(c.role == "validation" for c in self.categories):
            raise InputError(
                "channels", "validation only", "a channel that is fitted", "give one the role signal or control"
            )
        for channel in self.channels:
            edges = channel.edges
            if isinstance(channel.blind, list):
                bins = len(edges) - 1 if edges else 0
                if not edges or not channel.blind or max(channel.blind) >= bins:
                    seen = f"bins {channel.blind}" + ("" if edges else " of edges that are yet to be chosen")
                    expected = f"bins from 0 to {bins - 1}" if edges else "edges, too"
                    raise InputError(f"channels.{channel.name}.blind", seen, expected)
            if edges is not None and (len(edges) < 2 or any(a >= b for a, b in itertools.pairwise(edges))):
                raise InputError(f"channels.{channel.name}.edges", str(edges), "two or more increasing numbers")
        self._check_figures()
        self._check_range()
        self._check_labels()
        for s in self.systematics:
            if isinstance(s, EffectBase) and s.needs_layout and self.layout is None and self.dataset is None:
                raise InputError(
                    f"systematic '{s.name}'", f"effect {s.effect} without layout", "layout: higgsml or fair_universe"
                )
        return self

    def _check_figures(self) -> None:
        """Figures are of channels that there are, each variable once in each."""
        shown = list[tuple[str, str]]()
        channels = [c.name for c in self.channels]
        for figure in self.figures:
            check_known(figure.channels or (), channels, f"figures.{figure.variable}.channels", "channel")
            for pair in ((figure.variable, c) for c in figure.channels or channels):
                if pair in shown:
                    seen = f"channel '{pair[1]}' twice"
                    raise InputError(f"figures.{figure.variable}", seen, "each variable once in a channel")
                shown.append(pair)

    def _check_factors(self, nuisances: list[str]) -> None:
        """Free factors can be told apart, and labels belong to something."""
        factors = (self.poi, *self.normalisations)
        known = self._processes()
        named = known or list(dict.fromkeys(p for f in factors for p in f.processes))
        fitted = [c.name for c in self.categories if c.role != "validation"] or [c.name for c in self.categories]
        acts = derivatives(self.rates, factors, named, fitted)
        for i in range(len(factors)):
            if not acts[i].any():
                action = "give it processes, or a rate that moves with it, in channels that are not for validation"
                seen = f"no yield that it moves in {', '.join(fitted)}"
                raise InputError(f"normalisation '{factors[i].name}'", seen, "one that is fitted", action)
            if np.linalg.matrix_rank(acts[: i + 1]) <= i:
                moves = ", ".join([*factors[i].processes, *in_rates(factors[i].name, self.rates)])
                seen = f"processes {moves}, whose yields the other factors move alike"
                action = "drop it, or constrain one by a systematic of effect normalisation"
                raise InputError(f"normalisation '{factors[i].name}'", seen, "factors that can be told apart", action)
        labelled = [*named, *(c.name for c in self.categories), *(f.name for f in factors)]
        labelled += [*nuisances, *(w for s in self.systematics for w in (s.name, s.group))]
        check_known(self.report.process_labels, labelled, "report.process_labels", "process")

    def _check_luminosity(self) -> None:
        """Each cross-section has a luminosity, and the other way round."""
        varied = [x for s in self.systematics if isinstance(s, VariedSamples) for x in (*s.up, *(s.down or []))]
        given = [s for s in (*self.samples, *varied) if s.cross_section is not None]
        if self.lumi is not None and all(s.lumi is not None for s in given):
            raise InputError("lumi", f"{self.lumi:g} fb⁻¹", "a sample with a cross_section that it scales")
        for s in given:
            if s.lumi is None and self.lumi is None:
                where = f"sample of process '{s.process}'"
                raise InputError(where, "cross_section without lumi", "the luminosity", "lumi: 139  # fb⁻¹")

    @property
    def has_events(self) -> bool:
        """Whether some channels are made of events."""
        return self.dataset is not None or bool(self.samples)

    @property
    def categories(self) -> list[Channel | HistogramChannel]:
        """All channels, those of events first."""
        return [*(self.channels if self.has_events else []), *self.histograms]

    def _check_histograms(self) -> None:
        """Histograms have what they need, and name what there is."""
        by_name = {name: s for s in self.systematics for name in s.parameter_names}
        for c in self.histograms:
            check_known(c.varied, by_name, f"histograms.{c.name}.varied", "systematic")
            for name in c.varied:
                if isinstance(by_name[name], Normalisation):
                    seen = f"'{name}', a normalisation, which acts on histograms as it is"
                    raise InputError(f"histograms.{c.name}.varied", seen, "other systematics", "leave it out")
        for s in self.systematics:
            if isinstance(s, VariedHistograms) and not any(s.name in c.varied for c in self.histograms):
                seen = "effect histograms, of no channel"
                raise InputError(f"systematic '{s.name}'", seen, "a channel under `histograms` that has it as `varied`")
            if not self.has_events and not isinstance(s, VariedHistograms | Normalisation):
                seen, expected = f"effect {s.effect} without events", "effect histograms or normalisation"
                raise InputError(f"systematic '{s.name}'", seen, expected)
        observed = {c.observed is not None for c in self.histograms}
        observed |= {self.observed != "asimov"} if self.has_events or self.observed != "asimov" else set()
        if len(observed) > 1:
            raise InputError("observed", "data of some channels only", "those of all channels, or of none")
        if not self.has_events and self.channels != [Channel(name="all")]:
            raise InputError("channels", "channels of events, and no samples", "samples, or no channels")

    def _check_labels(self) -> None:
        """Formulas of figures can be drawn."""
        report = self.report
        labels = {"report.experiment": report.experiment, "report.luminosity": report.luminosity}
        labels |= {f"report.process_labels.{name}": text for name, text in report.process_labels.items()}
        labels |= {f"channels.{c.name}.label": c.label or "" for c in self.categories}
        labels |= {f"figures.{f.variable}.label": f.label or "" for f in self.figures}
        for where, text in (labels | {"summary.label": self.summary.label}).items():
            check_formula(text, where)

    def _processes(self) -> list[str]:
        """Names of the simulated processes."""
        found = [s.process for s in self.samples]
        if self.dataset is not None:
            from verax.data import fair_universe, higgsml  # reading files is slow to import

            found = [*{"higgsml": higgsml, "fair_universe": fair_universe}[self.dataset.name].PROCESSES]
        return list(dict.fromkeys([*found, *(p for c in self.histograms for p in c.processes)]))

    def _check_derived(self) -> None:
        """Derived columns are made of those before them."""
        if not self.derived:
            return
        from verax.data import expression  # reading files is slow to import

        later = list(self.derived)
        for name, text in self.derived.items():
            for read in expression(text).names:
                if read in later:
                    seen = "itself" if read == name else f"'{read}', which is derived below it"
                    action = "give it a name of its own" if read == name else f"move '{read}' above it"
                    raise InputError(
                        f"derived.{name}", f"'{text}', made of {seen}", "columns of the files or above it", action
                    )
            later.remove(name)

    def _check_range(self) -> None:
        """Bins lie where the summary can be."""
        given = "range" in self.summary.model_fields_set
        if self.summary.kind == "column" and not given and not all(c.edges for c in self.channels):
            seen = f"column '{self.summary.column}' without a range"
            raise InputError("summary", seen, "range: [low, high]", "give the range that bins may lie in")
        low, high = (0.0, float(self.learn.bins)) if self.sorts else self.summary.range
        if self.summary.kind != "classifier" and not given:
            return
        for c in self.channels:
            if c.edges and (c.edges[0] < low or c.edges[-1] > high):
                seen = f"{c.edges[0]:g} … {c.edges[-1]:g}"
                raise InputError(f"channels.{c.name}.edges", seen, f"edges in the summary's range, {low:g} … {high:g}")

    def hides(self, channel: Category) -> bool | tuple[int, ...]:
        """Whether data of a channel stay unseen, or which of its bins; its own word counts before the analysis'."""
        if isinstance(channel.blind, list):
            return tuple(sorted(set(channel.blind)))
        if channel.blind is not None:
            return channel.blind
        return self.blind and channel.role != "control"

    @property
    def signal_processes(self) -> tuple[str, ...]:
        """Processes that networks tell from the others, and bins are chosen for."""
        return tuple(self.signal or self.poi.processes or in_rates(self.poi.name, self.rates))

    @property
    def sorts(self) -> bool:
        """Whether the network sorts events into bins itself, instead of giving a score that is binned afterwards."""
        return self.summary.kind == "classifier" and self.learn.approach == "inferno"
