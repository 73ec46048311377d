"""What is observed: multiplicities at places, and global observables (Cranmer, arXiv:1503.07622); batches, views of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verax.arrays import Array, Float, Int, Tree, namespace, static
from verax.results import Brief, Shown


class Data(Brief, Tree):
    """Observations and global observables; a leading ``toy`` axis makes a batch.

    An observation has a multiplicity and a place. A bin counts events and needs no place; an event has a place and counts
    once, or as often as it is repeated; a multiplicity of 0 pads. Expected (Asimov) data have fractions of events at places.

    Weights of events are no multiplicities: −log L of n events of weight w is that of n w events, whose intervals are too
    narrow or too wide by about √w. Fractions at places are refused unless data are said to be ``expected``.

    Parameters
    ----------
    counts : multiplicity of each observation: events per bin, 1 per event
    auxiliary : global observables: those of the constrained parameters in their order, then one per profiled γ
    place : arrays [observation, ...], or [toy, observation, ...] with ``own_places``; None for bins
    own_places : whether each data set of a batch has places of its own; else all share them, static
    expected : whether multiplicities are expectations, fractions too; errors are then those of as many events, static
    """

    counts: Float[Array, "*toy observation"]
    auxiliary: Float[Array, "*toy constraint"]
    place: Any = None
    own_places: bool = static(default=False)
    expected: bool = static(default=False)

    def __post_init__(self) -> None:
        for name in ("counts", "auxiliary"):
            if isinstance(given := getattr(self, name), list | tuple):
                object.__setattr__(self, name, namespace(*given).asarray(given, float))

    def _shown(self) -> Shown:
        sets = f"{len(self)} data sets" if self.is_batch else "Expected data" if self.expected else "Data"
        total = "" if self.is_batch or not isinstance(self.counts, np.ndarray) else f", {self.counts.sum():.6g} events"
        return (
            f"{sets}: {self.counts.shape[-1]} observations{total}, {self.auxiliary.shape[-1]} global observables",
            (),
            (),
        )

    @property
    def is_batch(self) -> bool:
        """Whether there is a leading ``toy`` axis."""
        return self.counts.ndim == 2

    @property
    def axes(self) -> "Data":
        """The axes to map over a batch, for ``jax.vmap``."""
        import jax

        leaves, structure = jax.tree.flatten(self)
        by_place = [0 if self.own_places else None] * (len(leaves) - 2)
        return jax.tree.unflatten(structure, [0, 0, *by_place])

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, index: int | slice | np.ndarray) -> "Data":
        """One data set of a batch, or some of them."""
        place = map_places(lambda x: x[index], self.place) if self.own_places else self.place
        return Data(self.counts[index], self.auxiliary[index], place, self.own_places, self.expected)

    def comparable(self, other: "Data") -> bool:
        """Whether the observations are the same: only their multiplicities differ."""
        if self.own_places or other.own_places or self.counts.shape[-1] != other.counts.shape[-1]:
            return False
        mine, others = places(self), places(other)
        return len(mine) == len(others) and all(np.array_equal(a, b) for a, b in zip(mine, others, strict=True))

    def distinct(self) -> "tuple[Data, Int[np.ndarray, ' toy']]":
        """The distinct data sets of a batch, and the position of each among them: toys of a few counts are often equal."""
        if self.own_places:
            return self, np.arange(len(self))
        both = np.concatenate([self.counts, self.auxiliary], axis=1)
        _, first, which = np.unique(both, axis=0, return_index=True, return_inverse=True)
        return self[first], which.reshape(-1)


def map_places(function: Callable[..., Any], *each: Any) -> Any:
    """Apply a function to each array of the places of data sets; bins have none."""
    if each[0] is None:
        return None
    import jax

    return jax.tree.map(function, *each)


def places(data: Data) -> list[Any]:
    """The arrays of the places of data sets."""
    found: list[Any] = []
    map_places(found.append, data.place)
    return found


def mapped(make: Callable[..., Data], in_axes: Any = 0) -> Callable[..., Data]:
    """Map a function that makes one data set over many, as ``jax.vmap`` does; places that all share are not repeated.

    Parameters
    ----------
    make : ``arguments → Data``, of one data set
    in_axes : axes of the arguments that are mapped over, as ``jax.vmap`` takes them

    >>> import jax.numpy as jnp
    >>> batch = mapped(lambda n: Data(jnp.full(3, n), jnp.zeros(1)))(jnp.arange(5.0))
    >>> batch.counts.shape  # toy, bin
    (5, 3)
    """
    import jax

    def over(*arguments: Any) -> Data:
        axes = jax.eval_shape(jax.vmap(make, in_axes), *arguments).axes
        return jax.vmap(make, in_axes, axes)(*arguments)

    return over


def concatenate(batches: Sequence[Data]) -> Data:
    """Join batches of data sets, one after the other, on the host; shared places are those of the first.

    Parameters
    ----------
    batches : with a leading axis ``toy``, of one likelihood

    >>> batch = Data(np.zeros((2, 3)), np.zeros((2, 1)))
    >>> concatenate([batch, batch]).counts.shape  # toy, bin
    (4, 3)
    """
    first = batches[0]
    each = [b.place for b in batches] if first.own_places else [first.place]
    place = map_places(lambda *x: np.concatenate(x) if first.own_places else np.asarray(x[0]), *each)
    counts, auxiliary = (np.concatenate([np.asarray(getattr(b, k)) for b in batches]) for k in ("counts", "auxiliary"))
    return Data(counts, auxiliary, place, first.own_places, any(b.expected for b in batches))


@dataclass(frozen=True)
class DataSets:
    """Data sets ``index`` of a batch, each as often as it is named: nothing is copied until they are gathered."""

    batch: Data
    index: Int[np.ndarray, " set"]

    @classmethod
    def of(cls, data: Data) -> "DataSets":
        """Float64 on the host, with a leading axis; places that are whole numbers stay so."""
        place = map_places(lambda x: np.asarray(x, None if np.asarray(x).dtype.kind in "iu" else float), data.place)
        counts, auxiliary = (np.asarray(x, np.float64) for x in (data.counts, data.auxiliary))
        wide = Data(counts, auxiliary, place, data.own_places)
        if not data.is_batch:
            place = map_places(lambda x: x[None], wide.place) if data.own_places else wide.place
            wide = Data(wide.counts[None], wide.auxiliary[None], place, data.own_places)
        return cls(wide, np.arange(len(wide)))

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: np.ndarray | slice) -> "DataSets":
        return DataSets(self.batch, self.index[index])

    def gather(self) -> Data:
        """The data sets, as a batch of their own."""
        whole = len(self.index) == len(self.batch) and np.array_equal(self.index, np.arange(len(self.index)))
        return self.batch if whole else self.batch[self.index]

    def one(self, i: int = 0) -> Data:
        """A single data set."""
        return self.batch[int(self.index[i])]

    @property
    def alone(self) -> bool:
        """Whether all are the same data set."""
        return bool((self.index == self.index[0]).all()) if self.index.size else False
