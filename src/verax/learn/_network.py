"""Networks that carry their own standardisation: one point of features in, one logit out.

Inputs of mean 0 and width 1: LeCun et al., "Efficient BackProp", 1998.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events


class Frozen(eqx.Module):
    """Base of modules whose arrays are constants of the network: the training loop leaves them as they are.

    >>> trainable(Standardise(np.zeros(1), np.ones(1))).centre
    False
    """


def trainable(network: Any) -> Any:
    """Mark what training may change: True at the inexact arrays of the network's tree that are outside :class:`Frozen`.

    Parameters
    ----------
    network : any ``eqx.Module``

    >>> trainable(blank(("x",), width=8, depth=1)).layers[0].weight
    True
    """

    def mark(node: Any) -> Any:
        if isinstance(node, Frozen):
            return jax.tree.map(lambda _: False, node)
        return eqx.is_inexact_array(node)

    return jax.tree.map(mark, network, is_leaf=lambda node: isinstance(node, Frozen))


class Around(eqx.Module):
    """Base of networks around another one: attributes that they do not have are those of the network inside.

    Parameters
    ----------
    network : the one inside

    >>> Around(blank(("x",), width=8, depth=1)).features
    ('x',)
    """

    network: Any

    def __getattr__(self, name: str) -> Any:
        if name in self.__dataclass_fields__ or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.network, name)


class Standardise(Frozen):
    """(x − centre) / scale for each feature; a missing value becomes 0, the centre.

    Parameters
    ----------
    centre : what is subtracted, in the feature's unit
    scale : what is divided by, in the feature's unit
    missing : value that stands for "not measured" (−999 in HiggsML; NaN is allowed), or None

    >>> Standardise(np.array([2.0]), np.array([4.0]), missing=-999.0)(jnp.array([10.0])).tolist()
    [2.0]
    """

    centre: Float[Array, "*batch feature"]
    scale: Float[Array, "*batch feature"]
    missing: float | None = eqx.field(static=True, default=None)

    def __call__(self, x: Float[jax.Array, " feature"]) -> Float[jax.Array, " feature"]:
        z = (x - self.centre) / self.scale
        return z if self.missing is None else jnp.where(is_missing(x, self.missing), 0.0, z)


def is_missing(x: Any, missing: float | None) -> Any:
    """True where ``x`` is the value that stands for "not measured"; all False when there is none."""
    if missing is None:
        return np.zeros(np.shape(x), bool)
    return x != x if math.isnan(missing) else x == missing  # NaN alone differs from itself


def standardise(
    x: Float[Array, "event feature"], weight: Float[Array, " event"], *, missing: float | None = None
) -> Standardise:
    """Find the weighted mean and standard deviation of each feature over the rows where it is measured.

    Weights count by magnitude: a scale is wanted, and signed weights could make a variance negative. A feature that is
    constant, or measured nowhere, gets scale 1.

    Parameters
    ----------
    x : values of the features ``[event, feature]``, in their units
    weight : of each event, of any sign
    missing : value that stands for "not measured", or None

    Raises
    ------
    InputError : for a feature with NaN or infinite values other than ``missing``

    >>> standardise(np.array([[0.0], [4.0]]), np.ones(2)).centre.tolist()
    [2.0]
    """
    values, size = np.array(x, np.float64), np.abs(np.asarray(weight, np.float64))
    missed = is_missing(np.asarray(x), missing)  # in the table's own precision: −999.9 has another value in each
    bad = ~(np.isfinite(values) | missed)
    if bad.any():
        where = int(np.argmax(bad.any(axis=0)))
        seen = f"{int(bad[:, where].sum())} NaN or infinite values"
        action = f"drop those rows, or name a missing value ({missing=})"
        raise InputError(f"feature {where}", seen, "finite values", action)
    sums = partial(np.einsum, "e,ef->f", size)  # few passes over memory: every member of an ensemble does this
    total = sums((~missed).astype(float)) if missed.any() else np.full(values.shape[1], size.sum())
    safe = np.where(total > 0, total, 1.0)
    values[missed] = 0.0
    centre = sums(values) / safe
    values -= centre
    values[missed] = 0.0
    spread = np.sqrt(np.einsum("e,ef,ef->f", size, values, values) / safe)
    # A constant column computed in floating point has a spread of rounding size: dividing by it would blow noise up.
    scale = np.where(spread > 1e-6 * np.maximum(np.abs(centre), 1e-30), spread, 1.0)
    nan_is_one_object = math.nan if missing is not None and math.isnan(missing) else missing
    return Standardise(jnp.asarray(centre, jnp.float32), jnp.asarray(scale, jnp.float32), nan_is_one_object)


class Network(eqx.Module):
    """Multilayer perceptron on standardised features: ``x[feature] → logit``; use ``jax.vmap`` for many points.

    Made with a number of ``outputs``, it gives that many instead of one logit.

    Parameters
    ----------
    features : names of the columns that it reads, in the order of its input
    standardise : fixed transformation of the input
    layers : the trainable part, with ReLU between layers

    >>> blank(("x",), width=8, depth=1)(jnp.zeros(1)).shape
    ()
    """

    features: tuple[str, ...] = eqx.field(static=True)
    standardise: Standardise
    layers: tuple[eqx.nn.Linear, ...]

    def __call__(
        self, x: Float[jax.Array, " feature"], *, key: PRNGKeyArray | None = None
    ) -> Float[jax.Array, "*output"]:
        hidden = self.standardise(x)
        for layer in self.layers[:-1]:
            hidden = jax.nn.relu(layer(hidden))
        return self.layers[-1](hidden)


def inputs(network: Any, events: Events) -> Float[Array, "event feature"]:
    """Read the columns ``[event, feature]`` in a network's ``features``, or all where it has no such attribute.

    Parameters
    ----------
    network : any network, with names of features or not
    events : a table that has these columns

    Raises
    ------
    InputError : for a column that the events do not have

    >>> from verax.events import make_events
    >>> inputs(blank(("x",), width=8, depth=1), make_events({"w": np.ones(2), "x": np.zeros(2)})).tolist()
    [[0.0], [0.0]]
    """
    names = getattr(network, "features", events.columns)
    # All columns in their own order are the table itself: a batch in training is then gathered once, not twice.
    return events.x if tuple(names) == events.columns else events.features(names)


def classifier(
    key: PRNGKeyArray,
    events: Events,
    features: Sequence[str],
    *,
    width: int = 64,
    depth: int = 2,
    missing: float | None = None,
    outputs: int | None = None,
) -> Network:
    """Make a fresh network for two classes, standardised to ``events``.

    Parameters
    ----------
    key : random key of the initial weights
    events : training part only, with training weights
    features : names of the columns that it reads
    width : units of a hidden layer (ReLU)
    depth : number of hidden layers
    missing : value that stands for "not measured" (see :class:`Standardise`)
    outputs : numbers that it gives for each event; a single logit by default

    Raises
    ------
    InputError : for an unknown feature, or one with values that are not finite

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.linspace(-1, 1, 64)})
    >>> classifier(jax.random.key(1), table, ("x",), width=8, depth=1).layers[0].weight.shape
    (8, 1)
    """
    first = standardise(events.features(features), events.weight, missing=missing)
    return Network(tuple(features), first, _layers(key, len(features), width, depth, outputs))


def blank(
    features: Sequence[str],
    *,
    width: int = 64,
    depth: int = 2,
    missing: float | None = None,
    axes: tuple[int, ...] = (),
    outputs: int | None = None,
) -> Network:
    """Make a classifier of the given shape with all numbers zero, to :func:`verax.learn.load` into.

    Parameters
    ----------
    features : names of the columns that it reads
    width : units of a hidden layer
    depth : number of hidden layers
    missing : value that stands for "not measured" (see :class:`Standardise`)
    axes : leading axes of the saved networks: ``(members,)`` or ``(folds, members)``
    outputs : numbers that it gives for each event; a single logit by default

    >>> blank(("x",), width=8, depth=1, axes=(5, 2)).layers[0].weight.shape  # fold, member, unit, feature
    (5, 2, 8, 1)
    """
    zero = np.zeros(len(features), np.float32)
    nan_is_one_object = math.nan if missing is not None and math.isnan(missing) else missing
    shapes = jax.eval_shape(lambda key: _layers(key, len(features), width, depth, outputs), jax.random.key(0))
    network = Network(tuple(features), Standardise(zero, zero, nan_is_one_object), shapes)
    return jax.tree.map(lambda a: jnp.zeros(axes + a.shape, a.dtype), network)


@eqx.filter_jit
def _layers(key: PRNGKeyArray, features: int, width: int, depth: int, outputs: int | None) -> tuple[eqx.nn.Linear, ...]:
    return linear_layers(key, [features, *[width] * depth, outputs or "scalar"])


def linear_layers(key: PRNGKeyArray, sizes: Sequence[Any]) -> tuple[eqx.nn.Linear, ...]:
    """Make fresh linear layers, one after another.

    Parameters
    ----------
    key : random key of the initial weights
    sizes : numbers of units, from inputs to outputs; the last one may be "scalar", an output without axis

    >>> [layer.weight.shape for layer in linear_layers(jax.random.key(1), [2, 8, "scalar"])]
    [(8, 2), (1, 8)]
    """
    keys = jax.random.split(key, len(sizes) - 1)
    ends = zip(sizes, sizes[1:], keys, strict=False)
    return tuple(eqx.nn.Linear(a, b, dtype=jnp.float32, key=k) for a, b, k in ends)
