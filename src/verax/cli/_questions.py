"""Commands about pyhf workspaces, made of the options of questions. Imports JAX only when work begins."""

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from verax.errors import InputError, has_controls
from verax.questions import QUESTIONS, Common, Options, answer, option

Workspace = Annotated[
    str, typer.Argument(metavar="WORKSPACE.json", help="pyhf workspace, HS3, or a run folder; - reads standard input")
]


@dataclass(frozen=True)
class Shown(Options):
    """How an answer is shown."""

    as_json: bool = option(False, "--json", help="print JSON instead of tables")
    plot: Path | None = option(None, "--plot", metavar="FILE", help="draw: PDF (one page a figure), PNG or SVG")  # noqa: RUF009
    quiet: bool = option(False, "--quiet", "-q", help="no progress")

    def __post_init__(self) -> None:
        """Judge the figure's name before any work.

        Raises
        ------
        InputError : for an unknown format, or a folder that does not exist
        """
        if self.plot is None:
            return
        if self.plot.suffix not in (".pdf", ".png", ".svg"):
            raise InputError("--plot", f"the ending '{self.plot.suffix}'", ".pdf, .png or .svg")
        if not self.plot.parent.is_dir():
            raise InputError("--plot", f"'{self.plot}', in no folder that exists", "a file that can be written")


class Interrupted(Exception):
    """The user stopped the work; the text states what is kept."""


@contextmanager
def keeping(kept: str, folder: Path | None) -> Iterator[None]:
    """Say what is ``kept`` in a folder, if it is there, when work is stopped, or ends for want of disk or memory."""

    def said() -> str:
        return kept if folder is not None and folder.is_dir() else "nothing is kept"

    try:
        yield
    except KeyboardInterrupt:  # the command-line library would swallow it
        raise Interrupted(f"stopped; {said()}") from None
    except (OSError, MemoryError) as error:
        error.add_note(said())
        raise


def question(verb: str) -> Callable[..., None]:
    """Make the command that answers one question about a workspace."""

    def command(workspace: str, **given: Any) -> None:
        shown = Shown(**{f.name: given.pop(f.name) for f in fields(Shown)})
        enable_compilation_cache()
        from . import _terminal as console

        options = {k: v for k, v in given.items() if v is not None}
        if "output" in options:
            options["output"] = folder_named(options["output"])
        kept = options.get("output")
        with keeping(f"finished toys are kept in {kept}, the same command continues", kept):
            with console.progress(quiet=shown.quiet or shown.as_json) as progress:
                found = answer(verb, workspace, progress=progress, **options)
            console.show_answer(found, as_json=shown.as_json, plot=shown.plot)
        if found.unmet:
            print(f"verax: {found.unmet}", file=sys.stderr)
            raise typer.Exit(1)

    kind, keyword = inspect.Parameter, inspect.Parameter.KEYWORD_ONLY
    parameters = [kind("workspace", kind.POSITIONAL_OR_KEYWORD, annotation=Workspace)]
    parameters += [
        kind(f.name, keyword, default=None if f.default == () else f.default, annotation=_annotated(f))
        for f in (*fields(Common), *fields(Shown), *fields(QUESTIONS[verb]))
        if f.name not in QUESTIONS[verb].without
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


LIBRARY_TYPES = {Sequence[str]: list[str] | None, str | Path | None: str | None}
"""Types that the command-line library does not know, and what it reads for them."""


def _annotated(f: "Field[Any]") -> Any:
    """Describe an option to the command-line library."""
    kind = LIBRARY_TYPES.get(f.type, f.type)
    return Annotated[kind, typer.Option(*f.metadata["names"], **f.metadata["shown"])]


def folder_named(given: str) -> Path:
    """Read the folder that ``--output`` names.

    Raises
    ------
    InputError : for no name, which a shell's empty variable leaves, and one that a terminal would act on
    """
    if not given.strip() or has_controls(given):
        raise InputError("--output", f"'{given}'", "the name of a folder", "'.' is the current one")
    return Path(given)


def enable_compilation_cache() -> None:
    """Keep compiled programs between runs, unless the user chose a place or switched it off."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "verax" / "jax"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
