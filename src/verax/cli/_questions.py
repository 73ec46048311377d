"""Commands about pyhf workspaces: one table of options, and which verb has which. Imports JAX only when work begins."""

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from verax.errors import InputError

Workspace = Annotated[
    str, typer.Argument(metavar="WORKSPACE.json", help="pyhf workspace, or HS3; - reads standard input")
]
Strings = list[str] | None


def _option(kind: Any, default: Any, *names: str, **told: Any) -> tuple[Any, Any]:
    """Annotation and default of an option."""
    return Annotated[kind, typer.Option(*names, **told)], default


OPTIONS: dict[str, tuple[Any, Any]] = {
    "poi": _option(
        str | None, None, "--poi", metavar="NAME", help="parameter of interest (default: the measurement's)"
    ),
    "data": _option(
        str, "observed", "--data", metavar="observed|asimov|FILE", help="FILE: JSON, lists of counts by channel"
    ),
    "fixed": _option(Strings, None, "--fixed", metavar="NAME=VALUE", help="hold a parameter"),
    "patch": _option(str | None, None, "--patch", metavar="FILE", help="JSON patch, or a patch set"),
    "patchname": _option(str | None, None, "--patchname", metavar="NAME", help="which patch of the set"),
    "measurement": _option(
        str | None, None, "--measurement", metavar="NAME", help="or likelihood (default: the first)"
    ),
    "shape_errors": _option(
        str | None, None, "--shape-errors", metavar="relative|absolute", help="of an HS3 file's shapesys"
    ),
    "as_json": _option(bool, False, "--json", help="print JSON instead of tables"),
    "plot": _option(Path | None, None, "--plot", metavar="FILE", help="draw: PDF (one page a figure), PNG or SVG"),
    "quiet": _option(bool, False, "--quiet", "-q", help="no progress"),
    "level": _option(
        float | None, None, "--level", min=0.0, max=1.0, help="confidence level (default 0.6827; limit: 0.95)"
    ),
    "groups": _option(
        Strings, None, "--group", metavar="ROW=PATTERN", help="parameters of a row, such as 'detector=je*'; 'a/b' nests"
    ),
    "toys": _option(int, 0, "--toys", "-n", min=0, help="number of pseudo-experiments"),
    "seed": _option(int, 0, "--seed", help="of the pseudo-experiments"),
    "against": _option(str | None, None, "--against", metavar="NAME", help="scan this parameter too: contours"),
    "points": _option(int, 41, "--points", min=3, help="values of a one-dimensional scan"),
    "method": _option(
        str, "profile", "--method", metavar="profile|feldman-cousins|upper", help="profile likelihood, or by toys"
    ),
    "truth": _option(
        Strings, None, "--truth", metavar="NAME=VALUE|fit", help="true values (default: initial), or the best fit"
    ),
    "output": _option(
        str | None, None, "--output", "-o", metavar="FOLDER", help="keep finished batches: the same command continues"
    ),
    "batch": _option(int, 2048, "--batch", min=1, help="toys in memory at a time"),
    "prefit": _option(bool, False, "--prefit", help="only before the fit"),
    "channels": _option(Strings, None, "--channel", metavar="NAME", help="show this channel (default: all)"),
    "processes": _option(Strings, None, "--process", "--sample", metavar="NAME", help="show this process"),
    "systematics": _option(Strings, None, "--systematic", metavar="NAME", help="show this systematic"),
}
COMMON = ("poi", "data", "fixed", "patch", "patchname", "measurement", "shape_errors", "as_json", "plot", "quiet")
VERBS: dict[str, tuple[str, tuple[str, ...]]] = {
    "fit": ("Best fit, interval and significance.", ("level",)),
    "interval": (
        "Interval of the parameter of interest: profile likelihood, Feldman–Cousins or upper by toys.",
        ("level", "method", "toys", "seed"),
    ),
    "scan": ("Profile likelihood ratio, of one parameter or two.", ("level", "against", "points")),
    "breakdown": ("Uncertainty by source, by both definitions.", ("groups",)),
    "ranking": ("Pulls, and impacts from refits.", ()),
    "limit": ("CLs upper limit, observed and expected; by toys with --toys.", ("level", "toys", "seed")),
    "toys": (
        "Pseudo-experiments: coverage, estimates, pulls; 1000 unless --toys says otherwise.",
        ("level", "toys", "seed", "truth", "output", "batch"),
    ),
    "gof": ("Goodness of fit against the saturated model; by toys with --toys.", ("toys", "seed")),
    "yields": ("Expected events before and after the fit, beside the data.", ("prefit", "channels")),
    "templates": ("What each systematic does to the templates.", ("channels", "processes", "systematics")),
}
"""Questions about a pyhf workspace, and the options that each has beyond the common ones."""


class Interrupted(Exception):
    """Ctrl-C; the text says what is kept."""


def question(verb: str) -> Callable[..., None]:
    """The command that answers one question about a workspace."""

    def command(workspace: str, **given: Any) -> None:
        enable_compilation_cache()
        from verax import questions

        from . import _terminal as console

        as_json, plot, quiet = (given.pop(k) for k in ("as_json", "plot", "quiet"))
        asked = {k: v for k, v in given.items() if v is not None}
        if "output" in asked:
            asked["output"] = folder_named(asked["output"])
        try:
            with console.progress(quiet=quiet or as_json) as told:
                found = questions.answer(verb, workspace, progress=told, **asked)
            console.show_answer(found, as_json=as_json, plot=plot)
        except KeyboardInterrupt:  # the command-line library would swallow it
            kept = asked.get("output")
            told_kept = f"finished toys are kept in {kept}, the same command continues" if kept else "nothing is kept"
            raise Interrupted(f"stopped; {told_kept}") from None

    return _with_options(command, (*COMMON, *VERBS[verb][1]))


def _with_options(command: Callable[..., None], options: tuple[str, ...]) -> Callable[..., None]:
    """The command with a signature that the command-line library can read."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("workspace", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Workspace)]
    for name in options:
        annotation, default = OPTIONS[name]
        parameters.append(inspect.Parameter(name, keyword, default=default, annotation=annotation))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def folder_named(given: str) -> Path:
    """The folder that ``--output`` names.

    Raises
    ------
    InputError : for no name, which a shell's empty variable leaves
    """
    if not given.strip():
        raise InputError("--output", f"'{given}'", "the name of a folder", "'.' is the current one")
    return Path(given)


def enable_compilation_cache() -> None:
    """Keep compiled programs between runs, unless the user chose a place or switched it off."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "verax" / "jax"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
