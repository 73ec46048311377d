"""The command line: one verb a stage, each reading the former one's files. Imports JAX only when work begins."""

import enum
import inspect
import io
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from verax import __version__
from verax.choices import APPROACHES, CLASSIFIERS, METHODS, PROBLEMS, SHIFTS, UCI_SETS
from verax.errors import InputError, shown
from verax.questions import QUESTIONS

from . import _data as data_sets
from . import _edit as tools
from ._questions import Interrupted, enable_compilation_cache, folder_named, keeping, question

CHAIN, ASKED = "The chain, from an analysis file", "Questions about a workspace"


class Families(typer.core.TyperGroup):
    """Help that lists commands by what they are about."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; the library would answer a stop, or the second of two, by another word."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("stopped") from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each family, in the order of the commands."""
        families: dict[str, list[tuple[str, str]]] = {}
        width = formatter.width - 6 - max(map(len, self.commands))
        for name, command in self.commands.items():
            family = getattr(command, "rich_help_panel", None)
            heading = family if isinstance(family, str) else "More"
            families.setdefault(heading, []).append((name, command.get_short_help_str(width)))
        for heading, rows in families.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


app = typer.Typer(
    name="verax",
    cls=Families,
    help="From events to a measurement with an uncertainty you can defend.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="The analysis file: its schema, and examples.", no_args_is_help=True)
compare_app = typer.Typer(help="Methods side by side, and beside published figures.", no_args_is_help=True)

File = Annotated[Path | None, typer.Argument(metavar="ANALYSIS.yaml", help="default: the embedded HiggsML analysis")]
Output = Annotated[str | None, typer.Option("--output", "-o", help="run folder (default: runs/NAME)")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change a key of the analysis, check.toys=500")
]
Workers = Annotated[int, typer.Option("--workers", "-j", min=1, max=1024, help="processes that fill templates")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]
Plan = Annotated[bool, typer.Option("--plan", help="say what would be done, why, and how long it may take; do nothing")]
Names = list[str] | None


ONLY_METHODS = (
    f"only this one (may be repeated); of regression: {', '.join(f'“{m}”' for m in METHODS)}; "
    f"of classification: {', '.join(f'“{m}”' for m in CLASSIFIERS)}"
)


class Part(enum.StrEnum):
    """Which text of `verax config example` to print."""

    template = "template"
    higgsml = "higgsml"


def _work(until: str) -> Any:
    """The command that runs every stage up to ``until``; the first two fill no templates, and are offered no workers."""

    def command(
        analysis: File = None,
        output: Output = None,
        settings: Settings = None,
        workers: Workers = 1,
        quiet: Quiet = False,
        plan: Plan = False,
    ) -> None:
        enable_compilation_cache()
        from verax import pipeline
        from verax.analysis import load
        from verax.run import workers as processes

        from . import _terminal as console

        chosen = load(analysis, settings or [])
        folder = Path("runs") / chosen.name if output is None else folder_named(output)
        if plan:
            for table in pipeline.foresee(chosen, folder).tables():
                console.print_table(table, stderr=False)
            return
        with (
            keeping("finished stages are kept, the same command continues", folder),
            console.progress(quiet=quiet) as told,
            processes(workers) as executor,
        ):
            measurement = pipeline.measure(chosen, folder, until=until, progress=told, executor=executor)
        if measurement is not None:
            console.show(measurement)
        if until == "report":
            print(f"report: {folder / 'report.html'}")
        elif not quiet:
            print(f"{until}: done, in {folder / 'stages' / until}")

    shown = inspect.signature(command)
    without = {"workers"} if until in ("simulate", "learn") else set()
    without |= {"plan"} if until != "report" else set()
    kept = [p for name, p in shown.parameters.items() if name not in without]
    command.__signature__ = shown.replace(parameters=kept)  # type: ignore[attr-defined]
    return command


for verb, stage, text in (
    ("run", "report", "All stages: report.html, results.json, workspace.json, figures."),
    ("simulate", "simulate", "Read the events of every sample into one table."),
    ("learn", "learn", "Train the ensemble of networks in folds."),
    ("summarise", "summarise", "Choose bins and fill the templates."),
    ("infer", "infer", "Likelihood, fit, scan, interval, breakdown and ranking."),
    ("check", "check", "Coverage from toys and reliability of the classifier."),
    ("report", "report", "Write the report."),
):
    app.command(verb, help=text, rich_help_panel=CHAIN)(_work(stage))
for verb, kind in QUESTIONS.items():
    app.command(verb, help=kind.__doc__, rich_help_panel=ASKED)(question(verb))


@app.command("folds", rich_help_panel=CHAIN)
def folds(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="run folder; `verax simulate` is enough")],
    number: Annotated[int, typer.Option("-k", "--folds", help="how many, as summary.folds in the analysis")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.parquet")],
) -> None:
    """Write the events with their folds, to train models elsewhere."""
    from verax.pipeline import write_folds

    print(f"{write_folds(run, number, output)} events of {number} folds: {output}")


