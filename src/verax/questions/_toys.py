"""Pseudo-experiments of a workspace: streamed, counted, and continued where they were stopped."""

import hashlib
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from verax.errors import InputError
from verax.infer import Campaign, Estimate, campaign, fit
from verax.parameters import by_name, check_value
from verax.report import Section, Table, tables, with_error
from verax.results import Interval, Status, good
from verax.run import checksum_of, code_version, describe, digest, opened, remove, replacing, seal, unseal, write

from . import _options as options
from ._ask import Query, figure, numbers, respond

OWNER = "toys"
"""Owner of the folder of a campaign."""

NOTE = """Moments are of toys that did not fail. Where the expectation is not linear in its parameters, maximum \
likelihood is biased by a small fraction of σ (see `sample_toys`)."""


@respond.register
def answer_toys(question: options.Toys, query: Query) -> Section:
    """Run toys at a truth: estimates, pulls and coverage of the interval, and failures."""
    from verax.check import coverage  # half a second, which no other question needs

    poi, (truth, gamma) = query.poi, _truth(question, query)
    with nullcontext() if question.output is None else Kept(question, query, truth, gamma) as kept:
        found = _run(question, query, truth, gamma, kept)
    value, error, low, high = found.values.T
    covered = coverage(Interval(poi, question.level, value, low, high, found.status), truth[poi])
    bounds = next(p.bounds for p in query.model.parameters if p.name == poi)
    counts, bounded = good(found.status), np.isin(value, bounds)
    fine = counts & (error > 0)
    pull = (value[fine] - truth[poi]) / error[fine]
    at_bound, unknown = int((counts & bounded).sum()), int((counts & ~fine).sum())
    status = {s.name: int((found.status == s).sum()) for s in Status if (found.status == s).any()}
    moments = dict(zip(("mean", "pull", "pull width"), (_moments(value[counts])[0], *_moments(pull)), strict=True))
    rows = (
        (f"true {poi}", f"{truth[poi]:g}"),
        (f"mean of the estimates of {poi}", with_error(*moments["mean"])),
        ("mean of (estimate − truth) / σ", with_error(*moments["pull"])),
        ("width of (estimate − truth) / σ", with_error(*moments["pull width"])),
        ("failed toys", _share(found.failed, found.n)),
        (f"estimates at a bound of {poi}", _share(at_bound, found.n)),
        *((f"intervals that ended {name}", _share(count, found.n)) for name, count in status.items()),
    )
    note = NOTE
    if unknown:
        note += (
            f" The pulls leave out {unknown} estimates without a σ, as at a bound: the mean of the others is shifted away "
            "from that bound and their width too small, whether or not the fit is biased."
        )
    shown = (
        tables.coverage({f"{poi} = {truth[poi]:g}": covered}),
        Table("Estimates", ("Quantity", "Value"), rows, note),
    )
    content: dict[str, Any] = {"truth": truth, "coverage": covered, "toys": found.n, "failed": found.failed}
    content |= {"estimates_at_bound": at_bound, "without_pull": unknown, "interval_status": status, "moments": moments}
    draw = figure("estimates", poi, value[counts], pull, truth=truth[poi], coverage=covered)
    warnings = [
        f"--truth {p.name}={truth[p.name]:g}: held at {p.init:g}, where no fit can reach it"
        for p in query.model.parameters
        if p.fixed and truth[p.name] != p.init
    ]
    return Section("Toys", "", {"toys": ("Estimates of toys.", draw)}, shown, content, warnings)


def _share(count: int, total: int) -> str:
    return f"{count} of {total} ({100 * count / total:.3g} %)"


def _run(
    question: options.Toys, query: Query, truth: dict[str, float], gamma: np.ndarray | None, kept: "Kept | None"
) -> Campaign:
    """Run the campaign, continued from what is kept."""
    n = question.toys
    done = kept.read(n) if kept is not None else None

    def progress(so_far: Campaign) -> None:
        query.count_toys(so_far.n, n, so_far.failed)
        if kept is not None:
            kept.write(so_far)

    if done is not None:
        query.count_toys(done.n, n, done.failed)
    import jax

    key, statistic = jax.random.key(question.seed), Estimate(query.poi, question.level)
    return campaign(
        key, query.model, truth, n, statistic, batch=question.batch, profiled=gamma, done=done, progress=progress
    )


