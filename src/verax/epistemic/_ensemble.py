"""Deep ensembles (arXiv:1612.01474) and bootstrap ensembles: networks that differ by start, order and replica."""

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from verax.errors import InputError
from verax.events import Events, concatenate
from verax.learn import Loss, Make, Training, Weigh, checked_total, event_weight, make_runs, train_runs

from ._bootstrap import bootstrap_factors
from ._posterior import Ensemble, checked_members, checked_training


def ensemble(
    key: PRNGKeyArray,
    make: Make,
    loss: Loss,
    events: Events,
    *,
    training: Training | None = Training(),
    members: int = 10,
    bootstrap: bool = True,
    validation: Events | None = None,
    weigh: Weigh = event_weight,
) -> Ensemble:
    """Train ``members`` networks, each from another start and on another replica of the events.

    Parameters
    ----------
    key : random key of the replicas, the starts and the order of events
    make : ``(key, training events) → network``, called once for each member
    loss : ``(network, batch of events, key) → scalar``
    events : training part
    training : epochs, batches, learning rate and the like
    members : number of networks
    bootstrap : train each member on its own Poisson replica of the events; without it members differ by their start and
        by the order of events only, which leaves out the fluctuation of the training sample
    validation : events that decide when to stop, the same for all members and not resampled
    weigh : training weights of a sample, see :func:`verax.learn.balance`

    Raises
    ------
    InputError : for fewer than one member, no training, empty samples, or weights without a positive sum

    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, classifier
    >>> x = np.linspace(-1, 1, 64)
    >>> table = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
    >>> make = partial(classifier, features=("x",), width=8, depth=1)
    >>> loss, training = CrossEntropy(("s",)), Training(epochs=2)
    >>> found = ensemble(jax.random.key(1), make, loss, table, training=training, members=2)
    >>> found.members(jax.random.key(2)).layers[0].weight.shape  # member, unit, feature
    (2, 8, 1)
    """
    checked_members(members)
    training = checked_training(training)
    if len(events) == 0:
        raise InputError("training part", "no events", "at least one")
    checked_total(np.asarray(weigh(events), np.float64), "training weights")
    table = events if validation is None else concatenate([events, validation])
    rows = np.arange(len(table))
    replica_key, run_key = jax.random.split(key)
    factors = bootstrap_factors(replica_key, table.number, table.process, members=members) if bootstrap else None
    parts = rows[: len(events)], rows[len(events) :]
    runs = make_runs(run_key, make, table, *parts, members=members, factors=factors, weigh=weigh)
    stacked, histories = train_runs(runs, loss, table, training)
    return Ensemble(stacked, histories=histories, same_events=not bootstrap)
