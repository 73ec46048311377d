"""Histograms of the expected events: nominal, simulation variance, and systematic variations."""

from collections.abc import Iterator

import numpy as np

from verax.arrays import Array, Float, Tree, static
from verax.errors import InputError
from verax.parameters import Parameter
from verax.results import Brief, Shown


class Templates(Brief, Tree):
    """Histograms of every process in every channel, with their simulation variance and systematic variations.

    Channels lie one after another on the ``bin`` axis. Leaves may be NumPy arrays or traced (INFERNO differentiates
    through them).

    Parameters
    ----------
    nominal : expected events
    variance : Σw², the simulation variance of ``nominal``
    up, down : expected events at θ = +1 and θ = −1
    channels, processes : names, static
    edges : per channel, n_bins + 1 edges, static
    systematics : the parameter of each entry of the ``systematic`` axis, static
    """

    nominal: Float[Array, "process bin"]
    variance: Float[Array, "process bin"]
    up: Float[Array, "systematic process bin"]
    down: Float[Array, "systematic process bin"]
    channels: tuple[str, ...] = static()
    edges: tuple[tuple[float, ...], ...] = static()
    processes: tuple[str, ...] = static()
    systematics: tuple[Parameter, ...] = static()

    def _shown(self) -> Shown:
        where, varied = self.slices(), f"{len(self.systematics)} systematics"
        bins = ", ".join(f"{c}: {s.stop - s.start}" for c, s in where.items())
        line = f"Templates of {len(self.processes)} processes, {varied}; bins of {bins}"
        if not isinstance(self.nominal, np.ndarray):
            return line, (), ()
        each = [[f"{self.nominal[i, s].sum():.5g}" for s in where.values()] for i in range(len(self.processes))]
        return line, ("events", *where), [(p, *cells) for p, cells in zip(self.processes, each, strict=True)]

    def slices(self) -> dict[str, slice]:
        """Where each channel lies on the ``bin`` axis."""
        ends = np.cumsum([len(e) - 1 for e in self.edges])
        starts = [0, *ends[:-1]]
        return {c: slice(int(a), int(b)) for c, a, b in zip(self.channels, starts, ends, strict=True)}

    def rebin(self, edges: tuple[tuple[float, ...], ...]) -> "Templates":
        """Merge bins; sums in float64 (traced templates keep their own type).

        Parameters
        ----------
        edges : of each channel, some of its present ones with the first and the last

        Raises
        ------
        InputError : when a channel's new edges are no subset of its old ones, or drop its first or last edge
        """
        if len(edges) != len(self.channels):
            raise InputError("rebin", f"edges of {len(edges)} channels", f"{len(self.channels)}: {self.channels}")
        # Events of the new bins are old · merge, with merge[old bin, new bin] = 1 where the old bin is inside the new one.
        merge = np.zeros((self.nominal.shape[1], sum(len(e) - 1 for e in edges)))
        column = 0
        for (channel, where), old, new in zip(self.slices().items(), self.edges, edges, strict=True):
            if not set(new) <= set(old) or new[0] != old[0] or new[-1] != old[-1] or tuple(sorted(set(new))) != new:
                raise InputError(
                    f"new edges of channel '{channel}'", f"{new}", f"increasing, some of {old} with its ends"
                )
            merge[np.arange(where.start, where.stop), column + np.searchsorted(new, old[:-1], "right") - 1] = 1.0
            column += len(new) - 1

        def sums(cells: Array) -> Array:
            return (np.asarray(cells, np.float64) if isinstance(cells, np.ndarray) else cells) @ merge

        nominal, variance, up, down = map(sums, (self.nominal, self.variance, self.up, self.down))
        return Templates(nominal, variance, up, down, self.channels, edges, self.processes, self.systematics)

    def problems(self) -> tuple[str, ...]:
        """List problems of the templates, one line each; empty where there are none.

        Empty bins (total ≤ 0), negative or unsimulated bins of a process, relative simulation error above 30 %,
        variations above 100 %, and one-sided variations (up and down on the same side, both beyond the bin's
        simulation error).
        """
        return tuple(_problems(self))


def _problems(t: Templates) -> Iterator[str]:
    nominal, variance = np.asarray(t.nominal, np.float64), np.asarray(t.variance, np.float64)
    up, down = np.asarray(t.up, np.float64), np.asarray(t.down, np.float64)
    for channel, where in t.slices().items():
        total, spread = nominal[:, where].sum(0), np.sqrt(variance[:, where].sum(0))
        yield from _lines(total <= 0, f"channel '{channel}': no expected events")
        relative = spread / np.where(total > 0, total, np.inf)
        yield from _lines(relative > 0.3, f"channel '{channel}': simulation error above 30 %")
        for i, process in enumerate(t.processes):
            here = f"channel '{channel}', process '{process}'"
            value, error = nominal[i, where], np.sqrt(variance[i, where])
            yield from _lines(value < 0, f"{here}: negative")
            yield from _lines(variance[i, where] <= 0, f"{here}: no simulated events")
            for k, systematic in enumerate(t.systematics):
                rise, fall = up[k, i, where] - value, down[k, i, where] - value
                largest = np.maximum(abs(rise), abs(fall))
                name = f"{here}, systematic '{systematic.name}'"
                yield from _lines((largest > abs(value)) & (largest > error), f"{name}: varies by more than 100 %")
                one_sided = (rise * fall > 0) & (np.minimum(abs(rise), abs(fall)) > error)
                yield from _lines(one_sided, f"{name}: up and down on the same side")


def _lines(flag: np.ndarray, text: str) -> Iterator[str]:
    where = np.flatnonzero(flag)
    if where.size:
        yield f"{text} in bin{'s' if where.size > 1 else ''} {', '.join(map(str, where))}"