def _truth(question: options.Toys, query: Query) -> tuple[dict[str, float], np.ndarray | None]:
    """Find true values of all parameters, and of what the likelihood profiles."""
    model, given = query.model, numbers((t for t in question.truth if t != "fit"), "--truth")
    for name, parameter in by_name(model.parameters, given, "--truth").items():
        if name in given and not parameter.fixed:
            check_value(parameter, given[name], "--truth")
    if "fit" not in question.truth:
        return {p.name: float(given.get(p.name, p.init)) for p in model.parameters}, None
    truth = {**fit(model, query.data).params, **given}
    return truth, np.asarray(model.profiled(truth, query.data))


def _moments(values: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Find mean and standard deviation, each with its error; NaN of fewer than two values."""
    n = len(values)
    mean, width = (float(values.mean()), float(values.std(ddof=1))) if n > 1 else (float("nan"), float("nan"))
    return (mean, width / math.sqrt(max(n, 1))), (width, width / math.sqrt(2 * max(n - 1, 1)))


class Kept:
    """A folder with the finished batches of one campaign; use as a context manager, it holds the folder's lock.

    Each file is written whole or not at all. A batch has a checksum over its question, its place and its content: one that
    was changed, damaged or moved is run again, and so are those after it.
    """

    def __init__(self, question: options.Toys, query: Query, truth: dict[str, float], gamma: np.ndarray | None) -> None:
        assert question.output is not None
        self.folder, self.batch, self.written = Path(question.output), question.batch, 0
        self.notify, seed = query.progress.note, question.seed
        asked = describe([query.model, query.poi, truth, gamma, question.level, seed, self.batch])
        self.question = digest([asked, code_version()])
        self.note = {"question": self.question, "truth": truth, "seed": seed}

    def __enter__(self) -> "Kept":
        try:
            with ExitStack() as stack:
                self._open(stack.enter_context(opened(self.folder, OWNER)).whole)
                self._close = stack.pop_all().close
        except OSError as error:
            raise InputError(f"--output {self.folder}", f"{error}", "a folder that can be written") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _open(self, whole: bool) -> None:
        if not whole:
            self.notify(f"{self.folder}: its mark was damaged or lost; written again")
        path = self.folder / "campaign.json"
        found = (unseal(path) or {}).get("question")
        if found is not None and found != self.question:
            raise InputError(
                f"--output {self.folder}",
                "toys of another model, truth, seed, level, batch or version",
                "toys of the same question",
                "choose another folder",
            )
        if found is None:
            if os.path.lexists(path) or any(self.folder.glob("toys-*.npz")):
                self.notify(f"{path}: damaged or lost; written again")
            remove(path)
            write(path, seal(self.note))

    def read(self, n: int) -> Campaign | None:
        """Read the batches that are there without a gap; none of those that a longer campaign cuts elsewhere."""
        parts = list(self._parts(n))
        if not parts:
            return None
        values, status = (np.concatenate([p[k] for p in parts]) for k in ("values", "status"))
        self.written = len(status)
        return Campaign(n, values, status)

    def _parts(self, n: int) -> Iterator[dict[str, np.ndarray]]:
        first = 0
        while first < n:
            part = self._part(first)
            if part is None:
                path, later = self._path(first), self.folder.glob("toys-*.npz")
                if os.path.lexists(path) or any(p.name > path.name for p in later):
                    self.notify(f"{path}: damaged or lost; these toys and those after them are run again")
                return
            size = len(part["status"])
            if size < self.batch and first + size != n:
                return
            yield part
            first += size

    def _part(self, first: int) -> dict[str, np.ndarray] | None:
        """Read the batch that begins at a toy; None unless it is there and whole."""
        path = self._path(first)
        if checksum_of(path) is None:
            return None
        try:
            with path.open("rb") as file, np.load(file) as stored:
                part = {k: stored[k] for k in ("values", "status", "checksum")}
        except Exception:  # whatever a damaged archive leads to
            return None
        values, status = part["values"], part["status"]
        whole = part["checksum"].tolist() == self._checksum(first, values, status)
        valid = whole and values.shape == (len(status), 4) and 0 < len(status) <= self.batch
        return part if valid and np.isin(status, list(Status)).all() else None

    def write(self, so_far: Campaign) -> None:
        """Keep the toys that are new."""
        path = self._path(self.written)
        values, status = so_far.values[self.written :], so_far.status[self.written :]
        remove(path)
        with replacing(path) as part:
            np.savez(part, values=values, status=status, checksum=self._checksum(self.written, values, status))
        self.written = so_far.n

    def _path(self, first: int) -> Path:
        return self.folder / f"toys-{first:09d}.npz"

    def _checksum(self, first: int, values: np.ndarray, status: np.ndarray) -> str:
        arrays = [[a.dtype.str, a.shape, hashlib.sha256(a.tobytes()).hexdigest()] for a in (values, status)]
        return digest([self.question, first, arrays])
