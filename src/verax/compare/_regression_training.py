"""Networks of all splits at once: every split and member is a run on one shared table, so one program trains them all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from verax.epistemic import bootstrap_factors
from verax.events import Events
from verax.learn import Loss, Moments, Training, classifier, event_weight, make_runs, train_runs
from verax.results import FloatArray, Status

from ._regression_data import TARGET, Data, Partition

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


@dataclass(frozen=True)
class Task:
    """What a method of regression is given: splits of data to learn from and points to predict, and how much work to do."""

    data: Data
    points: Partition
    effort: RegressionEffort

    @cached_property
    def table(self) -> Events:
        """The data as events; a split's rows are among them."""
        return self.data.events()

    def cut(self, key: PRNGKeyArray, *shares: float) -> tuple[Int[np.ndarray, "split _"], ...]:
        """The rows of each split in random order, cut by ``shares`` of them; the last part is what is left."""
        rows = self.points.train
        keys = jax.random.split(key, len(rows))
        mixed = np.stack([r[np.asarray(jax.random.permutation(k, len(r)))] for k, r in zip(keys, rows, strict=True)])
        cuts = np.round(np.cumsum(shares) * rows.shape[1]).astype(int)
        return tuple(np.split(mixed, cuts, axis=1))

    def network(self, head: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """The maker of networks with a head, of the shape that all methods without a published protocol share."""
        body = partial(classifier, width=self.effort.width, depth=1)
        return partial(head, features=self.data.features, target=TARGET, make=body, **options)

    def train(
        self,
        key: PRNGKeyArray,
        make: Callable[..., Any],
        loss: Loss,
        rows: Int[np.ndarray, "split row"] | None = None,
        stop: Int[np.ndarray, "split held"] | None = None,
        *,
        training: Training | None = None,
        members: int = 1,
        bootstrap: bool = False,
        by_split: bool = False,
    ) -> tuple[Any, str]:
        """Networks with leading axes (split, member), each trained on its split's rows; and what went wrong.

        Parameters
        ----------
        key : of starts and batches, and of the cut
        make : ``(key, training events) → network``; ``by_split``: ``split → such a function``
        loss : of a network on events
        rows : to learn from (default: four fifths of each split's, and the others decide when to stop)
        stop : rows that decide when to stop (default with ``rows``: none do)
        training : options (default: those of the effort)
        members : networks of each split
        bootstrap : each member on its own Poisson replica of the split's rows
        """
        if rows is None:
            cut, key = jax.random.split(key)
            rows, stop = self.cut(cut, 0.8)
        stop, table, runs = rows[:, :0] if stop is None else stop, self.table, []
        for s, (learn, held) in enumerate(zip(rows, stop, strict=True)):
            start, replica = jax.random.split(jax.random.fold_in(key, s))
            factors = bootstrap_factors(replica, table.number, table.process, members=members) if bootstrap else None
            maker = make(s) if by_split else make
            runs += make_runs(start, maker, table, learn, held, members=members, factors=factors, weigh=event_weight)
        stacked, histories = train_runs(runs, loss, table, replace(training or self.effort.training, vmapped=True))
        shape = (len(rows), members)
        networks = jax.tree.map(lambda a: a.reshape(*shape, *a.shape[1:]) if eqx.is_array(a) else a, stacked)
        return networks, first_problem([h.problem or h.unfinished for h in histories], "trainings")


def first_problem(problems: Sequence[str], noun: str) -> str:
    """The first thing that went wrong, and how often something did; empty when nothing did.

    >>> first_problem(["", "diverged"], "trainings")
    '1 of 2 trainings: diverged'
    """
    found = [p for p in problems if p]
    return f"{len(found)} of {len(problems)} {noun}: {found[0]}" if found else ""


@eqx.filter_jit
def outputs(networks: Any, x: Float[jax.Array, "split point feature"]) -> Any:
    """Outputs of each split's members at its points: ``[split, member, point, …]``."""
    arrays, rest = eqx.partition(networks, eqx.is_array)

    def one(split: tuple[Any, jax.Array]) -> Any:
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


def only_outputs(networks: Any, x: FloatArray) -> FloatArray:
    """Outputs of the only member of each split, [split, point, …], in float64."""
    return np.asarray(outputs(networks, jnp.asarray(x, jnp.float32)), np.float64)[:, 0]
