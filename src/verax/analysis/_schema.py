"""What an analysis file may say: the only place where a string chooses a function."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import pydantic
from pydantic import BaseModel, ConfigDict, Field

from verax.errors import InputError, check_known
from verax.parameters import Parameter, check_value, nuisance


def _number(value: Any) -> Any:
    """Python takes true for 1; an analysis does not."""
    if isinstance(value, bool):
        raise ValueError("a number")
    return value


IsNumber = pydantic.BeforeValidator(_number)
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False), IsNumber]
Width: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False), IsNumber]
Count: TypeAlias = Annotated[int, Field(ge=1), IsNumber]
Function: TypeAlias = str | Callable[..., Any]
"""``module:name`` or ``path.py:name`` (relative to the analysis file); in Python, the callable itself."""


class Strict(BaseModel):
    """Frozen, with unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Source(Strict):
    """Rows from files. Several files, or glob patterns, are read one after another."""

    files: list[str] = Field(min_length=1, description="ROOT, Parquet or CSV files; glob patterns are expanded")
    tree: str | None = Field(None, description="name of the TTree or RNTuple in ROOT files")
    select: str | None = Field(None, description="keep the rows where this expression of columns is true")
    weight: str | None = Field(None, description="expression of columns: expected events per row (default: 1)")
    allow_duplicates: bool = Field(False, description="rows may be read twice, here or by another sample")


class Sample(Source):
    """Simulated events of one process."""

    process: str = Field(description="name; samples of one name are added")
    total: Width | None = Field(None, description="rescale the weights of this sample to this expected yield")


class Dataset(Strict):
    """A data set that verax knows by name, with its processes, weights and layout."""

    name: Literal["higgsml", "fair_universe"] = Field(description="which one")
    file: str | None = Field(None, description="a local copy; higgsml: the shipped sample unless given")


class SystematicBase(Strict):
    """What all systematics share."""

    name: str = Field(description="the nuisance parameter's name, unique")
    group: str = Field("experimental", description="row of the uncertainty breakdown")


class EffectBase(SystematicBase):
    """What all systematics share that act on the nominal events."""

    processes: list[str] | None = Field(None, min_length=1, description="processes it acts on (default: all)")


class EnergyScale(EffectBase):
    """p_T → (1 + width·θ) p_T of one kind of object, with the missing transverse momentum and derived columns."""

    effect: Literal["tau_energy_scale", "jet_energy_scale", "lepton_energy_scale"]
    width: Width = Field(description="prior width of the relative scale, e.g. 0.03")


class SoftMet(EffectBase):
    """Gaussian noise of θ·sigma on both components of the missing transverse momentum; one-sided by nature."""

    effect: Literal["soft_met"]
    sigma: Width = Field(description="noise per component at θ = 1, in the unit of the columns (GeV)")


class Normalisation(EffectBase):
    """Log-normal yield: weight × (1 + width)^θ."""

    effect: Literal["normalisation"]
    width: Width = Field(description="relative prior width")


class WeightVariation(EffectBase):
    """Weight factors from expressions of columns, at θ = +1 and −1 (default for down: 1/up)."""

    effect: Literal["weight"]
    up: str = Field(description="factor at θ = +1")
    down: str | None = Field(None, description="factor at θ = −1 (default: 1/up)")


class ColumnScale(EffectBase):
    """columns → (1 + width·θ) × columns; ``derived`` columns are recomputed."""

    effect: Literal["scale"]
    columns: list[str] = Field(min_length=1, description="columns that scale together")
    width: Width = Field(description="relative prior width")


class VariedSamples(SystematicBase):
    """Varied simulation in files of its own, with the weights, selection and number of the nominal samples."""

    effect: Literal["samples"]
    up: list[Sample] = Field(min_length=1, description="simulation at θ = +1")
    down: list[Sample] | None = Field(None, description="without it, the up variation is mirrored")


