"""What stages are given: the parts of a plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jaxtyping import PRNGKeyArray

from verax.data import Joined, Table, open_table
from verax.parameters import Parameter
from verax.run import HOW
from verax.systematics import Systematic

from ._arrangement import Arranged
from ._columns import Columns
from ._functions import Own
from ._methods import Learn
from ._onnx import OnnxScore
from ._sections import Dataset, Factor, Report, Sample, Source, Treatment
from ._summary import Channels, ColumnScore, FunctionScore
from ._systematics import Source as SystematicSource
from ._systematics import VariedFiles


@dataclass(frozen=True)
class VariedSide:
    """Simulation of a systematic at θ = +1 or −1, and the file that its events are kept in."""

    systematic: str
    file: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class StoredChannel:
    """A channel whose templates are histograms in files, each given as ``file.root:folder/name``.

    Parameters
    ----------
    nominal : process → histogram
    observed : of the data, or None
    varied : nuisance parameter → process → histograms at θ = +1 and −1 (None where down is the mirror image of up)
    factors : nuisance parameter → process → change of its yield at θ = +1, relative
    absent : systematics that act in other channels only
    """

    name: str
    nominal: Mapping[str, str]
    observed: str | None
    varied: Mapping[str, Mapping[str, tuple[str, str | None]]]
    factors: Mapping[str, Mapping[str, float]]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class UserEffect:
    """An effect of the user's, to be held to what it says; ``columns`` that are computed again are not looked at."""

    name: str
    function: Own
    processes: tuple[str, ...]
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What is read, and how rows of files become events.

    Parameters
    ----------
    base : folder that relative paths start from
    chunk : rows read at once
    files : places and checksums of all files that the analysis reads, the user's code included
    processes : names of the simulated processes, in order
    lumi : fb⁻¹, for samples with a cross-section
    samples, dataset : simulated events, from files or from a data set that verax knows
    varied : samples of systematics
    observed : observed events, or None
    number : event-number column; None for the row number
    nonfinite : what happens to rows with values that are not finite: "error" or "drop"
    columns : what is read of each process
    signed : processes whose weights may sum to less than nothing, as those of an interference
    effects, score : functions of the user's: what is tried on the first events of each process
    inputs : further files that they read
    histograms : channels without events
    """

    base: Path = field(metadata=HOW)
    chunk: int = field(metadata=HOW)
    files: tuple[tuple[str, str], ...]
    processes: tuple[str, ...]
    lumi: float | None
    samples: tuple[Sample, ...]
    dataset: Dataset | None
    varied: tuple[VariedSide, ...]
    observed: Source | None
    number: str | None
    nonfinite: Literal["error", "drop"]
    columns: Columns
    signed: tuple[str, ...]
    effects: tuple[UserEffect, ...]
    score: FunctionScore | OnnxScore | None
    inputs: tuple[str, ...]
    histograms: tuple[StoredChannel, ...]

    def path(self, name: str) -> Path:
        """A path of the analysis file, relative to it."""
        return self.base / Path(name).expanduser()

    def open(self, source: Source) -> Table | Joined:
        """The files of a source, patterns expanded in alphabetical order, with its friends beside them."""
        friends = [open_table([self.path(name) for name in f.files], tree=f.tree) for f in source.friends]
        return open_table([self.path(name) for name in source.files], tree=source.tree, friends=friends)


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
    parameters : those of the systematics that have not their own name's; the same ones move together
    chunk : rows read at once
    """

    key: PRNGKeyArray
    options: Learn
    features: tuple[str, ...]
    missing: float | None
    free: Mapping[str, tuple[str, ...]]
    systematics: tuple[Systematic | VariedFiles, ...]
    parameters: Mapping[str, str]
    chunk: int = field(metadata=HOW)

    @property
    def signal(self) -> tuple[str, ...]:
        """Processes of the first class."""
        return next(iter(self.free.values()))

    @property
    def sorts(self) -> bool:
        """Whether the network sorts events into bins itself, instead of giving a score that is binned afterwards."""
        return self.options.approach == "inferno"


@dataclass(frozen=True)
class Variable:
    """A column that figures show beside the summary, in the same bins of each channel.

    Parameters
    ----------
    column : its name
    edges : of its bins
    missing : the value that stands for "not there": such events are left out
    """

    column: str
    edges: tuple[float, ...]
    missing: float | None


@dataclass(frozen=True)
class Histograms:
    """What is histogrammed, and how.

    Parameters
    ----------
    score : the number per event; None for the networks' own
    channels, selections : names of the categories, and who belongs to each
    edges : of each channel, or None where they are chosen among the ``fine`` ones
    most : take as many bins as there are
    hidden : whether observed events of each channel stay unseen, or in which of its bins
    stored : nuisance parameters of channels whose histograms are in files
    variables : what is filled beside the summary, for figures
    """

    score: ColumnScore | FunctionScore | OnnxScore | None
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
    systematics: tuple[SystematicSource, ...]
    hidden: tuple[bool | tuple[int, ...], ...]
    stored: tuple[Parameter, ...]
    variables: tuple[Variable, ...]
    chunk: int = field(metadata=HOW)


@dataclass(frozen=True)
class Modelling:
    """How a likelihood is made of templates.

    Parameters
    ----------
    factors : free normalisations, the parameter of interest first
    rates : expressions of them, and the processes that each multiplies
    simulation_statistics : one γ per bin, or none
    fitted : channels
    """

    factors: tuple[Factor, ...]
    rates: Mapping[str, tuple[str, ...]]
    simulation_statistics: bool
    fitted: tuple[str, ...]


@dataclass(frozen=True)
class Inference:
    """What is asked of the likelihood; ``truth`` is that of a pseudo-experiment, ``modelling`` makes likelihoods of bins."""

    key: PRNGKeyArray
    modelling: Modelling
    poi: str
    bounds: tuple[float, float]
    level: float
    scan_points: int
    further: tuple[str, ...]
    limit: float | None
    significance: bool
    truth: Mapping[str, float] | None


@dataclass(frozen=True)
class Campaign:
    """The coverage campaign: ``toys`` at each of the ``truths``, of ``further`` parameters too, and at ``shifts``.

    Scores are looked at in the ``channels``, whose ``selections`` those of the fit are.
    """

    key: PRNGKeyArray
    poi: str
    signal: tuple[str, ...]
    level: float
    toys: int
    truths: tuple[float, ...]
    shifts: bool
    further: tuple[str, ...]
    channels: tuple[str, ...]
    selections: Channels


@dataclass(frozen=True)
class Wording:
    """What the report says that is in no result.

    Parameters
    ----------
    kind, axis : of the summary, and its name on figures
    folds : of models of the user's that score what they never saw, or None
    labels : how names are written
    factors : normalisation factors, the parameter of interest first
    blind : whether no data of the fit's are looked at, or not all; then the parameter of interest is not measured
    roles : of the channels
    signal : processes that figures show as such
    variables : name on the axis, and channels, of each variable that is shown
    """

    name: str
    title: str
    kind: str
    folds: int | None
    axis: str
    labels: Mapping[str, str]
    report: Report
    factors: tuple[Factor, ...]
    blind: bool
    roles: Mapping[str, str]
    signal: tuple[str, ...]
    variables: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Plan:
    """An analysis, translated: the parts that its stages are given, and ``files`` with their checksums."""

    files: Mapping[str, str]
    reading: Reading
    systematics: tuple[SystematicSource, ...]
    learning: Learning | None
    histograms: Histograms
    treatment: Treatment
    arrangement: tuple[Arranged, ...]
    modelling: Modelling
    inference: Inference
    campaign: Campaign
    wording: Wording
