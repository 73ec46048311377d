"""How much a network's output tells about the nuisance parameters: what a new adversary, trained to the end, finds.

The bound on mutual information is that of Barber and Agakov, "The IM algorithm", 2003.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.errors import InputError
from verax.events import Events
from verax.learn import Around, Frozen, History, Training, train
from verax.systematics import Systematic

from ._adversarial import Adversarial, adversary_loss, drawn, logits, make_adversary, prior, without_adversary


@dataclass(frozen=True)
class Dependence:
    """Loss of an adversary on events that it never saw, and its ceiling; made by :func:`dependence`.

    Parameters
    ----------
    loss : mean of −ln p(θ | output) in nats
    error : statistical uncertainty of ``loss``
    ceiling : entropy of the prior: the loss of an adversary that learns nothing
    history : of the adversary's training
    """

    loss: float
    error: float
    ceiling: float
    history: History

    @property
    def information(self) -> float:
        """Mutual information of output and parameters that the adversary found, in nats: a lower bound of the true one."""
        return self.ceiling - self.loss


def dependence(
    key: PRNGKeyArray,
    network: Any,
    systematics: Sequence[Systematic],
    events: Events,
    validation: Events,
    test: Events,
    *,
    training: Training = Training(epochs=12, batch=1024, patience=12, learning_rate=3e-3),
    processes: Sequence[str] = (),
    width: int = 32,
) -> Dependence:
    """Train a new adversary against a fixed ``network`` and measure its loss on ``test``.

    θ is drawn anew in each step, so that ``events`` are few only in what does not depend on it; ``validation`` decides
    which epoch's adversary is kept. The loss on ``test`` is the ceiling minus the mean gain over the prior, event by
    event: the prior's own fluctuation in the sample is left out. Weights count as they are, also negative ones;
    ``loss`` is their weighted mean.

    Parameters
    ----------
    key : random key of the start, the order of events and the draws of θ
    network : any network of one logit; an adversary that it already has is put aside
    systematics : those whose parameters the adversary guesses
    events : that the adversary learns from
    validation : that decide when to stop
    test : that its loss is measured on
    training : epochs, batches and the like; without an optimizer of its own it is Adam with a learning rate that falls to
        zero (:func:`verax.learn.cosine`)
    processes : the events that count; () for all
    width : units of the adversary's hidden layers

    Raises
    ------
    InputError : when the weights that count in ``test`` do not sum to a positive number; as :func:`verax.learn`

    >>> from verax.events import make_events
    >>> from verax.learn import classifier
    >>> from verax.systematics import scale_columns
    >>> table = make_events({"x": np.linspace(-1, 1, 64)})
    >>> network = classifier(jax.random.key(1), table, ("x",), width=8, depth=1)
    >>> scale = [scale_columns("scale", 0.1, ("x",))]
    >>> found = dependence(jax.random.key(2), network, scale, table, table, table, training=Training(epochs=1))
    >>> round(found.ceiling, 4)  # entropy of N(0, 1), ½ ln 2πe
    1.4189
    """
    start, run, last = jax.random.split(key, 3)
    parameters = [s.parameter for s in systematics]
    pair = Adversarial(_Fixed(without_adversary(network)), make_adversary(start, parameters, width=width))
    loss = _Alone(tuple(systematics), tuple(processes))
    trained = train(run, pair, loss, events, training=training.annealed(), validation=validation)
    gain = np.asarray(_gain(trained.network, test, tuple(systematics), last), np.float64)
    weight = np.asarray(test.weight, np.float64)
    if processes:
        weight = weight * np.asarray(test.is_process(processes))
    total = weight.sum()
    if not total > 0:
        raise InputError("dependence", f"test events with weights that sum to {total:g}", "a positive sum")
    mean = float(weight @ gain / total)
    error = float(np.sqrt(np.sum((weight * (gain - mean)) ** 2)) / total)
    # Entropy of the prior, Σ_j ½ ln 2πe σ_j²; loss = ceiling − E[ln p(θ|z)/p(θ)]
    ceiling = float(np.sum(np.log(prior(parameters)[1] * np.sqrt(2 * np.pi * np.e))))
    return Dependence(ceiling - mean, error, ceiling, trained.history)


class _Fixed(Around, Frozen):
    """A network that training leaves as it is."""

    def __call__(self, x: Float[jax.Array, " feature"]) -> jax.Array:
        return jnp.asarray(self.network(x))


class _Alone(eqx.Module):
    """The adversary's loss alone."""

    systematics: tuple[Systematic, ...]
    processes: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, network: Adversarial, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        moved, theta = drawn(key, events, self.systematics)
        return adversary_loss(network.adversary, logits(network, moved), theta, moved, self.processes)


@eqx.filter_jit
def _gain(
    network: Adversarial, events: Events, systematics: tuple[Systematic, ...], key: PRNGKeyArray
) -> Float[jax.Array, " event"]:
    """Log of the adversary's density over the prior's, of one draw of the parameters for each event."""
    moved, theta = drawn(key, events, systematics)
    middle, width = (jnp.asarray(a, jnp.float32) for a in prior(network.adversary.parameters))
    log_prior = jnp.sum(jax.scipy.stats.norm.logpdf(theta, middle, width), axis=1)
    return jax.vmap(network.adversary.log_density)(logits(network, moved), theta) - log_prior
