"""Templates of channels without events: histograms in files, with their Σw² and variations."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from verax.data import Histogram, read_histogram
from verax.errors import InputError
from verax.parameters import nuisance
from verax.templates import Templates, combine

from ._parts import Reading, StoredChannel


@dataclass(frozen=True)
class Stored:
    """What histograms in files say.

    Parameters
    ----------
    templates : of all channels without events; groups of parameters are not known here
    observed : counts in their bins, or None
    notes : what a careful analyst would want to know
    """

    templates: Templates
    observed: np.ndarray | None
    notes: tuple[str, ...]


def places(channel: StoredChannel) -> list[str]:
    """All histograms of a channel, as ``file.root:folder/name``."""
    sides = [side for some in channel.varied.values() for both in some.values() for side in both if side]
    return [*channel.nominal.values(), *([channel.observed] if channel.observed else []), *sides]


def stored(reading: Reading) -> Stored | None:
    """Read the histograms of channels without events; None where there are none.

    Raises
    ------
    InputError : for a file or histogram that is not there (with the nearest name), bins that differ between the
        histograms of a channel, and observed counts below zero
    """
    if not reading.histograms:
        return None
    parts = [_channel(reading, c) for c in reading.histograms]
    counts = [p.observed for p in parts if p.observed is not None]
    notes = tuple(note for p in parts for note in p.notes)
    return Stored(reduce(combine, (p.templates for p in parts)), np.concatenate(counts) if counts else None, notes)


def _channel(reading: Reading, channel: StoredChannel) -> Stored:
    """One channel."""
    read: dict[str, Histogram] = {}
    for place in places(channel):
        path, _, name = place.rpartition(":")
        read[place] = read_histogram(reading.path(path), name)
    first = next(iter(channel.nominal.values()))
    edges, width = read[first].edges, np.ptp(read[first].edges)
    for place, other in read.items():
        if len(other.edges) != len(edges) or not np.allclose(other.edges, edges, rtol=0, atol=1e-9 * width):
            seen = f"{_bins(other)} of '{place}' beside {_bins(read[first])} of '{first}'"
            raise InputError(f"histograms.{channel.name}", seen, "the same bins in a channel", "rebin one of them")
    processes, systematics = tuple(channel.nominal), tuple(dict.fromkeys([*channel.varied, *channel.factors]))
    nominal = np.array([read[place].values for place in channel.nominal.values()])
    variance = np.array([read[place].variances for place in channel.nominal.values()])
    up, down = (np.repeat(nominal[None], len(systematics), axis=0) for _ in range(2))
    for k, systematic in enumerate(systematics):
        for process, (high, low) in channel.varied.get(systematic, {}).items():
            i = processes.index(process)
            up[k, i] = read[high].values
            down[k, i] = 2 * nominal[i] - up[k, i] if low is None else read[low].values
        for process, width in channel.factors.get(systematic, {}).items():
            i = processes.index(process)
            up[k, i], down[k, i] = nominal[i] * (1 + width), nominal[i] / (1 + width)
    parameters = tuple(nuisance(name, "") for name in systematics)
    shape = (channel.name,), (tuple(edges.tolist()),), processes, parameters
    counts = read[channel.observed].values if channel.observed else None
    if counts is not None and (counts < 0).any():
        where = f"histograms.{channel.name}.observed"
        raise InputError(where, f"{int((counts < 0).sum())} bins below zero", "counts")
    return Stored(Templates(nominal, variance, up, down, *shape), counts, tuple(_notes(channel, read)))


def _notes(channel: StoredChannel, read: Mapping[str, Histogram]) -> list[str]:
    """What a careful analyst would want to know of a channel."""
    named = list(channel.nominal.items())
    poisson = [process for process, place in named if not read[place].has_squares]
    notes = [
        f"channel '{channel.name}': no Σw² (Sumw2) of {', '.join(poisson)}; its errors are those of counts"
    ] * bool(poisson)
    named += [("observed", channel.observed)] if channel.observed else []
    for process, place in named:
        if outside := read[place].outside:
            total = outside + read[place].values.sum()
            notes.append(
                f"channel '{channel.name}': {outside:.4g} of {total:.4g} {process} events are under- or overflow, left out"
            )
    return [
        *notes,
        *(f"channel '{channel.name}': '{name}' has no histograms there, and does not act" for name in channel.absent),
    ]


def _bins(histogram: Histogram) -> str:
    edges = histogram.edges
    return f"{len(edges) - 1} bins {edges[0]:g} … {edges[-1]:g}"
