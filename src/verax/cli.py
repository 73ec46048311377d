"""The command line: one verb a stage, each reading the former one's files. Imports JAX only when work begins."""

import enum
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from verax import __version__
from verax.errors import InputError

app = typer.Typer(
    name="verax",
    help="From events to a measurement with an uncertainty you can defend.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="The analysis file: its schema, and examples.", no_args_is_help=True)
app.add_typer(config_app, name="config")

File = Annotated[Path | None, typer.Argument(metavar="[ANALYSIS.yaml]", help="default: the embedded HiggsML analysis")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="run folder (default: runs/NAME)")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change a key of the analysis, check.toys=500")
]
Workers = Annotated[int, typer.Option("--workers", "-j", min=1, help="processes that fill templates")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]


class Part(enum.StrEnum):
    """Which text of `verax config example` to print."""

    template = "template"
    higgsml = "higgsml"


class Interrupted(Exception):
    """Ctrl-C."""


def _work(until: str) -> Any:
    """The command that runs every stage up to ``until``."""

    def command(
        analysis: File = None,
        output: Output = None,
        settings: Settings = None,
        workers: Workers = 1,
        quiet: Quiet = False,
    ) -> None:
        _enable_compilation_cache()
        from concurrent.futures import ProcessPoolExecutor
        from contextlib import nullcontext
        from multiprocessing import get_context

        from verax import config, console, pipeline

        chosen = config.load(analysis, settings or [])
        folder = output or Path("runs") / chosen.name
        # A forked child would inherit JAX's threads in an undefined state.
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else nullcontext()
        try:
            with console.progress(quiet=quiet) as told, pool as executor:
                measurement = pipeline.measure(chosen, folder, until=until, progress=told, executor=executor)
        except KeyboardInterrupt:  # the command-line library would swallow it
            raise Interrupted from None
        if measurement is not None:
            console.show(measurement, folder)
        elif not quiet:
            print(f"{until}: done, in {folder / 'stages' / until}")

    return command


WORKSPACE_VERBS = {
    "scan": "Profile likelihood ratio of the parameter of interest.",
    "breakdown": "Uncertainty by source, by both definitions.",
    "ranking": "Pulls, and impacts from refits.",
    "limit": "CLs upper limit, observed and expected; by toys with --toys.",
    "toys": "Coverage of the interval from pseudo-experiments.",
    "gof": "Goodness of fit against the saturated model; by toys with --toys.",
}
"""Questions about a pyhf workspace; `fit` is one too, when it is given a workspace."""

Workspace = Annotated[Path, typer.Argument(metavar="WORKSPACE.json", help="pyhf workspace; - reads standard input")]
Poi = Annotated[
    str | None, typer.Option("--poi", metavar="NAME", help="parameter of interest (default: the measurement's)")
]
Measurement = Annotated[str | None, typer.Option("--measurement", metavar="NAME", help="default: the first")]
DataChoice = Annotated[
    str, typer.Option("--data", metavar="observed|asimov|FILE", help="FILE: JSON, counts by channel")
]
Fixed = Annotated[list[str] | None, typer.Option("--fixed", metavar="NAME=VALUE", help="hold a parameter (fit only)")]
Patch = Annotated[str | None, typer.Option("--patch", metavar="FILE", help="JSON patch, or a patch set")]
PatchName = Annotated[str | None, typer.Option("--patchname", metavar="NAME", help="which patch of the set")]
Level = Annotated[float | None, typer.Option("--level", help="confidence level (default: 0.6827; limit: 0.95)")]
Toys = Annotated[int, typer.Option("--toys", min=0, help="number of pseudo-experiments")]
Seed = Annotated[int, typer.Option("--seed", help="of the pseudo-experiments")]
Json = Annotated[bool, typer.Option("--json", help="print JSON instead of tables")]
Plot = Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="draw a figure: PDF, PNG or SVG")]


