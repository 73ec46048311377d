"""What a comparison is: trials that are kept as they finish, and a page that is made of them."""

import math
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from verax.choices import LARGEST_SEED
from verax.errors import check_count, check_known
from verax.report import Section, Table, write_page
from verax.run import Progress, Run, Types, claim, named, publishing, side_by_side, write_json

S = TypeVar("S")


@dataclass(frozen=True)
class Trial(Generic[S]):
    """One row of a comparison, with one seed, on one subject.

    Parameters
    ----------
    subject : what it is judged on: a case, a data set or an analysis
    row : of the tables: an approach, or a prediction of a method
    seed : of its events and networks
    result : what was measured
    seconds : of training (and prediction), compilation included; rows of one training share it
    problem : what went wrong, empty when nothing did
    """

    subject: str
    row: str
    seed: int
    result: S
    seconds: float
    problem: str = ""


@dataclass(frozen=True)
class Job(Generic[S]):
    """Work that makes the trials of one training.

    Parameters
    ----------
    name : unique in its comparison
    inputs : what its trials depend on beyond the name, as :func:`verax.run.describe` takes it; None: it is done each
        time, and keeps its work itself
    make : trains and measures
    """

    name: str
    inputs: tuple[Any, ...] | None
    make: Callable[[], tuple[Trial[S], ...]]


@dataclass(frozen=True)
class Method:
    """A way to predict with uncertainty.

    Parameters
    ----------
    fit : trains, and gives what is judged in each row, in order, and what went wrong
    rows : the names of its rows, each with what is guaranteed, and whether any model will do
    largest : number of events above which it is left out: it would take hours
    extra : only when it is asked for
    package : that it needs and verax does not
    """

    fit: Callable[..., tuple[Sequence[Any], str]]
    rows: Mapping[str, tuple[str, str]]
    largest: float = math.inf
    extra: bool = False
    package: str = ""


class Comparison(ABC, Generic[S]):
    """Rows that are compared on subjects: what work that is, and how its trials are presented.

    Its folder has the finished trials, ``comparison.html``, ``comparison.json`` and ``figures/``.
    """

    kind: ClassVar[str]
    """What is compared: "approach" or "method"."""
    types: ClassVar[Types] = {}
    """What results are made of."""
    workers: ClassVar[int] = 1
    """Most jobs that go side by side."""
    note: str
    """What a reader must know, that the comparison is a quick one for example."""

    @property
    def owner(self) -> str:
        """Whose the folder is."""
        return f"a comparison of {_plural(self.kind)}"

    @property
    @abstractmethod
    def title(self) -> str:
        """Title of the page."""

    @property
    @abstractmethod
    def lead(self) -> Sequence[str]:
        """First lines of the page; rows and seeds are counted before the first."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """What it is run with, for JSON."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """What can be compared, in order."""

    @property
    def default(self) -> Sequence[str]:
        """What is compared unless names are given."""
        return self.names

    @abstractmethod
    def jobs(self, folder: Path, names: Sequence[str], seeds: Sequence[int], progress: Progress) -> list[Job[S]]:
        """The work for some names and seeds; ``folder`` is for what jobs share."""

    @abstractmethod
    def sections(self, trials: Sequence[Trial[S]]) -> list[Section]:
        """Present trials; each section's content goes to the JSON under its title."""

    def brief(self, sections: Sequence[Section]) -> tuple[Table, ...]:
        """The tables for a terminal."""
        return tuple(sections[0].tables[:1])

    def run(
        self,
        folder: Path | None,
        names: Sequence[str] | None = None,
        *,
        seeds: int = 1,
        seed: int = 1,
        progress: Progress | None = None,
    ) -> tuple[Trial[S], ...]:
        """Make all trials, or read back those that are kept.

        Parameters
        ----------
        folder : keeps each finished trial, so that a stopped comparison continues (None: a temporary one)
        names : of what is compared (default: :attr:`default`)
        seeds : number of repetitions
        seed : of the first; the others follow
        progress : notified of each trial

        Raises
        ------
        InputError : for an unknown name (nearest one given), or no seed
        """
        check_known(names or (), self.names, f"compare {_plural(self.kind)}", self.kind)
        check_count(seeds, 1, "seeds", most=10_000)
        check_count(seed, 0, "seed", most=LARGEST_SEED + 1 - seeds)
        progress, done = progress or Progress(), list[Trial[S]]()
        with (
            nullcontext(folder) if folder else tempfile.TemporaryDirectory(prefix="verax-") as place,
            Run(place, progress=progress, owner=self.owner, types={**named(Trial), **self.types}) as run,
            side_by_side(self.workers) as threads,
        ):
            chosen = [name for name in self.names if name in (names or self.default)]
            jobs = self.jobs(Path(place), chosen, range(seed, seed + seeds), progress)

            def kept(job: Job[S]) -> tuple[Trial[S], ...]:
                if job.inputs is None:
                    return job.make()
                return run(job.name.replace(" ", "-"), lambda *_: job.make(), *job.inputs)

            in_order: Callable[..., Iterable[tuple[Trial[S], ...]]] = threads.map if self.workers > 1 else map
            for i, made in enumerate(in_order(kept, jobs)):
                done += made
                progress.step("trials", i + 1, len(jobs))
        return tuple(done)

    def write(self, folder: Path, trials: Sequence[Trial[S]], *, progress: Progress | None = None) -> tuple[Table, ...]:
        """Write the page and the JSON of finished trials; returns the tables for a terminal."""
        sections, seeds = self.sections(trials), sorted({t.seed for t in trials})
        first, *more = self.lead
        lead = [f"{counted(len(rows_of(trials)), self.kind)}, {counted(len(seeds), 'seed')}{first}", *more]
        claim(folder, self.owner)
        with publishing(folder, (progress or Progress()).note) as place:
            write_page(place, "comparison.html", self.title, lead + [self.note] * bool(self.note), sections)
            content = {s.title: {**s.content, "warnings": s.warnings} for s in sections if s.content}
            settings = {**self.settings, "seeds": seeds, "note": self.note}
            write_json(place / "comparison.json", {"settings": settings, "sections": content})
        return self.brief(sections)


def counted(n: int, noun: str) -> str:
    """A number and its noun.

    >>> counted(1, "seed"), counted(5, "approach")
    ('1 seed', '5 approaches')
    """
    return f"{n} {noun if n == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("ch") else "s")


def rows_of(trials: Iterable[Trial[S]]) -> list[str]:
    """Names of the rows, in order."""
    return list(dict.fromkeys(t.row for t in trials))


def select(trials: Iterable[Trial[S]], subject: str | None = None, row: str | None = None) -> list[Trial[S]]:
    """The trials on one subject, of one row, or both."""
    return [t for t in trials if subject in (None, t.subject) and row in (None, t.row)]


def problems(trials: Iterable[Trial[S]]) -> list[str]:
    """What went wrong in training, once for each row and seed."""
    return list(dict.fromkeys(f"{t.subject}, {t.row}, seed {t.seed}: {t.problem}" for t in trials if t.problem))
