"""Train one network: whole epochs compiled, early stopping (Prechelt, 1998), the best network kept."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from verax.errors import InputError
from verax.events import Events, concatenate

from ._folds import Make
from ._loop import History, Run, train_runs
from ._loss import Loss, checked_total
from ._training import Training


@dataclass(frozen=True)
class Trained:
    """A trained network, made by :func:`train`, and how it got there.

    Parameters
    ----------
    network : its arrays have a leading axis ``member`` when several were trained together
    histories : one entry for each network
    """

    network: Any
    histories: tuple[History, ...]

    @property
    def history(self) -> History:
        """The history of the first (or only) network."""
        return self.histories[0]


def train(
    key: PRNGKeyArray,
    network: Any,
    loss: Loss,
    events: Events,
    *,
    training: Training = Training(),
    validation: Events | None = None,
) -> Trained:
    """Train ``network`` to make ``loss`` small on ``events``; the same key gives the same bits.

    That holds on one type of processor: on another one rounding differs, and training amplifies it.

    Weights are used as they are: pass ``events`` with training weights (see :func:`verax.learn.balance`).

    Parameters
    ----------
    key : random key of the order of events and of the loss
    network : any ``eqx.Module``; leaves inside :class:`verax.learn.Frozen` stay as they are
    loss : ``(network, batch of events, key) → scalar``
    events : training part, with training weights
    training : epochs, batches, learning rate and the like
    validation : events whose loss decides which epoch was best and when to stop; without them all epochs are run and
        the last network is kept

    Returns
    -------
    Trained : a loss that is not finite does not raise; ``history.problem`` is one line about it, and the network is the
        last good one. ``history.check()`` turns it into an exception.

    Raises
    ------
    InputError : for an empty sample

    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, classifier
    >>> x = np.linspace(-1, 1, 64)
    >>> table = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
    >>> network = classifier(jax.random.key(1), table, ("x",), width=8, depth=1)
    >>> trained = train(jax.random.key(2), network, CrossEntropy(("s",)), table, training=Training(epochs=2, batch=64))
    >>> trained.history.stopped, trained.history.train.shape
    ('epochs', (2,))
    """
    if len(events) == 0:
        raise InputError("training part", "no events", "at least one")
    table = events if validation is None else concatenate([events, validation])
    rows = np.arange(len(table))
    run = Run(key, network, np.asarray(table.weight, np.float32), rows[: len(events)], rows[len(events) :])
    stacked, histories = train_runs([run], loss, table, training)
    return Trained(member(stacked, 0), histories)


def train_made(
    key: PRNGKeyArray,
    make: Make,
    loss: Loss,
    events: Events,
    training: Training | None,
    validation: Events | None = None,
) -> Trained:
    """Train the network that ``make`` gives; with no ``training`` it is taken as it is, without a history.

    Parameters
    ----------
    key : random key of the network's start and of its training
    make : ``(key, training events) → network``
    loss : ``(network, batch of events, key) → scalar``
    events : training part, with training weights
    training : epochs, batches, learning rate and the like; None to take the network as trained
    validation : events that decide when to stop

    Raises
    ------
    InputError : for validation events where nothing is trained, an empty sample, or weights without a positive sum

    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, start_from
    >>> table = make_events({"x": np.zeros(2)})
    >>> train_made(jax.random.key(1), start_from("a network"), CrossEntropy(("data",)), table, None)
    Trained(network='a network', histories=())
    """
    if training is None and validation is not None:
        raise InputError("validation", "events, with training=None", "none, as nothing is trained", "give a training")
    start, run = jax.random.split(key)
    network = make(start, events)
    if training is None:
        return Trained(network, ())
    checked_total(np.asarray(events.weight, np.float64), "training weights")
    return train(run, network, loss, events, training=training, validation=validation)


def start_from(network: Any) -> Make:
    """Make a ``make`` that gives this network for any key: where an epistemic method starts, or what it takes as trained.

    Parameters
    ----------
    network : any network

    >>> start_from("a network")(jax.random.key(0), None)
    'a network'
    """
    return lambda key, events: network


def member(networks: Any, index: int) -> Any:
    """Take one of several networks that are stacked along a leading axis.

    Parameters
    ----------
    networks : networks with that axis
    index : which one, from 0

    >>> from verax.learn import blank
    >>> member(blank(("x",), width=8, depth=1, axes=(5,)), 0).layers[0].weight.shape
    (8, 1)
    """
    return jax.tree.map(lambda leaf: leaf[index] if eqx.is_array(leaf) else leaf, networks)
