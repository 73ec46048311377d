"""One compiled epoch: a scan over batches, then the validation loss and the choice of the best network."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from verax.events import Events

from ._loss import Loss, is_comparable
from ._network import trainable


class State(NamedTuple):
    """What an epoch changes: the network, the optimizer's state, the best network and its validation loss."""

    network: Any
    optimizer: Any
    best: Any
    best_loss: jax.Array


class Outcome(NamedTuple):
    """What the host reads of an epoch: the loss of each step, the validation loss, whether this epoch is the best."""

    losses: jax.Array
    validation: jax.Array
    improved: jax.Array


def _epoch(
    state: State,
    weight: Float[jax.Array, " event"],
    rows: Int[jax.Array, "step batch"],
    held_out: Int[jax.Array, "part row"],
    key: PRNGKeyArray,
    epoch: Int[jax.Array, ""],
    active: Bool[jax.Array, ""],
    rate: Float[jax.Array, " step"],
    events: Events,
    loss: Loss,
    optimizer: optax.GradientTransformation,
) -> tuple[State, Outcome]:
    """One pass over the rows, then the validation loss. Pure; compiled once for each shape and loss."""
    table = Events(events.x, weight, events.process, events.number, events.columns, events.processes)
    which = trainable(state.network)
    params, fixed = eqx.partition(state.network, which)
    train_key, held_key = jax.random.split(key)
    epoch_key = jax.random.fold_in(train_key, epoch)

    def step(carry: tuple[Any, Any], batch: tuple[jax.Array, ...]) -> tuple[tuple[Any, Any], jax.Array]:
        params, opt_state = carry
        index, number, share = batch

        # L_B(w) over batch B, and w ← w + s·u(∇L_B): u is the optimizer's update, the descent's sign included, and s
        # the share of its learning rate.
        def objective(params: Any) -> jax.Array:
            return loss(eqx.combine(params, fixed), table.take(index), jax.random.fold_in(epoch_key, number))

        value, gradient = jax.value_and_grad(objective)(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        updates = jax.tree.map(lambda update: share * update, updates)
        return (optax.apply_updates(params, updates), opt_state), value

    numbers = jnp.arange(rows.shape[0])  # of the steps; each has its own key
    (params, opt_state), losses = jax.lax.scan(step, (params, state.optimizer), (rows, numbers, rate))
    network = eqx.combine(params, fixed)
    # An epoch counts if all its losses and the weights it ends with are finite.
    finite = jnp.all(jnp.isfinite(losses))
    for leaf in jax.tree.leaves(params):
        finite &= jnp.all(jnp.isfinite(leaf))
    if held_out.shape[0]:
        # The same key in each epoch: random parts of a loss then do not shake the comparison between epochs.
        # All parts have the same number of rows, so that the mean of their means is the mean over rows.
        part = lambda index: loss(network, table.take(index), held_key)  # noqa: E731
        validation = jnp.mean(jax.lax.map(part, held_out))
        better = validation < state.best_loss if is_comparable(loss) else jnp.isfinite(validation)
        improved = active & finite & better
    else:
        validation = jnp.full((), jnp.nan)
        improved = active & finite
    # The best network so far: w_best ← w where L_validation(w) < L_best, else the last one that is finite.
    keep = lambda new, old: jnp.where(improved, new, old) if eqx.is_array(new) else new  # noqa: E731
    best = jax.tree.map(keep, network, state.best)
    best_loss = jnp.where(improved, validation, state.best_loss)
    return State(network, opt_state, best, best_loss), Outcome(losses, validation, improved)


@eqx.filter_jit
def epoch_of_one(state: State, per_run: tuple[Any, ...], epoch: jax.Array, shared: tuple[Any, ...]) -> Any:
    """The epoch of a single run whose arrays have a leading axis of length 1, as :func:`epoch_of_all` takes them."""
    first = jax.tree.map(lambda a: a[0] if eqx.is_array(a) else a, (state, per_run))
    weight, rows, held_out, key, active, rate = first[1]
    result = _epoch(first[0], weight, rows, held_out, key, epoch, active, rate, *shared)
    return jax.tree.map(lambda a: a[None] if eqx.is_array(a) else a, result)


@eqx.filter_jit
def epoch_of_all(state: State, per_run: tuple[Any, ...], epoch: jax.Array, shared: tuple[Any, ...]) -> Any:
    """The epochs of several runs at once: every array of ``state`` and ``per_run`` has a leading axis ``run``."""

    def one(state: State, per_run: tuple[Any, ...]) -> tuple[State, Outcome]:
        weight, rows, held_out, key, active, rate = per_run
        return _epoch(state, weight, rows, held_out, key, epoch, active, rate, *shared)

    return eqx.filter_vmap(one)(state, per_run)


@eqx.filter_jit
def first_state(networks: Any, optimizer: optax.GradientTransformation) -> State:
    """The state before the first epoch, of networks that are stacked along a leading axis ``run``."""
    start = jax.vmap(optimizer.init)(eqx.filter(networks, trainable(networks)))
    runs = jax.tree.leaves(eqx.filter(networks, eqx.is_array))[0].shape[0]
    return State(networks, start, networks, jnp.full(runs, jnp.inf, jnp.float32))


def stack(networks: Sequence[Any]) -> Any:
    """Stack networks of one shape into one, whose arrays have a leading axis; :func:`verax.learn.member` takes one back.

    The networks of an ensemble side by side, as in the training of many (Lakshminarayanan et al., arXiv:1612.01474).

    Parameters
    ----------
    networks : of one structure; what is no array is that of the first

    >>> from verax.learn import blank
    >>> stack([blank(("x",), width=8, depth=1)] * 3).layers[0].weight.shape  # member, unit, feature
    (3, 8, 1)
    """
    return jax.tree.map(lambda *a: jnp.stack(a) if eqx.is_array(a[0]) else a[0], *networks)