@app.command("score", rich_help_panel=CHAIN)
def score(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="run folder, made by `verax run`")],
    files: Annotated[list[str], typer.Argument(metavar="FILES...", help="ROOT, Parquet or CSV, patterns too")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.parquet")],
    keep: Annotated[str, typer.Option("--keep", metavar="A,B", help="columns to keep beside the scores")] = "",
    tree: Annotated[str | None, typer.Option("--tree", metavar="NAME", help="in ROOT files")] = None,
    quiet: Quiet = False,
) -> None:
    """Score new files by the networks of a run: events it knows by the fold that never saw them, others by all."""
    enable_compilation_cache()
    from verax.pipeline import score_files

    from . import _terminal as console

    with console.progress(quiet=quiet) as told:
        kept = [name.strip() for name in keep.split(",") if name.strip()]
        found = score_files(run, files, output, keep=kept, tree=tree, progress=told)
    others = found.events - found.by_fold
    print(f"{found.by_fold} events by the fold that never saw them, {others} by the mean of all folds: {output}")


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON schema of the analysis file."""
    import json

    from verax.analysis import schema

    print(json.dumps(schema(), indent=2))


@config_app.command("example")
def config_example(which: Annotated[Part, typer.Argument()] = Part.template) -> None:
    """Print an analysis file to start from, or the embedded one."""
    from verax.analysis import embedded

    print(embedded("example.yaml" if which is Part.template else "higgsml.yaml"), end="")


@compare_app.command("approaches")
def compare_approaches(
    problem: Annotated[
        str,
        typer.Option(
            "--problem", metavar="|".join((*PROBLEMS, "ANALYSIS.yaml")), help="one with a known answer, or yours"
        ),
    ] = "mixture",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="repetitions, with other events and networks")] = 5,
    seed: Annotated[int, typer.Option("--seed", help="the first of them")] = 1,
    approaches: Annotated[
        Names,
        typer.Option("--approach", metavar="|".join(APPROACHES), help="only this one (may be repeated)"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="one seed, few events: minutes instead of hours")] = False,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FOLDER", help="default: runs/compare-NAME")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Compare systematics-aware training: uncertainty, its parts, coverage and cost, beside exact limits and papers."""
    folder = f"runs/compare-{Path(problem).stem.replace(chr(32), chr(45))}" if output is None else output
    _compare("approaches", problem, folder, quiet, seeds=seeds, seed=seed, names=approaches, quick=quick)


