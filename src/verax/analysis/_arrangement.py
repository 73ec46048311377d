"""Which parameters of the fit come of the systematics: shared by several, of a part each, in some channels only."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from verax.errors import InputError, check_known

Partition: TypeAlias = str | tuple[tuple[str, tuple[str, ...]], ...]
"""Of channels and processes: "channel", "process", or names of parts with the channels or processes that are theirs."""


@dataclass(frozen=True)
class Arranged:
    """How the parameters of one systematic are made, where it is not one of its own name that acts in all channels.

    Parameters
    ----------
    name : of the systematic, or of one of several variations that it has
    parameter : shared with all systematics that name it
    channels : where it acts; None for all
    by, rho : the partitions whose parts have parameters of their own, and the correlation of their effects
    free : whether θ has no prior
    """

    name: str
    parameter: str
    channels: tuple[str, ...] | None
    by: tuple[Partition, ...] = ()
    rho: float = 0.0
    free: bool = False

    def names(self, channels: Sequence[str], processes: Sequence[str]) -> tuple[str, ...]:
        """The parameters that may come of it; parts in which it does not act have none."""
        if not self.by:
            return (self.parameter,)
        whole = {"channel": channels, "process": processes}
        parts = [whole[each] if isinstance(each, str) else [part for part, _ in each] for each in self.by]
        own = tuple("_".join((self.parameter, *chosen)) for chosen in itertools.product(*parts))
        return (self.parameter, *own) if self.rho else own


def arranged(systematics: Sequence[Any], tags: Mapping[str, Mapping[str, Sequence[str]]]) -> tuple[Arranged, ...]:
    """What the systematics of an analysis say of their parameters, in their order."""
    found = list[Arranged]()
    for s in systematics:
        asked = s.correlate
        by = tuple(_partition(name, tags) for name in (asked.by if asked else ()))
        rho = asked.coefficient if asked else 0.0
        channels = tuple(s.channels) if s.channels else None
        found += [
            Arranged(name, s.parameter or name, channels, by, rho, s.prior == "none") for name in s.parameter_names
        ]
    return tuple(found)


def _partition(name: str, tags: Mapping[str, Mapping[str, Sequence[str]]]) -> Partition:
    return tuple((part, tuple(members)) for part, members in tags[name].items()) if name in tags else name


def check_arranged(
    systematics: Sequence[Any],
    tags: Mapping[str, Mapping[str, Sequence[str]]],
    channels: Sequence[str],
    processes: Sequence[str],
) -> list[str]:
    """The parameters that may come of the systematics, each once.

    Raises
    ------
    InputError : for unknown channels, tags or members of them, members of two parts, groups that differ, and names that
        would mean two things
    """
    for tag, parts in tags.items():
        where, members = f"tags.{tag}", [m for part in parts.values() for m in part]
        if tag in ("process", "channel"):
            raise InputError(where, "a name that stands for itself", "another name", "rename the tag")
        check_known(members, (*channels, *processes), where, "channel or process")
        for name in members:
            if members.count(name) > 1:
                raise InputError(where, f"'{name}' twice", "each channel or process in one part", "remove one of them")
    owner: dict[str, Any] = {}
    meant: dict[str, str] = {name: s.parameter or name for s in systematics for name in s.parameter_names}
    for s in systematics:
        where = f"systematic '{s.name}'"
        check_known(s.channels or (), channels, where, "channel")
        if s.correlate:
            by = s.correlate.by
            check_known(by, ("process", "channel", *tags), f"{where}, correlate.by", "partition")
            if len(set(by)) < len(by):
                raise InputError(f"{where}, correlate.by", f"{by}", "each once", "remove one of them")
            for tag in set(by) & set(tags):
                _check_parts(where, tag, tags[tag], s.channels or channels, _acts_on(s) or processes)
        if s.parameter and len(s.parameter_names) > 1:
            seen = f"parameter '{s.parameter}' for {len(s.parameter_names)} variations, each of which has its own"
            raise InputError(where, seen, "no parameter", "remove it, or combine the variations to one")
        for found in arranged([s], tags):
            _check_names(s, found, meant, owner, channels, processes)
    return list(owner)


def _acts_on(s: Any) -> Sequence[str]:
    """The processes that a systematic names, itself or by its samples."""
    samples = s.up if isinstance(getattr(s, "up", None), list) else []
    return getattr(s, "processes", None) or list(dict.fromkeys(sample.process for sample in samples))


def _check_parts(
    where: str, tag: str, parts: Mapping[str, Sequence[str]], channels: Sequence[str], processes: Sequence[str]
) -> None:
    """Raise InputError where a systematic may act on what belongs to no part of a partition, or to several."""
    for channel, process in itertools.product(channels, processes):
        found = [part for part, members in parts.items() if channel in members or process in members]
        if len(found) != 1:
            seen = f"process '{process}' in channel '{channel}' in {' and '.join(found) or 'none'} of its parts"
            action = "name it in `tags`, or give the systematic its channels or processes"
            raise InputError(f"{where}, tag '{tag}'", seen, "one part of it", action)


def _check_names(
    s: Any,
    found: Arranged,
    meant: Mapping[str, str],
    owner: dict[str, Any],
    channels: Sequence[str],
    processes: Sequence[str],
) -> None:
    """Raise InputError for a name that would mean two things; ``owner`` collects what each means."""
    where = f"systematic '{s.name}'"
    if meant.get(found.parameter, found.parameter) != found.parameter:
        seen = f"parameter '{found.parameter}', the name of a systematic whose parameter is '{meant[found.parameter]}'"
        raise InputError(where, seen, "one meaning for each name", "rename one of them")
    for name in found.names(channels, processes):
        first, base = owner.setdefault(name, (s, found.parameter))
        if base != found.parameter:
            seen = f"a parameter '{name}', which systematic '{first.name}' makes of '{base}'"
            raise InputError(where, seen, "one meaning for each name", "rename one of them")
        if first.prior != s.prior:
            seen = f"prior {s.prior} for parameter '{name}', of prior {first.prior} in systematic '{first.name}'"
            raise InputError(where, seen, "one prior for each parameter", "give both the same")
        if first.group != s.group:
            seen = f"group '{s.group}' for parameter '{name}', of group '{first.group}' in systematic '{first.name}'"
            raise InputError(where, seen, "one group for each parameter", "give both the same")
