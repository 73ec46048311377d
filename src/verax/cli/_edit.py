"""Commands that make new workspaces of given ones. Imports JAX only when work begins."""

from pathlib import Path
from typing import Annotated

import typer

from verax.choices import DECORRELATE_BY

app = typer.Typer(
    help="New workspaces: combine, prune, rename, mask, (de)correlate.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Workspace = Annotated[str, typer.Argument(metavar="WORKSPACE.json", help="pyhf workspace; - reads standard input")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="default, and -: standard output")]
Names = list[str] | None


@app.command("combine")
def combine(
    workspaces: Annotated[list[str], typer.Argument(metavar="WORKSPACE.json...")], output: Output = None
) -> None:
    """Channels of all of them; modifiers of one name are one parameter."""
    from . import _workspaces as work

    work.write(work.combined(workspaces), output)


@app.command("prune")
def prune(
    workspace: Workspace,
    channel: Annotated[Names, typer.Option("--channel", metavar="NAME", help="leave out this channel")] = None,
    sample: Annotated[Names, typer.Option("--sample", metavar="NAME", help="leave out this sample")] = None,
    modifier: Annotated[Names, typer.Option("--modifier", metavar="NAME", help="leave out this modifier")] = None,
    kind: Annotated[
        Names, typer.Option("--modifier-type", metavar="TYPE", help="leave out all modifiers of this type")
    ] = None,
    measurement: Annotated[Names, typer.Option("--measurement", metavar="NAME", help="leave out")] = None,
    shape: Annotated[
        float, typer.Option("--shape", help="leave out shapes that change bins by less than this fraction")
    ] = 0.0,
    normalisation: Annotated[
        float, typer.Option("--normalisation", help="leave out changes of yield below this fraction")
    ] = 0.0,
    staterror: Annotated[
        float,
        typer.Option("--staterror", help="leave out γ of bins whose relative error is below this (RelErrorThreshold)"),
    ] = 0.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no list of removed items")] = False,
    output: Output = None,
) -> None:
    """Without some parts, or without negligible variations; removed items are listed on standard error.

    The shape and the yield of a histosys are judged alone: without its shape it becomes a normsys.
    """
    from . import _terminal as console
    from . import _workspaces as work

    before = work.load(workspace)
    made = work.edit.drop(
        before,
        channels=channel or (),
        processes=sample or (),
        modifiers=modifier or (),
        kinds=kind or (),
        measurements=measurement or (),
    )
    made, negligible = work.edit.prune(made, shape=shape, normalisation=normalisation, staterror=staterror)
    work.write(made, output)
    if not quiet:
        console.print_table(work.removed_items(before, made, negligible))


@app.command("mask")
def mask(
    workspace: Workspace,
    channel: Annotated[Names, typer.Option("--channel", metavar="NAME", help="leave out this channel")] = None,
    bins: Annotated[Names, typer.Option("--bins", metavar="CHANNEL:BIN[,BIN]", help="leave out bins, from 0")] = None,
    output: Output = None,
) -> None:
    """Without some channels, or some of their bins."""
    from . import _workspaces as work

    work.write(work.masked(work.load(workspace), channel or (), bins or ()), output)


@app.command("rename")
def rename(
    workspace: Workspace,
    channel: Annotated[Names, typer.Option("--channel", metavar="OLD=NEW")] = None,
    sample: Annotated[Names, typer.Option("--sample", metavar="OLD=NEW")] = None,
    modifier: Annotated[Names, typer.Option("--modifier", metavar="OLD=NEW")] = None,
    measurement: Annotated[Names, typer.Option("--measurement", metavar="OLD=NEW")] = None,
    output: Output = None,
) -> None:
    """New names for channels, samples, modifiers and measurements."""
    from . import _workspaces as work

    given = {"channel": channel, "sample": sample, "modifier": modifier, "measurement": measurement}
    changes = work.renaming({kind: names or [] for kind, names in given.items()})
    work.write(work.edit.rename(work.load(workspace), changes), output)


@app.command("decorrelate")
def decorrelate(
    workspace: Workspace,
    name: Annotated[str, typer.Argument(metavar="PARAMETER")],
    by: Annotated[str, typer.Option("--by", metavar="|".join(DECORRELATE_BY))] = DECORRELATE_BY[0],
    output: Output = None,
) -> None:
    """One parameter becomes one for each channel, or sample, where it acts."""
    from . import _workspaces as work

    work.write(work.edit.decorrelate(work.load(workspace), name, by), output)


@app.command("correlate")
def correlate(
    workspace: Workspace,
    names: Annotated[list[str], typer.Argument(metavar="PARAMETER...")],
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="of the one parameter that they become")],
    output: Output = None,
) -> None:
    """Several parameters become one."""
    from . import _workspaces as work

    work.write(work.edit.correlate(work.load(workspace), names, to), output)
