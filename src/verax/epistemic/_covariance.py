"""What members have in common: covariances between events, and between the bins of histograms that members fill.

One member is one function, so the errors of two events, or of two bins, are correlated. Where a network is part of the
statistical model (a background estimate, a likelihood ratio), this covariance becomes nuisance parameters: each
eigenvector times the root of its eigenvalue is what a histogram moves by at one unit of one parameter, as eigenvectors of
the Hessian matrix are for parton densities (Pumplin et al., hep-ph/0101032, 2001).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from jaxtyping import Float

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events
from verax.learn import Moments, bernoulli, member_means
from verax.templates import ExactSum, exact_sum, find_bins


def event_covariance(
    members: Any, events: Events | Float[Array, "event feature"], *, moments: Moments = bernoulli, batch: int = 2048
) -> Float[np.ndarray, "event event"]:
    """Find Cov_w(E[y|x_i, w], E[y|x_j, w]) over members, for a few thousand events.

    Divided by the number of members, as the members are the distribution: the diagonal is ``predict``'s epistemic variance.

    Parameters
    ----------
    members : networks stacked along a leading axis ``member``
    events : events, or an array ``[event, feature]`` with the network's features in its own order
    moments : mean and variance of the target from the network's output
    batch : rows of a batch

    Raises
    ------
    InputError : for a target that is not one number

    >>> import equinox as eqx, jax
    >>> members = eqx.filter_vmap(lambda key: eqx.nn.Linear(1, "scalar", key=key))(jax.random.split(jax.random.key(1), 5))
    >>> event_covariance(members, np.array([[0.0], [1.0], [1.0]])).shape
    (3, 3)
    """
    means = np.concatenate([_one_number(v) for _, v in member_means(members, events, moments=moments, batch=batch)], 1)
    centred = means - means.mean(axis=0)
    return np.asarray(centred.T @ centred / len(means))


@dataclass(frozen=True)
class MemberHistograms:
    """Histogram of the events for each member, made by :func:`member_histograms`; ``+`` merges those of two chunks exactly.

    Parameters
    ----------
    edges : of the bins of a member's mean prediction
    sums : Σw in each cell, exact; member by member
    members : number of members
    """

    edges: Float[np.ndarray, " edge"]
    sums: ExactSum
    members: int

    def __add__(self, other: "MemberHistograms") -> "MemberHistograms":
        if self.members != other.members or not np.array_equal(self.edges, other.edges):
            seen = f"{other.members} members, {len(other.edges) - 1} bins"
            expected = f"{self.members} members and the same {len(self.edges) - 1} bins"
            raise InputError("sum of histograms", seen, expected)
        return MemberHistograms(self.edges, self.sums + other.sums, self.members)

    @property
    def counts(self) -> Float[np.ndarray, "member bin"]:
        """Σw of each member's histogram."""
        return self.sums.value().reshape(self.members, -1)

    @property
    def mean(self) -> Float[np.ndarray, " bin"]:
        """The mean histogram."""
        return np.asarray(self.counts.mean(axis=0))

    @property
    def covariance(self) -> Float[np.ndarray, "bin bin"]:
        """Covariance between bins over the members, divided by their number less one; its rank is at most that."""
        return np.atleast_2d(np.cov(self.counts, rowvar=False))

    @property
    def correlation(self) -> Float[np.ndarray, "bin bin"]:
        """Correlation between bins; 0 beside a bin that does not move."""
        covariance = self.covariance
        width = np.sqrt(np.diag(covariance))
        scale = np.outer(width, width)
        return np.divide(covariance, scale, out=np.eye(len(width)), where=scale > 0)

    def shifts(self, fraction: float = 0.99) -> Float[np.ndarray, "parameter bin"]:
        """Find what the histogram moves by at one unit of each independent nuisance parameter, the largest first.

        As many as are needed for that fraction of the summed variance. With all of them, shiftsᵀ·shifts is the
        covariance.

        Parameters
        ----------
        fraction : share of the summed variance in (0, 1]

        Raises
        ------
        InputError : for a fraction outside (0, 1]
        """
        if not 0 < fraction <= 1:
            raise InputError("fraction", f"{fraction:g}", "a share of the variance in (0, 1]")
        values, vectors = np.linalg.eigh(self.covariance)
        values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
        total = values.sum()
        if total == 0:
            return np.zeros((0, len(values)))
        needed = int(np.searchsorted(np.cumsum(values), fraction * total * (1 - 1e-12))) + 1
        return np.asarray((vectors * np.sqrt(values)).T[: min(needed, int((values > 0).sum()))])


def member_histograms(
    members: Any,
    events: Events | Iterable[Events],
    edges: Float[np.ndarray, " edge"],
    *,
    moments: Moments = bernoulli,
    batch: int = 2048,
) -> MemberHistograms:
    """Fill weighted histograms of each member's mean prediction, of a table or of chunks; the same bits for any chunks.

    Weights of any sign are summed as they are. Values outside the edges go to the first or the last bin. Each event's
    weight is its own in all members: what differs between the histograms is the network alone.

    Parameters
    ----------
    members : networks stacked along a leading axis ``member``
    events : a table, or chunks of it
    edges : of the bins ``[bin + 1]``, in units of the prediction
    moments : mean and variance of the target from the network's output
    batch : rows of a batch

    Raises
    ------
    InputError : for fewer than two edges or edges that do not increase, a target that is not one number, predictions
        that are NaN, fewer than two members, or no chunks

    >>> import equinox as eqx, jax
    >>> from verax.events import make_events
    >>> members = eqx.filter_vmap(lambda key: eqx.nn.Linear(1, "scalar", key=key))(jax.random.split(jax.random.key(1), 5))
    >>> table = make_events({"x": np.linspace(-1, 1, 3)}, weight=np.array([1.0, 2.0, -1.0]))
    >>> found = member_histograms(members, table, np.array([0.0, 0.5, 1.0]))
    >>> found.counts.sum(axis=1), found.covariance.shape
    (array([2., 2., 2., 2., 2.]), (2, 2))
    """
    edges = np.asarray(edges, np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise InputError("edges", str(edges.tolist()), "at least two numbers that increase")
    parts = [events] if isinstance(events, Events) else events
    filled = [_fill(members, part, edges, moments, batch) for part in parts if len(part)]
    if not filled:
        raise InputError("member histograms", "no events", "at least one")
    return reduce(add, filled)


def _fill(
    members: Any, events: Events, edges: Float[np.ndarray, " edge"], moments: Moments, batch: int
) -> MemberHistograms:
    weight, bins = np.asarray(events.weight, np.float32), len(edges) - 1
    sums = []
    for rows, values in member_means(members, events, moments=moments, batch=batch):
        means = _one_number(values)
        count = len(means)
        if count < 2:
            raise InputError("member histograms", f"{count} member", "at least 2: a covariance is over members")
        cell = find_bins(means.ravel(), edges).reshape(means.shape) + bins * np.arange(count)[:, None]
        sums.append(exact_sum(cell.ravel(), np.tile(weight[rows], count), bins * count))
    return MemberHistograms(edges, reduce(add, sums), count)


def _one_number(values: Float[np.ndarray, "member row *target"]) -> Float[np.ndarray, "member row"]:
    if values.ndim != 2:
        expected = "one number for each event"
        raise InputError("moments", f"a target of shape {values.shape[2:]}", expected, "choose one component of it")
    return values
