"""The questions about a workspace, one a verb, and their options. Imports no JAX: the command line is made of them.

A new question is a class here, a frozen dataclass like its base, and the function that answers it: registered with
``respond``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, dataclass_transform

from verax.choices import BIN_CONSTRAINTS, LARGEST_SEED, PREFIT_ERRORS, SHAPE_ERRORS
from verax.errors import InputError, check_count, check_known


def option(
    default: Any,
    *names: str,
    help: str,
    metavar: str | None = None,
    choices: Sequence[str] = (),
    min: int | None = None,
    max: int | None = None,
    between: tuple[float, float] | None = None,
) -> Any:
    """Declare an option as a field of a dataclass.

    Parameters
    ----------
    names : on the command line
    metavar : of its value in the help
    choices : all values that are possible
    min, max : of a whole number
    between : the ends of the values of a number, which themselves are refused
    """
    shown = {"help": help, "metavar": "|".join(choices) or metavar, "min": min, "max": max}
    return field(default=default, metadata={"names": names, "choices": choices, "between": between, "shown": shown})


@dataclass(frozen=True)
class Options:
    """Options, by the names of fields.

    Raises
    ------
    InputError : for a value that is none of an option's choices, with the nearest one, or outside its range
    """

    def __post_init__(self) -> None:
        for f in fields(self):
            value, name, choices = getattr(self, f.name), f.metadata["names"][0], f.metadata["choices"]
            if choices and value is not None:
                check_known([value], choices, name, "value")
            if (least := f.metadata["shown"]["min"]) is not None and value is not None:
                check_count(value, least, name, most=f.metadata["shown"]["max"])
            if (ends := f.metadata["between"]) and value is not None and not ends[0] < value < ends[1]:
                raise InputError(name, f"{value:g}", f"a number between {ends[0]:g} and {ends[1]:g}")


@dataclass(frozen=True)
class Common(Options):
    """Options of all questions: the model, the data and the parameter that they are about."""

    poi: str | None = option(None, "--poi", metavar="NAME", help="parameter of interest (default: the measurement's)")
    data: str = option(
        "observed", "--data", metavar="observed|asimov|FILE", help="FILE: JSON, lists of counts by channel"
    )
    mask: Sequence[str] = option(
        (), "--mask", metavar="CHANNEL:BIN[,BIN]", help="leave out bins, numbered from 0, of the model and the data"
    )
    fixed: Sequence[str] = option(
        (),
        "--fixed",
        metavar="NAME[=VALUE]",
        help="hold a parameter, or all that match 'gamma_*' (default value: the initial one); '!NAME' lets it go again",
    )
    patch: str | None = option(None, "--patch", metavar="FILE", help="JSON patch, or a patch set")
    patchname: str | None = option(None, "--patchname", metavar="NAME", help="which patch of the set")
    measurement: str | None = option(
        None, "--measurement", metavar="NAME", help="or likelihood or analysis of an HS3 file (default: the first)"
    )
    shape_errors: str | None = option(
        None, "--shape-errors", choices=SHAPE_ERRORS, help="of an HS3 file's shapesys, where it does not tell"
    )
    bin_constraint: str | None = option(
        None, "--bin-constraint", choices=BIN_CONSTRAINTS, help="of an HS3 file's staterror and shapesys that say none"
    )


QUESTIONS: "dict[str, type[Question]]" = {}
"""By verb: the name of its class, in the order of definition."""


@dataclass_transform(frozen_default=True)
class Question(Options):
    """A question about a likelihood and data; its fields are its own options, its docstring its help."""

    needs_poi: ClassVar[bool] = True
    """Whether it is about one parameter, which then cannot be held."""

    without: ClassVar[tuple[str, ...]] = ()
    """Fields of :class:`Common` that no answer depends on; they are not offered."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if getattr(self, "toys", None) == 0:
            self.refuse("seed", unless="--toys")

    def check_data(self, data: str) -> None:
        """Raise InputError for data, other than the observed, that no answer to this question depends on."""

    def refuse(self, *names: str, unless: str) -> None:
        """Raise InputError for options that are given though nothing reads them ``unless`` something else is given."""
        for f in fields(self):
            if f.name in names and (value := getattr(self, f.name)) != f.default:
                raise InputError(f.metadata["names"][0], f"{value}", f"{unless} beside it", "or leave it out")

    def __init_subclass__(cls) -> None:
        QUESTIONS[cls.__name__.lower()] = dataclass(frozen=True)(cls)


def _level(default: float | None = 0.6827, *, above: float = 0.0, more: str = "") -> Any:
    return option(default, "--level", between=(above, 1.0), help=f"confidence level, between {above:g} and 1{more}")


