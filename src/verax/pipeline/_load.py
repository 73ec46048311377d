"""The way back from a run folder: templates, likelihood, data, networks and results, read without changing any."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from verax.data import read_events
from verax.errors import InputError
from verax.events import Events
from verax.learn import CrossTrained
from verax.model import BinnedLikelihood, Data
from verax.results import Brief, Coverage, Shown
from verax.run import Stored
from verax.templates import Templates

from ._infer import Measured
from ._learn import Kept, networks_in
from ._summary import BinScore, NetworkScore, score_by
from ._types import TYPES

STAGES = ("simulate", "learn", "summarise", "model", "infer", "check", "report")


def load(folder: str | Path) -> "RunResults":
    """Read a run folder; parts of it are read, and held to their checksums, when they are asked for.

    No code of the folder is run: results are made of :data:`TYPES` alone.

    Parameters
    ----------
    folder : of a run, runs/NAME

    Raises
    ------
    InputError : for what is no run folder
    """
    return RunResults(Stored(Path(folder), TYPES))


@dataclass(frozen=True, repr=False)
class RunResults(Brief):
    """What a run left in its folder; each part raises InputError where its stage is not done, or is damaged.

    Parameters
    ----------
    stored : the folder
    """

    stored: Stored

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that are done, in their order."""
        return tuple(s for s in STAGES if self.stored.has(s))

    def events(self, rows: int = 65536) -> Iterator[Events]:
        """Read the simulated events, chunk by chunk.

        Parameters
        ----------
        rows : most events of a chunk

        Raises
        ------
        InputError : where the stage `simulate` is not done, or damaged, or the channels are histograms in files
        """
        if not self.stored.result("simulate").yields:
            raise InputError(f"{self.stored.folder}", "a run of histograms, without events", "a run with samples")
        return read_events(self.stored.path("simulate") / "nominal.parquet", rows)

    @cached_property
    def _kept(self) -> tuple[Path, Kept]:
        """Where the networks are, and what they are read with."""
        learned = self.stored.result("learn")
        if learned.kept is None:
            seen, action = "a run without networks of its own", "its summary is a given one"
            raise InputError(f"{self.stored.folder}", seen, "one of `summary: {kind: classifier}`", action)
        if self.stored.has("simulate"):
            table = self.stored.result("simulate")
            if not set(learned.material) <= {table.material, *table.contents.values()}:
                seen = "networks that learnt from other events than are there now"
                raise InputError(str(self.stored.folder), seen, "stages of one run", "`verax run` makes them again")
        return self.stored.path("learn"), learned.kept

    @cached_property
    def networks(self) -> CrossTrained:
        """The networks of each fold and member."""
        return networks_in(*self._kept)

    def score(self, events: Events) -> np.ndarray:
        """Score events, each by the networks of its own fold, as the run does.

        Parameters
        ----------
        events : with the features of the networks; their numbers give the folds

        Raises
        ------
        InputError : where the stage `learn` is not done or damaged, or the run has no networks
        """
        return self.scorer(events)

    @cached_property
    def scorer(self) -> NetworkScore | BinScore:
        """The function of events that the networks are."""
        return score_by(*self._kept)

    @cached_property
    def templates(self) -> Templates:
        """Templates in their final bins."""
        found: Templates = self.stored.result("summarise").templates
        return found

    @cached_property
    def likelihood(self) -> BinnedLikelihood:
        """The likelihood of the templates."""
        found: BinnedLikelihood = self.stored.result("model")
        return found

    @cached_property
    def results(self) -> Mapping[str, Measured]:
        """Fit, interval, scan, breakdowns and ranking of each data set: expected, pseudo-experiment, observed."""
        return {m.kind: m for m in self.stored.result("infer")}

    @property
    def data(self) -> Mapping[str, Data]:
        """The data sets that were looked at."""
        return {kind: m.data for kind, m in self.results.items()}

    @cached_property
    def coverage(self) -> Mapping[str, Coverage]:
        """Coverage at each truth of the campaign."""
        found: dict[str, Coverage] = self.stored.result("check").coverage
        return found

    def _shown(self) -> Shown:
        done = self.stages
        line = f"Run in {self.stored.folder}: {', '.join(done) or 'no stage'} done"
        try:
            rows = [(m.kind, repr(m.interval)) for m in self.results.values()] if "infer" in done else []
        except InputError as error:
            return f"{line}; {error}", (), ()
        return line, ("data", "interval"), rows
