"""What a question is about: a likelihood, data and a parameter, read from files."""

import fnmatch
import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, singledispatch
from pathlib import Path
from typing import Any

import numpy as np

from verax.errors import InputError, check_ends, check_known, nearest
from verax.model import AbstractLikelihood, BinnedLikelihood, Data, hold
from verax.parameters import check_value
from verax.report import Draw, Section
from verax.run import Progress
from verax.workspace import from_hs3, from_pyhf, is_hs3, likelihoods, read_json
from verax.workspace import notes as hs3_notes

from ._options import Common, Question


@dataclass(frozen=True)
class Query:
    """A likelihood, the data to ask about, and the parameter of interest.

    Parameters
    ----------
    poi : empty where the question needs none and the workspace has none
    mask : bins of each channel that are left out, in the numbers of the workspace
    folder : of the run that made the workspace, where that was given
    notes : lines about what was taken where the caller did not choose
    """

    model: BinnedLikelihood
    data: Data
    poi: str
    mask: Mapping[str, Sequence[int]] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    folder: Path | None = None
    notes: Sequence[str] = ()

    def count_toys(self, done: int, total: int, failed: int) -> None:
        """Report the progress of toys."""
        self.progress.step("toys", done, total, failed)


@singledispatch
def respond(question: Question, query: Query) -> Section:
    """Answer a question, with the function that is registered for its type."""
    raise NotImplementedError(f"no function answers {type(question).__name__}")


def load_query(workspace: str, common: Common, *, needs_poi: bool = True, progress: Progress | None = None) -> Query:
    """Read what to ask about from a file ("-": standard input), pyhf's JSON or HS3, or from the folder of a run.

    Parameters
    ----------
    common : ``measurement`` is one of pyhf's workspace, or a likelihood or analysis of an HS3 file; ``data`` is "observed",
        "asimov" (at the initial values), or a JSON file of counts by channel
    needs_poi : whether the question is about one parameter, which then cannot be held
    progress : notified of toys

    Raises
    ------
    InputError : for an unknown parameter or channel (nearest name given), or no parameter of interest
    """
    change = read_json(common.patch) if common.patch is not None else None
    if common.patchname is not None and change is None:
        raise InputError("--patchname", f"'{common.patchname}'", "--patch beside it", "or leave it out")
    folder = Path(workspace) if os.path.isdir(workspace) else None
    if folder and not (folder / "workspace.json").exists():
        why = (
            "a run with `rates` has none, its likelihood is verax.load(FOLDER).likelihood"
            * (folder / ".verax").exists()
        )
        raise InputError(
            f"folder '{folder}'", "no workspace.json", "a workspace, or the folder of a run that is done", why
        )
    content, mask = read_json(folder / "workspace.json" if folder else workspace), dict[str, list[int]]()
    if common.mask:
        from verax.workspace import edit

        mask = edit.bins_by_channel(common.mask, "--mask")
    if is_hs3(content):
        if change is not None:
            raise InputError("--patch", "an HS3 file to patch", "a pyhf workspace", "leave it out")
        try:
            found = from_hs3(
                content,
                likelihood=common.measurement,
                poi=common.poi,
                shape_errors=common.shape_errors,
                bin_constraint=common.bin_constraint,
                mask=mask,
            )
        except InputError as error:
            raise InputError(error.where, error.got, *map(_spelled, (error.expected, error.action))) from None
        several, taken = likelihoods(content), hs3_notes(content, likelihood=common.measurement, poi=common.poi)
    else:
        for name, value in (("--shape-errors", common.shape_errors), ("--bin-constraint", common.bin_constraint)):
            if value is not None:
                raise InputError(name, f"'{value}'", "an HS3 file", "leave it out")
        found = from_pyhf(
            content, measurement=common.measurement, poi=common.poi, patch=change, patchname=common.patchname, mask=mask
        )
        several, taken = tuple(m["name"] for m in content["measurements"]), []
    if common.measurement is None and len(several) > 1:
        others = ", ".join(several[1:6]) + (f" and {len(several) - 6} more" if len(several) > 6 else "")
        taken.append(f"measurement '{several[0]}', the default; --measurement takes another one: {others}")
    model, observed, interest = found.model, found.data, found.poi or ""
    held = _held(common.fixed, model, interest if needs_poi else "")
    if needs_poi and not interest:
        raise InputError("workspace", "no parameter of interest", "one that the fit moves", "name it with --poi")
    if held:
        model = hold(model, held)
    if needs_poi and next(p for p in model.parameters if p.name == interest).fixed:
        raise InputError("workspace", f"'{interest}' fixed", "a free parameter of interest", "choose another --poi")
    if common.data == "asimov":
        observed = model.asimov({p.name: p.init for p in model.parameters})
    elif common.data != "observed":
        observed = Data(_counts(read_json(common.data), model, common.data, mask), observed.auxiliary)
    return Query(model, observed, interest, mask, progress or Progress(), folder, taken)


