"""Predictions of Monte Carlo dropout (arXiv:1506.02142) without one whole network a pass: shared work is done once.

The first hidden layer reads features, which no mask touches: h is the same in all passes. The next layer's input is h with
some units left out, so that its sum is W·h, computed once, less the columns of the units left out, a tenth of them at a
rate of 0.1 (or the kept ones alone where these are fewer). Later layers have inputs of their own in each pass.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Key, PRNGKeyArray, UInt32

from verax.arrays import Array
from verax.errors import InputError, check_least
from verax.events import Events
from verax.learn import Moments, Network, bernoulli, inputs, total_variance
from verax.results import Predictive

from ._dropout import Rate, check_rate, draw_mask
from ._posterior import checked_members


def dropout_predict(
    key: PRNGKeyArray,
    network: Any,
    events: Events | Float[Array, "event feature"],
    *,
    members: int = 50,
    rate: Rate = 0.1,
    moments: Moments = bernoulli,
    batch: int = 256,
) -> Predictive:
    """Predict what ``predict(Dropout(network, rate).members(key, n), events)`` gives, from the same masks but faster.

    Parameters
    ----------
    key : random key of the masks
    network : a :class:`verax.learn.Network`, or a head around one
    events : events, or an array ``[event, feature]`` with the network's features in its own order
    members : number of masks
    rate : share of units that each mask leaves out (see :class:`verax.epistemic.Dropout`)
    moments : mean and variance of the target from the network's output
    batch : rows of a batch; memory is bounded by it

    Raises
    ------
    InputError : for fewer than one member, a rate outside [0, 1), or a network without exactly one perceptron with hidden
        layers in it

    >>> from verax.events import make_events
    >>> from verax.learn import classifier
    >>> table = make_events({"x": np.linspace(-1, 1, 64)})
    >>> network = classifier(jax.random.key(1), table, ("x",), width=8, depth=1)
    >>> dropout_predict(jax.random.key(2), network, table).epistemic.shape
    (64,)
    """
    checked_members(members)
    check_least(batch, 1, "batch")
    body = _perceptron(network)
    check_rate(rate)
    x = np.asarray(inputs(network, events) if isinstance(events, Events) else events, np.float32)
    passes = _passes(key, body, rate, members)
    parts = []
    for start in range(0, len(x), batch):
        full = np.zeros((batch, x.shape[1]), np.float32)
        full[: len(x) - start] = x[start : start + batch]
        parts.append(_moments_of_batch(network, passes, full, moments))
    if not parts:
        return Predictive(*np.zeros((3, 0)))
    return Predictive(*np.concatenate([np.asarray(p, np.float64) for p in parts], axis=1)[:, : len(x)])


class _Passes(NamedTuple):
    """What differs between passes: columns to add to a shared sum of the second layer, and masks of the later ones.

    Parameters
    ----------
    shared : 1 where the sum over all units is the start, 0 where only the listed units count
    unit : of the first hidden layer, left out (or kept), filled up to the same number in each pass
    sign : −1 (or 1) for each of them, 0 where filled up; all times 1/(1 − rate), as is ``scale``
    masks : of the inputs of all later layers
    """

    shared: Any
    scale: Any
    unit: Int[Array, "pass slot"]
    sign: Float[Array, "pass slot"]
    masks: tuple[Float[Array, "pass unit"], ...]


def _passes(key: PRNGKeyArray, body: Network, rate: Rate, members: int) -> _Passes:
    sizes = tuple(layer.weight.shape[-1] for layer in body.layers[1:])
    masks = [np.asarray(m) for m in _draw(jax.random.split(key, members), sizes, rate)]
    first = rate if isinstance(rate, int | float) else rate[0]
    fewer = bool(first < 0.5)
    listed = (masks[0] == 0) if fewer else (masks[0] > 0)
    slots = min(-(-max(int(listed.sum(axis=1).max()), 1) // 8) * 8, sizes[0])  # few shapes to compile
    unit = np.argsort(~listed, axis=1, kind="stable")[:, :slots].astype(np.int32)
    scale = np.float32(1 / (1 - first))
    sign = np.take_along_axis(listed, unit, axis=1).astype(np.float32) * (-scale if fewer else scale)
    return _Passes(np.asarray(fewer, np.float32), np.asarray(scale), unit, sign, tuple(masks[1:]))


@eqx.filter_jit
def _draw(
    keys: Key[jax.Array, " member"] | UInt32[jax.Array, "member word"], sizes: tuple[int, ...], rate: Rate
) -> tuple[Float[jax.Array, "pass unit"], ...]:
    return jax.vmap(lambda key: tuple(draw_mask(key, i, size, rate) for i, size in enumerate(sizes)))(keys)


@eqx.filter_jit
def _moments_of_batch(
    network: Any, passes: _Passes, x: Float[Array, "row feature"], moments: Moments
) -> Float[jax.Array, "part row *target"]:
    """Mean, aleatoric and epistemic variance of a batch over all passes."""
    body = _perceptron(network)
    first, second, *later = body.layers
    hidden = jax.nn.relu(jax.vmap(lambda point: first(body.standardise(point)))(jnp.asarray(x))).T
    columns = second.weight.reshape(-1, hidden.shape[0]).T  # a last layer of one output has no axis for it
    # W·(m ⊙ h) + b with m = 1/(1 − p) or 0: (W·h − Σ_{left out} W_j h_j)/(1 − p) + b, or the sum over the kept units
    start = passes.shared * passes.scale * (hidden.T @ columns) + _offset(second)

    def one(each: tuple[jax.Array, jax.Array, tuple[jax.Array, ...]]) -> tuple[jax.Array, ...]:
        unit, sign, masks = each
        here = start + hidden[unit].T @ (columns[unit] * sign[:, None])
        for layer, mask in zip(later, masks, strict=True):
            weight = layer.weight.reshape(-1, mask.size) * mask
            here = jax.nn.relu(here) @ weight.T + _offset(layer)
        scalar = body.layers[-1].out_features == "scalar"
        return jax.vmap(lambda out: moments(_whole_output(network, out[0] if scalar else out)))(here)

    return total_variance(*jax.lax.map(one, (jnp.asarray(passes.unit), jnp.asarray(passes.sign), passes.masks)))


def _offset(layer: eqx.nn.Linear) -> jax.Array:
    return jnp.zeros(()) if layer.bias is None else jnp.reshape(layer.bias, (-1,))


class _FixedOutput(Network):
    """The perceptron of a head, when its output is known."""

    output: Any

    def __call__(self, x: jax.Array, *, key: PRNGKeyArray | None = None) -> Any:
        return self.output


def _whole_output(network: Any, output: jax.Array) -> Any:
    """The output of the whole network where its perceptron gives ``output``."""
    body = _perceptron(network)
    known = _FixedOutput(body.features, body.standardise, body.layers, output)
    whole = jax.tree.map(lambda node: known if _is_network(node) else node, network, is_leaf=_is_network)
    return whole(jnp.zeros(len(body.features), jnp.float32))


def _perceptron(network: Any) -> Network:
    """The one perceptron in a network.

    Raises
    ------
    InputError : for none, several, or one without hidden layers
    """
    found = [node for node in jax.tree.leaves(network, is_leaf=_is_network) if _is_network(node)]
    if len(found) != 1 or len(found[0].layers) < 2:
        seen = f"{len(found)} perceptrons" if len(found) != 1 else "a perceptron without hidden layers"
        expected = "one verax.learn.Network with hidden layers, or a head around it"
        raise InputError("dropout", seen, expected, "use predict(Dropout(…).members(…)) for other networks")
    return found[0]


def _is_network(node: Any) -> bool:
    return isinstance(node, Network)
