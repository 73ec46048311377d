"""Cross-training: every event is scored by networks that never saw it, and no event is wasted.

Fold f holds the events with ``number % folds == f``. The networks of fold f learn from all the others, of which a part,
chosen by another hash of the number, decides when to stop. Both depend on the event alone, so the same event belongs to
the same fold in any sample, variation, chunk or order. Source of cross-fitting: Chernozhukov et al., arXiv:1608.00060.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Bool, Int, PRNGKeyArray, Real

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events, fold_number

from ._loop import History, Run, train_runs
from ._loss import Loss, Weigh
from ._training import Training

Make: TypeAlias = Callable[[PRNGKeyArray, Events], Any]
"""``(key, training events) → network``, for example ``partial(classifier, features=(…))``.

The events carry training weights."""


@dataclass(frozen=True)
class CrossTrained:
    """Networks for each fold, made by :func:`cross_train`, and the record of each training.

    Parameters
    ----------
    network : networks whose arrays have the leading axes ``fold`` and ``member``
    folds : number of folds
    histories : one for each training, ``histories[fold][member]``
    """

    network: Any
    folds: int
    histories: tuple[tuple[History, ...], ...]


def fold_of(number: Array, folds: int) -> Int[np.ndarray, " event"]:
    """Find the fold that holds each event: ``number % folds``, of the 32 bits of :func:`verax.events.fold_number`.

    It is the fold of ``(x, fold) → score`` in an analysis too, so that models trained elsewhere leave out what they score.

    Parameters
    ----------
    number : event numbers ``[event]``, as in the files (of any width) or as ``Events.number``
    folds : number of folds

    Raises
    ------
    InputError : for numbers that are not whole

    >>> fold_of(np.array([7, 8, 9, 2**40 + 1]), 3)
    array([1, 2, 0, 1])
    """
    return (fold_number(np.asarray(number)) % np.uint32(folds)).astype(np.int64)


def is_held_out(number: Array, fraction: float) -> Bool[np.ndarray, " event"]:
    """Choose the events of the validation part, a ``fraction`` of all, by a hash of the number (murmur3).

    Parameters
    ----------
    number : event numbers ``[event]``, of any width
    fraction : of the events, in [0, 1]

    >>> is_held_out(np.arange(6), 0.4)
    array([False, False, False, False,  True,  True])
    """
    h = fold_number(np.asarray(number)) + np.uint32(0x9E3779B9)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    h ^= h >> np.uint32(16)
    return h < np.uint32(min(int(fraction * 2**32), 2**32 - 1))


def event_weight(events: Events) -> np.ndarray:
    """Take the events' own weights as training weights ``[event]``.

    Parameters
    ----------
    events : the sample that is trained on

    >>> from verax.events import make_events
    >>> event_weight(make_events({"x": np.zeros(2)}, weight=np.array([2.0, -1.0])))
    array([ 2., -1.], dtype=float32)
    """
    return np.asarray(events.weight)


def cross_train(
    key: PRNGKeyArray,
    make: Make,
    loss: Loss,
    events: Events,
    *,
    training: Training = Training(),
    folds: int = 5,
    members: int = 1,
    factors: Real[Array, "member event"] | None = None,
    weigh: Weigh = event_weight,
    held_out: float = 0.2,
) -> CrossTrained:
    """Train ``members`` networks for each of ``folds`` folds, on the events outside the fold.

    Parameters
    ----------
    key : random key of starts and of the order of events
    make : ``(key, training events) → network``; called once for each network
    loss : ``(network, batch of events, key) → scalar``
    events : all events; their numbers give the folds
    training : epochs, batches, learning rate and the like
    folds : number of folds, at least 2
    members : number of networks for each fold
    factors : what each member multiplies the weights of its training events by, ``[member, event]`` (bootstrap), or None;
        the validation part keeps its own weights
    weigh : training weights of a sample, ``partial(balance, signal=(…,))`` for a classifier; called for the training
        and the validation part of each network by itself
    held_out : fraction of the events outside the fold that decides when to stop; 0 for none

    Raises
    ------
    InputError : for fewer than two folds, a fold without events, or ``factors`` of another shape

    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, classifier
    >>> x = np.linspace(-1, 1, 64)
    >>> table = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
    >>> make = partial(classifier, features=("x",), width=8, depth=1)
    >>> found = cross_train(jax.random.key(1), make, CrossEntropy(("s",)), table, training=Training(epochs=1), folds=2)
    >>> found.network.layers[0].weight.shape  # fold, member, unit, feature
    (2, 1, 8, 1)
    """
    runs = []
    for f, (rows, stop) in enumerate(fold_rows(events, folds, held_out)):
        fold_key = jax.random.fold_in(key, f)
        runs += make_runs(fold_key, make, events, rows, stop, members=members, factors=factors, weigh=weigh)
    stacked, histories = train_runs(runs, loss, events, training)
    by_fold = lambda a: a.reshape((folds, members, *a.shape[1:])) if eqx.is_array(a) else a  # noqa: E731
    table = tuple(histories[f * members : (f + 1) * members] for f in range(folds))
    return CrossTrained(jax.tree.map(by_fold, stacked), folds, table)


def fold_rows(
    events: Events, folds: int, held_out: float
) -> list[tuple[Int[np.ndarray, " row"], Int[np.ndarray, " part"]]]:
    """Find, for each fold, the rows outside it that networks learn from, and those that decide when to stop.

    Parameters
    ----------
    events : all events; their numbers give the folds
    folds : number of folds, at least 2
    held_out : fraction of the events outside the fold that decides when to stop (see :func:`is_held_out`)

    Raises
    ------
    InputError : for fewer than two folds, or a fold without events

    >>> from verax.events import make_events
    >>> [(rows.tolist(), stop.tolist()) for rows, stop in fold_rows(make_events({"x": np.zeros(6)}), 2, 0.4)]
    [([1, 3], [5]), ([0, 2], [4])]
    """
    if folds < 2:
        raise InputError("folds", str(folds), "at least 2", "with one fold no network is blind to an event; use train")
    fold = fold_of(events.number, folds)
    empty = [f for f in range(folds) if not (fold == f).any()]
    if empty:
        seen = f"no event with number % {folds} == {empty[0]}"
        raise InputError("folds", seen, "events in every fold", "use another number of folds, or running event numbers")
    held = is_held_out(events.number, held_out)
    return [(np.flatnonzero((fold != f) & ~held), np.flatnonzero((fold != f) & held)) for f in range(folds)]


def make_runs(
    key: PRNGKeyArray,
    make: Make,
    events: Events,
    rows: Int[np.ndarray, " row"],
    held_out: Int[np.ndarray, " part"],
    *,
    members: int,
    factors: Real[Array, "member event"] | None,
    weigh: Weigh,
) -> list[Run]:
    """Prepare the trainings of several members on the same rows, each with its own start, order of events and weights.

    Parameters
    ----------
    key : random key of the starts and of the order of events
    make : ``(key, training events) → network``; called once for each member
    events : the table that ``rows`` and ``held_out`` point into
    rows : that are learnt from
    held_out : that decide when to stop; there may be none
    members : number of trainings
    factors : what each member multiplies the weights of ``rows`` by, ``[member, event]`` (bootstrap), or None
    weigh : training weights of a sample; called for ``rows`` and ``held_out`` by themselves

    Raises
    ------
    InputError : for ``factors`` of another shape

    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import classifier
    >>> table, rows = make_events({"x": np.arange(5.0)}), np.arange(5)
    >>> make = partial(classifier, features=("x",), width=8, depth=1)
    >>> options = {"members": 2, "factors": None, "weigh": event_weight}
    >>> [run.rows.tolist() for run in make_runs(jax.random.key(1), make, table, rows[:4], rows[4:], **options)]
    [[0, 1, 2, 3], [0, 1, 2, 3]]
    """
    if factors is not None and np.shape(factors) != (members, len(events)):
        raise InputError("factors", f"shape {np.shape(factors)}", f"({members}, {len(events)}): member, event")
    table = jax.tree.map(np.asarray, events)  # every fold has another length: NumPy does not compile for each
    learn, stop = table.take(rows), table.take(held_out)
    stop_weight = weigh(stop) if len(stop) else np.zeros(0)
    runs = []
    for m in range(members):
        member_key = jax.random.fold_in(key, m)
        factor = 1.0 if factors is None else np.asarray(factors[m], np.float64)[rows]
        sample = replace(learn, weight=np.asarray(learn.weight * factor, np.float32))
        sample = replace(sample, weight=np.asarray(weigh(sample), np.float32))
        weight = np.zeros(len(events), np.float32)
        weight[rows], weight[held_out] = sample.weight, stop_weight
        start, order = jax.random.split(member_key)
        runs.append(Run(order, make(start, sample), weight, rows, held_out))
    return runs
