"""Sections of an analysis file: the only place where a string chooses a function."""

import itertools
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from verax.errors import InputError, check_known

from ._units import CrossSection, Luminosity


def _number(value: Any) -> Any:
    """Python takes true for 1; an analysis does not."""
    if isinstance(value, bool):
        raise ValueError("a number")
    return value


IsNumber = pydantic.BeforeValidator(_number)
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False), IsNumber]
Label = pydantic.BeforeValidator(lambda key: str(key) if type(key) is int else key)
"""A key that YAML reads as a number, such as a year."""
Width: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False), IsNumber]
Count: TypeAlias = Annotated[int, Field(ge=1, le=10**9), IsNumber]
Size: TypeAlias = Annotated[int, Field(ge=1, le=10_000), IsNumber]
"""Of units, networks or bins, which products of them are made in memory for: larger ones fill any."""
Folds: TypeAlias = Annotated[int, Field(ge=2, le=1000), IsNumber]
Name: TypeAlias = Annotated[str, Field(min_length=1)]
Function: TypeAlias = str | Callable[..., Any]
"""``module:name`` or ``path.py:name`` (relative to the analysis file); in Python, the callable itself."""


class Strict(BaseModel):
    """Frozen, with unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Friend(Strict):
    """Files whose rows stand beside those of others: as many files, with as many rows in each."""

    files: list[str] = Field(min_length=1, description="ROOT, Parquet or CSV files; glob patterns are expanded")
    tree: str | list[str] | None = Field(None, description="name of the TTree or RNTuple in ROOT files, or of several")


class Source(Strict):
    """Rows from files. Several files, or glob patterns, are read one after another."""

    files: list[str] = Field(
        min_length=1,
        description="ROOT, Parquet or CSV files; glob patterns are expanded; file.root:tree names the tree",
    )
    tree: str | list[str] | None = Field(
        None, description="name of the TTree or RNTuple in ROOT files; of several, each is read from each file"
    )
    friends: list[Friend] = Field(
        [], description="files with further columns, row by row; what both have must be equal in each row"
    )
    select: str | None = Field(None, description="keep the rows where this expression of columns is true")
    weight: str | None = Field(None, description="expression of columns: expected events per row (default: 1)")
    allow_duplicates: bool = Field(False, description="rows may be read twice, here or by another sample")


class WeightSum(Strict):
    """Where files say how many events were simulated, as Σw; what several files say is added."""

    files: list[str] | None = Field(None, min_length=1, description="files that say it (default: those of the sample)")
    column: str | None = Field(
        None, description="summed over all rows, such as 'Runs:genEventSumw' (tree:column) or an expression of columns"
    )
    histogram: str | None = Field(None, description="a ROOT TH1, without under- and overflow")
    bin: Annotated[int, Field(ge=1), IsNumber] | str | None = Field(
        None, description="only this bin of the histogram: its number from 1 on, or its label"
    )
    metadata: str | None = Field(
        None, description="a number by its name in Parquet metadata, or a TParameter or TObjString in a ROOT file"
    )

    @pydantic.model_validator(mode="after")
    def one_place(self) -> "WeightSum":
        """One place says it."""
        given = [key for key in ("column", "histogram", "metadata") if getattr(self, key) is not None]
        if len(given) != 1:
            seen = " and ".join(given) or "neither column, histogram nor metadata"
            raise InputError("sum_of_weights", seen, "one of column, histogram and metadata")
        if self.bin is not None and self.histogram is None:
            raise InputError("sum_of_weights", f"bin {self.bin} of no histogram", "histogram beside it")
        return self


class Sample(Source):
    """Simulated events of one process."""

    process: Name = Field(description="name; samples of one name are added")
    total: Width | None = Field(None, description="rescale the weights of this sample to this expected yield")
    cross_section: CrossSection | None = Field(
        None, description="pb, or text such as '52 fb': weights × lumi × cross_section × … / sum_of_weights"
    )
    k_factor: Width = Field(1.0, description="factor on the cross-section for higher orders")
    filter_efficiency: Annotated[float, Field(gt=0, le=1), IsNumber] = Field(
        1.0, description="share of the cross-section that the generator's filter lets pass"
    )
    sum_of_weights: Width | WeightSum | None = Field(
        None, description="Σw of all events that were simulated, before any selection: a number, or where files say it"
    )
    lumi: Luminosity | None = Field(None, description="fb⁻¹ that this sample stands for, instead of the analysis's")

    @pydantic.model_validator(mode="after")
    def scaled_once(self) -> "Sample":
        """A yield is given in one way, and whole."""
        where = f"sample of process '{self.process}'"
        said = {"k_factor": 1.0, "filter_efficiency": 1.0, "sum_of_weights": None, "lumi": None}
        given = [key for key, default in said.items() if getattr(self, key) != default]
        if self.cross_section is None and given:
            raise InputError(where, f"{given[0]} without cross_section", "cross_section beside it, in pb")
        if self.cross_section is not None and self.total is not None:
            raise InputError(where, "both total and cross_section", "one of them", "remove one")
        if self.cross_section is not None and self.sum_of_weights is None:
            example = "sum_of_weights: {column: 'Runs:genEventSumw'}"
            raise InputError(where, "cross_section without sum_of_weights", "Σw of all simulated events", example)
        return self


class Dataset(Strict):
    """A data set that verax knows by name, with its processes, weights and layout."""

    name: Literal["higgsml", "fair_universe"] = Field(description="which one")
    file: str | None = Field(None, description="a local copy; higgsml: the shipped sample unless given")


class Correlate(Strict):
    """How far parts of one systematic move together: each part has a parameter of its own, NAME_PART."""

    by: list[Name] = Field(
        min_length=1, description="process, channel, or a name under `tags`; several give each combination"
    )
    coefficient: Annotated[float, Field(ge=0, lt=1), IsNumber] = Field(
        0.0, description="correlation of the parts' effects: √ρ of each moves with one common parameter, NAME"
    )


class Factor(Strict):
    """A normalisation that floats freely in the fit."""

    name: Name = Field(description="the parameter's name")
    processes: list[str] = Field(
        [], description="processes that it multiplies; none for one that acts in `rates` alone"
    )
    nominal: Finite = Field(1.0, description="value of the expected results, where fits start")
    width: Width | None = Field(
        None,
        description="of a Gaussian prior around nominal (default: it floats freely; log-normal: effect normalisation)",
    )
    events: Width | None = Field(
        None,
        description="of a control sample that it was measured with: Poisson(N; N × value / nominal), a gamma prior",
    )
    group: str | None = Field(None, description="row of the uncertainty breakdown, of one with a prior")
    channels: list[str] | None = Field(None, min_length=1, description="channels in which it does (default: all)")
    bounds: tuple[Finite, Finite] = Field((-20.0, 20.0), description="allowed values in the fit")


class Category(Strict):
    """What all channels share."""

    name: Name = Field(description="unique among all channels")
    label: str | None = Field(None, description="name on figures")
    role: Literal["signal", "control", "validation"] = Field(
        "signal",
        description="fitted, its data blind while the analysis is; fitted, with data that may be looked at; or not fitted, "
        "only compared with what the fit says",
    )
    blind: bool | list[Annotated[int, Field(ge=0), IsNumber]] | None = Field(
        None, description="whether its data, or some of its bins (by number from 0), stay unseen (default: by its role)"
    )


class Channel(Category):
    """A category of events, fitted together with the others."""

    select: str | None = Field(
        None, description="expression of columns, applied again after each variation (default: all events)"
    )
    edges: list[Finite] | None = Field(None, description="bin edges of the summary; chosen by verax unless given")


class HistogramChannel(Category):
    """A category whose templates are histograms in ROOT files, without events."""

    processes: list[str] = Field(min_length=1, description="processes that have histograms here")
    nominal: str = Field(description="file.root:folder/name of a TH1; {process} stands for each process")
    observed: str | None = Field(None, description="file.root:folder/name of the observed counts")
    varied: dict[str, list[str]] = Field(
        {}, description="nuisance parameter → processes that have histograms at θ = +1 and −1"
    )
    up: str | None = Field(
        None, description="histograms at θ = +1; {process} and {systematic} stand for each process and parameter"
    )
    down: str | None = Field(None, description="as up, at θ = −1; without it, up is mirrored")

    @pydantic.model_validator(mode="after")
    def has_places(self) -> "HistogramChannel":
        """Places are those of histograms, one for each that is needed."""
        where = f"histograms.{self.name}"
        several = {"process": len(self.processes) > 1}
        sides = {"process": any(len(p) > 1 for p in self.varied.values()), "systematic": len(self.varied) > 1}
        places = {"nominal": (self.nominal, several), "observed": (self.observed, dict[str, bool]())}
        places |= {"up": (self.up, sides), "down": (self.down, sides)}
        for key, (place, needs) in places.items():
            if place is None:
                continue
            if not re.fullmatch(r".+\.root:.+", place):
                raise InputError(f"{where}.{key}", f"'{place}'", "file.root:folder/name")
            known = {"nominal": ("process",), "observed": ()}.get(key, ("process", "systematic"))
            for name in (found := re.findall(r"\{(.*?)\}", place)):
                if name not in known:
                    expected = f"{{{'} or {'.join(known)}}}" if known else "no { }"
                    raise InputError(f"{where}.{key}", f"'{place}' with {{{name}}}", expected)
            for name, many in needs.items():
                if many and name not in found:
                    raise InputError(f"{where}.{key}", f"'{place}' for several", f"{{{name}}} in it")
        if bool(self.varied) != (self.up is not None):
            raise InputError(where, "varied without up" if self.varied else "up without varied", "both or neither")
        for name, processes in self.varied.items():
            check_known(processes, self.processes, f"{where}.varied.{name}", "process")
        return self


KEYS_OF_KIND = {"column": ("column",), "function": ("function", "folds"), "onnx": ("model", "models", "output")}
"""The keys of ``summary`` that only one kind reads."""


class Summary(Strict):
    """The number per event that is histogrammed."""

    kind: Literal["classifier", "column", "function", "onnx"] = Field(
        "classifier", description="a network trained here, a column, a callable of yours, or your models in ONNX files"
    )
    column: str | None = Field(None, description="kind: column — a feature or a derived column")
    function: Function | None = Field(
        None,
        description="kind: function — callable: (x[event, feature]) → score[event]; (x, fold) with `folds`, called with the "
        "events of one fold at a time; or (events), the Events with the features and their numbers",
    )
    folds: Folds | None = Field(
        None, description="kind: function of (x, fold) — how many; the fold of an event is its number modulo them"
    )
    model: Name | None = Field(
        None, description="kind: onnx — a file that onnxruntime runs: x[event, feature] → one number an event"
    )
    models: Annotated[list[Name], Field(min_length=2)] | None = Field(
        None, description="kind: onnx — a file for each fold; the fold of an event is its number modulo their number"
    )
    output: Name | None = Field(
        None, description="kind: onnx — of several outputs, the name; NAME[1] is the second column of one"
    )
    label: str = Field("Network score", description="name on figures, with its unit")
    range: tuple[Finite, Finite] = Field((0.0, 1.0), description="range of the summary; the rest joins the end bins")

    @pydantic.model_validator(mode="after")
    def _keys_of_kind(self) -> "Summary":
        """A kind has its key, and no key is given that only another kind reads."""
        needed = ("model", "models") if self.kind == "onnx" else (self.kind,)
        if self.kind in KEYS_OF_KIND and sum(getattr(self, key) is not None for key in needed) != 1:
            seen = f"kind: {self.kind} {'with both' if all(getattr(self, key) for key in needed) else 'alone'}"
            either = " or ".join(needed)
            raise InputError("summary", seen, f"also '{either}:'", f"give summary.{either}")
        for kind, keys in KEYS_OF_KIND.items():
            for key in keys if kind != self.kind else ():
                if (given := getattr(self, key)) is not None:
                    seen = f"'{given}' with kind: {self.kind}"
                    raise InputError(f"summary.{key}", seen, f"kind: {kind}", "or leave it out")
        if self.range[0] >= self.range[1]:
            raise InputError("summary.range", str(list(self.range)), "two increasing numbers")
        return self


class Binning(Strict):
    """How bin edges are chosen where a channel gives none."""

    max_bins: Size = Field(10, description="most bins of a channel")
    fine_bins: Annotated[int, Field(ge=1, le=100_000), IsNumber] = Field(
        400, description="equal bins of the summary's range whose edges may be chosen"
    )
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
    scan_points: Annotated[int, Field(ge=5, le=10_000), IsNumber] = Field(41, description="points of the scan of t")
    simulation_statistics: bool = Field(True, description="one γ per bin for the statistics of the simulation")
    further: list[Name] = Field(
        [],
        description="further parameters of interest, of any that are fitted: intervals, breakdowns, rankings, contours with "
        "the first, and coverage at the truths",
    )
    limit: Annotated[float, Field(gt=0, lt=1), IsNumber] | None = Field(
        None, description="confidence level of a CLs upper limit, e.g. 0.95 (default: none)"
    )
    significance: bool = Field(False, description="also the significance of the signal against the background alone")


class Check(Strict):
    """The coverage campaign."""

    toys: Annotated[int, Field(ge=0, le=10**9), IsNumber] = Field(
        4000, description="toys per truth; 0: coverage is not tested"
    )
    truths: list[Finite] = Field([0.0, 1.0, 2.0], description="true values of the parameter of interest")
    shifts: bool = Field(True, description="also every systematic at θ = ±1")


class Report(Strict):
    """Words on the report and the figures; changing them redoes only the report."""

    experiment: str = Field("", description="bold word above each figure")
    luminosity: str = Field("", description="e.g. 20.3 fb⁻¹ (8 TeV)")
    process_labels: dict[str, str] = Field({}, description="how process names are written")
    notes: list[str] = Field([], description="lines added to the head of the report")


class Figure(Strict):
    """A variable to be shown beside the fit, before and after it; it is not fitted."""

    variable: Name = Field(description="a column or a derived column")
    edges: list[Finite] | None = Field(None, description="bin edges; or bins and range")
    bins: Size | None = Field(None, description="equal bins of the range (default: 20)")
    range: tuple[Finite, Finite] | None = Field(None, description="of equal bins; what lies outside joins the end bins")
    channels: list[str] | None = Field(None, min_length=1, description="channels to show it in (default: all)")
    label: str | None = Field(None, description="name on the axis, with its unit")

    @pydantic.model_validator(mode="after")
    def _bins(self) -> "Figure":
        """Bins are given in one way."""
        where = f"figures.{self.variable}"
        if (self.edges is None) == (self.range is None) or (self.edges is not None and self.bins is not None):
            seen = "edges beside bins or a range" if self.edges else "neither edges nor a range"
            raise InputError(where, seen, "edges, or bins and a range", "range: [0, 300] has 20 bins")
        ends = self.edges or self.range or ()
        if len(ends) < 2 or any(a >= b for a, b in itertools.pairwise(ends)):
            key, many = ("range", "two") if self.range else ("edges", "two or more")
            raise InputError(f"{where}.{key}", str(list(ends)), f"{many} increasing numbers")
        return self

    @property
    def all_edges(self) -> tuple[float, ...]:
        """The edges of its bins."""
        (low, high), bins = self.range or (0.0, 1.0), self.bins or 20
        return tuple(self.edges or (low + (high - low) * i / bins for i in range(bins + 1)))


class PseudoExperiment(Strict):
    """Counts drawn from the model at a known truth."""

    truth: dict[str, Finite] = Field(description="true parameter values; the others at nominal")
