"""Predictions of networks: mean and both parts of the variance, streamed in batches of one shape.

The law of total variance divides the variance into the mean of the members' variances (aleatoric) and the variance of
their means (epistemic): Depeweg et al., arXiv:1710.07283; Lakshminarayanan et al., arXiv:1612.01474.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from verax.arrays import Array
from verax.errors import InputError, check_least
from verax.events import Events
from verax.results import Predictive

from ._folds import CrossTrained, fold_of

Sample: TypeAlias = Events | Float[Array, "..."]
Fold: TypeAlias = Int[jax.Array, ""]
Batch: TypeAlias = Float[Array, "row feature"]

Moments: TypeAlias = Callable[[Any], tuple[jax.Array, ...]]
"""Mean and variance of the target, from a network's output at one point: numbers, or arrays of one shape.

A third one, of a network that knows it (evidential), is the variance of the mean: it counts as epistemic.
"""


def bernoulli(logit: Any) -> tuple[Float[jax.Array, ""], Float[jax.Array, ""]]:
    """Turn a logit into mean p and variance p(1 − p) of a class label.

    Parameters
    ----------
    logit : one number, the log-odds of the first class

    Raises
    ------
    InputError : for an output that is not one number, which is no logit

    >>> [float(v) for v in bernoulli(jnp.zeros(()))]
    [0.5, 0.25]
    """
    if jnp.ndim(logit) or not isinstance(logit, (jax.Array, np.ndarray)):
        seen = f"outputs of shape {jnp.shape(logit)}" if hasattr(logit, "shape") else f"a {type(logit).__name__}"
        action = "give the moments of this network (moments=…), such as those of its head"
        raise InputError("predict", f"{seen}, taken for a classifier's logit", "one number an event", action)
    return jax.nn.sigmoid(logit), jax.nn.sigmoid(logit) * jax.nn.sigmoid(-logit)


def predict(members: Any, events: Sample, *, moments: Moments = bernoulli, batch: int = 2048) -> Predictive:
    """Predict mean, aleatoric and epistemic variance over ``members``, by the law of total variance.

    Beside its input and its result this needs memory for a few batches only. For events that do not fit in memory see
    :func:`predict_chunks`.

    Parameters
    ----------
    members : networks stacked along a leading axis ``member``
    events : events, or an array ``[event, feature]`` with the network's features in its own order
    moments : mean and variance of the target from the network's output. The default takes the output for a classifier's
        logit: a network of anything else has its own
    batch : rows of a batch; memory is bounded by it, and an event's bits do not depend on which others come with it

    Raises
    ------
    InputError : for networks without that axis, another number of features, or outputs that the moments are not for

    >>> members = eqx.filter_vmap(lambda key: eqx.nn.Linear(1, "scalar", key=key))(jax.random.split(jax.random.key(1), 5))
    >>> found = predict(members, np.zeros((3, 1)))
    >>> bool(np.allclose(found.aleatoric + found.epistemic, found.mean * (1 - found.mean)))  # of a label
    True
    """
    networks = jax.tree.map(lambda a: a[None] if eqx.is_array(a) else a, members)
    _check(networks, events, moments)
    return _stream(networks, None, _reader(members, events), len(events), moments, batch)


def predict_chunks(
    members: Any,
    chunks: Iterable[Events | Float[Array, "_event feature"]],
    *,
    moments: Moments = bernoulli,
    batch: int = 2048,
) -> Iterator[Predictive]:
    """Predict as :func:`predict` for each chunk, read when it is asked for: memory does not grow with the number of events.

    Parameters
    ----------
    members : networks stacked along a leading axis ``member``
    chunks : events, or arrays ``[event, feature]``, one after another
    moments : mean and variance of the target from the network's output
    batch : rows of a batch

    Raises
    ------
    InputError : as :func:`predict`

    >>> members = eqx.filter_vmap(lambda key: eqx.nn.Linear(1, "scalar", key=key))(jax.random.split(jax.random.key(1), 5))
    >>> [len(found.mean) for found in predict_chunks(members, [np.zeros((3, 1)), np.ones((2, 1))])]
    [3, 2]
    """
    for chunk in chunks:
        yield predict(members, chunk, moments=moments, batch=batch)


def member_means(
    members: Any, events: Sample, *, moments: Moments = bernoulli, batch: int = 2048
) -> Iterator[tuple[slice, Float[np.ndarray, "member row *target"]]]:
    """Predict the mean by each member, batch by batch: the rows, and ``E[y | x, w]`` for each member and row.

    For what depends on members one by one, such as histograms of each; a member's numbers are those of one function.

    Parameters
    ----------
    members : networks stacked along a leading axis ``member``
    events : events, or an array ``[event, feature]`` with the network's features in its own order
    moments : mean and variance of the target from the network's output
    batch : rows of a batch

    Raises
    ------
    InputError : as :func:`predict`

    >>> members = eqx.filter_vmap(lambda key: eqx.nn.Linear(1, "scalar", key=key))(jax.random.split(jax.random.key(1), 5))
    >>> [(rows, mean.shape) for rows, mean in member_means(members, np.zeros((3, 1)))]
    [(slice(0, 3, None), (5, 3))]
    """
    networks = jax.tree.map(lambda a: a[None] if eqx.is_array(a) else a, members)
    _check(networks, events, moments)
    for rows, values in _parts(networks, None, _reader(members, events), len(events), moments, batch, _means_of_batch):
        yield rows, np.asarray(values, np.float64)[:, : rows.stop - rows.start]


def score(
    trained: CrossTrained, events: Events | Array, *, moments: Moments = bernoulli, batch: int = 2048
) -> Predictive:
    """Score each event as :func:`predict` does, by the networks of its own fold, which never saw it.

    Parameters
    ----------
    trained : networks of :func:`verax.learn.cross_train`
    events : events, whose numbers give their folds
    moments : mean and variance of the target from the network's output
    batch : rows of a batch

    Raises
    ------
    InputError : as :func:`predict`, and for an array, which has no event numbers

    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, Training, classifier, cross_train
    >>> x = np.linspace(-1, 1, 64)
    >>> table = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
    >>> make = partial(classifier, features=("x",), width=8, depth=1)
    >>> found = cross_train(jax.random.key(1), make, CrossEntropy(("s",)), table, training=Training(epochs=1), folds=2)
    >>> score(found, table).mean.shape
    (64,)
    """
    if not isinstance(events, Events):
        raise InputError("score", f"a {type(events).__name__}", "Events, whose numbers give the fold of each")
    _check(trained.network, events, moments)
    fold = fold_of(events.number, trained.folds)
    return _stream(trained.network, fold, _reader(trained.network, events), len(events), moments, batch)


def _check(networks: Any, events: Events | Array, moments: Moments) -> None:
    """Check that the networks of a fold and member have an output for one row that the moments read.

    Raises
    ------
    InputError : otherwise
    """
    arrays, rest = eqx.partition(networks, eqx.is_array)
    shapes = {a.shape[:2] for a in jax.tree.leaves(arrays)}
    if len(shapes) > 1 or any(len(s) < 2 for s in shapes):
        seen = "arrays of first lengths " + ", ".join(sorted({str(s[1]) if len(s) > 1 else "none" for s in shapes}))
        action = "a single network: jax.tree.map(lambda a: a[None] if eqx.is_array(a) else a, network)"
        raise InputError("predict", seen, "networks with one leading axis member", action)
    features = getattr(networks, "features", None)
    if isinstance(events, Events):
        many = len(features or events.columns)
    elif np.ndim(events) != 2:
        raise InputError("predict", f"events of shape {np.shape(events)}", "one row an event, one column a feature")
    else:
        many = np.shape(events)[1]
        if features is not None and many != len(features):
            raise InputError("predict", f"{many} columns", f"{len(features)}, the network's features in its own order")

    def one(arrays: Any, x: jax.Array) -> Any:
        return moments(eqx.combine(jax.tree.map(lambda a: a[0, 0], arrays), rest)(x))

    try:
        eqx.filter_eval_shape(one, arrays, jnp.zeros(many, jnp.float32))
    except InputError:
        raise
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        seen = f"{type(networks).__name__}: {str(error).splitlines()[0]}"
        expected = f"networks stacked along a leading axis, each called on one row of {many} features"
        raise InputError("predict", seen, expected, "and moments of their outputs") from error


Rows: TypeAlias = slice | np.ndarray
Read: TypeAlias = Callable[[Any], np.ndarray]


def _reader(network: Any, events: Events | Array) -> Read:
    """The features of some rows, cut out of the table when they are needed: no copy of all events is made."""
    if not isinstance(events, Events):
        table = np.asarray(events)
        return lambda rows: np.asarray(table[rows], np.float32)
    x, columns = np.asarray(events.x), np.asarray(events.index(getattr(network, "features", events.columns)))
    return lambda rows: np.asarray(x[rows][:, columns], np.float32)


def _parts(
    networks: Any,
    fold: Int[np.ndarray, " event"] | None,
    read: Read,
    n: int,
    moments: Moments,
    batch: int,
    compute: Callable[..., jax.Array],
) -> Iterator[tuple[Any, jax.Array]]:
    """Batches of one shape, each with events of one fold (all are of one without ``fold``), and their numbers.

    The last batch of a fold is filled up with zeros. A few batches are under way at once.
    """
    check_least(batch, 1, "batch")
    pending: deque[tuple[Any, jax.Array]] = deque()
    for f in [0] if fold is None else np.unique(fold):
        rows = None if fold is None else np.flatnonzero(fold == f)
        length = n if rows is None else len(rows)
        for start in range(0, length, batch):
            stop = min(start + batch, length)
            part: Rows = slice(start, stop) if rows is None else rows[start:stop]
            values = read(part)
            full = np.zeros((batch, values.shape[1]), np.float32)
            full[: stop - start] = values
            pending.append((part, compute(networks, jnp.int32(f), full, moments)))
            if len(pending) > 4:
                yield pending.popleft()
    yield from pending


def _stream(
    networks: Any, fold: Int[np.ndarray, " event"] | None, read: Read, n: int, moments: Moments, batch: int
) -> Predictive:
    """Both parts of the variance of all events, by the networks of each one's fold."""
    out: list[np.ndarray] = []  # made when the first batch shows the shape of a target
    for rows, values in _parts(networks, fold, read, n, moments, batch, _moments_of_batch):
        found = np.asarray(values, np.float64)
        if not out:
            out += list(np.empty((3, n, *found.shape[2:])))
        for whole, part in zip(out, found, strict=True):
            whole[rows] = part[: len(whole[rows])]
    return Predictive(*out) if out else Predictive(*np.zeros((3, 0)))


