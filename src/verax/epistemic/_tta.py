"""Test-time augmentation: members are one network at draws of the resolution of its inputs (TTA).

Sources: Ayhan and Berens, MIDL 2018; Wang et al., arXiv:1807.07356. To first order the variance over members is that of
error propagation, Σ_j (∂f/∂x_j)² σ_j²; for a network that is linear in its inputs it is exactly that.

Known limits. The spread is that of the stated resolutions, however many events there are: it is the part of the noise that
comes in by way of the inputs, not the error of the network, and ``predict`` calls it epistemic because it differs between
members. Where training inputs have the same resolution already, it is in the aleatoric part too. Draws of different events
are independent, as a detector's are: what moves all events together is a systematic.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray, UInt32

from verax.errors import InputError, check_known
from verax.events import Events
from verax.learn import Around, Loss, Make, Standardise, Training, train_made

from ._posterior import Posterior, checked_members
from ._power_likelihood import repeated


class Smeared(Around):
    """A network that reads its inputs with noise, x + σε; everything but the call is the network's own.

    ε is a function of the seed and of the values x, so that a member is one function, in any batch or order. A value that
    stands for "not measured" has no noise.

    Parameters
    ----------
    network : any network of one row
    seed : words of a random key
    sigma : resolution of each feature
    missing : value that stands for "not measured", or None, static
    """

    seed: UInt32[jax.Array, "*member word"]
    sigma: Float[jax.Array, "*member feature"]
    missing: float | None = eqx.field(static=True)

    def __call__(self, x: Float[jax.Array, " feature"], *, key: PRNGKeyArray | None = None) -> Any:
        bits = jax.lax.bitcast_convert_type(jnp.asarray(x, jnp.float32) + 0.0, jnp.uint32)  # −0 is 0
        mixed = jnp.uint32(0)
        for word in bits:  # as murmur3 mixes: values with few digits differ in their highest bits only
            mixed = (mixed ^ word) * jnp.uint32(0x85EBCA6B)
            mixed ^= mixed >> 13
        drawn = jax.random.fold_in(jax.random.wrap_key_data(self.seed), mixed)
        noise = self.sigma * jax.random.normal(drawn, self.sigma.shape)
        missed = False if self.missing is None else x == self.missing  # NaN needs no test: with noise it stays NaN
        return self.network(x + jnp.where(missed, 0.0, noise))


@dataclass(frozen=True)
class InputResolution(Posterior):
    """A network whose members read its inputs at draws of their resolution; made by :func:`tta`.

    Parameters
    ----------
    network : as trained
    sigma : resolution of each of its features, in their units; 0 for those that are exact
    """

    network: Any
    sigma: Float[np.ndarray, " feature"]

    @property
    def _left_out(self) -> str:
        return "the spread is that of the inputs' resolution: the network's own error is not in it"

    def members(self, key: PRNGKeyArray, n: int | None = None) -> Any:
        """Give ``n`` networks, each with its own draws of the noise, stacked along a leading axis ``member``.

        Parameters
        ----------
        key : random key of the draws
        n : how many, by default 50

        Raises
        ------
        InputError : for fewer than one
        """
        n = checked_members(n)
        nodes = jax.tree.leaves(self.network, is_leaf=lambda node: isinstance(node, Standardise))
        values = [node.missing for node in nodes if isinstance(node, Standardise) and node.missing is not None]
        seeds = jax.random.key_data(jax.random.split(key, n))
        network, sigma = repeated((self.network, jnp.asarray(self.sigma, jnp.float32)), n)
        return Smeared(network, seeds, sigma, values[0] if values else None)


def tta(
    key: PRNGKeyArray,
    make: Make,
    loss: Loss,
    events: Events,
    *,
    resolution: Mapping[str, float],
    training: Training | None = Training(),
    validation: Events | None = None,
) -> InputResolution:
    """Train one network, whose members read its inputs at draws of their resolution.

    Parameters
    ----------
    key : random key of the start and the training
    make : ``(key, training events) → network`` of named features
    loss : ``(network, batch of events, key) → scalar``
    events : training part, with training weights
    resolution : standard deviation of the noise of each input, in the column's units; inputs that it does not name are exact
    training : epochs, batches, learning rate and the like; None where ``make`` gives a trained network
    validation : events that decide when its training stops

    Raises
    ------
    InputError : for a resolution of something that the network does not read, one that is negative or not finite, or
        none above zero

    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, classifier
    >>> table = make_events({"x": np.linspace(-1, 1, 64)})
    >>> make = partial(classifier, features=("x",), width=8, depth=1)
    >>> loss = CrossEntropy(("data",))
    >>> found = tta(jax.random.key(1), make, loss, table, training=None, resolution={"x": 0.1})
    >>> found.members(jax.random.key(2), 20).sigma.shape  # member, feature
    (20, 1)
    """
    trained = train_made(key, make, loss, events, training, validation)
    features = tuple(getattr(trained.network, "features", events.columns))
    check_known(resolution, features, "resolution", "feature of the network")
    sigma = np.asarray([resolution.get(name, 0.0) for name in features], np.float64)
    if not (np.isfinite(sigma).all() and (sigma >= 0).all() and sigma.any()):
        raise InputError("resolution", f"{dict(resolution)}", "finite standard deviations, some above zero")
    return InputResolution(trained.network, sigma, histories=trained.histories)
