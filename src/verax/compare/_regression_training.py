"""Networks of all splits at once: every split and member is a run on one shared table, so one program trains them all."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array as JaxArray
from jaxtyping import Float, Int, PRNGKeyArray

from verax.compare._regression_data import Data, Partition
from verax.epistemic import bootstrap_factors
from verax.events import Events
from verax.learn import History, Loss, Moments, Training, event_weight, member
from verax.learn.folds import make_runs
from verax.learn.loop import train_runs
from verax.results import FloatArray, Status

WIDTH = 50
"""Hidden units of the published networks, in one layer."""

RESOLUTION = 0.05
"""Of each input in test-time augmentation, in units of its spread: a stated one, as these data have none of their own."""

STOPPED = (Status.OK, Status.MAX_STEPS)
"""Statuses of Laplace's approximation around a network that is left where its training stopped."""


@dataclass(frozen=True)
class RegressionEffort:
    """How much work goes into the comparison; fixed before any result on the reported splits was seen.

    Published protocols have settings of their own (deep ensembles, dropout); these are of all other networks, and the
    same for all: one hidden layer, as there, and a fifth of the rows to decide when to stop.

    Parameters
    ----------
    width, epochs, batch, rate, patience : of the training
    members : of ensembles; of those that draw networks, ``draws``
    folds : of CV+
    variational : epochs of variational inference
    dropout, passes : epochs of networks trained under dropout, and masks of a prediction
    largest : rows that a Gaussian process is conditioned on, at most
    chains, chain : of HMC, and its draws after as many steps of warm-up
    units : hidden units of HMC's network
    """

    width: int = 50
    epochs: int = 400
    batch: int = 100
    rate: float = 1e-2
    patience: int = 30
    members: int = 5
    draws: int = 200
    folds: int = 5
    variational: int = 400
    dropout: int = 4000
    passes: int = 10_000
    largest: int = 1000
    chains: int = 2
    chain: int = 200
    units: int = 10

    @property
    def training(self) -> Training:
        """Options of the trainings that all methods without a published protocol share."""
        return Training(self.epochs, self.batch, self.patience, self.rate)


def cut_rows(
    key: PRNGKeyArray, rows: Int[np.ndarray, "split row"], *shares: float
) -> tuple[Int[np.ndarray, "split _"], ...]:
    """The rows of each split in random order, cut by ``shares`` of them; the last part is what is left."""
    keys = jax.random.split(key, len(rows))
    mixed = np.stack([r[np.asarray(jax.random.permutation(k, len(r)))] for k, r in zip(keys, rows, strict=True)])
    cuts = np.round(np.cumsum(shares) * rows.shape[1]).astype(int)
    return tuple(np.split(mixed, cuts, axis=1))


def train_all(
    key: PRNGKeyArray,
    table: Events,
    rows: Int[np.ndarray, "split row"],
    stop: Int[np.ndarray, "split held"],
    make: Callable[..., Any],
    loss: Loss,
    training: Training,
    *,
    members: int = 1,
    bootstrap: bool = False,
    by_split: bool = False,
) -> tuple[Any, tuple[History, ...]]:
    """Networks with leading axes (split, member), each trained on its split's rows; and their histories.

    Parameters
    ----------
    stop : rows that decide when to stop; none where its second axis has no length
    make, by_split : ``(key, training events) → network``; by split: ``split → such a function``
    bootstrap : each member on its own Poisson replica of the split's rows
    """
    runs = []
    for s, (learn, held) in enumerate(zip(rows, stop, strict=True)):
        start, replica = jax.random.split(jax.random.fold_in(key, s))
        factors = bootstrap_factors(replica, table.number, table.process, members=members) if bootstrap else None
        maker = make(s) if by_split else make
        runs += make_runs(start, maker, table, learn, held, members=members, factors=factors, weigh=event_weight)
    stacked, histories = train_runs(runs, loss, table, replace(training, vmapped=True))
    shape = (len(rows), members)
    networks = jax.tree.map(lambda a: a.reshape(*shape, *a.shape[1:]) if eqx.is_array(a) else a, stacked)
    return networks, histories


def train_splits(
    key: PRNGKeyArray,
    data: Data,
    partition: Partition,
    effort: RegressionEffort,
    make: Callable[..., Any],
    loss: Loss,
    *,
    members: int = 1,
    bootstrap: bool = False,
) -> tuple[Any, str]:
    """As :func:`train_all` on four fifths of each split's rows, stopped by the rest; and what went wrong."""
    cut, start = jax.random.split(key)
    learn, stop = cut_rows(cut, partition.train, 0.8)
    networks, histories = train_all(
        start, data.events(), learn, stop, make, loss, effort.training, members=members, bootstrap=bootstrap
    )
    return networks, warnings(histories)


def warnings(histories: tuple[History, ...]) -> str:
    """The first thing that went wrong in training, and how often something did; empty when nothing did."""
    problems = [h.problem for h in histories if h.problem]
    return f"{len(problems)} of {len(histories)} trainings: {problems[0]}" if problems else ""


def split_members(networks: Any, split: int) -> Any:
    """The members of one split."""
    return member(networks, split)


@eqx.filter_jit
def outputs(networks: Any, x: Float[JaxArray, "split point feature"]) -> Any:
    """Outputs of each split's members at its points: ``[split, member, point, …]``."""
    arrays, rest = eqx.partition(networks, eqx.is_array)

    def one(split: tuple[Any, JaxArray]) -> Any:
        members, points = split
        return jax.vmap(lambda w: jax.vmap(eqx.combine(w, rest))(points))(members)

    return jax.lax.map(one, (arrays, x))


def predicted(
    networks: Any, x: Float[np.ndarray, "split point feature"], moments: Moments
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance that each member predicts, ``[split, member, point]``, in float64."""
    found = outputs(networks, jnp.asarray(x, jnp.float32))
    mean, variance = jax.vmap(jax.vmap(jax.vmap(moments)))(found)
    return np.asarray(mean, np.float64), np.asarray(variance, np.float64)
