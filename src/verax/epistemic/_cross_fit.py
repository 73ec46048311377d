"""Cross-training with any epistemic method: a posterior of each fold, found from the events outside it.

Source of cross-fitting: Chernozhukov et al., arXiv:1608.00060.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from verax.errors import InputError
from verax.events import Events
from verax.learn import CrossTrained, Loss, Make, Training, Weigh, event_weight, fold_rows, stack
from verax.results import Status

from ._posterior import Posterior


def cross_fit(
    key: PRNGKeyArray,
    method: Callable[..., Posterior],
    make: Make,
    loss: Loss,
    events: Events,
    *,
    training: Training | None = Training(),
    folds: int = 5,
    members: int | None = None,
    weigh: Weigh = event_weight,
    held_out: float = 0.2,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[CrossTrained, tuple[Posterior, ...]]:
    """Find the posterior of each fold with ``method``, and take its members: every event has networks that never saw it.

    As :func:`verax.learn.cross_train`, which trains the members of ensembles of all folds side by side.

    Parameters
    ----------
    key : random key of the posteriors and of their members
    method : an epistemic method, with options of its own given: ``partial(dropout, rate=0.2)``
    make : ``(key, training events) → network``
    loss : ``(network, batch of events, key) → scalar``
    events : all events; their numbers give the folds
    training : epochs, batches, learning rate and the like; None where ``make`` gives a trained network
    folds : number of folds, at least 2
    members : of each fold; by default as many as a posterior gives by itself
    weigh : training weights of a sample
    held_out : fraction of the events outside the fold that decides when to stop; 0 for methods that have none
    progress : called as ``progress(fold, folds)`` after each fold

    Returns
    -------
    Networks with leading axes fold and member, and the posterior of each fold, whose status is to be looked at

    Raises
    ------
    InputError : for folds as in :func:`verax.learn.cross_train`, or a posterior that is not finite

    >>> from functools import partial
    >>> from verax.epistemic import dropout
    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, classifier
    >>> x = np.linspace(-1, 1, 128)
    >>> table = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
    >>> make, options = partial(classifier, features=("x",), width=8, depth=1), {"folds": 2, "members": 20, "held_out": 0}
    >>> loss, training = CrossEntropy(("s",)), Training(epochs=2)
    >>> found, _ = cross_fit(jax.random.key(1), dropout, make, loss, table, training=training, **options)
    >>> found.network.layers[1].weight.shape  # fold, member, output, unit
    (2, 20, 1, 8)
    """
    networks, found = [], []
    table = jax.tree.map(np.asarray, events)
    for f, (rows, stop) in enumerate(fold_rows(events, folds, held_out)):
        fit_key, member_key = jax.random.split(jax.random.fold_in(key, f))
        part, validation = (
            replace(e, weight=np.asarray(weigh(e), np.float32)) if len(e) else None
            for e in (table.take(rows), table.take(stop))
        )
        options: dict[str, Any] = {} if validation is None else {"validation": validation}
        posterior = method(fit_key, make, loss, part, training=training, **options)
        if posterior.status == Status.NOT_FINITE:
            action = "try a lower learning rate, or check features and weights"
            raise InputError(f"learn, fold {f + 1}", posterior.problem, "a posterior with finite numbers", action)
        networks.append(posterior.members(member_key, members))
        found.append(posterior)
        if progress:
            progress(f + 1, folds)
    histories = tuple(posterior.histories for posterior in found)
    return CrossTrained(stack(networks), folds, histories), tuple(found)
