"""The columns of events: which there are, and what each is read for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verax.systematics import Layout

from ._expressions import names
from ._schema import Analysis
from ._systematics import Sources


@dataclass(frozen=True)
class Columns:
    """The columns of events.

    Parameters
    ----------
    features : those that networks, or a function of the user's, read
    order : of the columns, those that only some processes need included
    derived : formulas by name, each made of columns before it
    moving : the formulas that change with a systematic, or are made of columns that do; all others are computed once,
        from the files' columns in their own types
    needed : columns that events of a process must have; under "", those of events that are not varied
    exact : as ``needed``, without those that the user's functions merely may read
    layout : names of the four-vector columns
    missing : the value that stands for "not there" in the features
    """

    features: tuple[str, ...]
    order: tuple[str, ...]
    derived: Mapping[str, str]
    moving: tuple[tuple[str, str], ...]
    needed: Mapping[str, tuple[str, ...]]
    exact: Mapping[str, tuple[str, ...]]
    layout: Layout | None
    missing: float | None

    def present(self, stored: Sequence[str]) -> tuple[str, ...]:
        """The columns of simulated events, in a fixed order; those of the layout only where they are ``stored``."""
        needed = {c for process, some in self.needed.items() if process for c in some}
        measured = self.layout.measured if self.layout else ()
        order = [*self.order, *(c for c in measured if c in stored), *self.derived]
        return tuple(c for c in dict.fromkeys(order) if c in needed or c in measured)

    def read(self, reader: str, there: Sequence[str]) -> list[str]:
        """What is read of files with the columns ``there``, for events of a process, or those that are not varied ("")."""
        layout, needed = self.layout, set(self.needed[reader])
        needed |= set(layout.measured) if layout else set()
        made = {*self.derived, *(layout.recomputed if layout else ())}
        stored = [c for c in self.present(there) if c in needed and c not in made]
        return [*stored, *(c for c in names(*self.early(needed).values()) if c not in self.derived)]

    def early(self, needed: set[str]) -> dict[str, str]:
        """Formulas that no systematic moves, which are ``needed`` or others of them are made of; in their order."""
        again, wanted = {c for c, _ in self.moving}, set(needed)
        for name, text in reversed([*self.derived.items()]):
            if name in wanted and name not in again:
                wanted |= set(names(text))
        return {c: text for c, text in self.derived.items() if c in wanted and c not in again}


def columns_of(analysis: Analysis, processes: Sequence[str], sources: Sources) -> Columns:
    """The columns that the summary, the channels and the systematics of an analysis need."""
    selections = [c.select for c in analysis.channels]
    layout, functions = sources.layout, sources.functions
    always = {*analysis.features, *names(*selections)}
    always |= {f.variable for f in analysis.figures}
    always |= {str(analysis.summary.column)} if analysis.summary.kind == "column" else set()

    def needed(process: str, *, any_read: bool) -> tuple[str, ...]:
        found = set(always)
        for name, (only, made) in sources.acting.items():
            if not process or (only and process not in only):
                continue
            found |= (set(made.changes) - {"weight"}) | (set() if name in functions else set(made.needs))
            if any_read and name in functions:
                found |= {*analysis.derived, *names(*analysis.derived.values())}
        for name, text in reversed(sources.moving):
            if name in found:
                found |= set(names(text))
        return tuple(sorted(found))

    every = {p: needed(p, any_read=True) for p in ("", *processes)}
    order = [*analysis.features, *names(*analysis.derived.values(), *selections)]
    order += sorted({c for p in processes for c in every[p]} - set(analysis.derived))
    return Columns(
        tuple(analysis.features),
        tuple(dict.fromkeys(order)),
        analysis.derived,
        sources.moving,
        every,
        {p: needed(p, any_read=False) for p in ("", *processes)},
        layout,
        analysis.missing if analysis.missing is not None or layout is None else layout.missing,
    )
