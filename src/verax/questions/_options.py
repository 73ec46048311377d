"""The questions about a workspace, one a verb, and their options. Imports no JAX: the command line is made of them.

A new question is a class here, a frozen dataclass like its base, and the function that answers it: registered with
``respond``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, dataclass_transform

from verax.choices import SHAPE_ERRORS
from verax.errors import InputError, check_known


def option(
    default: Any,
    *names: str,
    help: str,
    metavar: str | None = None,
    choices: Sequence[str] = (),
    min: float | None = None,
    max: float | None = None,
    open: bool = False,
) -> Any:
    """Declare an option as a field of a dataclass.

    Parameters
    ----------
    names : on the command line
    metavar : of its value in the help
    choices : all values that are possible
    min, max : of a number; where ``open``, they themselves are refused
    """
    shown = {"help": help, "metavar": "|".join(choices) or metavar, "min": min, "max": max}
    return field(default=default, metadata={"names": names, "choices": choices, "open": open, "shown": shown})


@dataclass(frozen=True)
class Options:
    """Options, by the names of fields.

    Raises
    ------
    InputError : for a value that is none of an option's choices, with the nearest one, or an end of an open range
    """

    def __post_init__(self) -> None:
        for f in fields(self):
            value, name, choices = getattr(self, f.name), f.metadata["names"][0], f.metadata["choices"]
            low, high = (f.metadata["shown"][k] for k in ("min", "max"))
            if choices and value is not None:
                check_known([value], choices, name, "value")
            if f.metadata["open"] and not low < value < high:
                raise InputError(name, f"{value:g}", f"a number between {low:g} and {high:g}")


@dataclass(frozen=True)
class Common(Options):
    """Options of all questions: the model, the data and the parameter that they are about."""

    poi: str | None = option(None, "--poi", metavar="NAME", help="parameter of interest (default: the measurement's)")
    data: str = option(
        "observed", "--data", metavar="observed|asimov|FILE", help="FILE: JSON, lists of counts by channel"
    )
    fixed: Sequence[str] = option((), "--fixed", metavar="NAME=VALUE", help="hold a parameter")
    patch: str | None = option(None, "--patch", metavar="FILE", help="JSON patch, or a patch set")
    patchname: str | None = option(None, "--patchname", metavar="NAME", help="which patch of the set")
    measurement: str | None = option(None, "--measurement", metavar="NAME", help="or likelihood (default: the first)")
    shape_errors: str | None = option(None, "--shape-errors", choices=SHAPE_ERRORS, help="of an HS3 file's shapesys")


QUESTIONS: "dict[str, type[Question]]" = {}
"""By verb: the name of its class, in the order of definition."""


@dataclass_transform(frozen_default=True)
class Question(Options):
    """A question about a likelihood and data; its fields are its own options, its docstring its help."""

    needs_poi: ClassVar[bool] = True
    """Whether it is about one parameter, which then cannot be held."""

    def __init_subclass__(cls) -> None:
        QUESTIONS[cls.__name__.lower()] = dataclass(frozen=True)(cls)


def _level(default: float = 0.6827) -> Any:
    return option(default, "--level", min=0.0, max=1.0, open=True, help="confidence level")


def _toys(default: int = 0) -> Any:
    return option(default, "--toys", "-n", min=min(default, 1), help="number of pseudo-experiments")


def _seed() -> Any:
    return option(0, "--seed", help="of the pseudo-experiments")


def _channels() -> Any:
    return option((), "--channel", metavar="NAME", help="show this channel (default: all)")


class Fit(Question):
    """Best fit, interval and significance."""

    needs_poi = False
    level: float = _level()


class Interval(Question):
    """Interval of a parameter, by its profile likelihood or by toys."""

    level: float = _level()
    method: str = option(
        "profile", "--method", choices=("profile", "feldman-cousins", "upper"), help="profile likelihood, or by toys"
    )
    toys: int = _toys(1000)
    seed: int = _seed()


class Scan(Question):
    """Profile likelihood ratio, of one parameter or two."""

    level: float = _level()
    against: str | None = option(None, "--against", metavar="NAME", help="scan this parameter too: contours")
    points: int = option(41, "--points", min=3, help="values of a one-dimensional scan")


class Breakdown(Question):
    """Uncertainty by source, by both definitions."""

    groups: Sequence[str] = option(
        (), "--group", metavar="ROW=PATTERN", help="parameters of a row, such as 'detector=je*'; 'a/b' nests"
    )


class Ranking(Question):
    """Pulls, and impacts from refits."""


class Limit(Question):
    """CLs upper limit, observed and expected; by toys with --toys."""

    level: float = _level(0.95)
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
    batch: int = option(2048, "--batch", min=1, help="toys in memory at a time")


class Gof(Question):
    """Goodness of fit: saturated model, or by toys with --toys."""

    needs_poi = False
    toys: int = _toys()
    seed: int = _seed()


class Yields(Question):
    """Expected events before and after the fit, beside the data."""

    needs_poi = False
    prefit: bool = option(False, "--prefit", help="only before the fit")
    channels: Sequence[str] = _channels()


class Templates(Question):
    """What each systematic does to the templates."""

    needs_poi = False
    channels: Sequence[str] = _channels()
    processes: Sequence[str] = option((), "--process", "--sample", metavar="NAME", help="show this process")
    systematics: Sequence[str] = option((), "--systematic", metavar="NAME", help="show this systematic")
