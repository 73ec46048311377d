"""Concrete dropout: a rate for each layer, learnt with the weights (Gal, Hron, Kendall, arXiv:1705.07832).

Dropout as variational inference has the objective, per row, with K units, rate p and weights W of each layer that reads
hidden units,

    loss + (1/n) Σ_layers [½ τ |W|²/(1 − p) − K·H(p)],     H(p) = −p ln p − (1 − p) ln(1 − p)

(their equations 2 to 4, W being the weights times 1/(1 − p), as the masks here are). The entropy pulls each rate
towards ½ with a force that n does not change, and the loss of n rows towards 0: the rate, and with it the variance
over members, falls as 1/n. It cannot be finer than one unit: where the rate is far below 1/K, most members leave out
nothing, and their spread is an underestimate. Masks are drawn from the concrete distribution, a smooth one, so that
the rate has a gradient (equation 5).
"""

import math
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events
from verax.learn import Around, Loss, Make, Training, train, trainable
from verax.results import Status

from ._dropout import Dropout, Masked, replace_layers, thinned_layers
from ._posterior import checked_training
from ._power_likelihood import observations, precision_of, temper

_TEMPERATURE = 0.1
"""Of the concrete distribution, as in the paper; small, so that a mask is close to 0 or 1."""


class Concrete(Around):
    """A network and the logit of the rate of each layer that reads hidden units."""

    logit: Float[jax.Array, "*member layer"]


class ConcreteLoss(eqx.Module):
    """The objective for a :class:`Concrete` and tempered events: ``loss`` under masks, one for each event, and the prior.

    Parameters
    ----------
    loss : mean over rows of w·ℓ, ℓ a negative log-likelihood
    rows : n, rows of the whole training part
    precision : τ of the prior N(0, 1/τ) of each weight
    """

    loss: Loss
    rows: int = eqx.field(static=True)
    precision: float = eqx.field(static=True, default=1.0)

    def __call__(self, network: Concrete, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        first, second = jax.random.split(key)
        rate = jax.nn.sigmoid(network.logit)

        def one(key: PRNGKeyArray, row: Events) -> jax.Array:
            def mask(count: int, layer: eqx.nn.Linear) -> Masked:
                # Equation 5: z̃ = sigmoid[(ln p/(1 − p) + ln u/(1 − u))/t], where ln u/(1 − u) is logistic.
                drawn = jax.random.logistic(jax.random.fold_in(key, count), (layer.weight.shape[-1],))
                left_out = jax.nn.sigmoid((network.logit[count] + drawn) / _TEMPERATURE)
                return Masked(layer, (1 - left_out) / (1 - rate[count]))

            return self.loss(replace_layers(network.network, mask), jax.tree.map(lambda a: a[None], row), second)

        rows = jax.tree.map(jnp.asarray, events)
        expected = jnp.mean(jax.vmap(one)(jax.random.split(first, events.weight.shape[0]), rows))
        return expected + self.penalty(network) / self.rows

    def penalty(self, network: Concrete) -> Float[jax.Array, ""]:
        """The divergence from the prior up to a constant, for all weights of the network, masked or not."""
        rate, total = jax.nn.sigmoid(network.logit), jnp.zeros(())
        for count, layer in enumerate(thinned_layers(network.network)):
            p, logit = rate[count], network.logit[count]
            entropy = -p * jax.nn.log_sigmoid(logit) - (1 - p) * jax.nn.log_sigmoid(-logit)
            square = 0.5 * self.precision * jnp.sum(layer.weight**2)
            # ½ τ |W|²/(1 − p) − K·H(p), less the ½ τ |W|² that is in the sum over all weights below
            total += square * (1 / (1 - p) - 1) - layer.weight.shape[-1] * entropy
        every = eqx.filter(network.network, trainable(network.network))
        return total + 0.5 * self.precision * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(every))


def concrete_dropout(
    key: PRNGKeyArray,
    make: Make,
    loss: Loss,
    events: Events,
    *,
    training: Training | None = Training(learning_rate=1e-2),
    precision: float | Array = 1.0,
    power: str = "effective",
    negative: str = "signed",
    start: float = 0.1,
) -> Dropout:
    """Train a network under dropout with a rate for each layer that is learnt too: its spread falls with more events.

    Without a validation part: the prior is what holds the weights, and the last epoch is kept. The status is AT_BOUND where
    more than half of the members leave out no unit.

    Parameters
    ----------
    key : random key of the start, the order of events and the masks
    make : ``(key, training events) → network`` with hidden layers: where it starts
    loss : mean over rows of w·ℓ, with ℓ a negative log-likelihood, of which constants do not matter
    events : training part; their weights count as ``power`` says
    training : epochs, batches and the like; its optimizer, where given, is best one without weight decay, which would be a
        second prior
    precision : τ of the prior N(0, 1/τ) of each weight
    power : what the weights' sum counts as, see :func:`verax.epistemic.temper`
    negative : how negative weights count, see :func:`verax.epistemic.temper`
    start : rate of all layers at first

    Raises
    ------
    InputError : for bad options or weights, or a network without hidden layers

    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, classifier
    >>> x = np.linspace(-1, 1, 64)
    >>> table = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
    >>> make = partial(classifier, features=("x",), width=8, depth=1)
    >>> found = concrete_dropout(jax.random.key(1), make, CrossEntropy(("s",)), table, training=Training(epochs=2))
    >>> len(found.rate)  # one for each layer that reads hidden units
    1
    """
    if not 0 < start < 1:
        raise InputError("dropout rate", f"{start}", "a first share of units inside (0, 1)")
    table = temper(events, power=power, negative=negative)
    tau = float(precision_of(precision, None))
    start_key, run_key = jax.random.split(key)
    network = make(start_key, events)
    logit = jnp.full(len(thinned_layers(network)), np.log(start / (1 - start)), jnp.float32)
    objective = ConcreteLoss(loss, len(table), tau)
    options = replace(checked_training(training), decay=0.0)
    trained = train(run_key, Concrete(network, logit), objective, table, training=options)
    found: Concrete = trained.network
    rates = tuple(float(p) for p in np.asarray(jax.nn.sigmoid(found.logit)))
    units = [layer.weight.shape[-1] for layer in thinned_layers(found.network)]
    whole = math.prod((1 - p) ** k for p, k in zip(rates, units, strict=True))
    judged: dict[str, Any] = {"observations": observations(table)}
    if whole > 0.5:
        line = f"{whole:.0%} of members leave out no unit: their spread is an underestimate, and of few members"
        judged |= {"status": Status.AT_BOUND, "problem": f"{line}; take more units, or another method"}
    return Dropout(found.network, rates, histories=trained.histories, **judged)