@compare_app.command("methods")
def compare_methods(
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="uci|digits|FOLDER|ANALYSIS.yaml|TABLE",
            help="UCI sets with their splits, digits, or yours",
        ),
    ] = "uci",
    shift: Annotated[
        str, typer.Option("--shift", metavar="|".join(SHIFTS), help="judge on shifted points as well")
    ] = "none",
    sets: Annotated[
        Names, typer.Option("--set", metavar="|".join(UCI_SETS), help="only this UCI set (may be repeated)")
    ] = None,
    methods: Annotated[Names, typer.Option("--method", metavar="NAME", help=ONLY_METHODS)] = None,
    splits: Annotated[int | None, typer.Option("--splits", min=1, help="only the first splits of a UCI set")] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="COLUMN", help="of a table (.csv, .parquet, .root): class or target"),
    ] = None,
    weight: Annotated[str | None, typer.Option("--weight", metavar="COLUMN", help="of a table")] = None,
    features: Annotated[
        str | None, typer.Option("--features", metavar="A,B,…", help="of a table (default: all other columns)")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="repetitions, with other networks")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="the first of them")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="one set, few splits: minutes instead of an hour")] = False,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FOLDER", help="default: runs/methods-NAME")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Methods of uncertainty: guarantee, coverage, width, likelihood and cost, in distribution and under shift."""
    folder = f"runs/methods-{Path(data).stem}" if output is None else output
    chosen = None if features is None else [name.strip() for name in features.split(",") if name.strip()]
    of_table: dict[str, Any] = {"label": label, "weight": weight, "features": chosen}
    options: dict[str, Any] = {"shift": shift, "sets": sets, "splits": splits, **of_table}
    _compare("methods", data, folder, quiet, seeds=seeds, seed=seed, names=methods, quick=quick, **options)


def _compare(what: str, subject: str, output: str, quiet: bool, **options: Any) -> None:
    """Run a comparison, and show its tables and where its page is."""
    enable_compilation_cache()
    from verax import compare

    from . import _terminal as console

    run, folder = getattr(compare, f"compare_{what}"), folder_named(output)
    kept = "finished trials are kept, the same command continues"
    with keeping(kept, folder), console.progress(quiet=quiet) as told:
        tables = run(subject, folder, progress=told, **options)
    for table in tables:
        console.print_table(table)
    print(f"page: {folder / 'comparison.html'}")


for group, name in (
    (tools.app, "workspace"),
    (compare_app, "compare"),
    (config_app, "config"),
    (data_sets.app, "data"),
):
    app.add_typer(group, name=name)


@app.callback(invoke_without_command=True)
def _common(
    version: Annotated[bool, typer.Option("--version", help="print the version and stop")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
) -> None:
    del debug  # read in `main`, which sees errors that happen before this does
    if version:
        print(f"verax {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; any failure is one line on standard error and a non-zero exit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [a for a in given if a != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows ASCII alone is no reason to lose an answer
    try:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _interrupt)
        app(given)
    except Exception as error:
        if debug:
            raise
        code, line = _explain(error)
        print(f"verax: {line}", file=sys.stderr)
        sys.exit(code)


def _interrupt(*_: object) -> NoReturn:
    """End as by Ctrl-C: a batch system asks to stop by SIGTERM."""
    raise KeyboardInterrupt


def _explain(error: BaseException) -> tuple[int, str]:
    """Exit code and one line for an error."""
    kept = getattr(error, "__notes__", [])
    match error:
        case InputError():
            return 2, str(error)
        case Interrupted():
            return 130, str(error)
        case FileNotFoundError():
            return 3, f"{shown(str(error.filename))}: gone while the work went on; begin again"
        case OSError():
            where = f"{shown(str(error.filename))}: " if error.filename else ""
            return 3, "; ".join([f"{where}{error.strerror or error}", *kept])
        case MemoryError():
            return 3, "; ".join(
                ["out of memory", "ask for less at a time (`chunk`, `learn.max_events`, --batch)", *kept]
            )
        case _ if "RESOURCE_EXHAUSTED" in str(error):  # JAX's own
            return _explain(MemoryError())
        case _:
            told = shown(str(error), 200)
            return 70, f"internal error: {type(error).__name__}: {told}; --debug shows the traceback"
