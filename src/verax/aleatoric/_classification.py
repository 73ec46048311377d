"""Classification into several classes: by logits, or by noisy ones that are Gaussian, with a learnt mean and width."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.errors import InputError, check_known, check_least
from verax.events import Events

from ._head import outputs

Classes = Sequence[Sequence[str]]
"""Names of the processes of each class."""


class CategoricalNLL(eqx.Module):
    """Weighted cross-entropy −ln softmax(z)_y of networks with a logit for each class (``classifier(…, outputs=k)``).

    Events of processes in no class have no part in it. Signed weights are kept signed, see
    :class:`verax.learn.CrossEntropy`, which this is for two classes with logits 0 and z.

    Parameters
    ----------
    classes : names of the processes of each class

    Raises
    ------
    InputError : for fewer than two classes, a process in two of them, and (in use) for an unknown process or a network of
        another number of outputs

    Source: Bridle 1990 (softmax).

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(2)}, process=np.array([0, 1]), processes=("b", "s"))
    >>> network = lambda x: jnp.zeros(2)
    >>> round(float(CategoricalNLL((("b",), ("s",)))(network, table, jax.random.key(0))), 4)  # ln 2
    0.6931
    """

    classes: tuple[tuple[str, ...], ...] = eqx.field(static=True)

    def __init__(self, classes: Classes) -> None:
        self.classes = checked_classes(classes)

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        found = outputs(network, events, key, (len(self.classes),), "CategoricalNLL")
        return _mean_nll(jax.nn.log_softmax(found, axis=-1), events, self.classes)


def categorical(
    output: Float[jax.Array, " class"],
) -> tuple[Float[jax.Array, " class"], Float[jax.Array, " class"]]:
    """Turn a logit for each class into its probability p and variance p (1 − p): the ``moments`` for :func:`verax.learn`.

    Parameters
    ----------
    output : of the network, one logit for each class

    Source: Bridle 1990 (softmax).

    >>> [v.tolist() for v in categorical(jnp.zeros(2))]
    [[0.5, 0.5], [0.25, 0.25]]
    """
    p = jax.nn.softmax(output)
    return p, p * (1 - p)


class NoisyLogits(eqx.Module):
    """Weighted cross-entropy of E[softmax(μ + σ ε)], ε ~ N(0, 1) (Kendall and Gal, arXiv:1703.04977, equation 12).

    For networks with 2k outputs for k classes, the means, then ln σ (``classifier(…, outputs=2 * k)``); events of
    processes in no class have no part in it. The expectation is a mean over ``draws`` of the step's key. Its logarithm is
    then too small by (relative variance)/2·draws: more draws, less bias. Signed weights are kept signed, see
    :class:`verax.learn.CrossEntropy`, and so is the lack of a bound where a region's total weight is negative.

    σ attenuates the loss of events whose label is noise, but it shares its work with the means: only the probabilities
    are determined by data, not σ alone.

    Parameters
    ----------
    classes : names of the processes of each class
    draws : number of draws of ε

    Raises
    ------
    InputError : for fewer than two classes, a process in two of them, fewer than one draw, and (in use) for an unknown
        process or a network of another number of outputs

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(2)}, process=np.array([0, 1]), processes=("b", "s"))
    >>> network = lambda x: jnp.array([0.0, 0.0, -20.0, -20.0])  # means of 0 and no noise
    >>> round(float(eqx.filter_jit(NoisyLogits((("b",), ("s",))))(network, table, jax.random.key(0))), 4)  # ln 2
    0.6931
    """

    classes: tuple[tuple[str, ...], ...] = eqx.field(static=True)
    draws: int = eqx.field(static=True, default=16)

    def __init__(self, classes: Classes, *, draws: int = 16) -> None:
        self.classes, self.draws = checked_classes(classes), draws
        check_least(draws, 1, "draws")

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        found = outputs(network, events, key, (2 * len(self.classes),), "NoisyLogits")
        noise = jax.random.normal(key, (self.draws, found.shape[0], len(self.classes)))
        return _mean_nll(_log_probability(found, noise), events, self.classes)


class NoisyProbabilities(eqx.Module):
    """Probability p of each class and its variance p (1 − p): the ``moments`` for :func:`verax.learn`.

    With fixed draws in pairs ±ε, so that the same event always has the same probability.

    Parameters
    ----------
    draws : number of draws of ε

    >>> p, variance = eqx.filter_jit(NoisyProbabilities())(jnp.array([0.0, 0.0, -20.0, -20.0]))
    >>> np.asarray(p).round(4).tolist(), np.asarray(variance).round(4).tolist()
    ([0.5, 0.5], [0.25, 0.25])
    """

    draws: int = eqx.field(static=True, default=256)

    def __call__(
        self, output: Float[jax.Array, " output"]
    ) -> tuple[Float[jax.Array, " class"], Float[jax.Array, " class"]]:
        half = jax.random.normal(jax.random.key(0), (-(-self.draws // 2), output.shape[0] // 2))
        p = jnp.exp(_log_probability(output, jnp.concatenate([half, -half])))
        return p, p * (1 - p)


def label_of(events: Events, classes: Classes) -> jax.Array:
    """Index of each event's class; −1 for a process that is in none.

    Raises
    ------
    InputError : for an unknown process, with the nearest name
    """
    number = np.full(len(events.processes), -1, np.int32)
    for index, names in enumerate(classes):
        check_known(names, events.processes, "classes", "process")
        number[[events.processes.index(name) for name in names]] = index
    return jnp.asarray(number)[jnp.asarray(events.process)]


def checked_classes(classes: Classes) -> tuple[tuple[str, ...], ...]:
    """The classes as tuples; InputError for fewer than two, or a process in two of them."""
    given = tuple(tuple(names) for names in classes)
    names = [name for one in given for name in one]
    if len(given) < 2 or len(set(names)) < len(names):
        raise InputError("classes", f"{given}", "two or more, and each process in one of them")
    return given


def _mean_nll(log_p: jax.Array, events: Events, classes: Classes) -> Float[jax.Array, ""]:
    """The weighted mean over rows of −ln p of each event's class."""
    label = label_of(events, classes)
    chosen = jnp.take_along_axis(log_p, jnp.maximum(label, 0)[:, None], axis=1)[:, 0]
    return -jnp.mean(events.weight * jnp.where(label >= 0, chosen, 0.0))


def _log_probability(output: jax.Array, noise: jax.Array) -> jax.Array:
    """Ln of the mean softmax over draws: ``output[…, 2·class]``, ``noise[draw, …, class]``."""
    mean, log_sigma = jnp.split(output, 2, axis=-1)
    logits = mean + jnp.exp(jnp.minimum(log_sigma, 10.0)) * noise
    return jax.nn.logsumexp(jax.nn.log_softmax(logits, axis=-1), axis=0) - np.log(noise.shape[0])
