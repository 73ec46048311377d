"""What a run left in its folder, read without changing anything there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verax.errors import InputError

from ._folder import MARK, STAGES, checksum_of, unseal
from ._pack import Types, load
from ._store import record_of, seen_as


@dataclass(frozen=True)
class Stored:
    """The stages of a run folder, each whole and of the run that the others are of, or refused.

    Parameters
    ----------
    folder : of the run
    types : all that results may be made of: nothing else is made, and no code is run, when they are read

    Raises
    ------
    InputError : for what is no folder, or none of a run
    """

    folder: Path
    types: Types

    def __post_init__(self) -> None:
        if not (self.folder / STAGES).is_dir():
            seen = "a folder without stages" if self.folder.is_dir() else "no such folder"
            raise InputError(str(self.folder), seen, "the folder of a run", "as `verax run` makes it, runs/NAME")

    def has(self, stage: str) -> bool:
        """Whether a stage is there, with a whole record."""
        return record_of(self.folder / STAGES / stage) is not None

    def path(self, stage: str) -> Path:
        """Folder of a stage, after a look at all its files.

        Raises
        ------
        InputError : for a stage that is not there, is damaged, or was made of another result than stands there now
        """
        place, where = self.folder / STAGES / stage, f"{self.folder}, stage '{stage}'"
        again = "`verax run` makes it again"
        record = record_of(place)
        if record is None:
            seen = "a damaged record, or one of an earlier version" if place.is_dir() else "nothing"
            raise InputError(where, seen, "a stage that was finished", again if place.is_dir() else "`verax run`")
        for file, expected in record["files"].items():
            if (found := checksum_of(place / file)) != expected:
                raise InputError(
                    where, f"{file}, {'changed' if found else 'lost'} since it was written", "it whole", again
                )
        for earlier, fingerprint in record["made_of"]["stages"].items():
            there = record_of(self.folder / STAGES / earlier)
            if there is None or seen_as(there) != fingerprint:
                raise InputError(
                    where, f"a result made of another '{earlier}' than is there now", "stages of one run", again
                )
        return place

    def published(self, name: str) -> bytes:
        """A file at the top of the folder.

        Raises
        ------
        InputError : for a file that is not there, or not as it was written
        """
        mark, path = unseal(self.folder / MARK), self.folder / name
        if (found := checksum_of(path)) is None or mark is None or found not in mark["published"].get(name, ()):
            seen = "a file that was changed since it was written" if found else "no such file"
            raise InputError(str(path), seen, "it as the run wrote it", "`verax run` makes it again")
        return path.read_bytes()

    def result(self, stage: str) -> Any:
        """Result of a stage.

        Raises
        ------
        InputError : as :meth:`path`, and for a result that cannot be read
        """
        place = self.path(stage)
        try:
            return load(place, self.types)
        except Exception as error:  # whatever a record with the right checksums leads to
            seen = f"a result that cannot be read ({type(error).__name__})"
            raise InputError(f"{self.folder}, stage '{stage}'", seen, "one of this version", "run it again") from error