def _toys(default: int | None = 0, help: str = "number of pseudo-experiments") -> Any:
    return option(default, "--toys", "-n", min=0 if default == 0 else 1, max=10**9, help=help)


def _seed() -> Any:
    return option(0, "--seed", min=0, max=LARGEST_SEED, help="of the pseudo-experiments")


def _within() -> Any:
    text = "stay within the bounds of the parameter of interest, which are a range of search"
    return option(False, "--within-bounds", help=text)


def _channels() -> Any:
    return option((), "--channel", metavar="NAME", help="show this channel (default: all)")


class Fit(Question):
    """Best fit, interval and significance."""

    needs_poi = False
    level: float = _level()
    within: bool = _within()


class Interval(Question):
    """Interval of a parameter, by its profile likelihood or by toys."""

    level: float = _level()
    within: bool = _within()
    method: str = option(
        "profile", "--method", choices=("profile", "feldman-cousins", "upper"), help="profile likelihood, or by toys"
    )
    toys: int | None = _toys(None, help="pseudo-experiments at each tested value (default: 1000)")
    seed: int = _seed()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method == "profile":
            self.refuse("toys", "seed", unless="--method feldman-cousins or upper")
        else:
            self.refuse("within", unless="--method profile")


class Scan(Question):
    """Profile likelihood ratio, of one parameter or two."""

    level: float | None = _level(None, more=" (default: 0.6827; of contours also 0.95)")
    within: bool = _within()
    against: str | None = option(None, "--against", metavar="NAME", help="scan this parameter too: contours")
    points: int | None = option(
        None,
        "--points",
        min=3,
        max=10_000,
        help="values of each parameter (default: 41; with --against 25, at most 500)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.against is not None:
            self.refuse("within", unless="no --against")
        if self.against is not None and self.points is not None:
            check_count(self.points, 3, "--points, with --against", most=500)


class Breakdown(Question):
    """Uncertainty by source, by both definitions."""

    groups: Sequence[str] = option(
        (),
        "--group",
        metavar="ROW=PATTERN",
        help="parameters of a row, 'detector=je*'; 'a/b' nests; @FILE has such lines",
    )


class Ranking(Question):
    """Pulls, and impacts from refits."""


class Significance(Question):
    """Significance of a signal: the discovery test; by toys of the background with --toys."""

    within: bool = _within()
    toys: int = _toys()
    seed: int = _seed()


class Limit(Question):
    """CLs upper limit, observed and expected; by toys with --toys."""

    level: float = _level(0.95, above=0.5)
    within: bool = _within()
    toys: int = _toys()
    seed: int = _seed()


class Toys(Question):
    """Pseudo-experiments: coverage, estimates, pulls."""

    level: float = _level()
    toys: int = _toys(1000)
    seed: int = _seed()
    truth: Sequence[str] = option(
        (), "--truth", metavar="NAME=VALUE|fit", help="true values (default: initial), or the best fit"
    )
    output: str | Path | None = option(
        None, "--output", "-o", metavar="FOLDER", help="keep finished batches: the same command continues"
    )
    batch: int = option(2048, "--batch", min=1, max=10**9, help="toys in memory at a time")

    def check_data(self, data: str) -> None:
        """Data enter by the truth that is fitted to them."""
        if data != "observed" and "fit" not in self.truth:
            raise InputError("--data", f"'{data}'", "--truth fit beside it", "or leave it out")


class Gof(Question):
    """Goodness of fit, of the whole and by channel: saturated model, or by toys with --toys."""

    needs_poi, without = False, ("poi",)
    toys: int = _toys()
    seed: int = _seed()


class Yields(Question):
    """Expected events before and after the fit, beside the data."""

    needs_poi = False
    prefit: bool = option(False, "--prefit", help="only before the fit")
    prefit_error: str = option(
        "slope", "--prefit-error", choices=PREFIT_ERRORS, help="of a parameter, at ±1 prior width"
    )
    channels: Sequence[str] = _channels()


class Templates(Question):
    """What each systematic does to the templates."""

    needs_poi, without = False, ("poi", "data", "fixed")
    channels: Sequence[str] = _channels()
    processes: Sequence[str] = option((), "--process", "--sample", metavar="NAME", help="show this process")
    systematics: Sequence[str] = option((), "--systematic", metavar="NAME", help="show this systematic")


class Audit(Question):
    """One page of verdicts for those who approve; also of a run folder. What needs a decision comes first."""

    needs_poi = False
    toys: int | None = option(
        None, "--toys", "-n", min=0, max=10**9, help="of the coverage at the fit (default: 500, of large models 0)"
    )
    seed: int = _seed()
    strict: bool = option(False, "--strict", help="exit with 1 where there is a warning or a failure")
