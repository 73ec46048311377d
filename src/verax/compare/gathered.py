"""The trials of a comparison, put together: by approach and case, over seeds, and beside what is exactly known."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from verax.compare.approaches import Trial
from verax.compare.cases import Case
from verax.results import Coverage

LEVEL = 0.6827


@dataclass(frozen=True)
class Limits:
    """What is exactly known of a case, in its unit; None where it is not."""

    exact: Mapping[str, float | None]
    optimal: float | None


def limits(case: Case, *, brief: bool = False) -> Limits:
    """The exact limit at each truth (``brief``: the first), and the exact classifier's in the case's bins."""
    asked = list(case.truths.items())[: 1 if brief else None]
    return Limits({label: case.exact(params) for label, params in asked}, case.optimal())


def pooled(results: Iterable[Coverage]) -> Coverage:
    """One coverage of several campaigns at the same level; width: mean of the medians."""
    found = [c for c in results if c.n > 0]
    n = sum(c.n for c in found)
    failed = sum(c.failed for c in found)
    if n == 0:
        return Coverage(LEVEL, math.nan, math.nan, math.nan, math.nan, 0, failed)
    level = found[0].level
    fraction = sum(c.fraction * c.n for c in found) / n
    error = math.sqrt(level * (1 - level) / n)
    width = float(np.mean([c.width for c in found]))
    width_error = math.sqrt(sum(c.width_error**2 for c in found)) / len(found)
    return Coverage(level, fraction, error, width, width_error, n, failed)


def of(trials: Sequence[Trial], case: Case, approach: str) -> list[Trial]:
    """The trials of one approach on one case."""
    return [t for t in trials if (t.case, t.approach) == (case.name, approach)]


def names(trials: Sequence[Trial]) -> list[str]:
    """The approaches that were tried, in order."""
    return list(dict.fromkeys(t.approach for t in trials))


def sources(trials: Sequence[Trial], case: Case) -> list[str]:
    """What has a share in the uncertainty: the case's systematics, and simulation statistics where they count."""
    more = [name for t in trials for name in t.shares]
    return list(dict.fromkeys([*(s.name for s in case.problem.systematics), *more]))