class FunctionEffect(EffectBase):
    """A Python callable ``(Events, θ) → Events``."""

    effect: Literal["function"]
    function: Function = Field(description="module:name or path.py:name")
    changes: list[str] = Field(description="columns that it changes ('weight' counts)")
    one_sided: bool = Field(False, description="θ and −θ do the same: down is the mirror image of up")
    jax: bool = Field(False, description="made of JAX operations, so that it can be compiled and differentiated")


Systematics: TypeAlias = Annotated[
    EnergyScale | SoftMet | Normalisation | WeightVariation | ColumnScale | VariedSamples | FunctionEffect,
    Field(discriminator="effect"),
]


class Factor(Strict):
    """A normalisation that floats freely in the fit."""

    name: str = Field(description="the parameter's name; 1 is nominal")
    processes: list[str] = Field(min_length=1, description="processes that it multiplies, in every channel")
    bounds: tuple[Finite, Finite] = Field((-20.0, 20.0), description="allowed values in the fit")


class Channel(Strict):
    """A category of events, fitted together with the others."""

    name: str = Field(description="unique")
    select: str | None = Field(
        None, description="expression of columns, applied again after each variation (default: all events)"
    )
    label: str | None = Field(None, description="name on figures")
    edges: list[Finite] | None = Field(None, description="bin edges of the summary; chosen by verax unless given")


class Summary(Strict):
    """The number per event that is histogrammed."""

    kind: Literal["classifier", "column", "function"] = Field(
        "classifier", description="a network trained here, a column, or a callable of yours"
    )
    column: str | None = Field(None, description="kind: column — a feature or a derived column")
    function: Function | None = Field(None, description="kind: function — callable: x[event, feature] → score[event]")
    label: str = Field("Network score", description="name on figures, with its unit")
    range: tuple[Finite, Finite] = Field((0.0, 1.0), description="range of the summary; the rest joins the end bins")


class Learn(Strict):
    """The classifier: an ensemble per fold; each event is scored by networks that never saw it."""

    approach: Literal["propagate", "augment", "adversarial", "parameterised", "inferno"] = Field(
        "propagate",
        description="how it lives with systematics: not at all, trained on events at θ drawn from the priors, against "
        "an adversary that guesses θ, told θ as well, or trained to make the expected uncertainty of the measurement small",
    )
    systematics: list[str] | None = Field(None, description="those that the approach acts on (default: all)")
    per: Literal["event", "batch"] = Field("event", description="augment: one θ for each event, or for each batch")
    strength: Annotated[float, Field(ge=0), IsNumber] = Field(1.0, description="adversarial: of the adversary")
    at: dict[str, Finite] = Field({}, description="parameterised: θ at which the summary is made (default: 0)")
    bins: Annotated[int, Field(ge=2), IsNumber] = Field(10, description="inferno: bins of the summary")
    temperature: Width = Field(0.1, description="inferno: of the softmax over bins")
    folds: Annotated[int, Field(ge=2), IsNumber] = Field(
        3, description="an event of fold i is scored by networks trained on the others"
    )
    members: Count = Field(5, description="networks per fold")
    bootstrap: bool = Field(True, description="train each member on its own Poisson replica of the events")
    width: Count = Field(64, description="units of a hidden layer")
    depth: Count = Field(2, description="hidden layers")
    epochs: Count = Field(60, description="most epochs")
    patience: Count = Field(8, description="epochs without improvement after which training stops")
    batch: Count = Field(512, description="rows per step")
    learning_rate: Width = Field(2e-3, description="of AdamW")
    max_events: Count = Field(2_000_000, description="rows used for training; a longer table is thinned evenly")


class Binning(Strict):
    """How bin edges are chosen where a channel gives none."""

    max_bins: Count = Field(10, description="most bins of a channel")
    fine_bins: Count = Field(400, description="equal bins of the summary's range whose edges may be chosen")
    min_effective: Width = Field(10.0, description="least effective number of simulated background events in a bin")
    max_relative_error: Width = Field(0.3, description="largest relative simulation error of the background in a bin")