@eqx.filter_jit
def _moments_of_batch(networks: Any, fold: Fold, x: Batch, moments: Moments) -> Float[jax.Array, "part row *target"]:
    """Mean, aleatoric and epistemic variance of a batch by the networks of one fold."""
    return total_variance(*_by_member(networks, fold, x, moments))


def total_variance(
    mean: Float[jax.Array, "member *row"],
    aleatoric: Float[jax.Array, "member *row"],
    *known: Float[jax.Array, "member *row"],
) -> Float[jax.Array, "part *row"]:
    """Divide the variance over members by the law of total variance: Var y = E[σ²] + Var[μ].

    Parameters
    ----------
    mean : μ of each member, in the target's unit
    aleatoric : σ² of each member, its variance of the target
    known : variance of the mean that each member knows of itself, if any; its average counts as epistemic

    Returns
    -------
    Mean, aleatoric and epistemic variance, ``[part, *row]``

    >>> total_variance(jnp.array([[1.0], [3.0]]), jnp.array([[0.5], [1.5]])).tolist()
    [[2.0], [1.0], [1.0]]
    """
    epistemic = mean.var(axis=0)
    for each in known:
        epistemic += each.mean(axis=0)
    return jnp.stack([mean.mean(axis=0), aleatoric.mean(axis=0), epistemic])


