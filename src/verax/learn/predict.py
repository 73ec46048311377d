"""What networks say about events: mean and both parts of the variance, streamed in batches of one shape."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array as JaxArray
from jaxtyping import Float, Int

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events
from verax.learn.folds import CrossTrained, fold_of
from verax.learn.network import inputs
from verax.results import Predictive

Moments: TypeAlias = Callable[[Any], tuple[JaxArray, JaxArray]]
"""Mean and variance of the target, from a network's output at one point: numbers, or arrays of one shape."""


def bernoulli(logit: Float[JaxArray, ""]) -> tuple[Float[JaxArray, ""], Float[JaxArray, ""]]:
    """Mean p and variance p(1 − p) of a class label, from a logit."""
    return jax.nn.sigmoid(logit), jax.nn.sigmoid(logit) * jax.nn.sigmoid(-logit)


def predict(
    members: Any, events: Events | Float[Array, "event feature"], *, moments: Moments = bernoulli, batch: int = 2048
) -> Predictive:
    """Mean, aleatoric and epistemic variance over ``members``, by the law of total variance.

    Parameters
    ----------
    members : networks stacked along a leading axis ``member``
    events : events, or an array with the network's features in its own order
    moments : mean and variance of the target from the network's output
    batch : rows of a batch; memory is bounded by it, and an event's bits do not depend on which others come with it
    """
    x = np.asarray(inputs(members, events) if isinstance(events, Events) else events, np.float32)
    networks = jax.tree.map(lambda a: a[None] if eqx.is_array(a) else a, members)
    return _stream(networks, np.zeros(len(x), np.int64), x, moments, batch)


def score(trained: CrossTrained, events: Events, *, moments: Moments = bernoulli, batch: int = 2048) -> Predictive:
    """As :func:`predict`, each event by the networks of its own fold, which never saw it."""
    x = np.asarray(inputs(trained.network, events), np.float32)
    return _stream(trained.network, fold_of(events.number, trained.folds), x, moments, batch)


def _stream(
    networks: Any, fold: Int[np.ndarray, " event"], x: Float[np.ndarray, "event feature"], moments: Moments, batch: int
) -> Predictive:
    """Batches of one shape, each with events of one fold; the last one of a fold is filled up with zeros."""
    if batch < 1:
        raise InputError("batch", str(batch), "at least 1")
    out: list[np.ndarray] = []  # made when the first batch says what shape a target has
    pending = []
    for f in np.unique(fold):
        rows = np.flatnonzero(fold == f)
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            full = np.zeros((batch, x.shape[1]), np.float32)
            full[: len(part)] = x[part]
            pending.append((part, _moments_of_batch(networks, jnp.int32(f), full, moments)))
            if len(pending) > 4:
                _collect(out, len(x), *pending.pop(0))
    for part, values in pending:
        _collect(out, len(x), part, values)
    return Predictive(*out) if out else Predictive(*np.zeros((3, 0)))


def _collect(out: list[np.ndarray], n: int, rows: np.ndarray, values: JaxArray) -> None:
    found = np.asarray(values, np.float64)
    if not out:
        out += list(np.empty((3, n, *found.shape[2:])))
    for whole, part in zip(out, found, strict=True):
        whole[rows] = part[: len(rows)]


@eqx.filter_jit
def _moments_of_batch(
    networks: Any, fold: Int[JaxArray, ""], x: Float[Array, "row feature"], moments: Moments
) -> Float[JaxArray, "part row *target"]:
    """Mean, aleatoric and epistemic variance of a batch by the networks of one fold."""
    arrays, rest = eqx.partition(networks, eqx.is_array)
    arrays = jax.tree.map(lambda a: jax.lax.dynamic_index_in_dim(a, fold, keepdims=False), arrays)

    def one(member: Any) -> tuple[JaxArray, JaxArray]:
        network = eqx.combine(member, rest)
        return jax.vmap(lambda point: moments(network(point)))(x)

    mean, variance = jax.lax.map(one, arrays) if jax.default_backend() == "cpu" else jax.vmap(one)(arrays)
    return jnp.stack([mean.mean(axis=0), variance.mean(axis=0), mean.var(axis=0)])


def save(path: Path | str, networks: Any) -> None:
    """Write the numbers of any networks to one file."""
    eqx.tree_serialise_leaves(path, networks)


def load(path: Path | str, like: Any) -> Any:
    """Read what :func:`save` wrote into networks of the same shape as ``like`` (see :func:`verax.learn.blank`).

    Raises
    ------
    InputError : when the file is missing, or its shapes are others
    """
    try:
        return eqx.tree_deserialise_leaves(path, like)
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        raise InputError(
            str(path), str(error).splitlines()[0], "networks saved in this shape", "train again"
        ) from error
