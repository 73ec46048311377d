"""Functions of the user's own, as an analysis names or gives them, told apart by all that they are made of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from verax.run import HOW, own_code

from ._sections import Function

Reads: TypeAlias = tuple[tuple[str, str], ...]
"""Places and checksums of the files that an analysis declares under ``inputs``."""


@dataclass(frozen=True)
class Named:
    """A function by ``module:name`` or ``file.py:name``, found when it is first called; so it travels to processes.

    ``version`` is that of the files which it is made of, and ``reads`` has those that it may read: with other content,
    it is another function.
    """

    name: str
    base: Path = field(metadata=HOW)
    version: str
    reads: Reads = ()

    def __call__(self, *arguments: Any) -> Any:
        return self.found()(*arguments)

    def found(self) -> Callable[..., Any]:
        """The function itself."""
        attribute = self.name.rpartition(":")[2]
        return own_code.find(f"{self.place}:{attribute}", self.base, self.version)

    @property
    def place(self) -> str:
        """The module's name, or the whole path of its file."""
        return place_of(self.name, self.base)


@dataclass(frozen=True)
class Given:
    """A function given in Python, another one when what it reads has changed: compiled programs are kept for equal ones."""

    function: Callable[..., Any] = field(metadata=HOW)
    version: str
    reads: Reads = ()

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def found(self) -> Callable[..., Any]:
        """The function itself."""
        return self.function

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def place(self) -> str:
        """The file of the module that it is from."""
        return own_code.file_of(self.function)


Own: TypeAlias = Named | Given


def own(function: Function, base: Path, reads: Reads = ()) -> Own:
    """The callable that an analysis in the folder ``base`` names, or has been given."""
    if not isinstance(function, str):
        return Given(function, own_code.stamp(function, base), reads)
    return Named(function, base, own_code.version_of(place_of(function, base), base), reads)


def place_of(name: str, base: Path) -> str:
    """The module's name, or the whole path of its file, of ``module:name`` or ``file.py:name``."""
    place = name.rpartition(":")[0]
    return str((base / Path(place).expanduser()).resolve()) if place.endswith(".py") else place
