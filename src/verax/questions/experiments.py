"""Pseudo-experiments of a workspace: streamed, counted, and continued where they were stopped."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from verax.errors import InputError
from verax.infer import Campaign, Estimate, campaign, fit
from verax.parameters import by_name
from verax.questions.ask import Answer, Asked, numbers
from verax.report import plots, tables
from verax.report.numbers import number, with_error
from verax.report.tables import Table
from verax.results import Interval, Status, good
from verax.store import code_version, digest

DEFAULT = 1000
"""Toys unless a number is given."""

NOTE = """Moments leave out failed toys and estimates at a bound. Their means need not be those of a Gaussian: where the \
expectation bends with its parameters, maximum likelihood is biased by a small part of its σ (see verax.infer.toys)."""


def answer_toys(a: Asked) -> Answer:
    """Toys at a truth: estimates, pulls and coverage of the interval, and failures."""
    from verax.check import coverage  # half a second, which no other question needs

    n, level = a.toys or DEFAULT, a.level or 0.6827
    truth, gamma = _truth(a)
    statistic = Estimate(a.poi, level)
    kept = Kept(a, truth, gamma, level) if a.output is not None else None
    done = kept.read(n) if kept is not None else None

    def told(so_far: Campaign) -> None:
        a.told(so_far.n, n, so_far.failed)
        if kept is not None:
            kept.write(so_far)

    if done is not None:
        a.told(done.n, n, done.failed)
    key = jax.random.key(a.seed)
    found = campaign(key, a.model, truth, n, statistic, batch=a.batch, gamma=gamma, done=done, progress=told)
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
    """A folder with the finished batches of one campaign; each file is written whole or not at all."""

    def __init__(self, a: Asked, truth: dict[str, float], gamma: np.ndarray | None, level: float) -> None:
        assert a.output is not None
        self.folder, self.batch, self.written = a.output, a.batch, 0
        arrays = [hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest() for x in jax.tree.leaves(a.model)]
        names = [repr(a.model.parameters), a.poi, a.model.channels, a.model.processes]
        true_gamma = None if gamma is None else gamma.tolist()
        question = digest([names, arrays, truth, true_gamma, level, a.seed, a.batch, code_version()])
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            note = self.folder / "campaign.json"
            found = json.loads(note.read_text())["question"] if note.exists() else question
            if not note.exists():
                self._put(note, json.dumps({"question": question, "truth": truth, "seed": a.seed}).encode())
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"--output {self.folder}", f"{error}", "a folder that can be written") from None
        if found != question:
            raise InputError(
                f"--output {self.folder}",
                "toys of another model, truth, seed, level, batch or version",
                "toys of the same question",
                "choose another folder",
            )

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
            path = self._path(first)
            try:
                with np.load(path) as stored:
                    part = {k: stored[k] for k in ("values", "status")}
            except (OSError, ValueError, KeyError):
                return
            size = len(part["status"])
            if size < self.batch and first + size != n:
                return
            yield part
            first += size

    def write(self, so_far: Campaign) -> None:
        """Keep what is new."""
        path = self._path(self.written)
        part = path.with_name(f".{path.name}")
        with open(part, "wb") as file:
            np.savez(file, values=so_far.values[self.written :], status=so_far.status[self.written :])
        os.replace(part, path)
        self.written = so_far.n

    def _path(self, first: int) -> Path:
        return self.folder / f"toys-{first:09d}.npz"

    @staticmethod
    def _put(path: Path, content: bytes) -> None:
        part = path.with_name(f".{path.name}")
        part.write_bytes(content)
        os.replace(part, path)
