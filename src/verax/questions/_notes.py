"""What stands beside a number: few events, values beyond the bounds, estimates at a bound."""

from collections.abc import Mapping, Sequence

from verax.infer import FEW
from verax.report import number
from verax.results import Interval

from ._ask import Query


def few_events(events: float, what: str, instead: str) -> list[str]:
    """A line where an asymptotic answer, with its fault, rests on too few events; ``instead`` names what throws toys."""
    if not events < FEW:
        return []
    return [f"only {number(events, 1)} effective events (fewer than {FEW:g}): {what}; {instead}"]


LIMITS = "asymptotic limits are inexact, in a counting experiment too low by up to 8 % with 10 events, 22 % with 1"
SIGNIFICANCE = (
    "the asymptotic significance is inexact, in a counting experiment too large by 0.1 with 10 events, 0.2 with 1"
)
INTERVAL = "the interval of the profile likelihood is inexact"
BY_TOYS = "--toys N throws pseudo-experiments"


def beyond_bounds(query: Query, within: bool, values: Mapping[str, float]) -> list[str]:
    """A line where values lie beyond the bounds of the parameter of interest, or may: ``values`` by what they are."""
    low, high = bounds(query)
    outside = [what for what, x in values.items() if x < low or x > high]
    if within or not outside:
        return []
    some = f"{', '.join(outside)} {'lies' if len(outside) == 1 and not outside[0].endswith('s') else 'lie'}"
    range_ = f"the bounds [{low:g}, {high:g}] of {query.poi}"
    return [f"{some} beyond {range_}, taken for a range of search; --within-bounds stays inside"]


def bounds(query: Query) -> tuple[float, float]:
    """Bounds of the parameter of interest."""
    return next(p.bounds for p in query.model.parameters if p.name == query.poi)


def ends_of(found: Interval) -> dict[str, float]:
    """Estimate and ends of an interval, by what they are."""
    return {"the estimate": float(found.value), "the lower end": float(found.low), "the upper end": float(found.high)}


def left_out(mask: Mapping[str, Sequence[int]]) -> list[str]:
    """A line for each channel of which bins are left out."""
    return [
        f"{channel}: bin{'s' * (len(bins) > 1)} {', '.join(map(str, sorted(bins)))} left out; the others are numbered anew"
        for channel, bins in mask.items()
    ]
