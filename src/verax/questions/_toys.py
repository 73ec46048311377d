"""Pseudo-experiments of a workspace: streamed, counted, and continued where they were stopped."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import numpy as np

from verax.errors import InputError
from verax.infer import Campaign, Estimate, campaign, fit
from verax.parameters import by_name
from verax.report import Table, number, plots, tables, with_error
from verax.results import Interval, Status, good
from verax.run import (
    checksum_of,
    claim,
    code_version,
    digest,
    inspect,
    lock,
    remove,
    replacing,
    seal,
    sweep,
    unseal,
    write,
)

from ._ask import Answer, Asked, numbers

OWNER = "toys"
"""Whose the folder of a campaign is."""

DEFAULT = 1000
"""Toys unless a number is given."""

NOTE = """Moments leave out failed toys and estimates at a bound. Their means need not be those of a Gaussian: where the \
expectation bends with its parameters, maximum likelihood is biased by a small part of its σ (see `sample_toys`)."""


def answer_toys(a: Asked) -> Answer:
    """Toys at a truth: estimates, pulls and coverage of the interval, and failures."""
    from verax.check import coverage  # half a second, which no other question needs

    n, level = a.toys or DEFAULT, a.level or 0.6827
    truth, gamma = _truth(a)
    with nullcontext() if a.output is None else Kept(a, truth, gamma, level) as kept:
        found = _thrown(a, truth, gamma, level, n, kept)
    value, error, low, high = found.values.T
    covered = coverage(Interval(a.poi, level, value, low, high, found.status), truth[a.poi])
    fine = good(found.status) & (error > 0)
    pull = (value[fine] - truth[a.poi]) / error[fine]
    status = {s.name: int((found.status == s).sum()) for s in Status if (found.status == s).any()}
    moments = {"mean": _mean(value[fine]), "pull": _mean(pull), "pull width": _width(pull)}
    rows = (
        (f"true {a.poi}", f"{truth[a.poi]:g}"),
        (f"mean of the estimates of {a.poi}", with_error(*moments["mean"])),
        ("mean of (estimate − truth) / σ", with_error(*moments["pull"])),
        ("width of (estimate − truth) / σ", with_error(*moments["pull width"])),
        ("failed toys", f"{found.failed} of {found.n} ({number(100 * found.failed / found.n, 3)} %)"),
        *((f"status {name}", str(count)) for name, count in status.items()),
    )
    shown = (
        tables.coverage({f"{a.poi} = {truth[a.poi]:g}": covered}),
        Table("Estimates", ("Question", "Answer"), rows, NOTE),
    )
    content: dict[str, Any] = {"truth": truth, "coverage": covered, "toys": found.n, "failed": found.failed}
    content |= {"status": status, "moments": moments}
    figure = lambda: plots.estimates(a.poi, value[fine], pull, truth=truth[a.poi], coverage=covered)  # noqa: E731
    return Answer(shown, content, {"toys": figure})


def _thrown(
    a: Asked, truth: dict[str, float], gamma: np.ndarray | None, level: float, n: int, kept: "Kept | None"
) -> Campaign:
    """The campaign, continued from what is kept."""
    done = kept.read(n) if kept is not None else None

    def told(so_far: Campaign) -> None:
        a.told(so_far.n, n, so_far.failed)
        if kept is not None:
            kept.write(so_far)

    if done is not None:
        a.told(done.n, n, done.failed)
    key, statistic = jax.random.key(a.seed), Estimate(a.poi, level)
    return campaign(key, a.model, truth, n, statistic, batch=a.batch, profiled=gamma, done=done, progress=told)


def _truth(a: Asked) -> tuple[dict[str, float], np.ndarray | None]:
    """True values of all parameters, and of what the likelihood profiles."""
    given = numbers((t for t in a.truth if t != "fit"), "--truth")
    by_name(a.model.parameters, given, "--truth")
    if "fit" not in a.truth:
        return {p.name: float(given.get(p.name, p.init)) for p in a.model.parameters}, None
    best = fit(a.model, a.data)
    truth = {**best.params, **given}
    return truth, np.asarray(a.model.profiled(truth, a.data))


def _mean(values: np.ndarray) -> tuple[float, float]:
    n = len(values)
    return (float(values.mean()), float(values.std(ddof=1) / np.sqrt(n))) if n > 1 else (float("nan"), float("nan"))


def _width(values: np.ndarray) -> tuple[float, float]:
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    width = float(values.std(ddof=1))
    return width, width / float(np.sqrt(2 * (n - 1)))


class Kept:
    """A folder with the finished batches of one campaign; use as a context manager, it holds the folder's lock.

    Each file is written whole or not at all. A batch has a checksum over its question, its place and its content: one that
    was changed, damaged or moved is thrown again, and so are those after it.
    """

    def __init__(self, a: Asked, truth: dict[str, float], gamma: np.ndarray | None, level: float) -> None:
        assert a.output is not None
        self.folder, self.batch, self.written, self.say = a.output, a.batch, 0, a.progress.note
        arrays = [hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest() for x in jax.tree.leaves(a.model)]
        names = [repr(a.model.parameters), a.poi, a.model.channels, a.model.processes]
        true_gamma = None if gamma is None else gamma.tolist()
        self.question = digest([names, arrays, truth, true_gamma, level, a.seed, a.batch, code_version()])
        self.note = {"question": self.question, "truth": truth, "seed": a.seed}

    def __enter__(self) -> "Kept":
        inspect(self.folder, OWNER)
        self._lock = lock(self.folder)
        try:
            self._open()
        except OSError as error:
            os.close(self._lock)
            raise InputError(f"--output {self.folder}", f"{error}", "a folder that can be written") from None
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    def _open(self) -> None:
        if not claim(self.folder, OWNER).whole:
            self.say(f"{self.folder}: its mark was damaged or lost; written again")
        sweep(self.folder)
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
                self.say(f"{path}: damaged or lost; written again")
            remove(path)
            write(path, seal(self.note))

    def read(self, n: int) -> Campaign | None:
        """The batches that are there without a gap; of those that a longer campaign cuts elsewhere, none."""
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
                    self.say(f"{path}: damaged or lost; these toys and those after them are thrown again")
                return
            size = len(part["status"])
            if size < self.batch and first + size != n:
                return
            yield part
            first += size

    def _part(self, first: int) -> dict[str, np.ndarray] | None:
        """The batch that begins at a toy; None unless it is there and whole."""
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
        alike = whole and values.shape == (len(status), 4) and 0 < len(status) <= self.batch
        return part if alike and np.isin(status, list(Status)).all() else None

    def write(self, so_far: Campaign) -> None:
        """Keep what is new."""
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