class Prune(Strict):
    """Negligible effects of systematics are left out, per process and channel."""

    shape: Annotated[float, Field(ge=0), IsNumber] = Field(
        0.0, description="largest relative change of a bin at equal yield"
    )
    normalisation: Annotated[float, Field(ge=0), IsNumber] = Field(
        0.0, description="largest relative change of the yield"
    )


class Treatment(Strict):
    """What is done to template variations before the fit; the report says what changed."""

    symmetrise: dict[
        str, Literal["average", "mirror-up", "mirror-down", "absolute-mean", "maximum", "maximum-signed"]
    ] = Field({}, description="systematic → how its up and down are made symmetric")
    smooth: list[str] = Field([], description="systematics to smooth: those whose variations have samples of their own")
    prune: Prune = Prune()


class Infer(Strict):
    """What is asked of the likelihood."""

    level: Annotated[float, Field(gt=0, lt=1), IsNumber] = Field(0.6827, description="confidence level of intervals")
    scan_points: Annotated[int, Field(ge=5), IsNumber] = Field(41, description="points of the scan of t")
    simulation_statistics: bool = Field(True, description="one γ per bin for the statistics of the simulation")


class Check(Strict):
    """The coverage campaign."""

    toys: Count = Field(4000, description="toys per truth")
    truths: list[Finite] = Field([0.0, 1.0, 2.0], description="true values of the parameter of interest")
    shifts: bool = Field(True, description="also every systematic at θ = ±1")


class Report(Strict):
    """Wording on the report and the figures; changing them redoes only the report."""

    experiment: str = Field("", description="bold word above each figure")
    luminosity: str = Field("", description="e.g. 20.3 fb⁻¹ (8 TeV)")
    process_labels: dict[str, str] = Field({}, description="how process names are written")
    notes: list[str] = Field([], description="lines added to the head of the report")


class PseudoExperiment(Strict):
    """Counts drawn from the model at a known truth."""

    truth: dict[str, Finite] = Field(description="true parameter values; the others at nominal")


