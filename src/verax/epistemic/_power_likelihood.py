"""The posterior of a network's weights that Bayesian methods share: a power likelihood of weighted events, and a prior.

A weight says how many expected events a row stands for, not how much is known: 1000 rows of weight 10 carry the
information of 1000 events. With weights as they are, a posterior's width would depend on the luminosity that the
simulation is scaled to. The likelihood is therefore a stated power of the weighted one (Bissiri, Holmes, Walker,
arXiv:1306.6430):

    −log p(w | events) = c·Σ_i w_i ℓ_i(w) + ½ τ |w|²,     c = Σw/Σw²   ("effective")

where ℓ_i is an event's negative log-likelihood: the weighted mean of ℓ counts as n_eff = (Σw)²/Σw² events. A row that
stands for k identical, independent observations has weight k and c = 1 ("counts").
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, PRNGKeyArray

from verax.arrays import Array
from verax.errors import InputError, check_known
from verax.events import Events
from verax.learn import Loss, checked_total, signed, trainable


def temper(events: Events, *, power: str = "effective", negative: str = "signed") -> Events:
    """Temper the events: their weights then sum to the number of observations that the likelihood counts them as.

    Parameters
    ----------
    events : of any weights
    power : "effective": Σw becomes n_eff = (Σw)²/Σw²; "counts": weights are numbers of observations, used as they are
    negative : weights below zero are kept ("signed": the likelihood of the expected events; without a prior it may have
        no maximum), counted by magnitude ("abs": bounded, biased), or refused ("error")

    Raises
    ------
    InputError : for no events, an unknown option, a weight that is not finite, or a sum of weights that is not positive

    >>> from verax.events import make_events
    >>> temper(make_events({"x": np.zeros(2)}, weight=np.array([10.0, 10.0]))).weight
    array([1., 1.], dtype=float32)
    """
    check_known([power], ["effective", "counts"], "power", "power")
    if len(events) == 0:
        raise InputError("training part", "no events", "at least one")
    weight = signed(events, negative)
    total = checked_total(weight, "training weights")
    factor = total / np.square(weight).sum() if power == "effective" else 1.0
    scaled = np.asarray(weight * factor, np.asarray(events.weight).dtype)
    return Events(events.x, scaled, events.process, events.number, events.columns, events.processes)


def observations(events: Events) -> float:
    """The number of observations that tempered events count as: Σw, which is n_eff unless counts were asked for."""
    return float(np.asarray(events.weight, np.float64).sum())


def negative_log_likelihood(network: Any, loss: Loss, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
    """Σ_i w_i ℓ_i of tempered events, for a loss that is the mean over rows of w·ℓ (as every likelihood loss here is)."""
    return events.weight.shape[0] * loss(network, events, key)


class Weights(NamedTuple):
    """The weights of a network that a method treats as uncertain, as one vector, and the way back.

    Parameters
    ----------
    vector : their present values
    rest : the network without them
    """

    vector: Float[jax.Array, " weight"]
    rest: Any
    unravel: Any

    def network(self, vector: Float[Array, " weight"]) -> Any:
        """The network with those weights."""
        return eqx.combine(self.unravel(vector), self.rest)

    def networks(self, vectors: Float[Array, "member weight"]) -> Any:
        """Networks stacked along a leading axis ``member``; the constants are repeated, as everywhere."""
        return eqx.combine(jax.vmap(self.unravel)(vectors), repeated(self.rest, len(vectors)))


def repeated(tree: Any, n: int) -> Any:
    """The tree with a leading axis of length ``n`` of equal arrays."""
    return jax.tree.map(lambda a: jnp.broadcast_to(a, (n, *a.shape)) if eqx.is_array(a) else a, tree)


def weights(network: Any, where: Any = None) -> Weights:
    """The trainable weights of ``network``, or of those the ones with True in the tree ``where``.

    Raises
    ------
    InputError : when there is none
    """
    mask = trainable(network)
    if where is not None:
        mask = jax.tree.map(lambda a, b: bool(a) and bool(b), mask, where)
    chosen, rest = eqx.partition(network, mask)
    vector, unravel = ravel_pytree(chosen)
    if vector.size == 0:
        raise InputError("network", "no trainable weights", "at least one inexact array outside Frozen")
    return Weights(vector, rest, unravel)


def precision_of(prior: float | Array, size: int | None) -> np.ndarray:
    """The prior precision τ after a check: one number, or one for each of ``size`` weights (unless that is None).

    Raises
    ------
    InputError : for a value that is not positive and finite, or another number of them
    """
    value = np.asarray(prior, np.float64)
    if not (np.isfinite(value).all() and (value > 0).all()):
        raise InputError("prior precision", f"{float(value.min()):g}", "a positive number, or one for each weight")
    if value.ndim and value.shape != (size,):
        expected = "one number" if size is None else f"one number, or ({size},): one for each weight"
        raise InputError("prior precision", f"shape {value.shape}", expected)
    return value


def double(tree: Any) -> Any:
    """The same tree with every float array in float64 (inside ``jax.enable_x64``): a posterior is a statistic."""

    def widen(leaf: Any) -> Any:
        is_float = isinstance(leaf, np.ndarray | jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating)
        return jnp.asarray(leaf, jnp.float64) if is_float else leaf

    return jax.tree.map(widen, tree)


def single(tree: Any) -> Any:
    """The same tree with every float array in float32, as networks are."""
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float32) if eqx.is_inexact_array(a) else a, tree)