def _spelled(text: str) -> str:
    """What the workspace's functions call an argument, as the command line's option."""
    for name, option in (("shape_errors", "--shape-errors"), ("bin_constraint", "--bin-constraint")):
        text = re.sub(rf"\b{name}='(\w+)'", rf"{option} \1", text)
    return text


def _held(settings: Iterable[str], model: AbstractLikelihood, interest: str) -> dict[str, float]:
    """Values of the parameters that are held, by "NAME[=VALUE]" and "!NAME", names or patterns; later ones prevail.

    Raises
    ------
    InputError : for names and patterns of no parameter (nearest given), values out of bounds, and the parameter of interest
    """
    table, held = {p.name: p for p in model.parameters}, dict[str, float]()
    for setting in settings:
        free = setting.startswith("!")
        name, equals, _ = setting.removeprefix("!").partition("=")
        if free and equals:
            raise InputError("--fixed", f"'{setting}'", "!NAME without a value")
        names = [name] if name in table else fnmatch.filter(table, name)
        if not names:
            known = nearest(name.replace("*", ""), table)
            raise InputError("--fixed", f"'{name}'", "a known parameter, or a pattern of some", known)
        values = numbers([setting], "--fixed") if equals else {}
        for n in names:
            if free:
                held.pop(n, None)
                continue
            held[n] = values.get(name, table[n].init)
            check_value(table[n], held[n], "--fixed")
    if interest in held:
        advice = f"add --fixed '!{interest}', or choose another --poi"
        raise InputError("--fixed", f"the parameter of interest '{interest}'", "others", advice)
    return held


def grouped(model: BinnedLikelihood, settings: Iterable[str]) -> BinnedLikelihood:
    """Put parameters in other rows of a breakdown, from "ROW=PATTERN": a workspace has no place for rows.

    "@FILE" stands for the lines of a file, as a measurement writes them beside its workspace. The last pattern that
    matches counts.

    Raises
    ------
    InputError : for anything else, a file that cannot be read, and a pattern of no constrained parameter
    """
    rows: dict[str, str] = {}
    for setting in itertools.chain.from_iterable(map(_lines, settings)):
        row, _, pattern = setting.partition("=")
        if not (row.strip("/") and pattern):
            raise InputError("--group", f"'{setting}'", "ROW=PATTERN, or @FILE with such lines")
        names = [p.name for p in model.parameters if p.constraint is not None]
        if not (matched := fnmatch.filter(names, pattern)):
            known = f"known: {', '.join(names[:20])}" if names else "there are none"
            raise InputError("--group", f"'{pattern}'", "a pattern of constrained parameters", known)
        rows |= dict.fromkeys(matched, row)
    parameters = tuple(replace(p, group=rows.get(p.name, p.group)) for p in model.parameters)
    return replace(model, parameters=parameters) if rows else model


def _lines(setting: str) -> list[str]:
    if not setting.startswith("@"):
        return [setting]
    check_ends(path := Path(setting[1:]), f"--group, '{path}'")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError("--group", f"'{setting}': {error}", "a file of text with lines ROW=PATTERN") from error
    return [line for line in lines if line.strip()]


def figure(name: str, /, *content: Any, **options: Any) -> Draw:
    """How a function of :mod:`verax.report.plots` draws its content; drawing is imported when it is done."""
    return partial(_draw, name, *content, **options)


def _draw(name: str, /, *content: Any, **options: Any) -> Any:
    from verax.report import plots

    return getattr(plots, name)(*content, **options)


def numbers(settings: Iterable[str], option: str) -> dict[str, float]:
    """Read values by name from "NAME=VALUE".

    Raises
    ------
    InputError : for anything else
    """
    found = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise InputError(option, f"'{setting}'", "NAME=NUMBER") from None
        if not np.isfinite(found[name]):
            raise InputError(option, f"'{setting}'", "a finite number")
    return found


def _counts(given: Any, model: BinnedLikelihood, where: str, mask: Mapping[str, Sequence[int]]) -> np.ndarray:
    """Join counts by channel into one array, those of bins that are left out too."""
    if not isinstance(given, dict):
        raise InputError(where, f"{given!r}"[:80], "an object: a list of counts for each channel")
    check_known(given, model.channels, where, "channel")
    for name in model.channels:
        if name not in given:
            raise InputError(where, f"no channel '{name}'", "a list of counts for each channel of the workspace")
    parts = []
    for channel, bins in zip(model.channels, model.layout.bins, strict=True):
        try:
            counts = np.asarray(given[channel], np.float64)
        except (TypeError, ValueError):
            raise InputError(f"{where}, channel '{channel}'", f"{given[channel]!r}"[:80], "numbers") from None
        gone = list(mask.get(channel, ()))
        if counts.shape != (bins + len(gone),):
            raise InputError(
                f"{where}, channel '{channel}'", f"{counts.size} counts", f"{bins + len(gone)}, one for each bin"
            )
        parts.append(np.delete(counts, gone))
    return np.concatenate(parts)