class Analysis(Strict):
    """Everything that a measurement depends on."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] = Field(
        description="names the run folder, runs/NAME"
    )
    title: str = Field(description="heading of the report")
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63), IsNumber] = Field(0, description="of all random numbers")
    dataset: Dataset | None = Field(None, description="a data set that verax knows, instead of samples")
    samples: list[Sample] = Field([], description="simulated events, in any number of files and processes")
    observed: Source | Literal["asimov"] = Field("asimov", description="files of observed events, or asimov")
    blind: bool = Field(True, description="with observed files: show expected results only until this is false")
    pseudo_experiment: PseudoExperiment | None = Field(None, description="also measure one drawn at a known truth")
    poi: Factor
    normalisations: list[Factor] = Field([], description="further normalisations that float freely in the fit")
    layout: Literal["higgsml", "fair_universe"] | None = Field(None, description="names of four-vector columns")
    number: str | None = Field(None, description="event-number column (default: the row number)")
    derived: dict[str, str] = Field({}, description="columns computed from others, again after each variation")
    features: list[str] = Field(
        min_length=1, description="columns that the classifier or your function reads, in this order"
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
    systematics: list[Systematics] = Field([], description="sources of systematic uncertainty")
    summary: Summary = Summary()
    learn: Learn = Learn()
    binning: Binning = Binning()
    templates: Treatment = Treatment()
    infer: Infer = Infer()
    check: Check = Check()
    report: Report = Report()
    base: Path = Field(Path(), exclude=True, description="folder that relative paths start from")

    @pydantic.model_validator(mode="after")
    def consistent(self) -> "Analysis":
        """Names used across sections exist, and each choice has what it needs."""
        if (self.dataset is None) == (not self.samples):
            raise InputError("samples", "neither or both of dataset and samples", "one of them", "remove one")
        names = [s.name for s in self.systematics] + [f.name for f in (self.poi, *self.normalisations)]
        for name in names:
            if names.count(name) > 1:
                raise InputError("parameters", f"'{name}' twice", "a name of its own for each parameter")
        if len({c.name for c in self.channels}) < len(self.channels):
            raise InputError("channels", "a name twice", "a name of its own for each channel")
        if self.samples:
            known = list(dict.fromkeys(s.process for s in self.samples))
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
        moved = [s.name for s in self.systematics]
        self._check_factors()
        self._check_derived()
        check_known([*self.templates.symmetrise, *self.templates.smooth], moved, "templates", "systematic")
        check_known([*(self.learn.systematics or ()), *self.learn.at], moved, "learn", "systematic")
        if self.pseudo_experiment:
            check_known(self.pseudo_experiment.truth, names, "pseudo_experiment.truth", "parameter")
        parameters = {name: nuisance(name, "") for name in moved}
        parameters |= {f.name: Parameter(f.name, "", f.bounds[0], f.bounds) for f in (self.poi, *self.normalisations)}
        truth = self.pseudo_experiment.truth if self.pseudo_experiment else {}
        for where, values in (("pseudo_experiment.truth", truth), ("learn.at", self.learn.at)):
            for name, value in values.items():
                check_value(parameters[name], value, where)
        for value in self.check.truths:
            check_value(parameters[self.poi.name], value, "check.truths")
        for channel in self.channels:
            edges = channel.edges
            if edges is not None and (len(edges) < 2 or any(a >= b for a, b in itertools.pairwise(edges))):
                raise InputError(f"channels.{channel.name}.edges", str(edges), "two or more increasing numbers")
        kind = self.summary.kind
        if kind != "classifier" and getattr(self.summary, kind) is None:
            raise InputError("summary", f"kind: {kind} alone", f"also '{kind}:'", f"give summary.{kind}")
        if self.summary.range[0] >= self.summary.range[1]:
            raise InputError("summary.range", str(list(self.summary.range)), "two increasing numbers")
        self._check_range()
        for s in self.systematics:
            if isinstance(s, EnergyScale | SoftMet) and self.layout is None and self.dataset is None:
                raise InputError(
                    f"systematic '{s.name}'", f"effect {s.effect} without layout", "layout: higgsml or fair_universe"
                )
        return self

    def _check_factors(self) -> None:
        """Free factors can be told apart, and labels belong to something."""
        factors = (self.poi, *self.normalisations)
        known = self._processes()
        named = known or list(dict.fromkeys(p for f in factors for p in f.processes))
        acts = np.array([[p in f.processes for p in named] for f in factors], float)
        for i in range(1, len(factors)):
            if np.linalg.matrix_rank(acts[: i + 1]) <= i:
                seen = f"processes {', '.join(factors[i].processes)}, whose yields the other factors move alike"
                action = "drop it, or constrain one by a systematic of effect normalisation"
                raise InputError(f"normalisation '{factors[i].name}'", seen, "factors that can be told apart", action)
        labelled = [*named, *(c.name for c in self.channels), *(f.name for f in factors)]
        labelled += [w for s in self.systematics for w in (s.name, s.group)]
        check_known(self.report.process_labels, labelled, "report.process_labels", "process")

    def _processes(self) -> list[str]:
        """Names of the simulated processes."""
        if self.dataset is None:
            return list(dict.fromkeys(s.process for s in self.samples))
        from verax.data import fair_universe, higgsml  # reading files is slow to import

        return list({"higgsml": higgsml, "fair_universe": fair_universe}[self.dataset.name].PROCESSES)

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

    @property
    def sorts(self) -> bool:
        """Whether the network sorts events into bins itself, instead of giving a score that is binned afterwards."""
        return self.summary.kind == "classifier" and self.learn.approach == "inferno"


EFFECTS = {
    effect: model
    for model in (EnergyScale, SoftMet, Normalisation, WeightVariation, ColumnScale, VariedSamples, FunctionEffect)
    for effect in model.model_fields["effect"].annotation.__args__  # type: ignore[union-attr]
}