def _question(verb: str) -> Any:
    """The command that answers one question about a workspace."""

    def command(
        workspace: Workspace,
        poi: Poi = None,
        data: DataChoice = "observed",
        fixed: Fixed = None,
        patch: Patch = None,
        patchname: PatchName = None,
        measurement: Measurement = None,
        level: Level = None,
        toys: Toys = 0,
        seed: Seed = 0,
        as_json: Json = False,
        plot: Plot = None,
    ) -> None:
        _enable_compilation_cache()
        from verax import console, questions

        if fixed and verb != "fit":
            raise InputError("--fixed", f"with `{verb}`", "only with `fit`", "leave it out")
        found = questions.answer(
            verb,
            str(workspace),
            measurement=measurement,
            patch=patch,
            patchname=patchname,
            poi=poi,
            data=data,
            fixed=fixed or [],
            level=level,
            toys=toys,
            seed=seed,
        )
        console.show_answer(found, as_json=as_json, plot=plot)

    return command


def _route(given: list[str]) -> list[str]:
    """``fit`` is about a workspace where a JSON file or standard input is given, else about an analysis."""
    if given[:1] == ["fit"] and any(a == "-" or a.endswith(".json") for a in given[1:2]):
        return [FIT_WORKSPACE, *given[1:]]
    return given


for verb, stage, text in (
    ("run", "report", "All stages: from events to report.html, results.json, workspace.json and figures."),
    ("simulate", "simulate", "Read the events of every sample into one table."),
    ("learn", "learn", "Train the ensemble of networks in folds."),
    ("summarise", "summarise", "Choose bins and fill the templates."),
    ("fit", "infer", "Build the likelihood and infer: fit, scan, interval, breakdown, ranking."),
    ("check", "check", "Coverage from toys and reliability of the classifier."),
    ("report", "report", "Write the report."),
):
    app.command(verb, help=text)(_work(stage))


FIT_WORKSPACE = "fit WORKSPACE.json"
app.command(FIT_WORKSPACE, help="Best fit, interval and significance of a pyhf workspace.")(_question("fit"))
for verb, text in WORKSPACE_VERBS.items():
    app.command(verb, help=text)(_question(verb))


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON schema of the analysis file."""
    import json

    from verax import config

    print(json.dumps(config.schema(), indent=2))


@config_app.command("example")
def config_example(which: Annotated[Part, typer.Argument()] = Part.template) -> None:
    """Print an analysis file to start from, or the embedded one."""
    from verax import config

    print(config.embedded("example.yaml" if which is Part.template else "higgsml.yaml"), end="")


@app.callback(invoke_without_command=True)
def _common(
    version: Annotated[bool, typer.Option("--version", help="print the version and stop")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
) -> None:
    del debug  # read in `main`, which sees errors that happen before this does
    if version:
        print(f"verax {__version__}")
        raise typer.Exit


def _enable_compilation_cache() -> None:
    """Keep compiled programs between runs, unless the user chose a place or switched it off."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "verax" / "jax"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; any failure is one line on standard error and a non-zero exit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [a for a in given if a != "--debug"]
    try:
        app(_route(given))
    except Exception as error:
        if debug:
            raise
        code, line = _explain(error)
        print(f"verax: {line}", file=sys.stderr)
        sys.exit(code)


def _explain(error: BaseException) -> tuple[int, str]:
    """Exit code and one line for an error."""
    match error:
        case InputError():
            return 2, " ".join(str(error).split())
        case Interrupted():
            return 130, "stopped; finished stages are kept, the same command continues"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return 3, f"{where}{error.strerror or error}; finished stages are kept, the same command continues"
        case MemoryError():
            return 3, "out of memory; lower `chunk` or `learn.max_events`, the same command continues"
        case _:
            told = " ".join(str(error).split())[:200]
            return 70, f"internal error: {type(error).__name__}: {told}; --debug shows the traceback"