@eqx.filter_jit
def _means_of_batch(networks: Any, fold: Fold, x: Batch, moments: Moments) -> Float[jax.Array, "member row *target"]:
    """Each member's mean for a batch."""
    return _by_member(networks, fold, x, moments)[0]


def _by_member(networks: Any, fold: Fold, x: Batch, moments: Moments) -> tuple[jax.Array, ...]:
    """The moments that each member of a fold predicts, ``[member, row, *target]``."""
    arrays, rest = eqx.partition(networks, eqx.is_array)
    arrays = jax.tree.map(lambda a: jax.lax.dynamic_index_in_dim(a, fold, keepdims=False), arrays)

    def one(member: Any) -> tuple[jax.Array, ...]:
        network = eqx.combine(member, rest)
        return jax.vmap(lambda point: moments(network(point)))(x)

    return jax.lax.map(one, arrays) if jax.default_backend() == "cpu" else jax.vmap(one)(arrays)


def save(path: Path | str, networks: Any) -> None:
    """Write the numbers of networks to one file.

    Parameters
    ----------
    path : of the file, which is replaced where it is there
    networks : any tree of arrays

    >>> import tempfile
    >>> from verax.learn import blank
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/network.eqx", blank(("x",), width=8, depth=1))
    """
    eqx.tree_serialise_leaves(path, networks)


def load(path: Path | str, like: Any) -> Any:
    """Read what :func:`save` wrote into networks of the same shape as ``like``.

    Parameters
    ----------
    path : of the file
    like : networks of that shape, whose numbers do not matter (see :func:`verax.learn.blank`)

    Raises
    ------
    InputError : when the file is missing, or its shapes are others

    >>> import tempfile
    >>> from verax.learn import blank
    >>> like = blank(("x",), width=8, depth=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/network.eqx", like)
    ...     load(f"{folder}/network.eqx", like).features
    ('x',)
    """
    try:
        return eqx.tree_deserialise_leaves(path, like)
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        seen = str(error).splitlines()[0]
        raise InputError(str(path), seen, "networks saved in this shape", "train again") from error
