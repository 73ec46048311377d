"""New workspaces of given ones: read, changed, checked and written."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from verax.errors import InputError
from verax.report import Table, number
from verax.run import write as write_bytes
from verax.templates import Pruned
from verax.workspace import Json, check_workspace, from_pyhf, read_json
from verax.workspace import edit as edit


def load(path: str) -> Json:
    """Read a workspace from a file, "-" for standard input, after all checks.

    Raises
    ------
    InputError : naming channel, sample and modifier
    """
    spec: Json = read_json(path)
    check_workspace(spec)
    return spec


def write(spec: Json, output: Path | None) -> None:
    """Write to a file or standard output, not before the likelihood could be made of it.

    Raises
    ------
    InputError : for a workspace that is none any more, or a file that cannot be written
    """
    from_pyhf(spec)
    text = json.dumps(spec, indent=2) + "\n"
    if output is None or str(output) == "-":
        sys.stdout.write(text)
        return
    if not output.name or output.is_symlink():
        seen = f"'{output}'{', a link' if output.name else ''}"
        raise InputError("--output", seen, "the name of a file", "or leave it out: standard output")
    try:
        write_bytes(output, text.encode())
    except OSError as error:
        raise InputError(f"--output {output}", error.strerror or str(error), "a file that can be written") from error


def masked(spec: Json, channels: Sequence[str], bins: Sequence[str]) -> Json:
    """Leave out channels, and bins that are given as "CHANNEL:BIN[,BIN]".

    Raises
    ------
    InputError : for none, an unknown one, or nothing that is left
    """
    if not (channels or bins):
        raise InputError("mask", "neither --channel nor --bins", "what to leave out")
    made = edit.mask(spec, edit.bins_by_channel(bins, "--bins"))
    return edit.drop(made, channels=channels) if channels else made


def combined(paths: Sequence[str]) -> Json:
    """Combine workspaces into one.

    Raises
    ------
    InputError : for fewer than two, or where they do not fit together
    """
    if len(paths) < 2:
        raise InputError("combine", f"{len(paths)} workspace", "two or more")
    made = load(paths[0])
    for path in paths[1:]:
        made = edit.combine(made, load(path))
    return made


def renaming(settings: dict[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Read new names by kind, from "OLD=NEW".

    Raises
    ------
    InputError : for anything else
    """
    found: dict[str, dict[str, str]] = {}
    for kind, given in settings.items():
        for setting in given:
            old, _, new = setting.partition("=")
            if not (old and new) or "=" in new:
                raise InputError(f"--{kind}", f"'{setting}'", "OLD=NEW, with one equals sign")
            found.setdefault(kind, {})[old] = new
    return found


def removed_items(before: Json, after: Json, negligible: Sequence[Pruned] = ()) -> Table:
    """List removed items: whole channels, samples, modifiers and measurements, and negligible variations."""
    rows = []
    for kind in ("measurement", "channel", "sample", "modifier"):
        left = edit.names(after, kind)
        gone = [n for n in edit.names(before, kind) if n not in left]
        rows += [(kind, name, "", "everywhere", "") for name in gone]
    for p in negligible:
        if p.process:
            rows.append((p.effect, p.systematic, p.process, p.channel, f"{number(100 * p.size, 3)} %"))
    note = "" if rows else "Nothing was removed."
    return Table("Removed items", ("What", "Name", "Sample", "Channel", "Largest change"), tuple(rows), note)
