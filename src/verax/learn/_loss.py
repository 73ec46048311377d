"""What a network is trained to make small, and the weights of the two classes.

A loss is any callable ``(network, events, key) -> scalar``, where ``events`` is one batch: rows drawn without
replacement from the training sample, so that every batch has the same number of rows. The key is new in each batch,
for losses that draw random numbers (a nuisance parameter, a dropout mask). Loss transformers take such a callable and
return one. A loss with options is best an ``eqx.Module``, or another object that compares by value: two equal losses
then share one compiled training loop. The minimum of the cross-entropy is a likelihood ratio: Cranmer, Pavez, Louppe,
arXiv:1506.02169.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.errors import InputError, check_known
from verax.events import Events

from ._network import inputs

Loss: TypeAlias = Callable[[Any, Events, PRNGKeyArray], jax.Array]


def is_comparable(loss: Loss) -> bool:
    """Tell whether a smaller loss is a better network: True, unless the loss has an attribute ``comparable = False``.

    A minimax (an adversary's gain is the network's loss) is not: then no epoch is the best, all are run, and the last
    network with finite numbers is kept. A validation part is watched only.

    Parameters
    ----------
    loss : ``(network, batch of events, key) → scalar``

    >>> is_comparable(CrossEntropy(("signal",)))
    True
    """
    return bool(getattr(loss, "comparable", True))


Weigh: TypeAlias = Callable[[Events], np.ndarray]
"""Training weights of a sample of events, from the events themselves: see :func:`balance`."""


class CrossEntropy(eqx.Module):
    """Weighted binary cross-entropy, (1/n) Σ_i w_i [softplus(z_i) − y_i z_i] over the n rows of a batch.

    z is the network's logit, and y is 1 for the processes named in ``signal``. The sum is divided by the number of rows,
    not by the batch's Σw: with weights of both signs Σw of a batch fluctuates, and dividing by it would bias the gradient.
    With :func:`balance` the mean weight is 1, so that the loss is a weighted mean, ln 2 for a network that knows nothing.

    Signed weights are kept signed, which leaves the loss unbiased: its minimum is the one of the expected events. Where
    a region's total weight is negative, such a loss has no lower bound; early stopping on the validation part, with its
    own events, is what ends that. ``balance(…, negative="abs")`` bounds the loss at the price of a bias.

    Parameters
    ----------
    signal : names of the processes of the first class; all others are the second

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(2)}, process=np.array([0, 1]), processes=("b", "s"))
    >>> float(CrossEntropy(("s",))(lambda x: x[0], table, jax.random.key(0)))  # ln 2
    0.6931471824645996
    """

    signal: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        logit = jax.vmap(network)(inputs(network, events))
        label = events.is_process(self.signal)
        return jnp.mean(events.weight * (jax.nn.softplus(logit) - jnp.where(label, logit, 0.0)))


def balance(events: Events, signal: Sequence[str], *, negative: str = "signed") -> Float[np.ndarray, " event"]:
    """Balance training weights: signal and background scaled to equal sums, with mean 1 over all rows.

    Parameters
    ----------
    events : the training (or validation) part, once, before it is cut into batches
    signal : the processes of the first class; all others are the second
    negative : weights below zero are kept ("signed", unbiased), counted by magnitude ("abs", biased but bounded), or
        refused ("error")

    Raises
    ------
    InputError : when a class's weights do not sum to a positive number, or negative weights are refused

    >>> from verax.events import make_events
    >>> balance(make_events({"x": np.zeros(3)}, process=np.array([0, 0, 1]), processes=("b", "s")), ("s",))
    array([0.75, 0.75, 1.5 ])
    """
    weight = signed(events, negative)
    check_known(signal, events.processes, "balance", "process")
    # NumPy throughout: every fold has another length, and JAX would compile for each of them.
    is_signal = np.isin(np.asarray(events.process), [events.processes.index(name) for name in signal])
    balanced = np.empty_like(weight)
    for name, mask in {"signal": is_signal, "background": ~is_signal}.items():
        balanced[mask] = weight[mask] * (len(weight) / (2 * checked_total(weight[mask], f"training {name}")))
    return balanced


def signed(events: Events, negative: str) -> Float[np.ndarray, " event"]:
    """Take the weights of training events with the sign that they are to have.

    Parameters
    ----------
    events : with weights of any sign
    negative : "signed" for weights as they are, "abs" for |w|, "error" to refuse negative ones

    Raises
    ------
    InputError : for another word, and for negative weights that are refused

    >>> from verax.events import make_events
    >>> signed(make_events({"x": np.zeros(2)}, weight=np.array([2.0, -1.0])), "abs")
    array([2., 1.])
    """
    check_known([negative], ["signed", "abs", "error"], "negative", "treatment of negative weights")
    weight = np.asarray(events.weight, np.float64)
    if negative == "error" and (weight < 0).any():
        raise InputError("training weights", f"{int((weight < 0).sum())} below zero", "none", "choose signed or abs")
    return np.abs(weight) if negative == "abs" else weight


def checked_total(weight: Float[np.ndarray, " event"], where: str) -> float:
    """Sum the weights of some training events.

    Parameters
    ----------
    weight : of each event
    where : which events they are, for errors

    Raises
    ------
    InputError : for a sum that is not positive

    >>> checked_total(np.array([2.0, -1.0]), "training part")
    1.0
    """
    total = float(weight.sum())
    if not 0 < total < math.inf:
        seen = f"{len(weight)} events with weights that sum to {total:g}"
        raise InputError(where, seen, "a positive sum", "check the weights, or train on more events")
    return total
