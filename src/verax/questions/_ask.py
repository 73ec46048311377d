"""What is asked of a workspace, and what an answer is made of."""

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from verax.errors import InputError, check_known
from verax.model import BinnedLikelihood, Data, hold
from verax.parameters import by_name
from verax.report import Table
from verax.run import Progress
from verax.workspace import from_hs3, from_pyhf, is_hs3, read_json

Draw = Callable[[], Figure]


@dataclass(frozen=True)
class Asked:
    """A likelihood, the data to ask about, the parameter of interest, and what else a question needs.

    Parameters
    ----------
    poi : empty where the question needs none and the workspace has none
    level : confidence level; None is the question's own default
    method : of an interval
    against : second parameter of a scan
    truth : of toys, "NAME=VALUE", or "fit" for the best fit to the data
    output : folder that keeps finished batches of toys
    batch : toys at a time
    prefit : whether the expectation before the fit is asked for
    channels, processes, systematics : to show; all unless given
    """

    model: BinnedLikelihood
    data: Data
    poi: str
    level: float | None = None
    points: int = 41
    toys: int = 0
    seed: int = 0
    method: str = "profile"
    against: str | None = None
    truth: Sequence[str] = ()
    output: Path | None = None
    batch: int = 2048
    prefit: bool = False
    channels: Sequence[str] = ()
    processes: Sequence[str] = ()
    systematics: Sequence[str] = ()
    progress: Progress = field(default_factory=Progress)

    def told(self, done: int, total: int, failed: int) -> None:
        """Progress of toys."""
        self.progress.step("toys", done, total, failed)


@dataclass(frozen=True)
class Answer:
    """Tables, their content as plain values, and how to draw its figures, by name, or by several names."""

    tables: tuple[Table, ...]
    content: dict[str, Any]
    figures: Mapping[Any, Draw] = field(default_factory=dict)


def ask(
    workspace: str,
    *,
    measurement: str | None = None,
    patch: str | None = None,
    patchname: str | None = None,
    shape_errors: str | None = None,
    poi: str | None = None,
    data: str = "observed",
    fixed: Sequence[str] = (),
    groups: Sequence[str] = (),
    needs_poi: bool = True,
    **options: Any,
) -> Asked:
    """What to ask about the workspace in a file ("-": standard input): pyhf's JSON, or HS3.

    Parameters
    ----------
    measurement : of pyhf's workspace, or the likelihood of an HS3 file
    shape_errors : of an HS3 file, see :func:`verax.workspace.from_hs3`
    data : "observed", "asimov" (at the initial values), or a JSON file of counts by channel
    fixed : parameters to hold, "NAME=VALUE"
    groups : "ROW=PATTERN", rows of a breakdown for constrained parameters; the last that matches counts
    needs_poi : whether the question is about one parameter, which then cannot be held
    options : the other fields of :class:`Asked`

    Raises
    ------
    InputError : for an unknown parameter or channel (nearest name given), or no parameter of interest
    """
    change = read_json(patch) if patch else None
    content = read_json(workspace)
    if is_hs3(content):
        if change is not None:
            raise InputError("--patch", "an HS3 file to patch", "a pyhf workspace", "leave it out")
        found = from_hs3(content, likelihood=measurement, poi=poi, shape_errors=shape_errors)
    else:
        found = from_pyhf(content, measurement=measurement, poi=poi, patch=change, patchname=patchname)
    model, observed, interest = found.model, found.data, found.poi or ""
    model = grouped(model, groups)
    held = numbers(fixed, "--fixed")
    by_name(model.parameters, held, "--fixed")
    if needs_poi and not interest:
        raise InputError("workspace", "no parameter of interest", "one in the measurement", "name it with --poi")
    if needs_poi and interest in held:
        raise InputError("--fixed", f"the parameter of interest '{interest}'", "another one", "choose another --poi")
    if held:
        model = hold(model, held)
    if needs_poi and next(p for p in model.parameters if p.name == interest).fixed:
        raise InputError("workspace", f"'{interest}' fixed", "a free parameter of interest", "choose another --poi")
    if data == "asimov":
        observed = model.asimov({p.name: p.init for p in model.parameters})
    elif data != "observed":
        observed = Data(_counts(read_json(data), model, data), observed.auxiliary)
    return Asked(model, observed, interest, **options)


def grouped(model: BinnedLikelihood, settings: Iterable[str]) -> BinnedLikelihood:
    """The model with parameters in other rows of a breakdown, from "ROW=PATTERN": a workspace has no place for rows.

    Raises
    ------
    InputError : for anything else, and a pattern of no constrained parameter
    """
    rows: dict[str, str] = {}
    for setting in settings:
        row, _, pattern = setting.partition("=")
        if not (row.strip("/") and pattern):
            raise InputError("--group", f"'{setting}'", "ROW=PATTERN")
        names = [p.name for p in model.parameters if p.constraint is not None]
        if not (matched := fnmatch.filter(names, pattern)):
            known = f"known: {', '.join(names[:20])}" if names else "there are none"
            raise InputError("--group", f"'{pattern}'", "a pattern of constrained parameters", known)
        rows |= dict.fromkeys(matched, row)
    parameters = tuple(replace(p, group=rows.get(p.name, p.group)) for p in model.parameters)
    return replace(model, parameters=parameters) if rows else model


def numbers(settings: Iterable[str], option: str) -> dict[str, float]:
    """Values by name from "NAME=VALUE".

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


def _counts(given: Any, model: BinnedLikelihood, where: str) -> np.ndarray:
    """Counts by channel as one array."""
    if not isinstance(given, dict):
        raise InputError(where, f"{given!r}"[:80], "an object: a list of counts for each channel")
    check_known(given, model.channels, where, "channel")
    check_known(model.channels, given, where, "channel")
    parts = []
    for channel, bins in zip(model.channels, model.layout.bins, strict=True):
        try:
            counts = np.asarray(given[channel], np.float64)
        except (TypeError, ValueError):
            raise InputError(f"{where}, channel '{channel}'", f"{given[channel]!r}"[:80], "numbers") from None
        if counts.shape != (bins,):
            raise InputError(f"{where}, channel '{channel}'", f"{counts.size} counts", f"{bins}, one for each bin")
        parts.append(counts)
    return np.concatenate(parts)
