"""Monte Carlo dropout (Gal and Ghahramani, arXiv:1506.02142): members are one network with different units left out.

One mask is one function. A member here has one mask for all events, folded into its weights: a histogram of a member is
that of one function, so the correlations between bins survive, and two equal events have equal predictions. Masks drawn
per event, as a layer in training mode draws them, make each event's variance right and the histogram's far too small:
the events' deviations then average out. A shared mask is faster as well, because nothing random is left in a pass.

At a fixed rate the spread of the members does not vanish with more data (Osband, 2016): it is what the rate makes it.
The rate is a hyperparameter, chosen by the likelihood of held-out events, or learnt: see ``concrete_dropout``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Key, PRNGKeyArray, UInt32

from verax.errors import InputError, check_known
from verax.events import Events
from verax.learn import Loss, Make, Training, train_made

from ._posterior import Posterior, checked_members

Rate: TypeAlias = float | tuple[float, ...]
"""Share of hidden units left out: one for all layers, or one for each layer that reads hidden units."""


class Masked(eqx.nn.Linear):
    """A linear layer whose inputs are multiplied by a mask, each by 0 or 1/(1 − rate); its weights stay shared."""

    mask: Float[jax.Array, " input"]

    def __init__(self, layer: eqx.nn.Linear, mask: Float[jax.Array, " input"]) -> None:
        self.weight, self.bias, self.use_bias = layer.weight, layer.bias, layer.use_bias
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.mask = mask

    def __call__(self, x: Float[jax.Array, " input"], *, key: PRNGKeyArray | None = None) -> jax.Array:
        return super().__call__(x * self.mask)


class DropoutLoss(eqx.Module):
    """``loss`` of a network with hidden units left out at random, drawn anew in each step: one mask per event, or batch.

    One per event has less noise and needs a loss that is a mean over events; one per batch also serves losses that are
    not (of a histogram). Weights are the loss's own, of any sign.

    Parameters
    ----------
    loss : ``(network, batch of events, key) → scalar``
    rate : share of hidden units left out, in [0, 1)
    per : one mask for each "event", or for each "batch"

    Raises
    ------
    InputError : for a rate outside [0, 1), or an unknown scope

    >>> from verax.learn import CrossEntropy
    >>> DropoutLoss(CrossEntropy(("signal",))).per
    'event'
    """

    loss: Loss
    rate: float = eqx.field(static=True, default=0.1)
    per: str = eqx.field(static=True, default="event")

    def __check_init__(self) -> None:
        check_rate(self.rate)
        check_known([self.per], ["event", "batch"], "dropout", "scope of a mask")

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        first, second = jax.random.split(key)
        if self.per == "batch":
            return self.loss(thin(first, network, self.rate), events, second)

        def one(key: PRNGKeyArray, row: Events) -> jax.Array:
            return self.loss(masked(key, network, self.rate), jax.tree.map(lambda a: a[None], row), second)

        rows = jax.tree.map(jnp.asarray, events)
        return jnp.mean(jax.vmap(one)(jax.random.split(first, events.weight.shape[0]), rows))


@dataclass(frozen=True)
class Dropout(Posterior):
    """A network whose members have hidden units left out; made by :func:`dropout` and :func:`concrete_dropout`.

    Parameters
    ----------
    network : as trained under dropout; without masks it is the mean over them, up to what is not linear
    rate : share of units left out, one for all layers or one for each layer that reads hidden units
    """

    network: Any
    rate: Rate

    @property
    def _left_out(self) -> str:
        if isinstance(self.rate, tuple):
            return "the spread is that of whole units left out: it is no finer than one of them"
        return "a fixed rate sets the spread and limits the fit, however many events there are"

    def members(self, key: PRNGKeyArray, n: int | None = None) -> Any:
        """Draw ``n`` networks, each with one mask folded into its weights, stacked along a leading axis ``member``.

        Parameters
        ----------
        key : random key of the masks
        n : how many, by default 50

        Raises
        ------
        InputError : for fewer than one, a rate outside [0, 1), or a network without hidden layers
        """
        keys = jax.random.split(key, checked_members(n))
        check_rate(self.rate)
        return _members(keys, self.network, self.rate)


def dropout(
    key: PRNGKeyArray,
    make: Make,
    loss: Loss,
    events: Events,
    *,
    training: Training | None = Training(),
    validation: Events | None = None,
    rate: float = 0.1,
    per: str = "event",
) -> Dropout:
    """Train a network with hidden units left out at random, as its members leave them out.

    Parameters
    ----------
    key : random key of the start, the order of events and the masks
    make : ``(key, training events) → network``, with hidden layers
    loss : ``(network, batch of events, key) → scalar``
    events : training part, with training weights
    training : epochs, batches, learning rate and the like; None where ``make`` gives a network trained under dropout
    validation : events that decide when to stop, under dropout too
    rate : share of hidden units left out
    per : one mask for each "event", or for each "batch" (see :class:`DropoutLoss`)

    Raises
    ------
    InputError : for a rate outside [0, 1), an unknown scope, or a network without hidden layers

    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, classifier
    >>> x = np.linspace(-1, 1, 64)
    >>> table = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
    >>> make = partial(classifier, features=("x",), width=8, depth=1)
    >>> found = dropout(jax.random.key(1), make, CrossEntropy(("s",)), table, training=Training(epochs=2))
    >>> found.members(jax.random.key(2), 20).layers[1].weight.shape  # member, output, unit
    (20, 1, 8)
    """
    trained = train_made(key, make, DropoutLoss(loss, rate, per), events, training, validation)
    return Dropout(trained.network, rate, histories=trained.histories)


@eqx.filter_jit
def _members(keys: Key[jax.Array, " member"] | UInt32[jax.Array, "member word"], network: Any, rate: Rate) -> Any:
    arrays, rest = eqx.partition(network, eqx.is_array)
    stacked = jax.vmap(lambda key: eqx.filter(thin(key, eqx.combine(arrays, rest), rate), eqx.is_array))(keys)
    return eqx.combine(stacked, rest)


def thin(key: PRNGKeyArray, network: Any, rate: Rate | jax.Array, *, inputs: bool = False) -> Any:
    """Fold one random mask into a network's weights: columns of hidden units left out are 0, others × 1/(1 − rate).

    Parameters
    ----------
    key : random key of the mask
    network : with linear layers after one another
    rate : share of units left out, one for all layers or one for each; may be traced
    inputs : leave features out as well, as in the code of arXiv:1506.02142

    Raises
    ------
    InputError : for a network without hidden layers

    >>> from verax.learn import blank
    >>> network = jax.tree.map(jnp.ones_like, blank(("x",), width=8, depth=1))
    >>> sorted(set(thin(jax.random.key(1), network, 0.5).layers[1].weight[0].tolist()))
    [0.0, 2.0]
    """

    def fold(count: int, layer: eqx.nn.Linear) -> eqx.nn.Linear:
        mask = draw_mask(key, count, layer.weight.shape[-1], rate)  # W·(m ⊙ h) = (W diag m)·h
        return eqx.tree_at(lambda m: m.weight, layer, layer.weight * mask)

    return replace_layers(network, fold, inputs=inputs)


def masked(key: PRNGKeyArray, network: Any, rate: Rate | jax.Array, *, inputs: bool = False) -> Any:
    """Make the same network as :func:`thin`, with masks beside the weights: cheaper where each event has its own.

    Parameters
    ----------
    key : random key of the mask
    network : with linear layers after one another
    rate : share of units left out, one for all layers or one for each; may be traced
    inputs : leave features out as well

    Raises
    ------
    InputError : for a network without hidden layers

    >>> from verax.learn import blank
    >>> network = jax.tree.map(jnp.ones_like, blank(("x",), width=8, depth=1))
    >>> sorted(set(masked(jax.random.key(1), network, 0.5).layers[1].mask.tolist()))
    [0.0, 2.0]
    """

    def mask(count: int, layer: eqx.nn.Linear) -> Masked:
        return Masked(layer, draw_mask(key, count, layer.weight.shape[-1], rate))

    return replace_layers(network, mask, inputs=inputs)


def draw_mask(key: PRNGKeyArray, count: int, size: int, rate: Rate | jax.Array) -> Float[jax.Array, " input"]:
    """0 or 1/(1 − rate) for each input of the layer of that count: the first that has a mask is 0."""
    own = rate[count] if isinstance(rate, tuple) else rate
    drawn = jax.random.bernoulli(jax.random.fold_in(key, count), 1 - own, (size,))
    return drawn.astype(jnp.float32) / (1 - own)  # z/(1 − p), z ~ Bernoulli(1 − p): its mean is 1


def replace_layers(network: Any, change: Callable[[int, eqx.nn.Linear], eqx.Module], *, inputs: bool = False) -> Any:
    """The network with ``change(count, layer)`` for each layer whose inputs are hidden units, or for all (``inputs``).

    Those are the linear layers of a sequence (``layers`` of a perceptron) but its first, which reads the features.

    Raises
    ------
    InputError : where there is none
    """
    nodes, structure = jax.tree_util.tree_flatten_with_path(network, is_leaf=_is_layer)
    seen: set[Any] = set()
    out, count = [], 0
    for path, node in nodes:
        if _is_layer(node) and (inputs or path[:-1] in seen):
            out.append(change(count, node))
            count += 1
            continue
        if _is_layer(node):
            seen.add(path[:-1])
        out.append(node)
    if count == 0:
        seen_here = f"{len(seen)} linear layer(s), none after another"
        raise InputError("dropout", seen_here, "a sequence of linear layers (eqx.nn.Linear)", "add a hidden layer")
    return jax.tree.unflatten(structure, out)


def thinned_layers(network: Any) -> list[eqx.nn.Linear]:
    """The layers that read hidden units, in their order.

    Raises
    ------
    InputError : as :func:`replace_layers`
    """
    found = []

    def keep(count: int, layer: eqx.nn.Linear) -> eqx.nn.Linear:
        found.append(layer)
        return layer

    replace_layers(network, keep)
    return found


def _is_layer(node: Any) -> bool:
    return isinstance(node, eqx.nn.Linear)


def check_rate(rate: Rate) -> None:
    """Raise InputError for a rate outside [0, 1)."""
    each = np.asarray(rate, np.float64)
    if not (np.isfinite(each) & (each >= 0) & (each < 1)).all():
        raise InputError("dropout rate", f"{rate}", "a share of units in [0, 1)")
